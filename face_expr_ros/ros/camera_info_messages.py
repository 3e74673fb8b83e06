"""Conversion of the pipeline's cameras to sensor_msgs/CameraInfo."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from face_expr_ros.core.types import Camera


def info_from_camera(camera: Camera | None, width: int, height: int, header: Header) -> CameraInfo:
    """The CameraInfo of an image; for an unknown camera K is all zeros, which means uncalibrated."""
    info = CameraInfo(header=header, width=width, height=height)
    if camera is None:
        return info
    info.width, info.height = camera.width, camera.height
    polynomial = "plumb_bob" if len(camera.distortion) <= 5 else "rational_polynomial"
    info.distortion_model = "equidistant" if camera.lens == "fisheye" else polynomial
    info.d = (camera.distortion if len(camera.distortion) else np.zeros(5)).tolist()
    info.k = camera.matrix.ravel().tolist()
    info.r = np.eye(3).ravel().tolist()
    info.p = np.column_stack([camera.matrix, np.zeros(3)]).ravel().tolist()
    return info
