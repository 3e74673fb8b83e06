"""The node web_bridge: from topics to WebSocket clients."""

from __future__ import annotations

import re
import signal
import struct
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from face_expr_ros.msg import FaceArray, FaceModel
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header
from support.faces import CAMERA, make_face
from support.web_clients import TIMEOUT, hello_of
from websockets.sync.client import ClientConnection, connect

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.ros.camera_info_messages import info_from_camera
from face_expr_ros.ros.encode import face_array, face_model
from face_expr_ros.ros.face_model_subscription import resolve_face_model
from face_expr_ros.web.codec import StreamFrame, decode_frame

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
MIN_MOVEMENT = 0.15  # range of jawOpen while the synthetic actor talks
Start = Callable[..., Any]


def address_of(graph: Any, bridge: Any) -> str:
    """The address of the bridge, as soon as it is logged."""
    graph.until(lambda: "serving the page at" in bridge.output or not bridge.running, "the bridge")
    found = re.search(r"serving the page at http://(\S+)/", bridge.output)
    assert found, bridge.output
    return found[1]


def stream_of(address: str, path: str = "/ws/stream") -> Any:
    return connect(f"ws://{address}{path}", proxy=None, open_timeout=TIMEOUT)


def frames_until(stream: ClientConnection, done: Callable[[list[StreamFrame]], Any]) -> list[StreamFrame]:
    frames: list[StreamFrame] = []
    while not done(frames):
        assert len(frames) < 5000
        message = stream.recv(TIMEOUT)
        if isinstance(message, bytes):
            frames.append(decode_frame(message))
    return frames


def test_valid_faces_of_the_topic_are_streamed(graph: Any, start: Start) -> None:
    bridge = start("web_bridge", "-r", "__ns:=/page", "-p", "port:=0")
    model = open_face_model("open")
    faces = graph.node.create_publisher(FaceArray, "/page/faces", 10)
    infos = graph.node.create_publisher(CameraInfo, "/page/camera_info", 10)
    address = address_of(graph, bridge)
    graph.until(lambda: faces.get_subscription_count() and infos.get_subscription_count(), "the bridge's subscriptions")
    header = Header(frame_id="lens")
    header.stamp.sec = 12
    sent = make_face(model)
    valid = face_array([sent], CAMERA, model.name, header)
    invalid = face_array([sent], CAMERA, model.name, header)
    invalid.faces[0].pose.pose.orientation.w = float("nan")
    info = info_from_camera(CAMERA, CAMERA.width, CAMERA.height, header)
    with stream_of(address) as stream:
        assert hello_of(stream)["model_sha256"] == model.sha256
        received: list[StreamFrame] = []

        def publish() -> None:
            infos.publish(info)
            faces.publish(valid)
            message = stream.recv(TIMEOUT)
            assert isinstance(message, bytes)
            received.append(decode_frame(message))

        error = "faces skipped: expected a finite pose"
        graph.until(lambda: error in bridge.output, "the error", each=lambda: faces.publish(invalid))
        graph.until(lambda: received and received[-1].width, "a frame with its camera", each=publish)
        frame = received[-1]
        assert (frame.stamp, frame.width, frame.height) == (12.0, CAMERA.width, CAMERA.height)
        assert frame.focal[0] == pytest.approx(CAMERA.matrix[0, 0], rel=1e-6)
        (face,) = frame.faces
        assert f"f{face.id}" == sent.id
        assert np.allclose(face.position, sent.fit.pose.position, atol=1e-6)
        other = model_message(sha256="0" * 64)
        latched = graph.node.create_publisher(FaceModel, "/page/face_model", LATCHED)
        latched.publish(other)
        assert hello_of(stream)["model_sha256"] == other.sha256
    assert bridge.stop(signal.SIGINT) == 0, bridge.output


def model_message(**changes: Any) -> FaceModel:
    model = open_face_model("open")
    message = face_model(model, model.expression_names, Header())
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def test_an_installed_model_is_preferred_to_that_of_the_message() -> None:
    installed = resolve_face_model(model_message())
    assert len(installed.facemesh_triangle)
    other = resolve_face_model(model_message(sha256="0" * 64))
    assert not len(other.facemesh_triangle)
    for name in ("mean", "identity", "expression", "triangles"):
        assert np.array_equal(getattr(other, name), getattr(installed, name))
    with pytest.raises(ValueError, match="expected triangles with vertex indices below 5"):
        resolve_face_model(model_message(sha256="0" * 64, vertex_count=5))
    with pytest.raises(ValueError, match=r"expected \(3, 52\) identity and expression vectors, got \(40, 52\)"):
        resolve_face_model(model_message(sha256="0" * 64, identity_count=3))


def test_an_unsafe_configuration_stops_the_bridge_with_a_message(start: Start) -> None:
    bridge = start("web_bridge", "-p", "host:=0.0.0.0")
    assert bridge.wait() == 2
    assert "web_bridge: host '0.0.0.0' is reachable from other machines and requires a token" in bridge.output
    assert "Traceback" not in bridge.output


@pytest.mark.slow
def test_a_stream_client_receives_the_moving_mouth_of_the_actor(graph: Any, start: Start) -> None:
    arguments = ("-r", "__ns:=/show")
    bridge = start("web_bridge", *arguments, "-p", "port:=0")
    start("perception", *arguments)
    start("camera", *arguments, "-p", "width:=640", "-p", "height:=480", "-p", "rate:=15.0")
    address = address_of(graph, bridge)
    jaw = ARKIT_NAMES.index("jawOpen")

    def moved(frames: list[StreamFrame]) -> bool:
        values = [face.blendshapes[jaw] for frame in frames for face in frame.faces]
        return len(values) > 20 and bool(np.ptp(values) > MIN_MOVEMENT)

    with stream_of(address) as stream, stream_of(address, "/ws/camera") as camera:
        frames = frames_until(stream, moved)
        assert frames[-1].width == 640
        assert len({face.id for frame in frames for face in frame.faces}) == 1
        stamps = [frame.stamp for frame in frames]
        assert stamps == sorted(stamps)
        picture = camera.recv(TIMEOUT)
        assert isinstance(picture, bytes)
        assert abs(struct.unpack("<d", picture[:8])[0] - stamps[-1]) < TIMEOUT
        assert cv2.imdecode(np.frombuffer(picture[8:], np.uint8), cv2.IMREAD_COLOR).shape == (480, 640, 3)
    assert bridge.stop(signal.SIGTERM) == 0, bridge.output
