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
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

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
from face_expr_ros.core.ibug import apparent_turn
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.similarity import umeyama_alignment
from face_expr_ros.core.types import Camera, FaceFit, FloatArray, Frame, Pose, Track
from face_expr_ros.kernels.normal_equations import POSE, NormalEquations
from face_expr_ros.models.bundle import Bundle
from face_expr_ros.perception.fitting.bounded import PartlyBounded
from face_expr_ros.perception.fitting.priors import (
    counterparts,
    inverse_expression_covariance,
    inverse_standard_deviations,
)
from face_expr_ros.perception.fitting.shape_memory import ShapeMemory, telling_blendshapes

_MAX_FACES = 64  # shapes that are stored; the least recently used one is deleted
_CONVERGED_ROTATION = 2e-3  # radians; after a smaller step about a tenth of it remains
_LARGE_ROTATION = 0.01  # radians; after a larger step the normal matrix is computed anew
_GAIN_AT = 0.7  # of a blendshape
_MAX_GAIN = 2.0
_MIN_STD = 1.0  # pixels; FaceMesh may return all points in one place
_CROP_SIDE = 0.2  # meters, side of a face's crop
_POOR_RESIDUAL = 0.008  # meters; a residual of 3 mm is good, 8 mm is poor
_GAIN_CAMERA = pinhole_camera(1280, 720, field_of_view=45.0)
_GAIN_POSE = Pose(FACING_CAMERA, np.array([0.0, 0.0, 0.5]), metric=True)
_FITTED = np.array(FITTED)


@dataclass(frozen=True)
class _Observation:
    """Directions (n, 2) of the landmarks' rays, and depths (n,) relative to the face's distance."""

    directions: FloatArray
    depths: FloatArray


@dataclass(frozen=True)
class _State:
    """The unknowns: R (3, 3), t (3,) and w0 in meters, and shape and expression coefficients in one vector."""

    rotation: FloatArray
    position: FloatArray
    offset: float
    coefficients: FloatArray


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
        mean = model.facemesh_points(model.mean)[_FITTED]
        basis = model.facemesh_points(np.concatenate([model.identity, model.expression]))[:, _FITTED]
        self._equations = NormalEquations(mean.T, basis.transpose(2, 1, 0), *inverse_standard_deviations(config))
        self._model = model
        self._mean68 = model.ibug_points(model.mean).astype(np.float64)
        basis68 = model.ibug_points(np.concatenate([model.identity, model.expression]))
        self._basis68 = np.ascontiguousarray(basis68.transpose(2, 1, 0))
        self._shapes: OrderedDict[str, ShapeMemory] = OrderedDict()
        self._telling = telling_blendshapes(model.expression_names)
        self._counterparts = counterparts(model.expression_names)
        self._prior = inverse_expression_covariance(self._counterparts, config)

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
        points = track.landmarks.points[_FITTED].astype(np.float64)
        if not _are_spread(points):
            return self._failed_fit(track, camera)
        try:
            return self._fit(track.id, points, track.landmarks.confidence, camera)
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
        points = self._equations.points(np.concatenate([np.zeros(self._shape_count), expression])).T
        points = to_camera(points, _GAIN_POSE)
        depths = (points[:, 2] - points[:, 2].mean()) * _GAIN_CAMERA.matrix[0, 0] / _GAIN_POSE.position[2]
        landmarks = np.column_stack([project(points, _GAIN_CAMERA), depths])
        self.reset()
        return self._fit("", landmarks, 1.0, _GAIN_CAMERA).expression

    def _fit(self, face_id: str, landmarks: FloatArray, confidence: float, camera: Camera) -> FaceFit:
        """The fit to the selected landmarks (n, 3), which have FaceMesh's confidence."""
        memory = self._shape_memory(face_id)
        toward, observed = _observe(landmarks, camera)
        aligned = self._align(observed, np.concatenate([memory.shape, np.zeros(self._expression_count)]))
        state = self._minimize(observed, memory, aligned)
        memory.update(state.coefficients[: self._shape_count], state.coefficients[self._shape_count :])
        pose = Pose(toward.T @ state.rotation, toward.T @ state.position, camera.metric)
        residual = self._equations.residual
        quality = math.exp(-((residual / _POOR_RESIDUAL) ** 2))
        return self._face_fit(pose, state.coefficients, camera, residual, confidence * quality)

    def _face_fit(
        self, pose: Pose, coefficients: FloatArray, camera: Camera, residual: float, confidence: float
    ) -> FaceFit:
        shape, expression = coefficients[: self._shape_count], coefficients[self._shape_count :]
        apparent = weak_perspective(pose, camera)
        points68 = self._mean68 + (self._basis68 @ coefficients).T + self._model.ibug_offsets(apparent_turn(apparent))
        landmarks68 = pixels_with_depth(to_camera(points68, pose), pose, camera)
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

    def _align(self, observed: _Observation, coefficients: FloatArray) -> _State:
        """The best similarity (Umeyama, 1991) from the model to rays and depths, as the initial guess."""
        points = self._equations.points(coefficients).T
        alignment = umeyama_alignment(points, np.column_stack([observed.directions, observed.depths]))
        distance = alignment.spread / alignment.correlation
        x, y, _ = alignment.target_mean
        position = distance * np.array([x, y, 1.0]) - alignment.rotation @ alignment.source_mean
        return _State(alignment.rotation, position, 0.0, coefficients)

    def _minimize(self, observed: _Observation, memory: ShapeMemory, state: _State) -> _State:
        """Gauss-Newton steps. After a small rotation the normal matrix is reused; the minimum depends on the gradient
        alone."""
        self._linearize(observed, state)
        rotation = np.inf
        for _ in range(self._config.iterations):
            if rotation > _LARGE_ROTATION:
                normal = self._normal(memory)
                problem = PartlyBounded(normal, POSE + self._shape_count)
            rotation, state = self._step(normal, problem, state, memory)
            self._linearize(observed, state)
            if rotation < _CONVERGED_ROTATION:
                break
        return state

    def _linearize(self, observed: _Observation, state: _State) -> None:
        self._equations.linearize(
            observed.directions, observed.depths, state.rotation, state.position, state.offset, state.coefficients
        )

    def _step(
        self, normal: FloatArray, problem: PartlyBounded, now: _State, memory: ShapeMemory
    ) -> tuple[float, _State]:
        """The largest component of the step's rotation, radians, and the state after the step."""
        unknowns = np.concatenate([np.zeros(3), now.position, [now.offset], now.coefficients])
        shape, expression = now.coefficients[: self._shape_count], now.coefficients[self._shape_count :]
        gradient, bounded = self._equations.gradient(), POSE + self._shape_count
        gradient[POSE:bounded] += memory.inverse_variance() * (shape - memory.expected())
        gradient[bounded:] += self._prior @ expression
        solution = problem(normal @ unknowns - gradient, start=expression)
        vector, position, offset, coefficients = solution[:3], solution[3:6], float(solution[6]), solution[POSE:]
        rotation = cv2.Rodrigues(vector)[0] @ now.rotation
        return float(np.abs(vector).max()), _State(rotation, position, offset, coefficients)

    def _normal(self, memory: ShapeMemory) -> FloatArray:
        """(unknowns, unknowns) normal matrix of the landmarks and the priors."""
        normal, bounded = self._equations.normal(), POSE + self._shape_count
        np.einsum("ii->i", normal)[POSE:bounded] += memory.inverse_variance()
        normal[bounded:, bounded:] += self._prior
        return normal


def _are_spread(points: FloatArray) -> bool:
    """Whether the points (n, 3) are finite and not all in one place or on one line of pixels."""
    return bool((_mean_and_variance(points)[1] >= _MIN_STD**2).all())  # NaN, and so False, if a point is not finite


def _observe(points: FloatArray, camera: Camera) -> tuple[FloatArray, _Observation]:
    """The rotation (3, 3) that turns the optical axis to the face, and the landmarks in the rotated camera.

    FaceMesh processes a crop around the face, so its depths are along the ray to the face, not the optical axis.
    """
    directions = undistort(points[:, :2], camera)
    toward = rotation_to_axis(np.array([*_mean_and_variance(directions)[0], 1.0]))
    rotated = directions @ toward[:, :2].T + toward[:, 2]
    rotated = rotated[:, :2] / rotated[:, 2:]
    scale = math.sqrt(_mean_and_variance(rotated)[1].sum() / max(_mean_and_variance(points)[1].sum(), 1e-12))
    return toward, _Observation(rotated, points[:, 2] * scale)


def _mean_and_variance(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(2,) and (2,): of x and y of points (n, >= 2); np.mean and np.var take four times as long."""
    xy = points[:, :2]
    mean = np.add.reduce(xy) / len(xy)
    return mean, np.add.reduce((xy - mean) ** 2) / len(xy)
