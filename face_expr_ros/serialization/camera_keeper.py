"""The camera of a stream of images, from the latest CameraInfo."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.types import Camera
from face_expr_ros.serialization.camera_info import CameraInfoError, camera_from_info, implausible

if TYPE_CHECKING:
    from sensor_msgs.msg import CameraInfo

# A part of a topic's name: image_rect, image_rect_color, rect/image, image_rectified, but not image_unrectified.
_RECTIFIED = re.compile(r"(^|[/_])rect(ified)?($|[/_])")


def is_rectified(setting: str, topic: str) -> bool:
    """Whether the images of a topic are rectified, by the parameter ``rectified``: auto, true or false."""
    return _RECTIFIED.search(topic) is not None if setting == "auto" else setting == "true"


class CameraKeeper:
    """The camera of incoming images, updated when CameraInfo or the image size changes.

    CameraInfo and images may be received in different threads.

    Args:
        field_of_view: vertical, in degrees, of the camera assumed if CameraInfo is missing or cannot be used.
        rectified: as in `camera_from_info`.

    Attributes:
        problem: why the last CameraInfo cannot be used, or what is suspicious about it; empty if it is valid.
    """

    def __init__(self, field_of_view: float, *, rectified: bool = False) -> None:
        self.problem = ""
        self._field_of_view = field_of_view
        self._rectified = rectified
        self._info: CameraInfo | None = None
        self._camera: Camera | None = None
        self._lock = threading.Lock()  # an image must not store the camera of a CameraInfo that is just replaced

    def update(self, info: CameraInfo) -> None:
        """Set the latest CameraInfo; an unchanged calibration costs only a comparison."""
        with self._lock:
            if self._info is None or _calibration(info) != _calibration(self._info):
                self._camera = None
            self._info = info

    def camera(self, width: int, height: int) -> Camera:
        """The camera of a (height, width) image; the assumed one without a valid CameraInfo."""
        with self._lock:
            camera = self._camera
            if camera is None or (camera.width, camera.height) != (width, height):
                camera = self._read(width, height) or default_camera(width, height, self._field_of_view)
                self._camera = camera
            return camera

    def _read(self, width: int, height: int) -> Camera | None:
        self.problem = ""
        if self._info is None:
            return None
        try:
            camera = camera_from_info(self._info, width, height, rectified=self._rectified)
        except CameraInfoError as error:
            self.problem = (
                f"CameraInfo cannot be used, a field of view of {self._field_of_view:g} degrees is assumed: {error}"
            )
            return None
        self.problem = "" if camera is None else implausible(camera)
        return camera


def _calibration(info: CameraInfo) -> tuple[object, ...]:
    """The fields that define a camera; K, P and D as text, because NaN differs from itself."""
    roi = info.roi
    size = (info.width, info.height, info.binning_x, info.binning_y, roi.x_offset, roi.y_offset, roi.width, roi.height)
    return (*size, info.distortion_model, str(list(info.k)), str(list(info.p)), str(list(info.d)))
