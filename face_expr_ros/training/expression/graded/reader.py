"""The inputs of the fusion for the face in an image: FaceMesh's points, patches, and the estimates of fit and head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import FittingConfig, LandmarksConfig, PerceptionConfig
from face_expr_ros.core.facemesh_regions import IBUG68
from face_expr_ros.core.geometry import crop_from_landmarks, default_camera
from face_expr_ros.core.main_face import main_face
from face_expr_ros.core.types import FloatArray, Frame, Landmarks, Roi, Track
from face_expr_ros.models.bundle import open_bundle
from face_expr_ros.perception.expression.head import ExpressionHead
from face_expr_ros.perception.expression.patches import cut_patches
from face_expr_ros.perception.fitting import open_fitter
from face_expr_ros.perception.landmarks import open_landmarks
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.training.expression.graded.faces import Faces, Floats
from face_expr_ros.training.expression.samples import MARGIN

Image = NDArray[np.uint8]
Teacher = Callable[[Image], FloatArray | None]  # (E,) blendshapes of an image from another estimator

_CORNERS = (36, 45)  # of the eyes, among the 68 points
_IBUG68 = np.array(IBUG68)


class FaceReader:
    """Finds the face of a portrait with the pipeline, and computes the inputs of the fusion for copies of it.

    Args:
        teacher: estimates the blendshapes without grades; None to use the fit.
    """

    def __init__(self, teacher: Teacher | None) -> None:
        config = PerceptionConfig()
        unsmoothed = replace(config.smoothing, method="none")
        expression = replace(config.expression, backend="coefficients")  # only the place of the face is used
        self._pipeline = Pipeline(replace(config, smoothing=unsmoothed, expression=expression))
        self._landmarks = open_landmarks(LandmarksConfig())
        self._fitter = open_fitter(FittingConfig(), open_bundle("open", ""))
        self._gain = self._fitter.expression_gain()
        self._head = ExpressionHead()
        self._teacher = teacher

    def close(self) -> None:
        """Release the networks."""
        self._pipeline.close()
        self._landmarks.close()

    def place(self, image: Image) -> FloatArray | None:
        """(68, 2) iBUG points of the main face, pixels; None if no face is found."""
        height, width = image.shape[:2]
        faces = self._pipeline.still(_frame(image))
        if not faces:
            return None
        face = main_face(faces, width, height)
        points = face.fit.landmarks68 if face.landmarks is None else face.landmarks.points[_IBUG68]
        return np.asarray(points[:, :2], np.float64)

    def track(self, image: Image, place: FloatArray, rng: np.random.Generator) -> Track | None:
        """Landmarks found in an inaccurate crop around the points ``place`` (68, 2), then refined in their own crop."""
        eyes = place[_CORNERS[1]] - place[_CORNERS[0]]
        eyes = eyes if eyes[0] > 0 else -eyes
        roll = float(np.arctan2(eyes[1], eyes[0]))
        crop = _inaccurate(crop_from_landmarks(np.column_stack([place, np.zeros(len(place))])), rng)
        self._landmarks.reset()
        track, found = Track("f1", crop, landmarks=None, fresh=True, roll=roll), None
        for _ in range(2):
            found = self._find(image, track) or found
            if found is None:
                return None
            track = Track("f1", crop_from_landmarks(found.points[_IBUG68]), landmarks=None, fresh=False, roll=roll)
        return replace(track, landmarks=found)

    def taught(self, image: Image, place: FloatArray) -> Floats | None:
        """(E,) blendshapes for what is not graded: the mean of the fit's and the teacher's, if there is one.

        Estimated once in the original portrait around the points ``place`` (68, 2), where both are most accurate, for
        all of its copies. None if FaceMesh does not find the face.
        """
        track = self.track(image, place, np.random.default_rng(0))
        if track is None:
            return None
        fit = self._fit(image, track)
        told = None if self._teacher is None else self._teacher(image)
        return fit if told is None else ((fit + told) / 2).astype(np.float32)

    def row(self, image: Image, track: Track, truth: FloatArray, teacher: Floats, weight: float, group: int) -> Faces:
        """One face with its grades ``truth`` (C,) and the teacher's blendshapes (E,).

        Raises:
            ValueError: the landmarks are degenerate.
        """
        assert track.landmarks is not None
        assert track.landmarks.appearance is not None  # this class opens a landmark backend that gives it
        points = track.landmarks.points
        aligned = self._head.align(points)
        features, patches = self._head.inputs(image, [points], [aligned])
        head, state = self._head.answer(features, patches, [None])
        return Faces(
            features=features,
            patches=cut_patches(image, points, aligned, margin=MARGIN)[None],
            fit=self._fit(image, track)[None],
            head=head.astype(np.float32),
            state=state.astype(np.float32),
            truth=truth[None].astype(np.float32),
            teacher=teacher[None].astype(np.float32),
            weight=np.array([weight], np.float32),
            group=np.array([group]),
            appearance=track.landmarks.appearance[None].astype(np.float16),
        )

    def _fit(self, image: Image, track: Track) -> Floats:
        """(E,) blendshapes of the fit."""
        self._fitter.reset()
        (fitted,) = self._fitter(_frame(image), [track])
        return np.clip(self._gain * fitted.expression, 0.0, 1.0).astype(np.float32)

    def _find(self, image: Image, track: Track) -> Landmarks | None:
        return self._landmarks(_frame(image), [track])[0]


def distance_to(track: Track, place: FloatArray) -> float:
    """Mean distance of a track's landmarks from the points ``place`` (68, 2), relative to the height of the face."""
    assert track.landmarks is not None
    errors = np.linalg.norm(track.landmarks.points[_IBUG68][:, :2] - place, axis=1)
    return float(errors.mean() / np.ptp(place[:, 1]))


def _inaccurate(crop: Roi, rng: np.random.Generator) -> Roi:
    """The crop with the random errors of a face detector."""
    side = crop.width * float(np.exp(rng.normal(0, 0.05)))
    x, y = np.array([crop.x + crop.width / 2, crop.y + crop.height / 2]) + rng.normal(0, 0.03, 2) * side
    return Roi(x - side / 2, y - side / 2, side, side)


def _frame(image: Image) -> Frame:
    height, width = image.shape[:2]
    return Frame(image, 0, "", default_camera(width, height, FittingConfig().field_of_view))
