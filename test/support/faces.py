"""Faces with known values, without an image."""

from __future__ import annotations

import numpy as np

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler
from face_expr_ros.core.types import Blendshapes, Face, FaceFit, Landmarks, Pose, Roi

CAMERA = pinhole_camera(640, 480, 50.0)
YAW, PITCH, ROLL = 0.3, -0.2, 0.1  # radians


def make_face(model: MorphableModel, face_id: str = "f1", roi: Roi | None = None, **blendshapes: float) -> Face:
    random = np.random.default_rng(5)
    expression = np.array([blendshapes.get(name, 0.0) for name in model.expression_names])
    return Face(
        id=face_id,
        confidence=0.75,
        roi=roi or Roi(100.2, 50.7, 80.0, 90.0),
        landmarks=Landmarks(random.uniform(0, 400, (478, 3)).astype(np.float32), 0.75),
        fit=FaceFit(
            pose=Pose(rotation_from_euler(YAW, PITCH, ROLL), np.array([0.05, -0.02, 0.8]), metric=True),
            shape=random.normal(size=len(model.identity)),
            expression=expression,
            residual=0.001,
            landmarks68=random.uniform(0, 400, (68, 3)),
            weak_perspective=random.uniform(0, 400, (3, 4)),
            confidence=0.75,
        ),
        blendshapes=Blendshapes(model.expression_names, expression),
    )
