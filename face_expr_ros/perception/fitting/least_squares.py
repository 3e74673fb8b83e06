"""Least-squares fit of a metric face model to FaceMesh landmarks: pose, shape and bounded expression at once.

A model point p = mean + S a + E e lies at X = R p + t in the camera frame. The landmark of that point gives the
direction (u, v) of its ray and a relative depth w. The errors, in meters at the face,

    t.z (X.x / X.z - u),    t.z (X.y / X.z - v),    t.z ((X.z - t.z) / t.z - w - w0)

do not change when head and distance grow together: only perspective and the prior tell the size of a head. (The
simpler X.x - u X.z would shrink with the head and so always prefer a small one.) Every landmark has its own noise.
Gauss-Newton solves for R, t, w0, shape a and expression e. Priors: a ~ N(what earlier frames said, their certainty),
e ~ N(0, spread) within 0..1, the two sides of the face correlated.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.linalg.blas import dsymv

from face_expr_ros.core.config import ConfigError, FittingConfig
from face_expr_ros.core.facemesh_regions import BROWS, FITTED, LIDS_AND_IRISES, LIPS, OUTLINE, REST_STEP
from face_expr_ros.core.geometry import (
    FACING_CAMERA,
    pinhole_camera,
    pixels_with_depth,
    project,
    to_camera,
    turn_to_axis,
    undistort,
    weak_perspective,
)
from face_expr_ros.core.types import Camera, FaceFit, FloatArray, Frame, Pose, Track
from face_expr_ros.kernels.normal_equations import POSE, NormalEquations
from face_expr_ros.kernels.points import moments, turned_directions
from face_expr_ros.kernels.similarity import umeyama_alignment
from face_expr_ros.models.bundle import Bundle
from face_expr_ros.perception.fitting.bounded import PartlyBounded
from face_expr_ros.perception.fitting.shape_memory import ShapeMemory, telling_blendshapes
from face_expr_ros.perception.landmarks import LANDMARK_COUNT

_FACES_REMEMBERED = 64
_SMALL_TURN = 2e-3  # radians; a step below it is the last that matters, a tenth of it is left
_LARGE_TURN = 0.01  # radians, from which on a step needs a matrix of its own
_GAIN_AT = 0.7  # of a blendshape
_LARGEST_GAIN = 2.0
_LEAST_SPREAD = 1.0  # pixels; FaceMesh may put all points of a face it does not see in one place
_CROP_SIDE = 0.2  # meters that the crop of a face shows
_POOR_RESIDUAL = 0.008  # meters: 3 mm off is well explained, 8 mm is not
_LOOKING = pinhole_camera(1280, 720, field_of_view=45.0)
_FACING = Pose(FACING_CAMERA, np.array([0.0, 0.0, 0.5]), metric=True)
_FITTED = np.array(FITTED)

# How far FaceMesh is off, relative to cheeks and forehead: it finds small sharp features best, and its
# outline slides along the face as the head turns. With one noise for all, the outline decides the expression.
_NOISE_BY_REGION = ((OUTLINE, 1.9), (BROWS, 0.5), (LIPS, 0.3), (LIDS_AND_IRISES, 0.2))
# FaceMesh keeps lips nearly flat: a pucker moves them sideways and not, as it should, towards the camera.
_LIP_DEPTH_NOISE = 5.0


@dataclass(frozen=True)
class _Observation:
    """Directions (n, 2) of the landmarks' rays and relative depths (n,), as multiples of the face's distance."""

    directions: FloatArray
    depths: FloatArray


@dataclass(frozen=True)
class _State:
    """What is solved for: R (3, 3), t (3,) and w0 in meters, and shape and expression in one vector."""

    rotation: FloatArray
    position: FloatArray
    offset: float
    coefficients: FloatArray


class LeastSquaresFitter:
    """Fits every track on its own; earlier frames matter only for the shape."""

    def __init__(self, config: FittingConfig, bundle: Bundle) -> None:
        """Prepares the bases.

        Raises:
            ConfigError: the bundle's face model does not say where FaceMesh's points lie on it.
        """
        model = bundle.model
        if len(model.facemesh_triangle) == 0:
            raise ConfigError(
                f"fitting.backend least_squares needs a face model that knows FaceMesh's points, and that of bundle "
                f"{bundle.name!r} does not; set it to tddfa or auto"
            )
        self._config = config
        self._shape_count = len(model.identity)
        self._expression_count = len(model.expression)
        mean = model.facemesh_points(model.mean)[_FITTED]
        basis = model.facemesh_points(np.concatenate([model.identity, model.expression]))[:, _FITTED]
        self._equations = NormalEquations(mean.T, basis.transpose(2, 1, 0), *_certainties(config))
        self._mean68 = model.mean[model.landmarks68].astype(np.float64)
        basis68 = np.concatenate([model.identity, model.expression])[:, model.landmarks68]
        self._basis68 = np.ascontiguousarray(basis68.transpose(2, 1, 0))
        self._memories: OrderedDict[str, ShapeMemory] = OrderedDict()
        self._telling = telling_blendshapes(model.expression_names)
        self._twins = twins(model.expression_names)
        self._prior = _expression_prior(self._twins, config)

    def reset(self) -> None:
        """Forget all faces."""
        self._memories.clear()

    def __call__(self, frame: Frame, tracks: list[Track]) -> list[FaceFit]:
        """One fit for each track, in the same order; the mean face with no confidence where there are no landmarks, or
        none that determine a face."""
        return [self._fit_track(track, frame.camera) for track in tracks]

    def _fit_track(self, track: Track, camera: Camera) -> FaceFit:
        if track.landmarks is None:
            return self._unseen(track, camera)
        points = track.landmarks.points[_FITTED].astype(np.float64)
        if not _determine_a_face(points):
            return self._unseen(track, camera)
        try:
            return self._fit(track.id, points, track.landmarks.confidence, camera)
        except np.linalg.LinAlgError:  # what FaceMesh draws into an image without a face may be no face at all
            return self._unseen(track, camera)

    def _unseen(self, track: Track, camera: Camera) -> FaceFit:
        """The mean face, its 68 points in the middle of the track's crop."""
        middle = np.array([[track.crop.x + track.crop.width / 2, track.crop.y + track.crop.height / 2]])
        ray = np.append(undistort(middle, camera)[0], 1.0)
        distance = camera.matrix[0, 0] * _CROP_SIDE / max(track.crop.width, 1.0)
        rotation = turn_to_axis(ray).T @ FACING_CAMERA
        pose = Pose(rotation, ray * distance - rotation @ self._mean68.mean(axis=0), camera.metric)
        coefficients = np.zeros(self._shape_count + self._expression_count)
        return self._answer(pose, coefficients, camera, residual=0.0, confidence=0.0)

    def expression_gain(self) -> FloatArray:
        """(expression_count,) what undoes the pull of the prior on a blendshape, and its twin, alone on the mean face.

        Found by fitting exact landmarks. It is 1 for blendshapes that landmarks hardly show: there it would mostly
        amplify noise.
        """
        alone = _GAIN_AT * np.maximum(np.eye(self._expression_count), np.eye(self._expression_count)[self._twins])
        found = np.array([self._fit_exactly(expression) for expression in alone])
        gain = _GAIN_AT / np.maximum(np.einsum("ii->i", found), 1e-3)
        self.reset()
        return np.where(gain <= _LARGEST_GAIN, np.maximum(gain, 1.0), 1.0)

    def _fit_exactly(self, expression: FloatArray) -> FloatArray:
        """The expression (expression_count,) read from exact landmarks of the mean face, half a meter away."""
        points = to_camera(self._equations.points(np.concatenate([np.zeros(self._shape_count), expression])).T, _FACING)
        depths = (points[:, 2] - points[:, 2].mean()) * _LOOKING.matrix[0, 0] / _FACING.position[2]
        landmarks = np.column_stack([project(points, _LOOKING), depths])
        self.reset()
        return self._fit("", landmarks, 1.0, _LOOKING).expression

    def _fit(self, face_id: str, landmarks: FloatArray, confidence: float, camera: Camera) -> FaceFit:
        """The fit to the landmarks (n, 3) that are fitted, of which FaceMesh is so confident."""
        memory = self._remember(face_id)
        toward, seen = _look_at(landmarks, camera)
        aligned = self._align(seen, np.concatenate([memory.shape, np.zeros(self._expression_count)]))
        state = self._descend(seen, memory, aligned)
        memory.update(state.coefficients[: self._shape_count], state.coefficients[self._shape_count :])
        pose = Pose(toward.T @ state.rotation, toward.T @ state.position, camera.metric)
        residual = self._equations.off
        good = math.exp(-((residual / _POOR_RESIDUAL) ** 2))
        return self._answer(pose, state.coefficients, camera, residual, confidence * good)

    def _answer(
        self, pose: Pose, coefficients: FloatArray, camera: Camera, residual: float, confidence: float
    ) -> FaceFit:
        shape, expression = coefficients[: self._shape_count], coefficients[self._shape_count :]
        points68 = to_camera(self._mean68 + (self._basis68 @ coefficients).T, pose)
        landmarks68 = pixels_with_depth(points68, pose, camera)
        apparent = weak_perspective(pose, camera)
        return FaceFit(pose, shape, expression, residual, landmarks68, apparent, confidence)

    def _remember(self, face_id: str) -> ShapeMemory:
        if face_id not in self._memories:
            self._memories[face_id] = ShapeMemory(self._shape_count, self._config.shape_memory, self._telling)
        memory = self._memories[face_id]
        self._memories.move_to_end(face_id)
        if len(self._memories) > _FACES_REMEMBERED:
            self._memories.popitem(last=False)
        return memory

    def _align(self, seen: _Observation, coefficients: FloatArray) -> _State:
        """The best similarity (Umeyama, 1991) from the model to rays and depths, as a first guess."""
        points = self._equations.points(coefficients).T
        turn = umeyama_alignment(points, np.column_stack([seen.directions, seen.depths]))
        distance = turn.spread / turn.reached
        x, y, _ = turn.image_middle
        position = distance * np.array([x, y, 1.0]) - turn.rotation @ turn.middle
        return _State(turn.rotation, position, 0.0, coefficients)

    def _descend(self, seen: _Observation, memory: ShapeMemory, state: _State) -> _State:
        """Gauss-Newton steps. Where little has turned, the matrix of one serves the next one too: the slope alone
        decides where they end."""
        self._linearize(seen, state)
        turned = np.inf
        for _ in range(self._config.iterations):
            if turned > _LARGE_TURN:
                normal = self._normal(memory)
                problem = PartlyBounded(normal, POSE + self._shape_count)
            turned, state = self._step(normal, problem, state, memory)
            self._linearize(seen, state)
            if turned < _SMALL_TURN:
                break
        return state

    def _linearize(self, seen: _Observation, state: _State) -> None:
        self._equations.linearize(
            seen.directions, seen.depths, state.rotation, state.position, state.offset, state.coefficients
        )

    def _step(
        self, normal: FloatArray, problem: PartlyBounded, now: _State, memory: ShapeMemory
    ) -> tuple[float, _State]:
        """The largest component of the turn, radians, and the state after the step."""
        unknowns = np.concatenate([np.zeros(3), now.position, [now.offset], now.coefficients])
        shape, expression = now.coefficients[: self._shape_count], now.coefficients[self._shape_count :]
        slope, bounded = self._equations.slope(), POSE + self._shape_count
        slope[POSE:bounded] += memory.certainty() * (shape - memory.expected())
        slope[bounded:] += self._prior @ expression
        solution = problem(dsymv(1.0, normal.T, unknowns) - slope, start=expression)  # as BLAS wants it
        turn, position, offset, coefficients = solution[:3], solution[3:6], float(solution[6]), solution[POSE:]
        rotation = cv2.Rodrigues(turn)[0] @ now.rotation
        return float(np.abs(turn).max()), _State(rotation, position, offset, coefficients)

    def _normal(self, memory: ShapeMemory) -> FloatArray:
        """(unknowns, unknowns) of the landmarks and of what is known before them."""
        normal, bounded = self._equations.normal(), POSE + self._shape_count
        np.einsum("ii->i", normal)[POSE:bounded] += memory.certainty()
        normal[bounded:, bounded:] += self._prior
        return normal


def twins(names: tuple[str, ...]) -> list[int]:
    """For each blendshape the one that goes with it on the other side of the face, or itself where there is none.

    Eyes move together: the left eye looks in when the right one looks out.
    """
    other = {"Left": "Right", "Right": "Left"}
    way = {"In": "Out", "Out": "In"}

    def twin(name: str) -> str:
        if found := re.fullmatch(r"(eyeLook)(In|Out)(Left|Right)", name):
            return found[1] + way[found[2]] + other[found[3]]
        found = re.fullmatch(r"(\w+)(Left|Right)", name)
        return found[1] + other[found[2]] if found and found[1] not in ("jaw", "mouth") else name

    return [names.index(twin(name)) if twin(name) in names else index for index, name in enumerate(names)]


def _expression_prior(twin: list[int], config: FittingConfig) -> FloatArray:
    """(n, n) inverse covariance of the expression before anything is seen."""
    correlation = np.eye(len(twin))
    for index, other in enumerate(twin):
        if other != index:
            correlation[index, other] = config.symmetry
    prior: FloatArray = np.linalg.inv(correlation) / config.expression_prior_std**2
    return prior


def _certainties(config: FittingConfig) -> tuple[FloatArray, FloatArray]:
    """(n,) inverse standard deviations of the fitted landmarks, per meter: across the line of sight, and along it."""
    across = np.full(LANDMARK_COUNT, config.landmark_noise / np.sqrt(REST_STEP))
    along = np.full(LANDMARK_COUNT, config.depth_noise / np.sqrt(REST_STEP))
    for region, noise in _NOISE_BY_REGION:
        across[list(region)] = noise * config.landmark_noise
        along[list(region)] = config.depth_noise
    along[list(LIPS)] = _LIP_DEPTH_NOISE * config.depth_noise
    return 1.0 / across[_FITTED], 1.0 / along[_FITTED]


def _determine_a_face(points: FloatArray) -> bool:
    """Whether there is anything to fit: points (n, 3) that are finite and spread over the image."""
    _, _, across, down = moments(points)  # not a number where a point is none
    return across >= _LEAST_SPREAD**2 and down >= _LEAST_SPREAD**2


def _look_at(points: FloatArray, camera: Camera) -> tuple[FloatArray, _Observation]:
    """The rotation (3, 3) of the camera that makes it look straight at the face, and the landmarks as seen from there.

    FaceMesh sees a crop around the face, so that its depths run along the ray to the face, not along the optical axis.
    """
    directions = undistort(points[:, :2], camera)
    toward = turn_to_axis(np.array([*moments(directions)[:2], 1.0]))
    seen = turned_directions(directions, toward)
    pixels_to_seen = math.sqrt(sum(moments(seen)[2:]) / max(sum(moments(points)[2:]), 1e-12))
    return toward, _Observation(seen, points[:, 2] * pixels_to_seen)


create = LeastSquaresFitter
