"""CdrWriter produces the same bytes as ROS's own serializer."""

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
from face_expr_ros.ros.cdr import CdrWriter, create_writer
from face_expr_ros.ros.message_fields import message_class, message_fields, message_object
from face_expr_ros.serialization import cdr as format
from face_expr_ros.serialization.cdr import NUMBERS, STRING, CdrLayoutError, FieldType

KINDS = (
    Marker, MarkerArray, PointCloud2, FaceArray, FaceModel, Image, CameraInfo, DiagnosticArray, JointTrajectory,
    PoseWithCovarianceStamped, ParameterEvent, Int8, UInt16, Int16, Int64, UInt64, Bool, Byte, ByteMultiArray,
)  # fmt: skip
WRITERS = {kind: CdrWriter(kind) for kind in KINDS}
LETTERS = string.ascii_letters + "äß€😀/_ "
MAX_LENGTH = 3  # of a sequence


def random_message(kind: type[Any], rng: random.Random) -> Any:
    """A message with random content in every field: any bits of a number, strings and sequences of any length."""
    return message_object(kind, {name: random_field(entry, rng) for name, entry in message_fields(kind).items()})


def random_field(entry: FieldType, rng: random.Random) -> Any:
    if not entry.is_collection:
        return random_element(entry.element, rng)
    count = rng.randint(0, MAX_LENGTH) if entry.count is None else entry.count
    return [random_element(entry.element, rng) for _ in range(count)]


def random_element(element: str, rng: random.Random) -> Any:
    if element == STRING:
        return "".join(rng.choices(LETTERS, k=rng.randint(0, 12)))
    if element not in NUMBERS:
        return random_message(message_class(element), rng)
    if element == "boolean":
        return rng.random() < 0.5
    dtype = np.dtype(NUMBERS[element])
    bits = rng.randbytes(dtype.itemsize)
    if dtype.kind == "f":
        return rng.choice([float("inf"), -0.0, 1e-40, float(np.float32(rng.gauss(0, 1e6)))])
    return bits if dtype.kind == "S" else int(np.frombuffer(bits, dtype)[0])


def without_padding(write: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, np.ndarray]:
    """The written bytes, and a mask of those that are not padding, because they do not change with PADDING."""
    with monkeypatch.context() as patch:
        patch.setattr(format, "PADDING", b"\xff")
        other = np.frombuffer(write(), np.uint8)
    ours = write()
    return ours, np.frombuffer(ours, np.uint8) == other


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_random_messages_have_the_same_bytes_as_from_ros(kind: type[Any]) -> None:
    patch = pytest.MonkeyPatch()

    @given(st.integers(0, 2**32))
    def check(seed: int) -> None:
        message = random_message(kind, random.Random(seed))
        theirs = np.frombuffer(serialize_message(message), np.uint8)
        ours, is_data = without_padding(lambda: WRITERS[kind](message), patch)
        assert len(ours) <= len(theirs)  # ROS appends some unused bytes for sequences of sequences
        np.testing.assert_array_equal(np.frombuffer(ours, np.uint8)[is_data], theirs[: len(ours)][is_data])
        assert deserialize_message(ours, kind) == deserialize_message(theirs.tobytes(), kind)

    check()


@pytest.mark.parametrize("count", [0, 1, 2, 50, 999])
@pytest.mark.parametrize("frame_id", ["", "a", "ab", "abc", "abcd", "camera_optical_frame", "kamera_ü"])
@pytest.mark.parametrize("text", ["", "seven c", "a longer text, with more than eight letters"])
def test_arrays_are_serialized_like_message_objects(frame_id: str, count: int, text: str) -> None:
    rng = np.random.default_rng(count)
    points, colors = rng.normal(size=(count, 3)), rng.random((count, 4), dtype=np.float32)
    marker = Marker(header=Header(stamp=Time(sec=3), frame_id=frame_id), ns="f1", type=Marker.TRIANGLE_LIST, text=text)
    data = WRITERS[Marker](marker, points=points, colors=colors)
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in points.tolist()]
    marker.colors = [ColorRGBA(r=r, g=g, b=b, a=a) for r, g, b, a in colors.tolist()]
    assert deserialize_message(data, Marker) == marker


def test_nested_messages_may_be_mappings_with_arrays() -> None:
    points = np.arange(300.0).reshape(-1, 3)
    markers = [
        {"ns": name, "type": Marker.LINE_LIST, "points": points[:count]} for name, count in (("a", 1), ("bc", 99))
    ]
    decoded = deserialize_message(WRITERS[MarkerArray](MarkerArray(), markers=markers), MarkerArray)
    assert [marker.ns for marker in decoded.markers] == ["a", "bc"]
    assert [[p.x, p.y, p.z] for p in decoded.markers[1].points] == points[:99].tolist()
    assert decoded == message_object(MarkerArray, {"markers": markers})


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, ">f8"])
def test_arrays_of_any_type_and_layout_are_converted(dtype: Any) -> None:
    points = np.arange(600).astype(dtype).reshape(3, -1).T  # not contiguous
    marker = deserialize_message(WRITERS[Marker](Marker(), points=points), Marker)
    assert [[p.x, p.y, p.z] for p in marker.points] == points.tolist()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_missing_fields_of_a_mapping_have_their_defaults(kind: type[Any]) -> None:
    assert deserialize_message(WRITERS[kind]({}), kind) == kind()


def test_wrong_array_shapes_raise_value_errors() -> None:
    with pytest.raises(ValueError, match=r"expected an array of shape \(n, 3\) for geometry_msgs/Point, got \(2, 4\)"):
        WRITERS[Marker](Marker(), points=np.zeros((2, 4)))
    with pytest.raises(ValueError, match="expected an array of 9 elements, got 8"):
        WRITERS[CameraInfo](CameraInfo(), k=np.zeros(8))


def test_an_unknown_field_raises_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"expected fields of Image \(header, height.*\), got pixels"):
        WRITERS[Image](Image(), pixels=b"")


class WithWideString:
    """Like a message class with a wstring, which the installed packages do not have."""

    text = ""

    @staticmethod
    def get_fields_and_field_types() -> dict[str, str]:
        return {"text": "wstring"}


@pytest.mark.parametrize("kind", [Empty, WithWideString])
def test_unsupported_types_are_rejected_at_construction(kind: type[Any]) -> None:
    with pytest.raises(CdrLayoutError, match="not supported"):
        CdrWriter(kind)


def big_endian(message: Any) -> bytes:
    return b"\x00\x00" + serialize_message(message)[2:]


def shifted(data: bytes, kind: type[Any]) -> Any:
    """The bytes as read by a type with an additional first field."""
    return deserialize_message(data[:4] + data[8:] + bytes(4), kind)


@pytest.mark.parametrize("other", [("serialize_message", big_endian), ("deserialize_message", shifted)])
@pytest.mark.parametrize("kind", [Marker, PointCloud2, FaceArray])
def test_an_unexpected_layout_falls_back_to_objects_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, kind: type[Any], other: tuple[str, Callable[..., Any]]
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(cdr, *other)
    writer = create_writer(kind, warnings.append)
    message = writer(kind(header=Header(frame_id="camera")))
    assert message == kind(header=Header(frame_id="camera"))
    assert len(warnings) == 1
    assert "published as message objects" in warnings[0]


def test_the_fallback_accepts_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdr, "serialize_message", big_endian)
    fallback = create_writer(Marker, lambda text: None)
    points, colors = np.arange(9.0).reshape(-1, 3), np.eye(3, 4, dtype=np.float32)
    expected = deserialize_message(WRITERS[Marker](Marker(ns="f1"), points=points, colors=colors), Marker)
    assert fallback(Marker(ns="f1"), points=points, colors=colors) == expected
