"""Faces with the calibration of a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from face_expr_ros.core.calibration import CalibratedResponse
from face_expr_ros.core.types import FaceState


def calibrated(faces: Sequence[FaceState], response: CalibratedResponse) -> list[FaceState]:
    """The faces with calibrated blendshapes; read-outs and coefficients of the face model are not changed."""
    return [replace(face, blendshapes=response(face.blendshapes)) for face in faces]
