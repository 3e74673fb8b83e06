"""Least-squares fit of a metric face model to FaceMesh landmarks: pose, shape and bounded expression at once.

A model point p = mean + S a + E e is at X = R p + t in the camera frame. Its landmark gives the direction (u, v) of a
ray and a relative depth w. The residuals, in meters at the face,

    t.z (X.x / X.z - u),    t.z (X.y / X.z - v),    t.z ((X.z - t.z) / t.z - w - w0)

are invariant to a common scale of head and distance: only perspective and the prior determine the size of a head. (The
simpler X.x - u X.z would shrink with the head and favor a small one.) Every landmark has its own noise. Gauss-Newton
solves for R, t, w0, shape a and expression e. Priors: a ~ N(estimate from earlier frames, its variance), e ~ N(0,
expression_prior_std^2) within 0..1, with the two sides of the face correlated.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import FittingConfig
from face_expr_ros.core.facemesh_regions import FITTED
from face_expr_ros.core.geometry import (
    FACING_CAMERA,
    pinhole_camera,
    pixels_with_depth,
    project,
    rotation_to_axis,
    to_camera,
    undistort,
    weak_perspective,
)
from face_expr_ros.core.ibug import IBUG_MIRROR
from face_expr_ros.core.lens import is_distorted
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import Camera, FaceFit, FloatArray, Frame, Pose, Track
from face_expr_ros.kernels.face_points import FacePoints
from face_expr_ros.kernels.landmark_fit import LandmarkFit, pinhole_rays
from face_expr_ros.models.bundle import Bundle
from face_expr_ros.perception.fitting.priors import (
    counterparts,
    inverse_expression_covariance,
    inverse_standard_deviations,
)
from face_expr_ros.perception.fitting.shape_memory import ShapeMemory, telling_blendshapes
from face_expr_ros.perception.landmarks import LANDMARK_COUNT

_MAX_FACES = 64  # shapes that are stored; the least recently used one is deleted
_GAIN_AT = 0.7  # of a blendshape
_MAX_GAIN = 2.0
_CROP_SIDE = 0.2  # meters, side of a face's crop
_POOR_RESIDUAL = 0.008  # meters; a residual of 3 mm is good, 8 mm is poor
_GAIN_CAMERA = pinhole_camera(1280, 720, field_of_view=45.0)
_GAIN_POSE = Pose(FACING_CAMERA, np.array([0.0, 0.0, 0.5]), metric=True)
_FITTED = np.array(FITTED, np.intp)


class LeastSquaresFitter:
    """Fits every track separately; earlier frames affect only the shape."""

    def __init__(self, config: FittingConfig, bundle: Bundle) -> None:
        """Prepares the bases.

        Raises:
            ConfigError: the bundle's face model has no FaceMesh points.
        """
        model = bundle.model
        if len(model.facemesh_triangle) == 0:
            raise ConfigError(
                f"fitting.backend least_squares: expected a face model with FaceMesh points, got bundle "
                f"{bundle.name!r} without them; set fitting.backend to tddfa or auto"
            )
        self._config = config
        self._shape_count = len(model.identity)
        self._expression_count = len(model.expression)
        self._mean: FloatArray = model.facemesh_points(model.mean)[_FITTED]
        bases = np.concatenate([model.identity, model.expression])
        self._basis: FloatArray = model.facemesh_points(bases)[:, _FITTED]
        self._telling = telling_blendshapes(model.expression_names)
        self._counterparts = counterparts(model.expression_names)
        noise, prior = inverse_standard_deviations(config), inverse_expression_covariance(self._counterparts, config)
        self._kernel = LandmarkFit(self._mean.T, self._basis.transpose(2, 1, 0), *noise, prior, _FITTED)
        self._mean68 = model.ibug_points(model.mean).astype(np.float64)
        self._face_points = FacePoints(self._mean68, model.ibug_points(bases), model.ibug_slide, IBUG_MIRROR)
        self._shapes: OrderedDict[str, ShapeMemory] = OrderedDict()

    def reset(self) -> None:
        """Delete all shapes."""
        self._shapes.clear()

    def state_dict(self) -> dict[str, Any]:
        """The shapes, the most recently used last."""
        return {"shapes": [[id, memory.state_dict()] for id, memory in self._shapes.items()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._shapes.clear()
        for id, memory in state["shapes"]:
            self._shapes[id] = self._new_memory()
            self._shapes[id].load_state_dict(memory)

    def __call__(self, frame: Frame, tracks: list[Track]) -> list[FaceFit]:
        """One fit for each track, in the same order.

        Without landmarks, or with degenerate ones, it is the mean face with confidence 0.
        """
        return [self._fit_track(track, frame.camera) for track in tracks]

    def _fit_track(self, track: Track, camera: Camera) -> FaceFit:
        if track.landmarks is None:
            return self._failed_fit(track, camera)
        try:
            return self._fit(track.id, track.landmarks.points, track.landmarks.confidence, camera)
        except np.linalg.LinAlgError:  # without a face in the image, FaceMesh's points may be degenerate
            return self._failed_fit(track, camera)

    def _failed_fit(self, track: Track, camera: Camera) -> FaceFit:
        """The mean face with confidence 0, its 68 points in the middle of the track's crop."""
        middle = np.array([[track.crop.x + track.crop.width / 2, track.crop.y + track.crop.height / 2]])
        ray = np.append(undistort(middle, camera)[0], 1.0)
        distance = camera.matrix[0, 0] * _CROP_SIDE / max(track.crop.width, 1.0)
        rotation = rotation_to_axis(ray).T @ FACING_CAMERA
        pose = Pose(rotation, ray * distance - rotation @ self._mean68.mean(axis=0), camera.metric)
        coefficients = np.zeros(self._shape_count + self._expression_count)
        return self._face_fit(pose, coefficients, camera, residual=0.0, confidence=0.0)

    def expression_gain(self) -> FloatArray:
        """(expression_count,) factors that undo the bias of the prior for a blendshape (and its counterpart) alone.

        Measured by fitting exact landmarks of the mean face. The factor is 1 for blendshapes that landmarks hardly
        show: there it would mostly amplify noise.
        """
        identity = np.eye(self._expression_count)
        expressions = _GAIN_AT * np.maximum(identity, identity[self._counterparts])
        found = np.array([self._fit_exact_landmarks(expression) for expression in expressions])
        gain = _GAIN_AT / np.maximum(np.einsum("ii->i", found), 1e-3)
        self.reset()
        return np.where(gain <= _MAX_GAIN, np.maximum(gain, 1.0), 1.0)

    def _fit_exact_landmarks(self, expression: FloatArray) -> FloatArray:
        """The expression (expression_count,) fitted to exact landmarks of the mean face, half a meter away."""
        basis = self._basis[self._shape_count :]
        points = to_camera(self._mean + np.tensordot(expression, basis, 1), _GAIN_POSE)
        depths = (points[:, 2] - points[:, 2].mean()) * _GAIN_CAMERA.matrix[0, 0] / _GAIN_POSE.position[2]
        landmarks = np.zeros((LANDMARK_COUNT, 3), np.float32)
        landmarks[_FITTED] = np.column_stack([project(points, _GAIN_CAMERA), depths])
        self.reset()
        return self._fit("", landmarks, 1.0, _GAIN_CAMERA).expression

    def _fit(self, face_id: str, landmarks: NDArray[np.float32], confidence: float, camera: Camera) -> FaceFit:
        """The fit to FaceMesh's landmarks (478, 3), which have this confidence."""
        memory = self._shape_memory(face_id)
        if is_distorted(camera):
            rays = undistort(landmarks[_FITTED, :2], camera)
        else:
            rays = pinhole_rays(landmarks, _FITTED, camera.matrix)
        rotation, position, coefficients = self._kernel(
            landmarks, rays, memory.shape, memory.expected(), memory.inverse_variance(), self._config.iterations
        )
        memory.update(coefficients[: self._shape_count], coefficients[self._shape_count :])
        residual = self._kernel.residual
        quality = math.exp(-((residual / _POOR_RESIDUAL) ** 2))
        pose = Pose(rotation, position, camera.metric)
        return self._face_fit(pose, coefficients, camera, residual, confidence * quality)

    def _face_fit(
        self, pose: Pose, coefficients: FloatArray, camera: Camera, residual: float, confidence: float
    ) -> FaceFit:
        shape, expression = coefficients[: self._shape_count], coefficients[self._shape_count :]
        points, landmarks68, apparent = self._face_points(
            coefficients, pose.rotation, pose.position, camera.matrix, camera.height
        )
        if is_distorted(camera):
            apparent, landmarks68 = weak_perspective(pose, camera), to_camera(points.T, pose)
            landmarks68 = pixels_with_depth(landmarks68, pose, camera)
        return FaceFit(pose, shape, expression, residual, landmarks68, apparent, confidence)

    def _shape_memory(self, face_id: str) -> ShapeMemory:
        if face_id not in self._shapes:
            self._shapes[face_id] = self._new_memory()
        self._shapes.move_to_end(face_id)
        if len(self._shapes) > _MAX_FACES:
            self._shapes.popitem(last=False)
        return self._shapes[face_id]

    def _new_memory(self) -> ShapeMemory:
        return ShapeMemory(self._shape_count, self._config.shape_memory, self._telling)
