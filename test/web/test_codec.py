"""Encoding and decoding of the stream, and rejection of invalid data."""

from __future__ import annotations

import contextlib
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation
from support.paths import ROOT

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler
from face_expr_ros.core.types import NO_READOUTS, Blendshapes, FaceState, Pose, Roi
from face_expr_ros.perception.expression.affect import LABELS
from face_expr_ros.web.codec import (
    MAX_FACE_SIZE,
    NO_LABEL,
    CodecError,
    StreamFace,
    StreamFrame,
    decode_frame,
    encode_frame,
)
from face_expr_ros.web.stream_frames import _indices, numeric_id, stream_frame

HEADER = 48  # bytes, from docs/web.md
single = st.floats(-1e6, 1e6, width=32)
pixels = st.integers(0, 65535)


def numbers(count: int | st.SearchStrategy[int], low: float, high: float) -> st.SearchStrategy[Any]:
    return arrays(np.float64, count, elements=st.floats(low, high))


faces = st.builds(
    StreamFace,
    id=st.integers(0, 2**32 - 1),
    confidence=st.floats(0, 1, width=32),
    position=arrays(np.float32, 3, elements=single),
    quaternion=arrays(np.float32, 4, elements=st.floats(-1, 1, width=32)),
    roi=st.builds(Roi, pixels, pixels, pixels, pixels),
    metric=st.booleans(),
    mouth_open=st.booleans(),
    label=st.sampled_from(["", *LABELS]),
    valence=st.floats(-1, 1),
    arousal=st.floats(-1, 1),
    blendshapes=numbers(52, 0, 1),
    shape=st.none() | numbers(st.integers(0, 40), -4, 4),
    expression=st.none() | arrays(np.float32, st.integers(0, 16), elements=single),
)
frames = st.builds(
    StreamFrame,
    sequence=st.integers(0, 2**32 - 1),
    stamp=st.floats(0, 1e10),
    sent=st.floats(0, 1e10),
    width=st.integers(0, 2**32 - 1),
    height=st.integers(0, 2**32 - 1),
    focal=st.tuples(single, single),
    center=st.tuples(single, single),
    faces=st.lists(faces, max_size=4).map(tuple),
)


@settings(max_examples=20)
@given(frames)
def test_decoding_restores_the_encoded_frame(frame: StreamFrame) -> None:
    data = encode_frame(frame)
    assert len(data) <= HEADER + MAX_FACE_SIZE * len(frame.faces)
    decoded = decode_frame(data)
    assert replace(decoded, faces=()) == replace(frame, faces=())
    for out, put in zip(decoded.faces, frame.faces, strict=True):
        plain = ("id", "confidence", "roi", "metric", "mouth_open", "label")
        assert [getattr(out, name) for name in plain] == [getattr(put, name) for name in plain]
        assert np.array_equal(out.position, put.position)
        assert np.array_equal(out.quaternion, put.quaternion)
        assert np.allclose((out.valence, out.arousal), (put.valence, put.arousal), atol=0.5 / 127 + 1e-9)
        assert np.allclose(out.blendshapes, put.blendshapes, atol=0.5 / 65535 + 1e-9)
        assert (out.shape is None) == (put.shape is None)
        assert put.shape is None or np.allclose(out.shape, put.shape, atol=2 / 127 + 1e-9)
        assert (out.expression is None) == (put.expression is None)
        assert put.expression is None or np.array_equal(out.expression, put.expression)


@settings(max_examples=10)
@given(frames.filter(lambda frame: frame.faces), st.data())
def test_frames_that_are_too_short_or_too_long_are_rejected(frame: StreamFrame, data: st.DataObject) -> None:
    whole = encode_frame(frame)
    with pytest.raises(CodecError, match=r"expected .*bytes, got"):
        decode_frame(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(CodecError, match=r"expected .*bytes, got"):
        decode_frame(whole + b"\0")


@settings(max_examples=40)
@given(st.binary(max_size=600))
def test_random_bytes_decode_or_raise_codec_error(data: bytes) -> None:
    with contextlib.suppress(CodecError):
        decode_frame(data)


def test_another_version_is_rejected() -> None:
    data = bytearray(encode_frame(StreamFrame(1, 0, 0, 0, 0, (0, 0), (0, 0))))
    data[1] = 9
    with pytest.raises(CodecError, match="expected magic 0xfe and version 1, got 0xfe and 9"):
        decode_frame(bytes(data))


def state(**changes: Any) -> FaceState:
    """A face of the open model."""
    pose = Pose(rotation_from_euler(0.3, 0.1, -0.2), np.array([0.1, -0.05, 0.7]), metric=True)
    values = np.linspace(0, 1, 52)
    default = FaceState(
        id="f12", stamp_ns=1_500_000_000, confidence=0.5, roi=Roi(-3.0, 7.4, 100.6, 1e6), pose=pose, model="open",
        shape=np.linspace(-5, 5, 40), expression=values, blendshapes=Blendshapes(ARKIT_NAMES, values),
        readouts=NO_READOUTS, landmarks=np.zeros((0, 3), np.float32),
    )  # fmt: skip
    return replace(default, **changes)


def round_trip(face: FaceState, **options: Any) -> StreamFrame:
    camera = pinhole_camera(640, 480, 45.0)
    return decode_frame(encode_frame(stream_frame([face], face.stamp_ns, camera, sequence=3, sent=2.5, **options)))


def test_a_face_is_encoded_in_the_package_conventions() -> None:
    given_face = state()
    frame = round_trip(given_face, shape_units=np.ones(40))
    (face,) = frame.faces
    assert (frame.sequence, frame.stamp, frame.sent, frame.width, frame.height) == (3, 1.5, 2.5, 640, 480)
    assert frame.focal == pytest.approx((579.411, 579.411), abs=1e-3)
    assert frame.center == (319.5, 239.5)
    assert (face.id, face.metric, face.label) == (12, True, "")
    assert face.roi == Roi(0, 7, 101, 65535)
    rotation = Rotation.from_quat(face.quaternion).as_matrix()
    assert np.allclose(rotation, given_face.pose.rotation, atol=1e-6)
    assert face.shape is not None
    assert np.allclose(face.shape, np.clip(given_face.shape, -4, 4), atol=2 / 127 + 1e-9)
    assert face.expression is None


def test_the_layout_matches_the_docs() -> None:
    data = encode_frame(stream_frame([state()], 1_500_000_000, None, sequence=3, sent=2.5, shape_units=np.ones(40)))
    assert data[:2] == b"\xfe\x01"
    assert struct.unpack_from("<HIdd", data, 2) == (1, 3, 1.5, 2.5)
    assert struct.unpack_from("<IIffff", data, 24) == (0, 0, 0, 0, 0, 0)
    assert struct.unpack_from("<If", data, HEADER) == (12, 0.5)
    assert struct.unpack_from("<3f", data, HEADER + 8) == pytest.approx((0.1, -0.05, 0.7))
    assert struct.unpack_from("<4H", data, HEADER + 36) == (0, 7, 101, 65535)
    assert data[HEADER + 44] == 0b101  # metric, with shape
    assert data[HEADER + 45] == 255
    assert data[HEADER + 48] == 52
    assert struct.unpack_from("<52H", data, HEADER + 49)[-1] == 65535
    assert data[HEADER + 153] == 40
    assert len(data) == HEADER + 194


def test_the_docs_list_the_labels_in_order() -> None:
    document = (ROOT / "docs/web.md").read_text(encoding="utf-8")
    assert f"place in {', '.join(LABELS)}; {NO_LABEL} none" in document


def test_blendshapes_are_ordered_by_name() -> None:
    blendshapes = Blendshapes(("unknown", "tongueOut", "jawOpen"), np.array([0.9, 0.5, 0.25]))
    (face,) = round_trip(state(blendshapes=blendshapes)).faces
    decoded = dict(zip(ARKIT_NAMES, face.blendshapes, strict=True))
    assert decoded["jawOpen"] == pytest.approx(0.25, abs=1e-5)
    assert decoded["tongueOut"] == pytest.approx(0.5, abs=1e-5)
    assert sum(decoded.values()) == pytest.approx(0.75, abs=1e-4)


def test_the_cache_of_names_is_bounded() -> None:
    for number in range(200):
        round_trip(state(blendshapes=Blendshapes((f"name{number}", "jawOpen"), np.array([0.9, 0.25]))))
    assert _indices.cache_info().currsize < 50


def test_a_model_with_its_own_basis_sends_its_coefficients() -> None:
    given_face = state(expression=np.linspace(-2, 2, 10))
    (face,) = round_trip(given_face, shape_units=np.ones(40), own_basis=True).faces
    assert np.allclose(face.expression, given_face.expression, atol=1e-6)


@pytest.mark.parametrize(
    ("shapes", "own_basis", "expressions", "sent"),
    [(199, False, 52, (146, None)), (199, True, 29, (29, 29)), (300, True, 100, (1, 36)), (0, True, 0, (0, 0))],
)
def test_coefficients_beyond_the_size_limit_are_omitted(
    shapes: int, own_basis: bool, expressions: int, sent: tuple[int, int | None]
) -> None:
    given_face = state(shape=np.linspace(-1, 1, shapes), expression=np.linspace(-2, 2, expressions))
    (face,) = round_trip(given_face, shape_units=np.ones(shapes), own_basis=own_basis).faces
    assert face.shape is not None
    assert (len(face.shape), None if face.expression is None else len(face.expression)) == sent
    assert np.allclose(face.shape, given_face.shape[: sent[0]], atol=2 / 127 + 1e-9)
    if face.expression is not None:
        assert np.allclose(face.expression, given_face.expression[: len(face.expression)], atol=1e-6)


def test_a_face_that_does_not_fit_is_rejected() -> None:
    (face,) = stream_frame([state()], 0, None, sequence=1, sent=0.0).faces
    frame = stream_frame([], 0, None, sequence=1, sent=0.0)
    with pytest.raises(CodecError, match="expected at most 300 bytes per face"):
        encode_frame(replace(frame, faces=(replace(face, expression=np.zeros(52)),)))
    with pytest.raises(CodecError, match="a value does not fit into its field"):
        encode_frame(replace(frame, faces=(replace(face, position=np.array([1e39, 0.0, 0.0])),)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_replaced(value: float) -> None:
    values = np.full(52, value)
    (face,) = round_trip(state(blendshapes=Blendshapes(ARKIT_NAMES, values), roi=Roi(value, 0, 1, 1))).faces
    assert np.isfinite(face.blendshapes).all()
    assert face.roi.x == 0


def test_an_id_of_another_form_has_a_constant_number() -> None:
    assert [numeric_id(name) for name in ("f1", "t7", "face12", "42", "front_2_f9")] == [1, 7, 12, 42, 9]
    assert numeric_id("anna") == numeric_id("anna") != numeric_id("bert")
    assert 0 <= numeric_id("f99999999999") < 2**32
