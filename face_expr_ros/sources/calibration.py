"""Camera calibration files in the format of ROS's camera_calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from face_expr_ros.core.types import Camera
from face_expr_ros.serialization.distortion import distortion_of
from face_expr_ros.sources.source_frame import SourceError


def read_calibration(path: Path) -> Camera | None:
    """The camera in the file ``<path>.yaml`` beside a video or folder; None if there is no such file.

    Raises:
        SourceError: the file is not a camera calibration, or its distortion model is not supported.
    """
    file = path.with_name(path.name + ".yaml")
    if not file.is_file():
        return None
    try:
        return _camera(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise SourceError(f"{file} is not a calibration file of camera_calibration: {reason}") from error


def _camera(content: dict[str, Any]) -> Camera:
    matrix = np.array(content["camera_matrix"]["data"], dtype=np.float64).reshape(3, 3)
    lens, distortion = distortion_of(content["distortion_model"], content["distortion_coefficients"]["data"])
    if not (np.isfinite(matrix).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0):
        raise ValueError(f"expected finite numbers and focal lengths above 0, got {matrix.tolist()}")
    size = int(content["image_width"]), int(content["image_height"])
    return Camera(*size, matrix, distortion, metric=True, lens=lens)
