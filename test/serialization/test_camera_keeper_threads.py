"""CameraInfo and images that arrive in different threads."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.ros.camera_info_messages import info_from_camera
from face_expr_ros.serialization import camera_keeper
from face_expr_ros.serialization.camera_keeper import CameraKeeper


def info(field_of_view: float) -> CameraInfo:
    return info_from_camera(pinhole_camera(640, 480, field_of_view), 640, 480, Header())


def test_an_image_does_not_keep_the_camera_of_a_replaced_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calibration changes while the image thread reads the previous one."""
    keeper, reading, proceed = CameraKeeper(63.0), threading.Event(), threading.Event()
    convert = camera_keeper.camera_from_info

    def slow(*arguments: Any, **options: Any) -> Any:
        reading.set()
        proceed.wait(10.0)
        return convert(*arguments, **options)

    monkeypatch.setattr(camera_keeper, "camera_from_info", slow)
    keeper.update(info(60.0))
    image = threading.Thread(target=keeper.camera, args=(640, 480))
    image.start()
    assert reading.wait(10.0)
    change = threading.Thread(target=keeper.update, args=(info(30.0),))
    change.start()
    change.join(0.05)
    proceed.set()
    for thread in (image, change):
        thread.join()
    focal = pinhole_camera(640, 480, 30.0).matrix[0, 0]
    assert keeper.camera(640, 480).matrix[0, 0] == focal
