"""Converts sensor_msgs/CameraInfo to a camera of the pipeline.

Messages may come from ROS or from a bag: any object with the same fields. ROS is not needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.types import Camera, FloatArray

if TYPE_CHECKING:
    from sensor_msgs.msg import CameraInfo

# Allowed numbers of coefficients of ROS's distortion models; OpenCV uses the same order.
DISTORTION_COEFFICIENTS = {"": (0,), "plumb_bob": (0, 4, 5), "rational_polynomial": (0, 8, 12, 14)}


class CameraInfoError(ValueError):
    """A CameraInfo that cannot be used; the message says what was expected and what it contains."""


def camera_from_info(info: CameraInfo, width: int, height: int) -> Camera | None:
    """The camera of a (height, width) image; None if K is all zeros, which means uncalibrated.

    K refers to the full sensor: the region of interest moves the principal point and binning divides K, as in
    image_geometry.

    Raises:
        CameraInfoError: invalid values, another image size or an unsupported distortion model.
    """
    matrix = np.array(info.k, dtype=np.float64).reshape(3, 3)
    if not matrix.any():
        return None
    distortion = _distortion(info)
    _check_matrix(matrix)
    _check_image_size(info, width, height)
    matrix[:2, 2] -= (info.roi.x_offset, info.roi.y_offset)
    matrix[:2] /= np.array(_binning(info))[:, None]
    return Camera(width, height, matrix, distortion, metric=True)


def _distortion(info: CameraInfo) -> FloatArray:
    coefficients = np.array(info.d, dtype=np.float64)
    counts = DISTORTION_COEFFICIENTS.get(info.distortion_model)
    if counts is None:
        expected = ", ".join(filter(None, DISTORTION_COEFFICIENTS))
        raise CameraInfoError(
            f"expected a distortion_model of {expected}, got {info.distortion_model!r}; "
            "rectify the image first (image_proc) and publish the rectified camera"
        )
    if not coefficients.any():  # NaN is not zero and is rejected below
        return np.zeros(0)
    if len(coefficients) not in counts:
        expected = " or ".join(map(str, counts))
        model = info.distortion_model or "an empty distortion_model"
        raise CameraInfoError(f"expected {expected} coefficients for {model}, got {len(coefficients)}")
    if not np.isfinite(coefficients).all():
        raise CameraInfoError(f"expected finite distortion coefficients, got d = {coefficients.tolist()}")
    return coefficients


def _check_matrix(matrix: FloatArray) -> None:
    form = np.array([[matrix[0, 0], 0, matrix[0, 2]], [0, matrix[1, 1], matrix[1, 2]], [0, 0, 1]])
    if not (np.isfinite(matrix).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0 and np.allclose(matrix, form)):
        raise CameraInfoError(
            f"expected k = [fx 0 cx 0 fy cy 0 0 1] with fx and fy above 0, got {matrix.ravel().tolist()}"
        )


def _check_image_size(info: CameraInfo, width: int, height: int) -> None:
    if image_size(info) != (width, height):
        region = f", region {info.roi.width} x {info.roi.height}" if info.roi.width else ""
        across, down = _binning(info)
        raise CameraInfoError(
            f"expected a camera of {width} x {height} pixels, the size of the image, got {info.width} x {info.height}"
            f"{region}, binning {across} x {down}"
        )


def image_size(info: CameraInfo) -> tuple[int, int]:
    """Width and height of the images of a CameraInfo, in pixels: the region of interest of the full sensor, binned.

    0 if the message does not contain them.
    """
    across, down = _binning(info)
    return (info.roi.width or info.width) // across, (info.roi.height or info.height) // down


def _binning(info: CameraInfo) -> tuple[int, int]:
    return max(1, info.binning_x), max(1, info.binning_y)


class CameraKeeper:
    """The camera of incoming images, updated when CameraInfo or the image size changes.

    Args:
        field_of_view: vertical, in degrees, of the camera assumed if CameraInfo is missing or cannot be used.

    Attributes:
        problem: why the last CameraInfo cannot be used; empty if it can.
    """

    def __init__(self, field_of_view: float) -> None:
        self.problem = ""
        self._field_of_view = field_of_view
        self._info: CameraInfo | None = None
        self._camera: Camera | None = None

    def update(self, info: CameraInfo) -> None:
        """Set the latest CameraInfo; an unchanged calibration costs only a comparison."""
        if self._info is None or _calibration(info) != _calibration(self._info):
            self._camera = None
        self._info = info

    def camera(self, width: int, height: int) -> Camera:
        """The camera of a (height, width) image; the assumed one without a valid CameraInfo."""
        camera = self._camera
        if camera is None or (camera.width, camera.height) != (width, height):
            camera = self._camera = self._read(width, height) or default_camera(width, height, self._field_of_view)
        return camera

    def _read(self, width: int, height: int) -> Camera | None:
        self.problem = ""
        if self._info is None:
            return None
        try:
            return camera_from_info(self._info, width, height)
        except CameraInfoError as error:
            self.problem = (
                f"CameraInfo cannot be used, a field of view of {self._field_of_view:g} degrees is assumed: {error}"
            )
            return None


def _calibration(info: CameraInfo) -> tuple[object, ...]:
    """The fields that define a camera; K and D as text, because NaN differs from itself."""
    roi = info.roi
    size = (info.width, info.height, info.binning_x, info.binning_y, roi.x_offset, roi.y_offset, roi.width, roi.height)
    return (*size, info.distortion_model, str(list(info.k)), str(list(info.d)))
