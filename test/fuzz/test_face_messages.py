"""Consumers of faces produce finite values for every FaceArray that they accept, whatever was published."""

from __future__ import annotations

import math
import random
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from face_expr_ros.msg import FaceArray
from pythonosc.osc_packet import OscPacket
from rclpy.serialization import deserialize_message
from std_msgs.msg import Header
from support.faces import CAMERA, make_face
from support.mutations import mutated, refused_with
from support.timed_runs import count_input

from face_expr_ros.bags.messages import FACE_ARRAY, cdr
from face_expr_ros.benchmarks.soak.message_rules import violations
from face_expr_ros.core.types import FaceState
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.retargeting.avatar_config import TargetConfig
from face_expr_ros.retargeting.avatar_sender import packets
from face_expr_ros.retargeting.avatar_stream import AvatarStream
from face_expr_ros.retargeting.config import HeadControlConfig
from face_expr_ros.retargeting.head import HeadController
from face_expr_ros.retargeting.hri_values import ImageSize, action_units, normalized_box, normalized_points
from face_expr_ros.retargeting.joints import load_joints
from face_expr_ros.ros.face_states import face_states
from face_expr_ros.ros.hri_messages import face_transform, gaze_transform
from face_expr_ros.serialization.message_dicts import face_array_values, header_values
from face_expr_ros.web.codec import decode_frame, encode_frame
from face_expr_ros.web.stream_frames import stream_frame

PROTOCOLS: tuple[tuple[Any, bool], ...] = (
    ("vmc", False), ("vmc", True), ("live_link", True), ("ifacialmocap", False), ("openseeface", False),
)  # fmt: skip
START_NS = 10**18
NUMBERS = (0.0, 1.0, -1.0, 0.5, 1e-300, 1e-40, 1e9, 1e30, 3e38, math.nan, math.inf, -math.inf)


@pytest.fixture(scope="module")
def valid() -> list[bytes]:
    """Serialized messages with two, one and no faces."""
    model = open_face_model("open")
    faces = [make_face(model, "f3", jawOpen=0.4), replace(make_face(model, "f4", eyeBlinkLeft=1.0), landmarks=None)]
    head = header_values(12_000_000_034, "camera")
    return [cdr(FACE_ARRAY, face_array_values(faces[:count], CAMERA, "open", head)) for count in (2, 1, 1, 0)]


def damaged_message(data: bytes, rng: random.Random) -> FaceArray | None:
    """A message of which bytes or numbers are replaced; None if it cannot be deserialized."""
    if rng.random() < 0.3:
        try:
            return deserialize_message(mutated(data, rng), FaceArray)
        except Exception:  # rclpy's own, before a callback is called
            return None
    message = deserialize_message(data, FaceArray)
    for face in message.faces:
        for _ in range(rng.randrange(3)):
            rng.choice(EDITS)(face, rng)
    return message


def _number(path: str) -> Callable[[Any, random.Random], None]:
    def edit(face: Any, rng: random.Random) -> None:
        *parts, name = path.split(".")
        for part in parts:
            face = getattr(face, part)
        value, old = rng.choice(NUMBERS), getattr(face, name)
        if isinstance(old, float):
            setattr(face, name, _as_float32(value) if "position" not in parts and "orientation" not in parts else value)
        elif rng.random() < 0.2:
            setattr(face, name, old[: rng.randrange(len(old) + 1)])
        elif len(old):
            old[rng.randrange(len(old))] = _as_float32(value)

    return edit


def _as_float32(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


EDITS = [
    *(_number(name) for name in ("confidence", "looking_at_camera", "speaking", "landmarks", "shape.coefficients")),
    *(_number(f"expression.{name}") for name in ("blendshapes", "action_units", "valence", "arousal", "coefficients")),
    *(_number(f"pose.pose.position.{axis}") for axis in "xyz"),
    *(_number(f"pose.pose.orientation.{axis}") for axis in "xyzw"),
    lambda face, rng: setattr(face.roi, rng.choice(("x_offset", "y_offset", "width", "height")), 2**32 - 1),
    lambda face, rng: setattr(face, "face_id", rng.choice(("", "f3", "\u0130", "x" * 5000, "a/b", "99"))),
    lambda face, rng: setattr(face.expression, "label", rng.choice(("", "happy", "?"))),
]


class Consumers:
    """The bridges and the head controller without their nodes."""

    def __init__(self) -> None:
        targets = [TargetConfig(protocol=name, host="localhost", mirror=mirror) for name, mirror in PROTOCOLS]
        self._streams = [(target, AvatarStream(target, 0.3, 0.5)) for target in targets]
        joints = {name: joint for table in ("neck", "pan_tilt") for name, joint in load_joints(table).items()}
        self._head = HeadController(joints, HeadControlConfig(), lambda text: None)
        self._time_ns = START_NS

    def __call__(self, faces: tuple[FaceState, ...]) -> None:
        """Raises AssertionError for an output that is not valid."""
        self._time_ns += 33_000_000
        self._avatars(faces, (self._time_ns - START_NS) / 1e9)
        targets = self._head(faces, self._time_ns)
        assert np.isfinite([targets.positions, targets.velocities]).all()
        for joint, position in zip(self._head.joints.values(), targets.positions, strict=True):
            assert joint.minimum - 1e-9 <= position <= joint.maximum + 1e-9
        self._hri(faces)
        frame = decode_frame(encode_frame(stream_frame(faces, 1, CAMERA, sequence=1, sent=2.0)))
        assert len(frame.faces) == len(faces)

    def _avatars(self, faces: tuple[FaceState, ...], seconds: float) -> None:
        for target, stream in self._streams:
            with refused_with(ValueError, "expected"):
                stream.put(faces, seconds)
            for packet in packets(target, stream.at(seconds + 0.01), seconds):
                check_packet(target.protocol, packet)

    def _hri(self, faces: tuple[FaceState, ...]) -> None:
        for face in faces:
            box = np.array(normalized_box(face.roi, ImageSize(640, 480)))
            assert ((box >= 0) & (box <= 1)).all()
            units = np.array(action_units(face))
            assert ((units >= 0) & (units <= 1)).all()
            if len(face.landmarks):
                points = normalized_points(face, ImageSize(640, 480))
                assert ((points >= 0) & (points <= 1)).all()
            for build in (face_transform, gaze_transform):
                with refused_with(ValueError, "expected"):
                    assert not list(violations(build("f1", face, Header())))


def check_packet(protocol: str, packet: bytes) -> None:
    """Raise AssertionError if a number in a packet is not finite, or an expression weight not in 0..1."""
    if protocol == "vmc":
        for timed in OscPacket(packet).messages:
            numbers = [value for value in timed.message.params if isinstance(value, float)]
            assert np.isfinite(numbers).all(), timed.message.address
            if timed.message.address.endswith("/Blend/Val"):
                assert 0.0 <= numbers[0] <= 1.0
    elif protocol == "ifacialmocap":
        assert not any(word in packet.decode().lower() for word in ("nan", "inf"))
    elif protocol == "live_link":
        values = np.frombuffer(packet[-61 * 4 :], ">f4")
        assert np.isfinite(values).all()
        assert ((values[:52] >= 0) & (values[:52] <= 1)).all()
    else:
        numbers = [*np.frombuffer(packet[:8], "<f8"), *np.frombuffer(packet[12:28], "<f4")]
        assert np.isfinite([*numbers, *np.frombuffer(packet[33:], "<f4")]).all()


def test_consumers_of_damaged_faces_send_finite_values(valid: list[bytes], request: pytest.FixtureRequest) -> None:
    timed = bool(request.config.getoption("--minutes"))
    rng, consumers = random.Random(None if timed else 1), Consumers()
    end, count, accepted = time.monotonic() + 10.0, 0, 0
    while count < 200 or (timed and time.monotonic() < end):
        message = damaged_message(rng.choice(valid), rng)
        count += 1
        if message is None:
            continue
        with refused_with(ValueError, "expected"):
            faces = face_states(message)
            accepted += 1
            consumers(faces)
    assert accepted > count / 10
    count_input(count)
