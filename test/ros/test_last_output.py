"""The header with which faces are removed."""

from __future__ import annotations

import pytest
from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from face_expr_ros.ros.last_output import LastOutput


def test_the_stamp_continues_those_of_the_images() -> None:
    last = LastOutput()
    last.update(Header(stamp=Time(sec=12, nanosec=900_000_000), frame_id="lens"), now=100.0)
    header = last.header_at(102.25)
    assert (header.stamp.sec, header.frame_id) == (15, "lens")
    assert header.stamp.nanosec == pytest.approx(150_000_000, abs=1000)
    assert last.age(102.25) == 2.25


def test_removed_faces_have_no_age() -> None:
    last = LastOutput()
    assert last.age(5.0) is None
    last.update(Header(), now=5.0)
    last.clear()
    assert last.age(6.0) is None
    assert last.header_at(6.0) == Header()
