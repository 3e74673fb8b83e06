"""Every image of AFLW2000-3D given to a fitter, and what comes of it.

Two ways of giving it: the crop around the ground truth's points, which is what published figures rest on, or the whole
image through the pipeline, as a camera's image, where a face must be found first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.geometry import bounding_box, crop_from_landmarks, default_camera
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import FaceFit, FloatArray, Frame, Track
from face_expr_ros.evaluation.aflw2000 import (
    MIRRORED,
    MOUTH,
    Answer,
    Errors,
    apparent_rotation,
    measure,
    summarize,
)
from face_expr_ros.evaluation.aflw2000_data import Dataset, read_image
from face_expr_ros.models.bundle import Bundle, open_bundle
from face_expr_ros.perception.detection.boxes import overlap
from face_expr_ros.perception.fitting import backend_name, open_fitter
from face_expr_ros.perception.landmarks import open_landmarks
from face_expr_ros.perception.pipeline import Pipeline

Image = NDArray[np.uint8]
# An image and the ground truth's points (68, 2) in it -> the answer, None where no face is found.
Look = Callable[[Image, FloatArray], Answer | None]

_LEAST_OVERLAP = 0.1  # intersection over union with the truth's box: less is another face, or none


@dataclass(frozen=True)
class Evaluation:
    """Answers and errors of N images in the data set's order, and the figures by their JSON names."""

    answers: list[Answer | None]
    errors: Errors
    result: dict[str, Any]


def evaluate(dataset: Dataset, config: PerceptionConfig, *, tracking: bool = False, flip: bool = False) -> Evaluation:
    """Fit every image and measure.

    Args:
        config: bundle, fitter and all their settings.
        tracking: give the whole image to the pipeline instead of the truth's crop to the fitter.
        flip: fit the mirror image as well and average the landmarks.
    """
    bundle = open_bundle(config.bundle, config.fitting.network)
    look, close = _whole_images(config) if tracking else _true_crops(config, bundle)
    if flip:
        look = with_mirror(look)
    rows = zip(dataset.paths, dataset.truth.original, strict=True)
    images = progress(rows, "AFLW2000-3D", len(dataset.paths), "images")
    answers = [look(read_image(path), points) for path, points in images]
    close()
    errors = measure(dataset.truth, answers)
    basel = bundle.model.expression_names[0].startswith("bfm_")
    described = _setting(config, bundle, tracking, flip) | {"notes": _notes(dataset, config, tracking, flip, basel)}
    return Evaluation(answers, errors, described | summarize(dataset.truth, answers, errors, basel))


def _true_crops(config: PerceptionConfig, bundle: Bundle) -> tuple[Look, Callable[[], None]]:
    """The fitter alone, once for each image, on the crop around the truth's points; and how to free the networks.

    The crop takes the truth's coordinates as they are, as the published script does. FaceMesh is shown the same place,
    turned as the face is, as MediaPipe's own detector would.
    """
    fitter = open_fitter(config.fitting, bundle)
    landmarks = open_landmarks(config.landmarks)

    def look(image: Image, points: FloatArray) -> Answer | None:
        frame = _frame(image, config)
        fitter.reset()
        landmarks.reset()
        track = Track("f1", crop_from_landmarks(points), None, fresh=False, roll=roll_of(points))
        (seen,) = [landmarks(frame, [track]) for _ in range(3)][-1]
        (fit,) = fitter(frame, [replace(track, landmarks=seen)])
        return _answer(fit) if fit.confidence > 0.0 else None

    return look, landmarks.close


def _whole_images(config: PerceptionConfig) -> tuple[Look, Callable[[], None]]:
    """The pipeline, and of the faces that it finds the one whose box overlaps the truth's best.

    Nothing is smoothed: the three looks at a still picture are no movement, and the third alone is judged.
    """
    pipeline = Pipeline(replace(config, smoothing=replace(config.smoothing, method="none")))

    def look(image: Image, points: FloatArray) -> Answer | None:
        faces = pipeline.still(_frame(image, config))
        shared = [overlap(bounding_box(face.fit.landmarks68), bounding_box(points)) for face in faces]
        if not faces or max(shared) < _LEAST_OVERLAP:
            return None
        return _answer(faces[int(np.argmax(shared))].fit)

    return look, pipeline.close


def with_mirror(look: Look) -> Look:
    """Looks at the image and at its mirror image, and averages the landmarks where both show the face."""

    def look_twice(image: Image, points: FloatArray) -> Answer | None:
        width = image.shape[1]
        straight = look(image, points)
        # The truth's coordinates count from 1: the last column is `width`, and its mirror image is 1.
        mirrored = look(np.ascontiguousarray(image[:, ::-1]), mirror_points(points, width + 1))
        if straight is None or mirrored is None:
            return straight
        back = mirror_points(mirrored.landmarks68, width - 1)
        return replace(straight, landmarks68=(straight.landmarks68 + back) / 2)

    return look_twice


def roll_of(points: FloatArray) -> float:
    """How far a face (68, 2) is turned in the image, radians, positive clockwise.

    The line through the eyes and the one from eyes to mouth are added, the latter a quarter turn back: in profile the
    first is too short to tell.
    """
    right, left, mouth = (points[part].mean(axis=0) for part in (slice(36, 42), slice(42, 48), MOUTH))
    (x, y), (across, down) = left - right, mouth - (left + right) / 2
    return math.atan2(y - across, x + down)


def mirror_points(points: FloatArray, first_plus_last: float) -> FloatArray:
    """The 68 points (68, 2) of the mirrored face, by the sum of the coordinates of the first and the last column."""
    moved = points[MIRRORED].copy()
    moved[:, 0] = first_plus_last - moved[:, 0]
    return moved


def _answer(fit: FaceFit) -> Answer:
    return Answer(fit.landmarks68[:, :2], apparent_rotation(fit.weak_perspective), fit.expression)


def _frame(image: Image, config: PerceptionConfig) -> Frame:
    height, width = image.shape[:2]
    return Frame(image, 0, "camera_optical_frame", default_camera(width, height, config.fitting.field_of_view))


def _setting(config: PerceptionConfig, bundle: Bundle, tracking: bool, flip: bool) -> dict[str, Any]:
    """What was measured."""
    return {
        "bundle": bundle.name,
        "fitter": backend_name(config.fitting, bundle),
        "tracking": tracking,
        "flip": flip,
        "field_of_view_deg": config.fitting.field_of_view,
        "face_model_sha256": bundle.model.sha256,
        "network_sha256": bundle.network.sha256 if bundle.network else None,
    }


def _notes(dataset: Dataset, config: PerceptionConfig, tracking: bool, flip: bool, basel: bool) -> list[str]:
    """The sentences that a reader of the figures needs."""
    notes = [
        f"{len(dataset.paths)} images, "
        + ("whole, through the pipeline" if tracking else "cropped around the ground truth's points")
        + (", landmarks averaged with those of the mirror image." if flip else "."),
        f"A vertical field of view of {config.fitting.field_of_view:g} degrees is assumed. Poses are compared as they "
        "appear along the ray to the head, which is what a crop shows and the data set's weak perspective means.",
    ]
    if dataset.truth.reannotated is None:
        notes.append("No file of re-annotated points lies beside the images: only the original points are compared.")
    if not basel:
        notes.append(
            f"Expression is not compared: the bundle {config.bundle} has an expression basis of its own, the data set "
            "that of the Basel Face Model."
        )
    return notes
