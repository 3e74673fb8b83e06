"""Depth images of both encodings, and those that cannot be used."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from face_expr_ros.ros.depth_input import DepthInput
from face_expr_ros.serialization.depth_decoding import decode_depth
from face_expr_ros.serialization.image_encodings import DecodeError

METERS = np.array([[0.5, 1.0, 1.5, 2.0], [0.0, 0.6, 0.7, 0.8]])
CENTERS = np.stack(np.meshgrid(np.arange(4.0), np.arange(2.0)), axis=-1).reshape(-1, 2)


def message(encoding: str, order: str = "<", padding: int = 0, **changes: Any) -> Image:
    values = METERS.astype(f"{order}f4") if encoding == "32FC1" else np.round(METERS * 1000).astype(f"{order}u2")
    rows = np.frombuffer(values.tobytes(), np.uint8).reshape(2, -1)
    data = np.pad(rows, ((0, 0), (0, padding)))
    fields: dict[str, Any] = {
        "header": Header(frame_id="c", stamp=Time(sec=2, nanosec=5)), "height": 2, "width": 4, "encoding": encoding,
        "is_bigendian": order == ">", "step": data.shape[1], "data": array("B", data.tobytes()),
    }  # fmt: skip
    return Image(**(fields | changes))


@pytest.mark.parametrize("encoding", ["16UC1", "mono16", "32FC1"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_depths_are_meters_and_zero_is_a_hole(encoding: str, order: str) -> None:
    depth = decode_depth(message(encoding, order, padding=4), "c", 4, 2)
    expected = np.where(METERS > 0, METERS, np.nan).ravel()
    np.testing.assert_allclose(depth.at(CENTERS), expected, atol=1e-6)
    assert depth.stamp_ns == 2_000_000_005


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "encoding": ({"encoding": "8UC1"}, "expected a depth image of 16UC1, mono16, 32FC1, got '8UC1'"),
    "frame": ({"header": Header(frame_id="depth")}, "aligned with the color image, 4 x 2 in 'c', got 4 x 2 in 'depth'"),
    "aspect": ({"width": 2}, "got 2 x 2 in 'c'"),
    "length": ({"data": array("B", bytes(3))}, "expected 2 rows of at least 8 bytes, got 3 bytes with a step of 8"),
    "step": ({"step": 7}, "with a step of 7"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_depth_image_that_cannot_be_used_is_refused(case: str) -> None:
    changes, words = dict(WRONG[case][0]), WRONG[case][1]
    with pytest.raises(DecodeError) as refused:
        decode_depth(message(changes.pop("encoding", "16UC1"), **changes), "c", 4, 2)
    assert words in str(refused.value)


def color(frame_id: str = "c", sec: int = 2) -> Header:
    return Header(frame_id=frame_id, stamp=Time(sec=sec))


def test_the_latest_depth_is_returned_once_and_problems_are_reported() -> None:
    depths = DepthInput()
    assert depths.latest(color(), 4, 2) is None
    depths.update(message("16UC1"))
    assert depths.latest(color(), 4, 2) is not None
    assert depths.latest(color(), 4, 2) is None
    depths.update(message("16UC1"))
    assert depths.latest(color("other"), 4, 2) is None
    assert depths.problem.startswith("depth images are ignored: expected a depth image that is aligned")
    depths.update(message("16UC1"))
    depths.latest(color(), 4, 2)
    assert not depths.problem


def test_depth_images_with_stamps_of_another_clock_are_reported() -> None:
    depths = DepthInput()
    depths.update(message("16UC1"))
    assert depths.latest(color(sec=90), 4, 2) is None
    assert "stamps of the same clock as those of the color image, got one that differs by -88.000 s" in depths.problem
    depths.update(message("16UC1", header=Header(frame_id="c")))
    assert depths.latest(color(sec=90), 4, 2) is not None, "a stamp of zero is none"
    assert not depths.problem
