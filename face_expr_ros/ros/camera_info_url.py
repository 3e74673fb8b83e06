"""Calibration files by URL, as camera_info_manager finds them."""

from __future__ import annotations

import os
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

from face_expr_ros.core.types import Camera
from face_expr_ros.sources.calibration import read_calibration_file
from face_expr_ros.sources.source_frame import SourceError


def calibration_of(url: str, name: str) -> Camera | None:
    """The camera of a calibration file; None without a URL if ``~/.ros/camera_info/<name>.yaml`` does not exist.

    Args:
        url: ``file:///path``, ``package://package/path``, a path or empty; may contain ``${NAME}`` and ``${ROS_HOME}``.
        name: of the camera.

    Raises:
        SourceError: the file does not exist or is not a calibration.
    """
    home = os.environ.get("ROS_HOME") or str(Path.home() / ".ros")
    if not url:
        default = Path(home) / "camera_info" / f"{name}.yaml"
        return read_calibration_file(default) if default.is_file() else None
    return read_calibration_file(_path(url.replace("${NAME}", name).replace("${ROS_HOME}", home)))


def _path(url: str) -> Path:
    scheme, separator, rest = url.partition("://")
    if not separator or scheme == "file":
        return Path(rest or scheme).expanduser()
    package, _, inside = rest.partition("/")
    if scheme != "package" or not inside:
        raise SourceError(f"camera_info_url: expected file:///path, package://package/path or a path, got {url!r}")
    try:
        return Path(get_package_share_directory(package)) / inside
    except (PackageNotFoundError, ValueError) as error:
        raise SourceError(f"camera_info_url: the package {package!r} of {url!r} is not installed") from error
