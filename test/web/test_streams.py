"""The streams of a real server: the newest frame for everybody, whatever the others do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.web_clients import (
    PATIENCE,
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


def test_a_stream_says_hello_and_sends_what_is_published(server: FaceServer) -> None:
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


def test_the_shape_comes_first_and_when_it_changes(server: FaceServer) -> None:
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


def test_another_model_is_announced_to_open_streams(server: FaceServer) -> None:
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
        answer = json.loads(stream.recv(PATIENCE))
        assert (answer["type"], answer["t"]) == ("pong", 12.5)
        assert answer["server"] > 1e9


@pytest.mark.parametrize(
    "message",
    [
        "hello", b"binary", "{}", '{"type": "ping"}', '{"type": "ping", "t": "1"}', '{"type": "ping", "t": 1e999}',
        '{"type": "ping", "t": true}', '["ping"]', "[" * 200, '{"type": "ping", "t": 1}' + " " * 300,
    ],
)  # fmt: skip
def test_anything_but_a_ping_closes_the_stream_and_no_other(server: FaceServer, message: str | bytes) -> None:
    with open_socket(server, "/ws/stream") as good, open_socket(server, "/ws/stream") as bad:
        hello_of(good)
        bad.send(message)
        assert close_code(bad) == 1003
        server.publish([face()], 1, None)
        assert next_frame(good).faces


def test_a_frame_that_does_not_fit_is_left_out_and_counted_and_the_next_one_comes(
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
    complaints = [record.getMessage() for record in caplog.records]
    assert len(complaints) == 1
    assert "a frame is left out: numbers that fit into their fields were wanted" in complaints[0]


def test_pictures_go_to_those_who_want_them(server: FaceServer) -> None:
    assert not server.picture_wanted
    with open_socket(server, "/ws/camera") as camera:
        until(lambda: server.picture_wanted, "the wish for pictures")
        server.show(b"stamp and JPEG")
        assert camera.recv(PATIENCE) == b"stamp and JPEG"
        camera.send("anything")
        assert close_code(camera) == 1003
    until(lambda: not server.picture_wanted, "the end of the wish")


def test_without_camera_picture_there_is_no_camera_stream() -> None:
    server = running_server(camera_picture=False)
    assert refused_status(server, "/ws/camera") == 404
    with open_socket(server, "/ws/stream") as stream:
        assert hello_of(stream)["camera"] is False
    server.close()


@pytest.mark.parametrize("path", ["/", "/ws/other", "/api/health", "/index.html"])
def test_there_is_no_other_stream(server: FaceServer, path: str) -> None:
    assert refused_status(server, path) == 404


def test_the_end_of_the_server_is_said_to_its_clients() -> None:
    server = running_server()
    with open_socket(server, "/ws/stream") as stream:
        hello_of(stream)
        server.close()
        assert close_code(stream) == 1012
    server.publish([face()], 1, None)  # comes too late, and harms nobody


def test_the_streams_of_a_real_session_leave_no_count_behind(server: FaceServer) -> None:
    for _ in range(3):
        with open_socket(server, "/ws/stream") as stream:
            hello_of(stream)
    joined(server, 0)
    assert not server.hub.cameras
