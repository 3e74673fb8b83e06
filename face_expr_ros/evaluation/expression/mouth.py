"""Accuracy of the mouth in photographs when the blendshapes replace the fit's own expression coefficients.

The face model must have the blendshapes as its expression basis. The error is AFLW2000-3D's NME of the 20 mouth points
(`aflw2000`) with pose and shape of the fit, on the ground truth's crops.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import crop_from_landmarks, default_camera, project, to_camera
from face_expr_ros.core.ibug import apparent_turn
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import FaceFit, FloatArray, Frame, Track
from face_expr_ros.evaluation.aflw2000 import MOUTH, GroundTruth, nme, yaw_bins
from face_expr_ros.evaluation.aflw2000_data import open_dataset
from face_expr_ros.evaluation.aflw2000_fits import roll_of
from face_expr_ros.models.bundle import open_bundle
from face_expr_ros.perception.expression import ExpressionReader, open_expression
from face_expr_ros.perception.fitting import Fitter, open_fitter
from face_expr_ros.perception.landmarks import LandmarkDetector, open_landmarks
from face_expr_ros.sources.image_files import read_image

FIELD_OF_VIEW = 25.0  # degrees; the images are small parts of photographs, as in `face_expr evaluate aflw2000`
_REPETITIONS = 3  # passes over a still image: FaceMesh needs a frame or two to converge


@dataclass(frozen=True)
class _Stages:
    landmarks: LandmarkDetector
    fitter: Fitter
    reader: ExpressionReader
    model: MorphableModel


def mouth_nme(config: PerceptionConfig, data: Path, field_of_view: float = FIELD_OF_VIEW) -> dict[str, Any]:
    """Mouth NME in percent for three expressions on the same faces, those with FaceMesh landmarks.

    Args:
        config: configuration of the fit and of the expression backend; its field of view is ignored.
        data: the folder of AFLW2000-3D.
        field_of_view: assumed vertical field of view of the cameras, degrees.

    Returns:
        For each ground truth (``original``, and ``reannotated`` if available), for ``all`` faces and for ``frontal``
        ones up to 30 degrees of yaw: ``images``, their number, and the mean NME ``fit`` (the fit's own coefficients),
        ``reader`` (the blendshapes) and ``none`` (no expression).

    Raises:
        ValueError: the face model has another expression basis, or ``data`` is not AFLW2000-3D.
    """
    dataset = open_dataset(data)
    stages = _open(config)
    rows = progress(zip(dataset.paths, dataset.truth.original, strict=True), "mouths", len(dataset.paths), "images")
    points = [_mouths(stages, _frame(path, field_of_view), true) for path, true in rows]
    stages.landmarks.close()
    return _figures(dataset.truth, np.array(points))


def _open(config: PerceptionConfig) -> _Stages:
    bundle = open_bundle(config.bundle, config.fitting.network)
    if "jawOpen" not in bundle.model.expression_names:
        raise ValueError(
            f"expected a face model with blendshapes as expression basis, got that of the bundle {config.bundle} with "
            f"{bundle.model.expression_names[0]}, ...; use the bundle open"
        )
    fitter = open_fitter(config.fitting, bundle)
    reader = open_expression(config.expression, bundle.model, fitter)
    return _Stages(open_landmarks(config.landmarks), fitter, reader, bundle.model)


def _frame(path: Path, field_of_view: float) -> Frame:
    image = read_image(path)
    height, width = image.shape[:2]
    return Frame(image, 0, "camera_optical_frame", default_camera(width, height, field_of_view))


def _mouths(stages: _Stages, frame: Frame, true: FloatArray) -> FloatArray:
    """(3, 68, 2) pixels with the fit's expression, the blendshapes and no expression; NaN without landmarks."""
    for stage in (stages.landmarks, stages.fitter, stages.reader):
        stage.reset()
    track = Track("f1", crop_from_landmarks(true), None, fresh=False, roll=roll_of(true))
    (landmarks,) = [stages.landmarks(frame, [track]) for _ in range(_REPETITIONS)][-1]
    if landmarks is None:
        return np.full((3, 68, 2), np.nan)
    track = replace(track, landmarks=landmarks)
    (fit,) = stages.fitter(frame, [track])
    (blendshapes,) = stages.reader(frame, [track], [fit])
    expressions = (fit.expression, _in_order(blendshapes.names, blendshapes.values, stages.model), np.zeros(0))
    return np.array([_points(stages.model, fit, expression, frame) for expression in expressions])


def _in_order(names: tuple[str, ...], values: FloatArray, model: MorphableModel) -> FloatArray:
    given = dict(zip(names, values, strict=True))
    return np.array([given[name] for name in model.expression_names])


def _points(model: MorphableModel, fit: FaceFit, expression: FloatArray, frame: Frame) -> FloatArray:
    vertices = model.ibug_points(model.vertices(fit.shape, expression), apparent_turn(fit.weak_perspective))
    return project(to_camera(vertices, fit.pose), frame.camera)


def _figures(truth: GroundTruth, points: FloatArray) -> dict[str, Any]:
    """Mean errors of ``points`` (N, 3, 68, 2)."""
    found = np.isfinite(points).all(axis=(1, 2, 3))
    frontal = found & (yaw_bins(np.degrees(truth.angles[:, 0])) == 0)
    references = {"original": truth.original, "reannotated": truth.reannotated}
    chosen = {"all": found, "frontal": frontal}
    return {
        kind: {
            part: {"images": float(rows.sum())} | _means(points[rows], reference[rows])
            for part, rows in chosen.items()
            if rows.any()
        }
        for kind, reference in references.items()
        if reference is not None
    }


def _means(points: FloatArray, true: FloatArray) -> dict[str, float]:
    kinds = zip(("fit", "reader", "none"), points.swapaxes(0, 1), strict=True)
    return {kind: float(nme(each, true, MOUTH).mean()) for kind, each in kinds}
