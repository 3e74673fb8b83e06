"""The streams of a real server: every client gets the latest frame, independent of other clients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.web_clients import (
    TIMEOUT,
    close_code,
    face,
    hello_of,
    joined,
    next_frame,
    open_socket,
    refused_status,
    running_server,
    until,
)

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.web.server import FaceServer

JAW = ARKIT_NAMES.index("jawOpen")


@pytest.fixture(scope="module")
def server() -> Iterator[FaceServer]:
    running = running_server()
    yield running
    running.close()


def test_a_stream_sends_hello_and_published_frames(server: FaceServer) -> None:
    with open_socket(server, "/ws/stream") as stream:
        hello = hello_of(stream)
        assert hello["model_sha256"] == server.hub.model.model.sha256
        assert tuple(hello["blendshape_names"]) == ARKIT_NAMES
        assert (hello["camera"], hello["version"]) == (True, 1)
        server.publish([face(7, jaw=0.5)], 2_500_000_000, None)
        frame = next_frame(stream)
        assert frame.stamp == 2.5
        assert frame.faces[0].id == 7
        assert frame.faces[0].blendshapes[JAW] == pytest.approx(0.5, abs=1e-4)
        server.publish([], 2_600_000_000, None)
        assert next_frame(stream).faces == ()
    joined(server, 0)


def test_the_shape_is_sent_first_and_when_it_changes(server: FaceServer) -> None:
    with open_socket(server, "/ws/stream") as stream:
        hello_of(stream)
        has_shape = []
        for shape in (0.0, 0.0, 0.05, 0.5, 0.5):
            server.publish([face(shape=shape)], 1, None)
            has_shape.append(next_frame(stream).faces[0].shape is not None)
        assert has_shape[0]
        assert has_shape[3]
        with open_socket(server, "/ws/stream") as second:
            hello_of(second)
            server.publish([face(shape=0.5)], 1, None)
            assert next_frame(second).faces[0].shape is not None


def test_a_new_model_is_announced_to_open_streams(server: FaceServer) -> None:
    with open_socket(server, "/ws/stream") as stream:
        before = hello_of(stream)["model_sha256"]
        server.announce(replace(open_face_model("open"), sha256="another"))
        assert hello_of(stream)["model_sha256"] == "another" != before
        server.announce(open_face_model("open"))
        assert hello_of(stream)["model_sha256"] == before


def test_a_ping_is_answered_with_the_servers_time(server: FaceServer) -> None:
    with open_socket(server, "/ws/stream") as stream:
        hello_of(stream)
        stream.send('{"type": "ping", "t": 12.5}')
        answer = json.loads(stream.recv(TIMEOUT))
        assert (answer["type"], answer["t"]) == ("pong", 12.5)
        assert answer["server"] > 1e9


@pytest.mark.parametrize(
    "message",
    [
        "hello", b"binary", "{}", '{"type": "ping"}', '{"type": "ping", "t": "1"}', '{"type": "ping", "t": 1e999}',
        '{"type": "ping", "t": true}', '["ping"]', "[" * 200, '{"type": "ping", "t": 1}' + " " * 300,
    ],
)  # fmt: skip
def test_an_invalid_message_closes_only_its_own_stream(server: FaceServer, message: str | bytes) -> None:
    with open_socket(server, "/ws/stream") as good, open_socket(server, "/ws/stream") as bad:
        hello_of(good)
        bad.send(message)
        assert close_code(bad) == 1003
        server.publish([face()], 1, None)
        assert next_frame(good).faces


def test_an_unencodable_frame_is_counted_and_the_next_is_sent(
    server: FaceServer, caplog: pytest.LogCaptureFixture
) -> None:
    before, camera = server.hub.left_out, pinhole_camera(640, 480, 45.0)
    with open_socket(server, "/ws/stream") as stream:
        hello_of(stream)
        for count in (1, 2, 3):
            server.publish([face()], 1, replace(camera, matrix=camera.matrix * 1e300))
            until(lambda count=count: server.hub.left_out == before + count, "the count")
            server.publish([face()], 2_000_000_000, camera)
            assert next_frame(stream).stamp == 2.0
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 1
    assert "frame not sent: a value does not fit into its field" in messages[0]


def test_pictures_are_sent_to_camera_clients(server: FaceServer) -> None:
    assert not server.camera_clients
    with open_socket(server, "/ws/camera") as camera:
        until(lambda: server.camera_clients, "the camera client")
        server.publish_picture(b"stamp and JPEG")
        assert camera.recv(TIMEOUT) == b"stamp and JPEG"
        camera.send("anything")
        assert close_code(camera) == 1003
    until(lambda: not server.camera_clients, "the end of the camera client")


def test_camera_picture_false_disables_the_camera_stream() -> None:
    server = running_server(camera_picture=False)
    assert refused_status(server, "/ws/camera") == 404
    with open_socket(server, "/ws/stream") as stream:
        assert hello_of(stream)["camera"] is False
    server.close()


@pytest.mark.parametrize("path", ["/", "/ws/other", "/api/health", "/index.html"])
def test_unknown_streams_return_404(server: FaceServer, path: str) -> None:
    assert refused_status(server, path) == 404


def test_closing_the_server_closes_its_streams() -> None:
    server = running_server()
    with open_socket(server, "/ws/stream") as stream:
        hello_of(stream)
        server.close()
        assert close_code(stream) == 1012
    server.publish([face()], 1, None)  # has no effect after close


def test_closed_streams_are_removed_from_the_hub(server: FaceServer) -> None:
    for _ in range(3):
        with open_socket(server, "/ws/stream") as stream:
            hello_of(stream)
    joined(server, 0)
    assert not server.hub.cameras
