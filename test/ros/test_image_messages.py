"""Image messages in nodes: encodings that only cv_bridge supports, and names of topics."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from rclpy.node import Node
from sensor_msgs.msg import Image

from face_expr_ros.ros.image_messages import ImageDecoder
from face_expr_ros.ros.topics import camera_info_topic, image_topic
from face_expr_ros.serialization.image_encodings import DecodeError


def exotic() -> Image:
    return Image(encoding="yuv444", width=2, height=1, step=6, data=array("B", bytes(range(6))))


@pytest.fixture
def bridge(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A module with cv_bridge's interface, which cannot be installed here; returns the arguments of its calls."""
    calls: list[Any] = []

    class CvBridge:
        def imgmsg_to_cv2(self, message: Image, encoding: str) -> np.ndarray:
            calls.append((message.encoding, encoding))
            if message.width == 0:
                raise RuntimeError("[bad] is not a color format")
            return np.full((message.height, message.width, 3), 7, np.uint8)

    module = ModuleType("cv_bridge")
    module.CvBridge = CvBridge  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cv_bridge", module)
    return calls


def test_unknown_encodings_are_converted_by_cv_bridge(bridge: list[Any]) -> None:
    np.testing.assert_array_equal(ImageDecoder()(exotic()), np.full((1, 2, 3), 7))
    assert bridge == [("yuv444", "bgr8")]


def test_known_encodings_and_depth_images_do_not_use_cv_bridge(bridge: list[Any]) -> None:
    ImageDecoder()(Image(encoding="mono8", width=2, height=1, step=2, data=array("B", bytes(2))))
    with pytest.raises(DecodeError, match="depth image"):
        ImageDecoder()(Image(encoding="16UC1"))
    assert not bridge


def test_an_encoding_that_cv_bridge_refuses_is_reported(bridge: list[Any]) -> None:
    with pytest.raises(DecodeError, match=r"which cv_bridge cannot convert either: \[bad\] is not a color format"):
        ImageDecoder()(Image(encoding="yuv444"))


def test_without_cv_bridge_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    with pytest.raises(DecodeError, match=r"got 'yuv444'; installing cv_bridge adds encodings"):
        ImageDecoder()(exotic())


TOPICS = {
    "default": ((), "/cam/image", "/cam/image/compressed", "/cam/camera_info"),
    "image": (("image:=/head/rgb",), "/head/rgb", "/head/rgb/compressed", "/head/camera_info"),
    "compressed": (("image_compressed:=/usb/jpeg",), "/cam/image", "/usb/jpeg", "/usb/camera_info"),
    "nested": (("image_compressed:=/usb/rgb/compressed",), "/cam/image", "/usb/rgb/compressed", "/usb/camera_info"),
    "both": (("image:=/a/raw", "image_compressed:=/b/jpeg"), "/a/raw", "/b/jpeg", "/a/camera_info"),
    "camera_info": (("image_compressed:=/b/jpeg", "camera_info:=/c/info"), "/cam/image", "/b/jpeg", "/c/info"),
}


@pytest.mark.parametrize("case", TOPICS)
def test_compressed_topics_of_any_name_can_be_remapped(make_node: Callable[..., Node], case: str) -> None:
    remappings, raw, compressed, info = TOPICS[case]
    node = make_node("-r", "__ns:=/cam", *(part for rule in remappings for part in ("-r", rule)))
    assert image_topic(node, "raw") == raw
    assert image_topic(node, "compressed") == compressed
    assert camera_info_topic(node) == info
