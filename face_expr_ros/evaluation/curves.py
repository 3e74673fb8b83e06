"""Diagrams of evaluation reports, drawn with matplotlib, which is required only for reports."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from face_expr_ros.core.types import FloatArray
from face_expr_ros.evaluation.aflw2000 import BIN_EDGES_DEG, CURVE_NME, Errors, curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLORS = {"original": "#0072b2", "reannotated": "#d55e00"}  # distinguishable with common color vision deficiencies
_SERIES = ("#0072b2", "#56b4e9", "#d55e00", "#009e73")
_YAW_STEP_DEG = 10.0


def require_matplotlib() -> None:
    """Raise a ValueError if matplotlib is not installed; to be called before the evaluation."""
    if find_spec("matplotlib") is None:
        raise ValueError(
            "a report needs matplotlib, which is not installed: pip install matplotlib, or leave out --out"
        )


def cumulative_curves(errors: Errors) -> bytes:
    """PNG: cumulative error distribution for each ground truth."""
    figure, axes = _axes("landmark error (NME), percent", "fraction of images with at most this error")
    for kind, color in _COLORS.items():
        if kind in errors.nme:
            axes.plot(CURVE_NME, curve(errors.nme[kind]), color=color, label=f"{kind} points")
    axes.set(xlim=(0, CURVE_NME[-1]), ylim=(0, 1))
    axes.legend(loc="lower right")
    return _png(figure)


def error_by_yaw(errors: Errors, yaw_deg: FloatArray) -> bytes:
    """PNG: error of each image over its yaw, and the mean in steps of ten degrees."""
    figure, axes = _axes("yaw of the ground truth, degrees", "landmark error (NME), percent")
    for kind, color in _COLORS.items():
        if kind in errors.nme:
            axes.plot(yaw_deg, errors.nme[kind], ".", color=color, alpha=0.25, markersize=4)
            axes.plot(*_running_mean(yaw_deg, errors.nme[kind]), color=color, label=f"{kind} points")
    for edge in BIN_EDGES_DEG:
        for side in (-edge, edge):
            axes.axvline(side, color="#999999", linewidth=0.8, linestyle=":")
    highest = np.nanpercentile(np.concatenate(list(errors.nme.values())), 99) if errors.found.any() else 10.0
    axes.set(xlim=(-95, 95), ylim=(0, 1.1 * highest))
    axes.legend(loc="upper center")
    return _png(figure)


def dots_by_name(names: Sequence[str], series: Mapping[str, Sequence[float]], meaning: str) -> bytes:
    """PNG: dot plot with a line for each name, the first at the top, and a color for each series."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 0.22 * len(names) + 1.0), dpi=130, layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(names))
    for (label, values), color in zip(series.items(), _SERIES, strict=False):
        axes.plot(values, places, "o", color=color, label=label, markersize=5, alpha=0.8)
    axes.set(xlabel=meaning, xlim=(-0.1, 1.0), ylim=(len(names) - 0.3, -0.7))
    axes.set_yticks(places, names, fontsize=8)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.03), ncols=len(series), fontsize=8)
    return _png(figure)


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure  # deferred: only reports need it

    figure = Figure(figsize=(5.6, 3.8), dpi=160, layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    return figure, axes


def _running_mean(yaw_deg: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Centers and means of the yaw steps that contain values."""
    steps = np.floor(yaw_deg / _YAW_STEP_DEG).astype(int)
    filled = np.unique(steps[np.isfinite(values)])
    means = np.array([np.nanmean(values[steps == step]) for step in filled])
    return (filled + 0.5) * _YAW_STEP_DEG, means


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
