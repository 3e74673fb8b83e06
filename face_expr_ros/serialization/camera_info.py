"""Converts sensor_msgs/CameraInfo to a camera of the pipeline.

Messages may come from ROS or from a bag: any object with the same fields. ROS is not needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from face_expr_ros.core.geometry import scaled_intrinsics
from face_expr_ros.core.types import Camera, FloatArray
from face_expr_ros.serialization.distortion import (
    MIN_FOCAL,
    DistortionError,
    distortion_of,
    has_usable_intrinsics,
)

if TYPE_CHECKING:
    from sensor_msgs.msg import CameraInfo

_MAX_ASPECT_ERROR = 0.01  # between the sizes of an image and its CameraInfo: rounding, or lines cut by an encoder
_PLAUSIBLE_FOCAL = (0.2, 10.0)  # image widths; a fisheye of 180 degrees has 0.32, a lens of 6 degrees 9.5
_MAX_PIXEL_ASPECT = 2.0
_FORMS = {"k": "[fx 0 cx 0 fy cy 0 0 1]", "p": "[fx 0 cx . 0 fy cy . 0 0 1 .]"}


class CameraInfoError(ValueError):
    """A CameraInfo that cannot be used; the message says what was expected and what it contains."""


def camera_from_info(info: CameraInfo, width: int, height: int, *, rectified: bool = False) -> Camera | None:
    """The camera of a (height, width) image; None if K is all zeros, which means uncalibrated.

    K and P refer to the full sensor: the region of interest moves the principal point and binning divides them, as in
    image_geometry. Drivers differ in this, so a message whose width and height are already those of the image is used
    as it is, one without width and height as well, and one of another resolution with the same aspect is scaled.

    Args:
        info: the message.
        width, height: size of the image in pixels.
        rectified: the image is rectified: P counts instead of K, or K if P is all zeros, and D does not.

    Raises:
        CameraInfoError: invalid values, an image size of another aspect or an unsupported distortion model.
    """
    matrix = np.array(info.k, dtype=np.float64).reshape(3, 3)
    projection = np.array(info.p, dtype=np.float64).reshape(3, 4)[:, :3]
    name = "p" if rectified and projection.any() else "k"
    matrix = projection if name == "p" else matrix
    if not matrix.any():
        return None
    try:
        lens, distortion = distortion_of(info.distortion_model, [] if rectified else info.d)
    except DistortionError as error:
        raise CameraInfoError(str(error)) from error
    _check_matrix(matrix, name)
    matrix = _at_image_size(matrix, info, width, height)
    if matrix[0, 0] < MIN_FOCAL * width:
        raise CameraInfoError(
            f"expected a focal length of at least {MIN_FOCAL * width:g} pixels for an image of {width} x {height}, "
            f"got {matrix[0, 0]:.4g}: calibrate the camera"
        )
    return Camera(width, height, matrix, distortion, metric=True, lens=lens)


def _check_matrix(matrix: FloatArray, name: str) -> None:
    form = np.array([[matrix[0, 0], 0, matrix[0, 2]], [0, matrix[1, 1], matrix[1, 2]], [0, 0, 1]])
    if not (has_usable_intrinsics(matrix) and np.allclose(matrix, form)):
        raise CameraInfoError(
            f"expected {name} = {_FORMS[name]} with fx and fy of at least 1 pixel, got {matrix.ravel().tolist()}"
        )


def _at_image_size(matrix: FloatArray, info: CameraInfo, width: int, height: int) -> FloatArray:
    """K or P (3, 3) for an image of ``width`` x ``height`` pixels; see `camera_from_info`."""
    if (info.width, info.height) in ((0, 0), (width, height)) and image_size(info) != (width, height):
        return matrix  # the region and the binning, if any, are applied already
    across, down = _binning(info)
    matrix[:2, 2] -= (info.roi.x_offset, info.roi.y_offset)
    matrix[:2] /= np.array([[across], [down]])
    described = image_size(info)
    if described == (width, height):
        return matrix
    scale = np.array([width, height]) / np.maximum(described, 1)
    if 0 in described or abs(scale[0] / scale[1] - 1.0) > _MAX_ASPECT_ERROR:
        region = f", region {info.roi.width} x {info.roi.height}" if info.roi.width else ""
        raise CameraInfoError(
            f"expected a camera of {width} x {height} pixels, the size of the image, or of the same aspect, got "
            f"{info.width} x {info.height}{region}, binning {across} x {down}"
        )
    return scaled_intrinsics(matrix, scale)


def implausible(camera: Camera) -> str:
    """What is suspicious about a camera's focal length; empty if nothing is."""
    x, y = camera.matrix[0, 0], camera.matrix[1, 1]
    least, most = _PLAUSIBLE_FOCAL
    if least <= x / camera.width <= most and 1 / _MAX_PIXEL_ASPECT <= x / y <= _MAX_PIXEL_ASPECT:
        return ""
    return (
        f"CameraInfo has an implausible focal length of {x:.4g} x {y:.4g} pixels for an image of "
        f"{camera.width} x {camera.height}; distances of faces are wrong by the same factor: calibrate the camera"
    )


def image_size(info: CameraInfo) -> tuple[int, int]:
    """Width and height of the images of a CameraInfo, in pixels: the region of interest of the full sensor, binned.

    0 if the message does not contain them.
    """
    across, down = _binning(info)
    return (info.roi.width or info.width) // across, (info.roi.height or info.height) // down


def _binning(info: CameraInfo) -> tuple[int, int]:
    return max(1, info.binning_x), max(1, info.binning_y)
