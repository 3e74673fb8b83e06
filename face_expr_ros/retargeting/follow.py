"""Selection of the face to follow."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from face_expr_ros.core.types import FaceState
from face_expr_ros.retargeting.config import HeadControlConfig
from face_expr_ros.retargeting.sources import distance, quantity

SPEECH_WINDOW = 1.0  # seconds
SILENCE = 0.03**2  # variance of jawOpen caused by noise: added to every score, so that silent faces score alike


class FaceSelector:
    """Selects one of several faces; switches when another face scored higher for ``switch_after`` seconds."""

    def __init__(self, config: HeadControlConfig) -> None:
        self.config = config
        self._followed = ""
        self._preferred_until_ns = 0  # last time at which no other face was clearly better
        self._jaw_open: dict[str, deque[tuple[int, float]]] = {}  # times and values of the last second

    def __call__(self, faces: Sequence[FaceState], now_ns: int) -> FaceState | None:
        """The selected face of a message; None if there is no face, or while a lost face may return."""
        self._update_speech(faces, now_ns)
        present = {face.id: face for face in faces}
        if self.config.follow == "id":
            return present.get(self.config.face_id)
        scores = {face.id: self._score(face) for face in faces}
        if scores:
            self._select(scores, now_ns)
        return present.get(self._followed)

    def reset(self) -> None:
        """Clear the selection: the best face of the next message is selected at once."""
        self._followed = ""
        self._jaw_open = {}

    def _select(self, scores: Mapping[str, float], now_ns: int) -> None:
        best = max(scores, key=scores.__getitem__)
        margin = 1.0 + self.config.switch_margin
        if self._followed in scores and scores[best] <= scores[self._followed] * margin:
            self._preferred_until_ns = now_ns
        elif not self._followed or now_ns - self._preferred_until_ns >= self.config.switch_after * 1e9:
            self._followed, self._preferred_until_ns = best, now_ns

    def _score(self, face: FaceState) -> float:
        """Score of a face, positive; higher is better."""
        if self.config.follow == "nearest":
            return 1.0 / max(distance(face), 1e-3)
        if self.config.follow == "largest":
            return face.roi.width * face.roi.height
        values = [value for _, value in self._jaw_open[face.id]]
        return float(np.var(values)) + SILENCE if values else SILENCE

    def _update_speech(self, faces: Sequence[FaceState], now_ns: int) -> None:
        """Record jawOpen of each face over the speech window; delete faces that are gone."""
        self._jaw_open = {face.id: self._jaw_open.get(face.id, deque()) for face in faces}
        for face in faces:
            history = self._jaw_open[face.id]
            value = quantity(face, "jawOpen")
            if np.isfinite(value):
                history.append((now_ns, value))
            while history and now_ns - history[0][0] > SPEECH_WINDOW * 1e9:
                history.popleft()
