"""Distortion models of ROS's CameraInfo and calibration files, in OpenCV's order of coefficients."""

from __future__ import annotations

from typing import Literal

import numpy as np

from face_expr_ros.core.types import FloatArray

Lens = Literal["pinhole", "fisheye"]

# Of OpenCV's polynomial model. Drivers publish plumb_bob with 8 coefficients (depthai, Orbbec), which are those of
# rational_polynomial, so the number decides.
_POLYNOMIAL_COUNTS = (0, 4, 5, 8, 12, 14)
_FISHEYE_COUNTS = (0, 4)
_POLYNOMIAL = ("", "plumb_bob", "rational_polynomial", "radtan", "brown_conrady", "pinhole", "perspective", "none")
_FISHEYE = ("equidistant", "fisheye", "kannala_brandt", "kannala_brandt4")


_MAX_PIXELS = 1e7  # of focal lengths and of the principal point
MIN_FOCAL = 0.1  # image widths; with a shorter lens no face can be fitted, and K of the identity is a placeholder


class DistortionError(ValueError):
    """A distortion model that is not supported, or coefficients that do not belong to it."""


def has_usable_intrinsics(matrix: FloatArray) -> bool:
    """Whether the values of K (3, 3) are finite and both focal lengths are at least 1 pixel."""
    return bool((np.abs(matrix) <= _MAX_PIXELS).all() and min(matrix[0, 0], matrix[1, 1]) >= 1.0)


def distortion_of(model: str, values: object) -> tuple[Lens, FloatArray]:
    """The lens model and its coefficients; none if all are zero.

    As in image_geometry, coefficients that are all zero mean an image without distortion, whatever the model is called:
    drivers of rectified images publish ``equidistant``, ``none`` or a name of their own with zeros.

    Args:
        model: name as in CameraInfo.
        values: the coefficients.

    Raises:
        DistortionError: an unknown model, a wrong number of coefficients, or coefficients that are not finite.
    """
    coefficients = np.array(values, dtype=np.float64).ravel()
    if not coefficients.any():  # NaN is not zero and is rejected below
        return "pinhole", np.zeros(0)
    if not isinstance(model, str):
        raise DistortionError(f"expected the name of a distortion_model, got {model!r}")
    name = model.strip().lower().replace(" ", "_").replace("-", "_")
    if name not in _POLYNOMIAL + _FISHEYE:
        raise DistortionError(
            f"expected a distortion_model of plumb_bob, rational_polynomial or equidistant, got {model!r}; "
            "rectify the image first (image_proc) and publish the rectified camera"
        )
    counts = _FISHEYE_COUNTS if name in _FISHEYE else _POLYNOMIAL_COUNTS
    coefficients = _without_extra_zeros(coefficients, counts)
    if len(coefficients) not in counts:
        expected = f"{', '.join(map(str, counts[:-1]))} or {counts[-1]}"
        raise DistortionError(
            f"expected {expected} coefficients for {model or 'an empty distortion_model'}, got {len(coefficients)}"
        )
    if not np.isfinite(coefficients).all():
        raise DistortionError(f"expected finite distortion coefficients, got d = {coefficients.tolist()}")
    return ("fisheye" if name in _FISHEYE else "pinhole"), coefficients


def _without_extra_zeros(coefficients: FloatArray, counts: tuple[int, ...]) -> FloatArray:
    """Without zeros at the end beyond a number of coefficients that is expected.

    realsense2_camera fills the four coefficients of its fisheye cameras up to five.
    """
    shorter = [count for count in counts if count < len(coefficients) and not coefficients[count:].any()]
    return coefficients if len(coefficients) in counts or not shorter else coefficients[: shorter[-1]]
