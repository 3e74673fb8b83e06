"""Portraits with an added movement of known size: graded portraits seldom show a sneer, a pucker or one side alone.

The portrait's person is a height field that follows the fitted face model (`training.tddfa.turned`). The model makes a
movement, the person is rendered in a slightly different pose, and the grades increase by three times the movement.
Only movements are added that a texture can show: no open mouth and no closed lids, which reveal or hide texture.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import euler_angles, project, rotation_from_euler, to_camera
from face_expr_ros.core.portrait_score import CLEAR, COLUMNS
from face_expr_ros.core.types import Camera, FloatArray, Pose
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.training.expression.graded.augmentation import altered
from face_expr_ros.training.expression.graded.faces import Faces, Floats
from face_expr_ros.training.expression.graded.loss import STRONGEST, columns_of
from face_expr_ros.training.expression.graded.reader import FaceReader, Image, distance_to
from face_expr_ros.training.tddfa.portraits import Portrait, PortraitFitter
from face_expr_ros.training.tddfa.turned import HeightField, draw_turned, height_field

# Movements and how often they are chosen. Stems of two sides are moved on both, or mainly on one.
_PAIRED = {
    "mouthSmile": 2.0, "mouthFrown": 2.0, "mouthPress": 1.5, "mouthDimple": 1.0, "mouthStretch": 0.7,
    "browOuterUp": 2.0, "browDown": 2.0, "noseSneer": 2.5, "eyeSquint": 1.0, "cheekSquint": 0.7,
}  # fmt: skip
_SINGLE = {"browInnerUp": 2.0, "mouthPucker": 2.5, "cheekPuff": 1.0}
_SIDEWAYS = {"mouth": 2.0, "jaw": 0.7}
_ROLLED = 1.5  # lips rolled in
_AMPLITUDE = (0.25, 0.9)
_SMALLER = (0.0, 0.3), (0.8, 1.0)  # of the other side: mainly one side, or both
_MAX_YAW, _MAX_TURNED = np.radians(40), np.radians(60)
_YAW, _PITCH, _ROLL = np.radians([12, 28]), np.radians(8), np.radians(6)  # standard deviations of the turn
_SHAPE = 0.4  # standard deviations
_SIDE, _DISTANCE, _FOCAL = 320, (0.45, 3.0), (0.24, 0.32)  # pixels; meters; the face's width is _FOCAL of the image
_WEIGHT = 0.7  # of an edited portrait's grades
_LARGEST_MISS = 0.12  # mean distance of FaceMesh's points from the true ones, in heights of the face


class Editor:
    """Makes edited copies of a portrait and reads them."""

    def __init__(self, reader: FaceReader) -> None:
        self._reader, self._fitter = reader, PortraitFitter()
        self._model = open_face_model("open")
        self._columns = columns_of(self._model.expression_names)

    def faces(
        self, path: Path, image: Image, truth: FloatArray, weight: float, group: int, copies: int
    ) -> Iterator[Faces]:
        """Inputs of each edited copy in which the face is found; none if the portrait cannot be fitted."""
        portrait = self._fitter(path)
        if portrait is None or abs(euler_angles(portrait.fit.pose.rotation)[0]) > _MAX_YAW:
            return
        taught = self._reader.taught(image, portrait.fit.landmarks68[:, :2])
        if taught is None:
            return
        field = height_field(portrait, self._model)
        for copy in range(copies):
            rng = np.random.default_rng([group, copy, 77])
            movement = random_movement(self._model.expression_names, truth, rng)
            edited, place = edit(portrait, field, self._model, movement, float(_YAW[(group + copy) % 2]), rng)
            edited, transform = altered(edited, rng)
            place = place @ transform[:2, :2].T + transform[:2, 2]
            track = self._reader.track(edited, place, rng)
            if track is None or distance_to(track, place) > _LARGEST_MISS:
                continue
            grades = moved_grades(truth, movement, self._columns)
            teacher = np.clip(taught + movement, 0.0, 1.0).astype(np.float32)
            yield self._reader.row(edited, track, grades, teacher, _WEIGHT * weight, group)


def random_movement(names: tuple[str, ...], grades: FloatArray, rng: np.random.Generator) -> Floats:
    """(E,) increases of the blendshapes; the mouth is not moved if the portrait (grades (C,)) smiles or opens it."""
    columns = dict(zip(COLUMNS, np.nan_to_num(grades).tolist(), strict=True))
    chances = {**_PAIRED, **_SINGLE, **_SIDEWAYS, "roll": _ROLLED}
    if max(columns["smile"], columns["jawOpen"], columns["upperTeeth"]) >= CLEAR:
        chances = {name: chance for name, chance in chances.items() if name.startswith(("brow", "nose", "eye"))}
    weights = np.array(list(chances.values()))
    chosen = str(rng.choice(list(chances), p=weights / weights.sum()))
    movement, size = np.zeros(len(names), np.float32), rng.uniform(*_AMPLITUDE)
    for name, share in _shares(chosen, rng).items():
        movement[names.index(name)] = size * share
    return movement


def _shares(chosen: str, rng: np.random.Generator) -> dict[str, float]:
    """The blendshapes of a movement, relative to its size."""
    if chosen == "roll":
        return {"mouthRollUpper": rng.uniform(0.3, 1.0), "mouthRollLower": rng.uniform(0.5, 1.0)}
    if chosen in _SINGLE:
        return {chosen: 1.0}
    first, second = rng.permutation(["Left", "Right"])
    if chosen in _SIDEWAYS:
        return {chosen + first: 1.0}
    return {chosen + first: 1.0, chosen + second: rng.uniform(*_SMALLER[rng.integers(2)])}


def moved_grades(grades: FloatArray, movement: Floats, columns: Floats) -> FloatArray:
    """Grades (C,) after a movement (E,): increased by three times its columns; unknown grades stay unknown."""
    lowest = np.where((columns < 0).any(axis=0), -STRONGEST, 0.0)
    return np.clip(grades + STRONGEST * (movement @ columns), lowest, STRONGEST)


def edit(
    portrait: Portrait, field: HeightField, model: MorphableModel, movement: Floats, turn: float,
    rng: np.random.Generator,
) -> tuple[Image, FloatArray]:  # fmt: skip
    """The person with a movement (E,), turned by about ``turn`` radians, before their blurred portrait; and the
    68 points (68, 2) in that image."""
    fit = portrait.fit
    shape = fit.shape + rng.normal(0, _SHAPE, len(fit.shape))
    vertices = model.vertices(shape, fit.expression + movement)
    change = vertices - model.vertices(fit.shape, fit.expression)
    yaw, pitch, _ = euler_angles(fit.pose.rotation)
    yaw = float(np.clip(yaw + rng.normal(0, turn), -_MAX_TURNED, _MAX_TURNED))
    rotation = rotation_from_euler(yaw, float(pitch + rng.normal(0, _PITCH)), float(rng.normal(0, _ROLL)))
    distance = float(np.exp(rng.uniform(*np.log(_DISTANCE))))
    pose, camera = Pose(rotation, np.array([0.0, 0.0, distance]), metric=True), _camera(distance, rng)
    drawn = draw_turned(field, change.astype(np.float32), pose, camera)
    place = project(to_camera(vertices[model.landmarks68], pose), camera)[:, :2]
    return _before(drawn, portrait.image), np.asarray(place, np.float64)


def _camera(distance: float, rng: np.random.Generator) -> Camera:
    focal, middle = _SIDE / rng.uniform(*_FOCAL) * distance, (_SIDE - 1) / 2
    matrix = np.array([[focal, 0.0, middle], [0.0, focal, middle], [0.0, 0.0, 1.0]])
    return Camera(_SIDE, _SIDE, matrix, np.zeros(0), metric=True)


def _before(drawn: NDArray[np.uint8], background: Image) -> Image:
    """A drawing with its coverage (S, S, 4) before a blurred background."""
    behind = cv2.resize(cv2.GaussianBlur(background, (0, 0), 16), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    seen = drawn[..., 3:].astype(np.float32) / 255
    return np.clip(drawn[..., :3] + behind * (1 - seen), 0, 255).astype(np.uint8)
