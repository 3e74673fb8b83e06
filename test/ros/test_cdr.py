"""Bytes of messages: the same, bit for bit, as ROS's own serializer writes."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from face_expr_ros.msg import FaceArray, FaceModel
from geometry_msgs.msg import Point, PoseWithCovarianceStamped
from hypothesis import given
from hypothesis import strategies as st
from rcl_interfaces.msg import ParameterEvent
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import (
    Bool,
    Byte,
    ByteMultiArray,
    ColorRGBA,
    Empty,
    Header,
    Int8,
    Int16,
    Int64,
    UInt16,
    UInt64,
)
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import Marker, MarkerArray

from face_expr_ros.ros import cdr
from face_expr_ros.ros.cdr import CdrLayoutError, CdrWriter, create_writer
from face_expr_ros.ros.message_fields import NUMBERS, STRING, FieldType, message_class, message_fields, message_object

KINDS = (
    Marker, MarkerArray, PointCloud2, FaceArray, FaceModel, Image, CameraInfo, DiagnosticArray, JointTrajectory,
    PoseWithCovarianceStamped, ParameterEvent, Int8, UInt16, Int16, Int64, UInt64, Bool, Byte, ByteMultiArray,
)  # fmt: skip
WRITERS = {kind: CdrWriter(kind) for kind in KINDS}
LETTERS = string.ascii_letters + "äß€😀/_ "
MOST = 3  # elements of a sequence


def anything(kind: type[Any], chance: random.Random) -> Any:
    """A message with random content in every field: any bits of a number, strings and sequences of any length."""
    return message_object(kind, {name: any_field(entry, chance) for name, entry in message_fields(kind).items()})


def any_field(entry: FieldType, chance: random.Random) -> Any:
    if not entry.many:
        return any_element(entry.element, chance)
    count = chance.randint(0, MOST) if entry.count is None else entry.count
    return [any_element(entry.element, chance) for _ in range(count)]


def any_element(element: str, chance: random.Random) -> Any:
    if element == STRING:
        return "".join(chance.choices(LETTERS, k=chance.randint(0, 12)))
    if element not in NUMBERS:
        return anything(message_class(element), chance)
    if element == "boolean":
        return chance.random() < 0.5
    dtype = np.dtype(NUMBERS[element])
    bits = chance.randbytes(dtype.itemsize)
    if dtype.kind == "f":
        return chance.choice([float("inf"), -0.0, 1e-40, float(np.float32(chance.gauss(0, 1e6)))])
    return bits if dtype.kind == "S" else int(np.frombuffer(bits, dtype)[0])


def without_padding(write: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, np.ndarray]:
    """What is written, and which of its bytes mean something: those that do not change with the padding."""
    with monkeypatch.context() as patch:
        patch.setattr(cdr, "PADDING", b"\xff")
        other = np.frombuffer(write(), np.uint8)
    ours = write()
    return ours, np.frombuffer(ours, np.uint8) == other


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_random_messages_are_written_bit_for_bit_as_ros_writes_them(kind: type[Any]) -> None:
    patch = pytest.MonkeyPatch()

    @given(st.integers(0, 2**32))
    def check(seed: int) -> None:
        message = anything(kind, random.Random(seed))
        theirs = np.frombuffer(serialize_message(message), np.uint8)
        ours, counts = without_padding(lambda: WRITERS[kind](message), patch)
        assert len(ours) <= len(theirs)  # ROS reserves some bytes too many for sequences of sequences
        np.testing.assert_array_equal(np.frombuffer(ours, np.uint8)[counts], theirs[: len(ours)][counts])
        assert deserialize_message(ours, kind) == deserialize_message(theirs.tobytes(), kind)

    check()


@pytest.mark.parametrize("count", [0, 1, 2, 50, 999])
@pytest.mark.parametrize("frame_id", ["", "a", "ab", "abc", "abcd", "camera_optical_frame", "kamera_ü"])
@pytest.mark.parametrize("text", ["", "seven c", "a longer text, with more than eight letters"])
def test_arrays_in_place_of_message_objects_are_the_same_message(frame_id: str, count: int, text: str) -> None:
    chance = np.random.default_rng(count)
    points, colors = chance.normal(size=(count, 3)), chance.random((count, 4), dtype=np.float32)
    marker = Marker(header=Header(stamp=Time(sec=3), frame_id=frame_id), ns="f1", type=Marker.TRIANGLE_LIST, text=text)
    data = WRITERS[Marker](marker, points=points, colors=colors)
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in points.tolist()]
    marker.colors = [ColorRGBA(r=r, g=g, b=b, a=a) for r, g, b, a in colors.tolist()]
    assert deserialize_message(data, Marker) == marker


def test_markers_in_a_marker_array_may_be_mappings_with_arrays() -> None:
    points = np.arange(300.0).reshape(-1, 3)
    markers = [
        {"ns": name, "type": Marker.LINE_LIST, "points": points[:count]} for name, count in (("a", 1), ("bc", 99))
    ]
    given_back = deserialize_message(WRITERS[MarkerArray](MarkerArray(), markers=markers), MarkerArray)
    assert [marker.ns for marker in given_back.markers] == ["a", "bc"]
    assert [[p.x, p.y, p.z] for p in given_back.markers[1].points] == points[:99].tolist()
    assert given_back == message_object(MarkerArray, {"markers": markers})


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, ">f8"])
def test_numbers_of_any_type_and_layout_become_those_of_the_field(dtype: Any) -> None:
    points = np.arange(600).astype(dtype).reshape(3, -1).T  # not contiguous
    marker = deserialize_message(WRITERS[Marker](Marker(), points=points), Marker)
    assert [[p.x, p.y, p.z] for p in marker.points] == points.tolist()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_a_mapping_does_not_say_has_its_default(kind: type[Any]) -> None:
    assert deserialize_message(WRITERS[kind]({}), kind) == kind()


def test_an_array_of_the_wrong_shape_is_refused_with_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(n, 3\) numbers for geometry_msgs/Point were wanted, \(2, 4\) were given"):
        WRITERS[Marker](Marker(), points=np.zeros((2, 4)))
    with pytest.raises(ValueError, match="an array of 9 elements was wanted, 8 were given"):
        WRITERS[CameraInfo](CameraInfo(), k=np.zeros(8))


def test_a_field_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"Image has the fields header, height.*; pixels was given"):
        WRITERS[Image](Image(), pixels=b"")


class WithWideString:
    """Stands in for a message with a wstring."""

    text = ""

    @staticmethod
    def get_fields_and_field_types() -> dict[str, str]:
        return {"text": "wstring"}


@pytest.mark.parametrize("kind", [Empty, WithWideString])
def test_a_type_that_is_not_written_here_is_said_at_start(kind: type[Any]) -> None:
    with pytest.raises(CdrLayoutError, match="not written here"):
        CdrWriter(kind)


def big_endian(message: Any) -> bytes:
    return b"\x00\x00" + serialize_message(message)[2:]


def shifted(data: bytes, kind: type[Any]) -> Any:
    """What a type with another field before the others would read."""
    return deserialize_message(data[:4] + data[8:] + bytes(4), kind)


@pytest.mark.parametrize("other", [("serialize_message", big_endian), ("deserialize_message", shifted)])
@pytest.mark.parametrize("kind", [Marker, PointCloud2, FaceArray])
def test_another_layout_falls_back_to_objects_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, kind: type[Any], other: tuple[str, Callable[..., Any]]
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(cdr, *other)
    writer = create_writer(kind, warnings.append)
    message = writer(kind(header=Header(frame_id="camera")))
    assert message == kind(header=Header(frame_id="camera"))
    assert len(warnings) == 1
    assert "the slow way" in warnings[0]


def test_the_fall_back_makes_the_same_message_of_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdr, "serialize_message", big_endian)
    slow = create_writer(Marker, lambda text: None)
    points, colors = np.arange(9.0).reshape(-1, 3), np.eye(3, 4, dtype=np.float32)
    wanted = deserialize_message(WRITERS[Marker](Marker(ns="f1"), points=points, colors=colors), Marker)
    assert slow(Marker(ns="f1"), points=points, colors=colors) == wanted
