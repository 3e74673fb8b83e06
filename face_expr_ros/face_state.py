"""A face as those see it who follow it: robot heads, avatars, the browser. It comes from the pipeline or a message."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.values import Blendshapes, Face, FloatArray, Pose, Readouts, Roi


@dataclass(frozen=True)
class FaceState:
    """One face at one moment: what the message Face holds.

    Attributes:
        id: "f1", "f2", ...
        stamp_ns: of the image.
        confidence: 0..1.
        roi: box in image pixels.
        pose: the head in the camera's optical frame, meters; its rotation is from model axes.
        model: name of the face model that the coefficients refer to.
        shape: (identity_count,) standard deviations.
        expression: (expression_count,) in the model's own basis.
        blendshapes: 0..1, ARKit names.
        readouts: action units, valence, arousal, label, whether the mouth is open.
        landmarks: (478, 3) float32, x and y in image pixels; (0, 3) where FaceMesh does not see the face.
    """

    id: str
    stamp_ns: int
    confidence: float
    roi: Roi
    pose: Pose
    model: str
    shape: FloatArray
    expression: FloatArray
    blendshapes: Blendshapes
    readouts: Readouts
    landmarks: NDArray[np.float32]


def face_state(face: Face, stamp_ns: int, model: str) -> FaceState:
    """The state of a face that the pipeline found in the image of ``stamp_ns`` with the face model ``model``."""
    fit = face.fit
    landmarks = np.zeros((0, 3), np.float32) if face.landmarks is None else face.landmarks.points
    return FaceState(
        id=face.id,
        stamp_ns=stamp_ns,
        confidence=face.confidence,
        roi=face.roi,
        pose=fit.pose,
        model=model,
        shape=fit.shape,
        expression=fit.expression,
        blendshapes=face.blendshapes,
        readouts=face.readouts,
        landmarks=landmarks,
    )
