"""The distance of faces from a depth image: its median over the visible face sets the scale of the position.

One camera shows the distance of a face only relative to its size, which rests on an average head: the fit explains the
image equally well at any common scale of head and distance. The ratio between measured and predicted depth is
therefore the same everywhere on the face, and constant for a person. It is measured against the fit with the stamp of
the depth image, which may arrive after the next color image, and applied to all later fits.

Depth images have holes and outliers (hair, glasses, hands, edges), and may be wrong altogether (not aligned, in another
unit, a reflection). A measurement counts only if most of the face agrees with the relief of the fit at a plausible
scale; otherwise the last one stays in use.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import project, to_camera
from face_expr_ros.core.types import DepthImage, FaceFit, FloatArray, Frame

_RADIUS = 0.05  # meters around the sellion, whose distance is measured: without mouth, ears and most hair
_MAX_POINTS = 500
_MIN_FACING = 0.3  # cosine between normal and ray; surfaces that are more oblique have outliers
_MIN_SHARE = 0.3  # of the points that face the camera, with a measured depth
_MIN_MEASURED = 25  # points
_MIN_AGREEMENT = 0.6  # of the measured points, within the tolerance of the relief
_MIN_RELIEF = 0.4  # slope of measured against predicted relief; 0 for a flat surface
_RELIEF_NOISE = 0.008  # meters per squared meter; noise that hides the relief
_SCALES = {True: (0.8, 1.25), False: (0.5, 2.0)}  # by a calibrated or an assumed focal length
_TOLERANCE, _TOLERANCE_AT_1M = 0.008, 0.006  # meters, and per squared meter: noise of structured light grows so
_MAX_GAP_NS = 20_000_000  # nanoseconds between a depth image and the fit that it is compared with
_FRAMES = 8  # whose predictions are kept
_TIME_CONSTANT = 0.3  # seconds


@dataclass(frozen=True)
class _Prediction:
    """The points (n, 3) of a face that face the camera, in the camera frame, and their pixels (n, 2)."""

    points: FloatArray
    pixels: FloatArray
    metric: bool


class DepthScale:
    """Scales the positions of fits by depth images.

    Args:
        model: the face model of the fits.
    """

    def __init__(self, model: MorphableModel) -> None:
        self._model = model
        self._vertices, self._normals = _face_points(model)
        self._mean = model.mean[self._vertices].astype(np.float64)
        self.reset()

    @cached_property
    def _basis(self) -> NDArray[np.float32]:
        """(I + E, 3 n) the bases of the points, a megabyte that is used only with depth images."""
        bases = self._model.bases[:, self._vertices]
        return bases.reshape(len(bases), -1)

    def reset(self) -> None:
        """Delete all scales."""
        self._scales: dict[str, tuple[float, int]] = {}  # by face id, with the stamp of the measurement
        self._predictions: deque[tuple[int, dict[str, _Prediction]]] = deque(maxlen=_FRAMES)
        self._last_depth_ns: int | None = None

    def __call__(self, frame: Frame, ids: list[str], fits: list[FaceFit]) -> list[FaceFit]:
        """The fits with scaled positions; those of faces that no depth image has shown are unchanged."""
        if frame.depth is None and not self._scales:
            return fits
        self._scales = {face_id: scale for face_id, scale in self._scales.items() if face_id in ids}
        self._predictions.append((frame.stamp_ns, self._predict(frame, ids, fits)))
        if frame.depth is not None and frame.depth.stamp_ns != self._last_depth_ns:
            self._last_depth_ns = frame.depth.stamp_ns
            self._measure(frame.depth)
        return [self._scaled(fit, self._scales.get(face_id)) for face_id, fit in zip(ids, fits, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """The scales; predictions of earlier frames are not kept."""
        return {"scales": {face_id: list(scale) for face_id, scale in self._scales.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.reset()
        self._scales = {face_id: (scale, stamp_ns) for face_id, (scale, stamp_ns) in state["scales"].items()}

    def _predict(self, frame: Frame, ids: list[str], fits: list[FaceFit]) -> dict[str, _Prediction]:
        known = {face_id: fit for face_id, fit in zip(ids, fits, strict=True) if fit.confidence > 0.0}
        return {face_id: self._prediction(fit, frame) for face_id, fit in known.items()}

    def _prediction(self, fit: FaceFit, frame: Frame) -> _Prediction:
        coefficients = np.concatenate([fit.shape, fit.expression]).astype(np.float32)
        points = to_camera(self._mean + (coefficients @ self._basis).reshape(-1, 3), fit.pose)
        rays = points / np.linalg.norm(points, axis=1, keepdims=True)
        facing = -np.einsum("nk,nk->n", self._normals @ fit.pose.rotation.T, rays) > _MIN_FACING
        points = points[facing & (points[:, 2] > 0.0)]
        return _Prediction(points, project(points, frame.camera), fit.pose.metric)

    def _measure(self, depth: DepthImage) -> None:
        stamp_ns, predictions = min(self._predictions, key=lambda kept: abs(kept[0] - depth.stamp_ns))
        if abs(stamp_ns - depth.stamp_ns) > _MAX_GAP_NS:
            return
        for face_id, prediction in predictions.items():
            scale = measured_scale(prediction.points, prediction.pixels, depth, metric=prediction.metric)
            if scale is not None:
                self._update(face_id, scale, depth.stamp_ns)

    def _update(self, face_id: str, scale: float, stamp_ns: int) -> None:
        if face_id in self._scales:
            last, last_ns = self._scales[face_id]
            gain = 1.0 - math.exp(-max(stamp_ns - last_ns, 0) * 1e-9 / _TIME_CONSTANT)
            scale = last + gain * (scale - last)
        self._scales[face_id] = scale, stamp_ns

    def _scaled(self, fit: FaceFit, scale: tuple[float, int] | None) -> FaceFit:
        if scale is None or fit.confidence == 0.0:
            return fit
        return replace(fit, pose=replace(fit.pose, position=fit.pose.position * scale[0], depth_used=True))


def measured_scale(points: FloatArray, pixels: FloatArray, depth: DepthImage, *, metric: bool) -> float | None:
    """The factor between measured and predicted depth of a face; None if the depth image does not show the face.

    Args:
        points: (n, 3) predicted points of the face in the camera frame.
        pixels: (n, 2) their pixels, of which the depth image may have fewer or more.
        depth: the depth image.
        metric: whether the camera is calibrated, which limits the plausible factors.
    """
    measured = depth.at(pixels)
    valid = np.isfinite(measured)
    if valid.sum() < max(_MIN_MEASURED, _MIN_SHARE * len(points)):
        return None
    measured, predicted = measured[valid], points[valid, 2]
    scale = float(np.median(measured / predicted))
    low, high = _SCALES[metric]
    if not low <= scale <= high:
        return None
    distance = scale * float(np.median(predicted))
    agree = np.abs(measured - scale * predicted) < 2.0 * (_TOLERANCE + _TOLERANCE_AT_1M * distance**2)
    if agree.mean() < _MIN_AGREEMENT or not _has_relief(measured[agree], scale * predicted[agree], distance):
        return None
    return float(np.median(measured[agree] / predicted[agree]))


def _has_relief(measured: FloatArray, predicted: FloatArray, distance: float) -> bool:
    """Whether measured depths rise and fall with the predicted ones, unless noise hides the relief of a face."""
    relief = predicted - predicted.mean()
    if relief.std() < _RELIEF_NOISE * distance**2:
        return True
    return float((measured - measured.mean()) @ relief / (relief @ relief)) > _MIN_RELIEF


def _face_points(model: MorphableModel) -> tuple[np.ndarray, FloatArray]:
    """Indices (n,) of vertices on the front of the face, and their normals (n, 3) on the mean face."""
    normals = np.zeros(model.mean.shape)
    corners = model.mean[model.triangles].astype(np.float64)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    for corner in range(3):
        np.add.at(normals, model.triangles[:, corner], across)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    near = np.linalg.norm(model.mean, axis=1) < _RADIUS
    front = near & (normals[:, 2] > _MIN_FACING)
    if "skin" in model.part_names:
        front &= model.vertex_part == model.part_names.index("skin")
    vertices = np.flatnonzero(front)
    vertices = vertices[:: max(1, len(vertices) // _MAX_POINTS)]
    return vertices, normals[vertices]
