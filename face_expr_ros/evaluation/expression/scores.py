"""Errors of 52 blendshapes against ground truth, by name and by part of the face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from face_expr_ros.core.types import FloatArray

# Part of the face -> prefixes of its blendshapes.
GROUPS = {
    "eyes": ("eye",),
    "brows": ("brow",),
    "jaw": ("jaw",),
    "mouth": ("mouth",),
    "cheeks and nose": ("cheek", "nose"),
    "tongue": ("tongue",),
}
MEASURES = ("mae", "correlation", "r2")
_CONSTANT = 1e-9  # standard deviation below which a value counts as constant


def scores(names: Sequence[str], truth: FloatArray, values: FloatArray) -> dict[str, Any]:
    """Mean absolute error, Pearson's r and R2, each by name, and their means over all names and over each group.

    Args:
        names: (E,) names of the blendshapes.
        truth, values: (n, E) true and measured values, 0..1.
    """
    by_name = {
        "mae": np.abs(values - truth).mean(axis=0),
        "correlation": np.array([correlation(*columns) for columns in zip(truth.T, values.T, strict=True)]),
        "r2": 1.0 - ((values - truth) ** 2).sum(axis=0) / np.maximum(((truth - truth.mean(axis=0)) ** 2).sum(0), 1e-12),
    }
    result: dict[str, Any] = {name: dict(zip(names, map(float, by_name[name]), strict=True)) for name in MEASURES}
    result["mean"] = {name: float(by_name[name].mean()) for name in MEASURES}
    result["groups"] = {
        group: {name: float(by_name[name][members(names, group)].mean()) for name in MEASURES}
        for group in GROUPS
        if members(names, group)
    }
    return result


def members(names: Sequence[str], group: str) -> list[int]:
    """Indices of the blendshapes of a group."""
    return [index for index, name in enumerate(names) if name.startswith(GROUPS[group])]


def correlation(a: FloatArray, b: FloatArray) -> float:
    """Pearson's r; 0 if one of the two is constant."""
    if a.std() < _CONSTANT or b.std() < _CONSTANT:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
