"""A face model as the key of a cache."""

from __future__ import annotations

from face_expr_ros.core.face_model import MorphableModel


class ModelKey:
    """A hashable key of a model for caches; models read from the same file are equal."""

    def __init__(self, model: MorphableModel) -> None:
        self.model = model

    def __hash__(self) -> int:
        return hash(self.model.sha256)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelKey) and self.model.sha256 == other.model.sha256
