"""Graded portraits as inputs of the fusion: FaceMesh's points, patches and both estimates, in several copies each.

A folder of portraits holds tables ``NAME_labels.csv`` and, next to each, a folder ``NAME`` with its images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import FittingConfig, LandmarksConfig, PerceptionConfig
from face_expr_ros.core.facemesh_regions import IBUG68
from face_expr_ros.core.geometry import crop_from_landmarks, default_camera
from face_expr_ros.core.main_face import main_face
from face_expr_ros.core.portrait_grades import Grades, read_grades
from face_expr_ros.core.portrait_score import COLUMNS
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import FloatArray, Frame, Landmarks, Roi, Track
from face_expr_ros.models.bundle import open_bundle
from face_expr_ros.perception.expression.head import ExpressionHead
from face_expr_ros.perception.expression.patches import cut_patches
from face_expr_ros.perception.fitting import open_fitter
from face_expr_ros.perception.landmarks import open_landmarks
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.training.expression.graded.augmentation import augmented, mirrored
from face_expr_ros.training.expression.graded.faces import Faces, joined, mirrored_grades
from face_expr_ros.training.expression.samples import MARGIN

Image = NDArray[np.uint8]
Teacher = Callable[[Image], FloatArray | None]  # (E,) blendshapes of an image from another estimator

_LABELS = "_labels.csv"
_ONE_PASS = 0.6  # weight of a grade from a single pass
_CORNERS = (36, 45)  # of the eyes, among the 68 points
_IBUG68 = np.array(IBUG68)


@dataclass(frozen=True)
class _Copy:
    """An image, and the transform (3, 3) from pixels of the portrait to its pixels."""

    image: Image
    transform: FloatArray

    def is_mirrored(self) -> bool:
        return bool(np.linalg.det(self.transform) < 0)


def read_portraits(folder: Path, copies: int, teacher: Teacher | None = None) -> Faces:
    """All portraits in ``copies`` copies each: the original, its mirror image, and augmented ones.

    Args:
        teacher: estimates the blendshapes without grades; None to use the fit.

    Raises:
        ValueError: there is no table of grades, or an image cannot be read.
    """
    tables = sorted(folder.glob(f"*{_LABELS}"))
    if not tables:
        raise ValueError(f"expected tables of grades (NAME{_LABELS}) in {str(folder)!r}, got none")
    parts = [
        _read_table(read_grades(table), folder / table.name.removesuffix(_LABELS), copies, teacher) for table in tables
    ]
    return joined(parts)


def _read_table(grades: Grades, folder: Path, copies: int, teacher: Teacher | None) -> Faces:
    truth = np.stack([grades.columns[column] for column in COLUMNS], axis=1).astype(np.float32)
    rows: list[Faces] = []
    with closing(_Reader(teacher)) as reader:
        for number, file in enumerate(progress(grades.files, folder.name, unit="portraits")):
            weight = 1.0 if grades.passes[number] > 1 else _ONE_PASS
            image = cv2.imread(str(folder / file), cv2.IMREAD_COLOR)
            if image is None:
                raise ValueError(f"expected an image, got {str(folder / file)!r}, which cannot be decoded")
            rows += reader.faces(np.asarray(image, np.uint8), truth[number], weight, number, copies)
    return Faces(**{name: np.concatenate([getattr(row, name) for row in rows]) for name in Faces.__dataclass_fields__})


class _Reader:
    """Finds the face of a portrait with the pipeline, and computes the inputs of its transformed copies."""

    def __init__(self, teacher: Teacher | None) -> None:
        config = PerceptionConfig()
        self._pipeline = Pipeline(replace(config, smoothing=replace(config.smoothing, method="none")))
        self._landmarks = open_landmarks(LandmarksConfig())
        self._fitter = open_fitter(FittingConfig(), open_bundle("open", ""))
        self._gain = self._fitter.expression_gain()
        self._head = ExpressionHead()
        self._teacher = teacher

    def close(self) -> None:
        self._pipeline.close()
        self._landmarks.close()

    def faces(self, image: Image, truth: FloatArray, weight: float, number: int, copies: int) -> Iterator[Faces]:
        """Inputs of each copy in which the face is found."""
        place = self._place(image)
        if place is None:
            return
        for copy in range(copies):
            rng = np.random.default_rng([number, copy])
            shown = self._copy(image, copy, rng)
            track = self._track(shown, place, rng)
            if track is not None:
                yield self._row(shown, track, truth, weight, number)

    def _place(self, image: Image) -> FloatArray | None:
        """(68, 2) iBUG points of the portrait's face, pixels; None where no face is found."""
        height, width = image.shape[:2]
        faces = self._pipeline.still(_frame(image))
        if not faces:
            return None
        face = main_face(faces, width, height)
        points = face.fit.landmarks68 if face.landmarks is None else face.landmarks.points[_IBUG68]
        return np.asarray(points[:, :2], np.float64)

    def _copy(self, image: Image, number: int, rng: np.random.Generator) -> _Copy:
        if number == 0:
            return _Copy(image, np.eye(3))
        return _Copy(*(mirrored(image) if number == 1 else augmented(image, rng)))

    def _track(self, copy: _Copy, place: FloatArray, rng: np.random.Generator) -> Track | None:
        """Landmarks found in an inaccurate crop, then refined in the crop from these landmarks."""
        points = (np.column_stack([place, np.ones(len(place))]) @ copy.transform.T)[:, :2]
        eyes = points[_CORNERS[1]] - points[_CORNERS[0]]
        eyes = eyes if eyes[0] > 0 else -eyes
        roll = float(np.arctan2(eyes[1], eyes[0]))
        crop = _rough(crop_from_landmarks(np.column_stack([points, np.zeros(len(points))])), rng)
        self._landmarks.reset()
        track, found = Track("f1", crop, landmarks=None, fresh=True, roll=roll), None
        for _ in range(2):
            found = self._find(copy.image, track) or found
            if found is None:
                return None
            track = Track("f1", crop_from_landmarks(found.points[_IBUG68]), landmarks=None, fresh=False, roll=roll)
        return replace(track, landmarks=found)

    def _find(self, image: Image, track: Track) -> Landmarks | None:
        return self._landmarks(_frame(image), [track])[0]

    def _row(self, copy: _Copy, track: Track, truth: FloatArray, weight: float, number: int) -> Faces:
        assert track.landmarks is not None
        self._fitter.reset()
        (fitted,) = self._fitter(_frame(copy.image), [track])
        points = track.landmarks.points
        aligned = self._head.align(points)
        features, patches = self._head.inputs(copy.image, [points], [aligned])
        head, state = self._head.answer(features, patches, [None])
        fit = np.clip(self._gain * fitted.expression, 0.0, 1.0).astype(np.float32)[None]
        told = None if self._teacher is None else self._teacher(copy.image)
        graded = truth[None].astype(np.float32)
        return Faces(
            features=features,
            patches=cut_patches(copy.image, points, aligned, margin=MARGIN)[None],
            fit=fit,
            head=head.astype(np.float32),
            state=state.astype(np.float32),
            truth=mirrored_grades(graded) if copy.is_mirrored() else graded,
            teacher=fit if told is None else ((fit + told) / 2).astype(np.float32),
            weight=np.array([weight], np.float32),
            group=np.array([number]),
        )


def _rough(crop: Roi, rng: np.random.Generator) -> Roi:
    """The crop with the random errors of a face detector."""
    side = crop.width * float(np.exp(rng.normal(0, 0.05)))
    x, y = np.array([crop.x + crop.width / 2, crop.y + crop.height / 2]) + rng.normal(0, 0.03, 2) * side
    return Roi(x - side / 2, y - side / 2, side, side)


def _frame(image: Image) -> Frame:
    height, width = image.shape[:2]
    return Frame(image, 0, "", default_camera(width, height, FittingConfig().field_of_view))
