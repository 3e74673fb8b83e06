"""Camera calibration files in the format of ROS's camera_calibration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from face_expr_ros.core.geometry import scaled_intrinsics
from face_expr_ros.core.types import Camera
from face_expr_ros.serialization.distortion import MIN_FOCAL, distortion_of, has_usable_intrinsics
from face_expr_ros.serialization.image_encodings import MAX_SIDE
from face_expr_ros.sources.source_frame import SourceError

MAX_ASPECT_ERROR = 0.01


def read_calibration(path: Path) -> Camera | None:
    """The camera in the file ``<path>.yaml`` beside a video or folder; None if there is no such file.

    Raises:
        SourceError: the file is not a camera calibration, or its distortion model is not supported.
    """
    file = path.with_name(path.name + ".yaml")
    return read_calibration_file(file) if file.is_file() else None


def read_calibration_file(file: Path) -> Camera:
    """The camera in a calibration file.

    Raises:
        SourceError: the file does not exist, is not a camera calibration, or its distortion model is not supported.
    """
    if not file.is_file():
        raise SourceError(f"expected a calibration file of camera_calibration, there is no file {str(file)!r}")
    try:
        return _camera(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise SourceError(f"{file} is not a calibration file of camera_calibration: {reason}") from error


def resized(camera: Camera, width: int, height: int) -> Camera:
    """A calibrated camera at another resolution of the same aspect.

    Raises:
        SourceError: the aspect differs.
    """
    if (camera.width, camera.height) == (width, height):
        return camera
    scale = np.array([width / camera.width, height / camera.height])
    if abs(scale[0] / scale[1] - 1.0) > MAX_ASPECT_ERROR:
        raise SourceError(
            f"expected a calibration for images of {width} x {height} or of the same aspect, got one for "
            f"{camera.width} x {camera.height}"
        )
    return replace(camera, width=width, height=height, matrix=scaled_intrinsics(camera.matrix, scale))


def _camera(content: dict[str, Any]) -> Camera:
    matrix = np.array(content["camera_matrix"]["data"], dtype=np.float64).reshape(3, 3)
    lens, distortion = distortion_of(content["distortion_model"], content["distortion_coefficients"]["data"])
    if not has_usable_intrinsics(matrix):
        raise ValueError(f"expected finite numbers and focal lengths of at least 1 pixel, got {matrix.tolist()}")
    size = content["image_width"], content["image_height"]
    if not all(isinstance(length, int) and 1 <= length <= MAX_SIDE for length in size):
        raise ValueError(f"expected an image size from 1 to {MAX_SIDE} pixels, got {size[0]} x {size[1]}")
    if matrix[0, 0] < MIN_FOCAL * size[0]:
        raise ValueError(
            f"expected a focal length of at least {MIN_FOCAL * size[0]:g} pixels for images of {size[0]} x {size[1]}, "
            f"got {matrix[0, 0]:.4g}"
        )
    return Camera(*size, matrix, distortion, metric=True, lens=lens)
