"""A face in the numbers of REP-155 (ROS4HRI), version Draft of 2022, and hri_msgs 2.x: no ROS in here."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.facemesh_regions import IBUG68, IRISES
from face_expr_ros.core.types import FaceState, FloatArray, Roi
from face_expr_ros.perception.expression.affect import NEUTRAL
from face_expr_ros.retargeting.avatar_axes import head_rotation, right_handed_degrees

POINTS = (*IBUG68, IRISES[0][0], IRISES[1][0])  # dlib's 68, then the pupils of right and left eye
CODES = 99  # of hri_msgs/FacialActionUnits
FULL_HEAD_TURN = 45.0  # degrees that are intensity 1 of FACS's head codes
# Our words for an expression and hri_msgs/Expression's; they are the same, and a new one of ours must find its place.
EXPRESSIONS = {
    NEUTRAL: "neutral",
    "happy": "happy",
    "sad": "sad",
    "surprised": "surprised",
    "scared": "scared",
    "angry": "angry",
    "disgusted": "disgusted",
}


@dataclass(frozen=True)
class ImageSize:
    """Columns and rows, pixels."""

    width: int
    height: int


def hri_id(face_id: str) -> str:
    """An id that starts with a letter and holds letters, digits and underscores alone, as REP-155 wants it."""
    cleaned = re.sub(r"\W", "_", face_id, flags=re.ASCII)
    return cleaned if re.match("[A-Za-z]", cleaned) else f"f{cleaned}"


def normalized_box(roi: Roi, size: ImageSize) -> tuple[float, float, float, float]:
    """xmin, ymin, xmax, ymax in 0..1 of the image, whose left edge is 0 and whose right edge is 1."""
    x = np.clip(np.array([roi.x, roi.x + roi.width]) / size.width, 0.0, 1.0)
    y = np.clip(np.array([roi.y, roi.y + roi.height]) / size.height, 0.0, 1.0)
    return float(x[0]), float(y[0]), float(x[1]), float(y[1])


def normalized_points(state: FaceState, size: ImageSize) -> FloatArray:
    """(70, 3): x and y in 0..1 of the image, and a confidence, which is 0 outside of the image.

    The center of the first pixel, (0, 0) in landmarks, is half a pixel from the image's edge.

    Raises:
        ValueError: FaceMesh does not see the face, or a landmark is not finite.
    """
    if not len(state.landmarks):
        raise ValueError(f"landmarks were wanted, FaceMesh does not see the face {state.id!r}")
    if not np.isfinite(state.landmarks).all():
        raise ValueError(f"finite landmarks were wanted for {state.id!r}, some that are not were given")
    places = (state.landmarks[list(POINTS), :2].astype(np.float64) + 0.5) / (size.width, size.height)
    inside = ((places >= 0) & (places <= 1)).all(axis=1)
    return np.column_stack([np.clip(places, 0.0, 1.0), np.where(inside, state.confidence, 0.0)])


def action_units(state: FaceState) -> tuple[FloatArray, FloatArray]:
    """(99,) intensities and (99,) confidences by FACS code; a confidence of 0 says that nothing is known.

    So it is for an intensity that is not finite. Codes of one side alone, and beyond 98, are left out: hri_msgs has
    none. 46, wink, is how much more one eye is closed than the other; 51 to 56, the head's turns, are the angle against
    the camera's axes over 45 degrees.
    """
    intensity, confidence = np.zeros(CODES), np.zeros(CODES)
    known: dict[int, float] = {}
    sides = {"L": 0.0, "R": 0.0}
    for name, value in zip(state.readouts.action_unit_names, state.readouts.action_units.tolist(), strict=True):
        whole = re.fullmatch(r"A[UD](\d+)", name)
        if whole:
            known[int(whole[1])] = value
        elif name in ("AU45L", "AU45R"):
            sides[name[-1]] = value
    if known:
        known[46] = abs(sides["L"] - sides["R"])
    for code, value in (known | _head_codes(state)).items():
        if code < CODES and math.isfinite(value):
            intensity[code], confidence[code] = min(1.0, max(0.0, value)), state.confidence
    return intensity, confidence


def _head_codes(state: FaceState) -> dict[int, float]:
    """Turn left and right, up and down, tilt left and right."""
    bow, turn, tilt = (angle / FULL_HEAD_TURN for angle in right_handed_degrees(head_rotation(state.pose)))
    return {51: turn, 52: -turn, 53: -bow, 54: bow, 55: -tilt, 56: tilt}


def cropped(image: NDArray[np.uint8], roi: Roi, width: int, height: int) -> NDArray[np.uint8]:
    """(height, width, 3) of a (rows, columns, 3) image: the box, widened to this shape about its center.

    What lies outside the image is black.
    """
    side = max(roi.width / width, roi.height / height, 1.0 / min(width, height))
    left, top = roi.x + (roi.width - side * width) / 2, roi.y + (roi.height - side * height) / 2
    # Centers of pixels: output (0, 0) shows the middle of the first `side` input pixels.
    matrix = np.array([[side, 0.0, left + side / 2 - 0.5], [0.0, side, top + side / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), flags=flags), np.uint8)
