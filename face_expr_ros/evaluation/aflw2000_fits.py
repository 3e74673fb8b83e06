"""Evaluates a fitter on all images of AFLW2000-3D.

The input is either the crop around the ground truth's points, as in published results, or the whole image, processed by
the pipeline including face detection.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
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
    Errors,
    Prediction,
    apparent_rotation,
    measure,
    summarize,
)
from face_expr_ros.evaluation.aflw2000_data import Dataset
from face_expr_ros.models.bundle import Bundle, open_bundle
from face_expr_ros.perception.detection.boxes import overlap
from face_expr_ros.perception.fitting import backend_name, open_fitter
from face_expr_ros.perception.landmarks import open_landmarks
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.sources.image_files import read_image

Image = NDArray[np.uint8]
# (image, points of the ground truth (68, 2)) -> prediction, or None if no face is found.
FitImage = Callable[[Image, FloatArray], Prediction | None]

_MIN_OVERLAP = 0.1  # minimum intersection over union with the ground truth's box


@dataclass(frozen=True)
class Evaluation:
    """Predictions and errors of N images in the data set's order, and the results by their JSON names."""

    predictions: list[Prediction | None]
    errors: Errors
    result: dict[str, Any]


def evaluate(dataset: Dataset, config: PerceptionConfig, *, tracking: bool = False, flip: bool = False) -> Evaluation:
    """Fit all images and compute the errors.

    Args:
        config: bundle, fitter and all their settings.
        tracking: process whole images with the pipeline instead of the ground truth's crops with the fitter.
        flip: also fit the mirror image and average the landmarks.
    """
    bundle = open_bundle(config.bundle, config.fitting.network)
    fit_image, close = _whole_images(config) if tracking else _true_crops(config, bundle)
    if flip:
        fit_image = with_flip(fit_image)
    rows = zip(dataset.paths, dataset.truth.original, strict=True)
    images = progress(rows, "AFLW2000-3D", len(dataset.paths), "images")
    predictions = [fit_image(read_image(path), points) for path, points in images]
    close()
    errors = measure(dataset.truth, predictions)
    basel = bundle.model.expression_names[0].startswith("bfm_")
    described = _setting(config, bundle, tracking, flip) | {"notes": _notes(dataset, config, tracking, flip, basel)}
    return Evaluation(predictions, errors, described | summarize(dataset.truth, predictions, errors, basel))


def _true_crops(config: PerceptionConfig, bundle: Bundle) -> tuple[FitImage, Callable[[], None]]:
    """A function that fits the crop around the ground truth's points, and a function that releases the networks.

    The crop uses the ground truth's coordinates unchanged, as the published script does. FaceMesh gets the same crop
    with the face's roll, as from MediaPipe's own detector.
    """
    fit, close = _fit_true_crops(config, bundle)

    def fit_image(image: Image, points: FloatArray) -> Prediction | None:
        found = fit(_frame(image, config), points)
        return _prediction(found) if found.confidence > 0.0 else None

    return fit_image, close


def _fit_true_crops(
    config: PerceptionConfig, bundle: Bundle
) -> tuple[Callable[[Frame, FloatArray], FaceFit], Callable[[], None]]:
    """The fit to one image and the truth's points in it; and how to free the networks."""
    fitter = open_fitter(config.fitting, bundle)
    landmarks = open_landmarks(config.landmarks)

    def fit(frame: Frame, points: FloatArray) -> FaceFit:
        fitter.reset()
        landmarks.reset()
        track = Track("f1", crop_from_landmarks(points), None, fresh=False, roll=roll_of(points))
        (found,) = [landmarks(frame, [track]) for _ in range(3)][-1]
        (fitted,) = fitter(frame, [replace(track, landmarks=found)])
        return fitted

    return fit, landmarks.close


def fits_in_true_crops(dataset: Dataset, config: PerceptionConfig) -> Iterator[tuple[Frame, FaceFit]]:
    """Every image with the fit in the crop around the truth's points; its confidence is 0 if there is none."""
    bundle = open_bundle(config.bundle, config.fitting.network)
    fit, close = _fit_true_crops(config, bundle)
    rows = zip(dataset.paths, dataset.truth.original, strict=True)
    for path, points in progress(rows, "AFLW2000-3D", len(dataset.paths), "images"):
        frame = _frame(read_image(path), config)
        yield frame, fit(frame, points)
    close()


def _whole_images(config: PerceptionConfig) -> tuple[FitImage, Callable[[], None]]:
    """A function that runs the pipeline and selects the face with the largest overlap with the ground truth.

    Smoothing is off: each still image is processed three times, and only the third result is used.
    """
    pipeline = Pipeline(replace(config, smoothing=replace(config.smoothing, method="none")))

    def fit_image(image: Image, points: FloatArray) -> Prediction | None:
        faces = pipeline.still(_frame(image, config))
        overlaps = [overlap(bounding_box(face.fit.landmarks68), bounding_box(points)) for face in faces]
        if not faces or max(overlaps) < _MIN_OVERLAP:
            return None
        return _prediction(faces[int(np.argmax(overlaps))].fit)

    return fit_image, pipeline.close


def with_flip(fit_image: FitImage) -> FitImage:
    """Fit the image and its mirror image, and average the landmarks if the face is found in both."""

    def fit_both(image: Image, points: FloatArray) -> Prediction | None:
        width = image.shape[1]
        straight = fit_image(image, points)
        # The ground truth's coordinates start at 1: the last column is `width`, and its mirror image is 1.
        mirrored = fit_image(np.ascontiguousarray(image[:, ::-1]), mirror_points(points, width + 1))
        if straight is None or mirrored is None:
            return straight
        back = mirror_points(mirrored.landmarks68, width - 1)
        return replace(straight, landmarks68=(straight.landmarks68 + back) / 2)

    return fit_both


def roll_of(points: FloatArray) -> float:
    """Roll of a face (68, 2) in the image, radians, positive clockwise.

    The vectors from eye to eye and from the eyes to the mouth, rotated by -90 degrees, are added: in profile the first
    is too short to be reliable.
    """
    right, left, mouth = (points[part].mean(axis=0) for part in (slice(36, 42), slice(42, 48), MOUTH))
    (x, y), (across, down) = left - right, mouth - (left + right) / 2
    return math.atan2(y - across, x + down)


def mirror_points(points: FloatArray, first_plus_last: float) -> FloatArray:
    """The 68 points (68, 2) of the mirrored face; ``first_plus_last`` is the sum of first and last column indices."""
    moved = points[MIRRORED].copy()
    moved[:, 0] = first_plus_last - moved[:, 0]
    return moved


def _prediction(fit: FaceFit) -> Prediction:
    return Prediction(fit.landmarks68[:, :2], apparent_rotation(fit.weak_perspective), fit.expression)


def _frame(image: Image, config: PerceptionConfig) -> Frame:
    height, width = image.shape[:2]
    return Frame(image, 0, "camera_optical_frame", default_camera(width, height, config.fitting.field_of_view))


def _setting(config: PerceptionConfig, bundle: Bundle, tracking: bool, flip: bool) -> dict[str, Any]:
    """The configuration of the evaluation."""
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
    """Notes on the interpretation of the results."""
    notes = [
        f"{len(dataset.paths)} images, "
        + ("whole, processed by the pipeline" if tracking else "cropped around the ground truth's points")
        + (", landmarks averaged with those of the mirror image." if flip else "."),
        f"A vertical field of view of {config.fitting.field_of_view:g} degrees is assumed. Poses are compared relative "
        "to the viewing ray, as in a crop and in the data set's weak perspective.",
    ]
    if dataset.truth.reannotated is None:
        notes.append("No file of re-annotated points was found: only the original points are compared.")
    if not basel:
        notes.append(
            f"Expression is not compared: the bundle {config.bundle} and the data set (Basel Face Model) have "
            "different expression bases."
        )
    return notes
