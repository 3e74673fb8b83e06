"""The header with which faces are removed."""

from __future__ import annotations

from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from face_expr_ros.ros.last_output import LastOutput


def test_faces_are_removed_with_the_header_of_their_image() -> None:
    last = LastOutput()
    header = Header(stamp=Time(sec=12, nanosec=900_000_000), frame_id="lens")
    last.update(header, now=100.0)
    assert last.header == header
    assert last.age(102.25) == 2.25


def test_removed_faces_have_no_age() -> None:
    last = LastOutput()
    assert last.age(5.0) is None
    last.update(Header(frame_id="lens"), now=5.0)
    last.clear()
    assert last.age(6.0) is None
