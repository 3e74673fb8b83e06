"""Accuracy of the pipeline on rendered faces with known pose, shape and expression.

Every frame shows another identity, used only in this evaluation, with another appearance, light, pose, distance and
expression. The pipeline processes each image three times without history of other people, as for a person who holds
still for a tenth of a second, and the third result is evaluated. The whole pipeline is measured, including MediaPipe's
landmarks, on synthetic faces: suitable for pose, distance and the meaning of each blendshape, not for real skin and
hair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import euler_angles, pinhole_camera
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import Face, FloatArray
from face_expr_ros.evaluation.expression.scores import correlation
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.sources.source_frame import Truth
from face_expr_ros.sources.synthetic import random_frame

FRAMES = 400
_SEED = 20_000  # seed of the identities of this evaluation, used by nothing else
_FIELD_OF_VIEW = 45.0


@dataclass(frozen=True)
class Report:
    """Results of an evaluation; angles in degrees, distances relative to the true distance.

    Attributes:
        frames: number of rendered frames. found: number of frames in which a face was found.
        pose_mae_deg: mean absolute error of yaw, pitch and roll.
        distance_error: mean absolute relative error of the distance to the sellion.
        correlation, mae: for each blendshape, over the frames with a face.
    """

    frames: int
    found: int
    pose_mae_deg: dict[str, float]
    distance_error: float
    correlation: dict[str, float]
    mae: dict[str, float]


def evaluate(config: PerceptionConfig, frames: int = FRAMES, seed: int = _SEED) -> Report:
    """Render ``frames`` people at 1280x720 and process each image with the pipeline of ``config``."""
    pipeline = Pipeline(config)
    camera = pinhole_camera(1280, 720, _FIELD_OF_VIEW)
    pairs = []
    for index in progress(range(frames), "rendered people", frames):
        frame, truth = random_frame(pipeline.model, camera, np.random.default_rng([seed, index]))
        faces = pipeline.still(frame)
        if faces:
            pairs.append((truth, max(faces, key=lambda face: face.roi.height)))
    pipeline.close()
    return _report(frames, pairs, pipeline.model)


def _report(frames: int, pairs: list[tuple[Truth, Face]], model: MorphableModel) -> Report:
    if not pairs:
        raise RuntimeError(f"expected faces in {frames} rendered frames, found none")
    true_expression = np.array([truth.expression for truth, _ in pairs])
    expression = np.array([face.blendshapes.values for _, face in pairs])
    angles = np.array([_angle_errors(truth, face) for truth, face in pairs])
    errors = np.abs(expression - true_expression).mean(axis=0)
    correlations = [correlation(*columns) for columns in zip(true_expression.T, expression.T, strict=True)]
    names = model.expression_names
    return Report(
        frames=frames,
        found=len(pairs),
        pose_mae_deg=dict(zip(("yaw", "pitch", "roll"), np.abs(angles).mean(axis=0).tolist(), strict=True)),
        distance_error=float(np.mean([_distance_error(truth, face) for truth, face in pairs])),
        correlation=dict(zip(names, correlations, strict=True)),
        mae=dict(zip(names, errors.tolist(), strict=True)),
    )


def _angle_errors(truth: Truth, face: Face) -> FloatArray:
    difference = np.subtract(euler_angles(face.fit.pose.rotation), euler_angles(truth.pose.rotation))
    wrapped: FloatArray = np.degrees((difference + np.pi) % (2 * np.pi) - np.pi)
    return wrapped


def _distance_error(truth: Truth, face: Face) -> float:
    return float(abs(np.linalg.norm(face.fit.pose.position) / np.linalg.norm(truth.pose.position) - 1.0))
