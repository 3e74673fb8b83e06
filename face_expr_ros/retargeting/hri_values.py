"""Values of the messages of REP-155 (ROS4HRI, draft of 2022) and hri_msgs 2.x, without ROS."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.facemesh_regions import IBUG68, IRISES
from face_expr_ros.core.head_axes import head_rotation, right_handed_degrees
from face_expr_ros.core.types import FaceState, FloatArray, Roi
from face_expr_ros.perception.expression.affect import NEUTRAL

POINTS = (*IBUG68, IRISES[0][0], IRISES[1][0])  # dlib's 68 points, then the right and left pupil
CODE_COUNT = 99  # of hri_msgs/FacialActionUnits
FULL_HEAD_TURN = 45.0  # degrees at which FACS's head codes have intensity 1
# Expression labels of this package to those of hri_msgs/Expression; a new label needs an entry.
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
    """Width and height of an image, pixels."""

    width: int
    height: int


def hri_id(face_id: str) -> str:
    """A valid id of REP-155: letters, digits and underscores, starting with a letter."""
    cleaned = re.sub(r"\W", "_", face_id, flags=re.ASCII)
    return cleaned if re.match("[A-Za-z]", cleaned) else f"f{cleaned}"


def normalized_box(roi: Roi, size: ImageSize) -> tuple[float, float, float, float]:
    """xmin, ymin, xmax, ymax in 0..1; 0 is the left or top edge of the image, 1 the right or bottom edge."""
    x = np.clip(np.array([roi.x, roi.x + roi.width]) / size.width, 0.0, 1.0)
    y = np.clip(np.array([roi.y, roi.y + roi.height]) / size.height, 0.0, 1.0)
    return float(x[0]), float(y[0]), float(x[1]), float(y[1])


def normalized_points(state: FaceState, size: ImageSize) -> FloatArray:
    """Landmarks (70, 3): x and y in 0..1 of the image, and the confidence, which is 0 outside the image.

    The center of the first pixel, (0, 0) in landmark coordinates, is half a pixel from the image edge.

    Raises:
        ValueError: the face has no landmarks, or a landmark is not finite.
    """
    if not len(state.landmarks):
        raise ValueError(f"expected landmarks, got none for the face {state.id!r}")
    if not np.isfinite(state.landmarks).all():
        raise ValueError(f"expected finite landmarks for the face {state.id!r}, got NaN or infinity")
    places = (state.landmarks[list(POINTS), :2].astype(np.float64) + 0.5) / (size.width, size.height)
    inside = ((places >= 0) & (places <= 1)).all(axis=1)
    return np.column_stack([np.clip(places, 0.0, 1.0), np.where(inside, state.confidence, 0.0)])


def action_units(state: FaceState) -> tuple[FloatArray, FloatArray]:
    """Intensities (99,) and confidences (99,) by FACS code; a confidence of 0 means unknown.

    Intensities that are not finite are unknown. hri_msgs has no codes for one side of the face or beyond 98. Code 46,
    wink, is the difference between the closure of both eyes. Codes 51 to 56, the head movements, are the angle relative
    to the camera divided by 45 degrees.
    """
    intensity, confidence = np.zeros(CODE_COUNT), np.zeros(CODE_COUNT)
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
        if code < CODE_COUNT and math.isfinite(value):
            intensity[code], confidence[code] = min(1.0, max(0.0, value)), state.confidence
    return intensity, confidence


def _head_codes(state: FaceState) -> dict[int, float]:
    """Turn left and right, up and down; tilt left and right."""
    down, turn, tilt = (angle / FULL_HEAD_TURN for angle in right_handed_degrees(head_rotation(state.pose.rotation)))
    return {51: turn, 52: -turn, 53: -down, 54: down, 55: -tilt, 56: tilt}


def cropped(image: NDArray[np.uint8], roi: Roi, width: int, height: int) -> NDArray[np.uint8]:
    """Crop a box, enlarged about its center to the aspect ratio width : height, and resize it.

    Args:
        image: (rows, columns, 3).
        roi: the box.
        width, height: of the result, pixels.

    Returns:
        (height, width, 3); black outside the image.
    """
    side = max(roi.width / width, roi.height / height, 1.0 / min(width, height))
    left, top = roi.x + (roi.width - side * width) / 2, roi.y + (roi.height - side * height) / 2
    # Pixel centers: output (0, 0) is the center of the first `side` input pixels.
    matrix = np.array([[side, 0.0, left + side / 2 - 0.5], [0.0, side, top + side / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), flags=flags), np.uint8)
