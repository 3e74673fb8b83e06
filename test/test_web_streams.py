"""The streams of a real server: the newest frame for everybody, whatever the others do."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from web_clients import (
    PATIENCE,
    face,
    hello_of,
    open_socket,
    port_of,
    raw_request,
    read_to_end,
    refused_status,
    running_server,
    until,
)
from websockets.exceptions import ConnectionClosed

from face_expr_ros.bundle import open_face_model
from face_expr_ros.open_model.blendshapes import ARKIT_NAMES
from face_expr_ros.web import limits
from face_expr_ros.web.codec import StreamFrame, decode_frame
from face_expr_ros.web.server import FaceServer

JAW = ARKIT_NAMES.index("jawOpen")
MANY_FACES = [face(number) for number in range(200)]


@pytest.fixture(scope="module")
def server() -> Iterator[FaceServer]:
    running = running_server()
    yield running
    running.close()


def next_frame(stream: Any) -> StreamFrame:
    return decode_frame(stream.recv(PATIENCE))


def joined(server: FaceServer, count: int) -> None:
    until(lambda: len(server.hub.streams) == count, f"{count} streams")


def close_code(stream: Any) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        list(iter(lambda: stream.recv(PATIENCE), None))
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


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


def test_too_many_pings_close_the_stream(server: FaceServer) -> None:
    with open_socket(server, "/ws/stream") as stream:
        with contextlib.suppress(ConnectionClosed):  # the server may be quicker than the pings
            for _ in range(200):
                stream.send('{"type": "ping", "t": 1}')
        assert close_code(stream) == 1008


def test_a_message_that_is_too_large_closes_the_stream() -> None:
    server = running_server(upload_megabytes=0.1)
    with open_socket(server, "/ws/stream") as stream:
        stream.send(b"\0" * 200_000)
        assert close_code(stream) == 1009
    server.close()


def test_a_broken_frame_of_the_protocol_ends_that_connection_alone(server: FaceServer) -> None:
    with open_socket(server, "/ws/stream") as good, slow_client(server) as bad:
        hello_of(good)
        bad.sendall(b"\xff\xff\xff\xff half a frame")
        read_to_end(bad)
        joined(server, 1)
        server.publish([face()], 1, None)
        assert next_frame(good).faces


def slow_client(server: FaceServer) -> socket.socket:
    """A stream whose client reads the handshake and then nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(PATIENCE)
    client.connect(("127.0.0.1", port_of(server)))
    client.sendall(
        b"GET /ws/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert client.recv(12) == b"HTTP/1.1 101"
    return client


def test_a_slow_reader_loses_frames_alone_and_is_cut_off_in_the_end() -> None:
    server = running_server(slow_timeout=1.0)
    dropped = []
    with slow_client(server) as slow, open_socket(server, "/ws/stream") as quick:
        hello_of(quick)
        joined(server, 2)
        sent = 0
        while len(server.hub.streams) == 2:
            server.publish(MANY_FACES, sent, None)
            sent += 1
            assert len(next_frame(quick).faces) == len(MANY_FACES)
            dropped = sorted(client.dropped for client in list(server.hub.streams))
            assert sent < 100_000
        assert dropped[0] == 0, "the quick reader got every frame"
        assert server.hub.dropped
        server.publish([face()], 1, None)
        assert next_frame(quick).faces
        with contextlib.suppress(ConnectionResetError):
            read_to_end(slow)  # it does have an end
    server.close()


def test_what_the_server_is_too_slow_for_is_dropped_and_the_newest_is_sent(server: FaceServer) -> None:
    with open_socket(server, "/ws/stream") as stream:
        hello_of(stream)
        for number in range(1000):
            server.publish([face()], number * 1_000_000_000, None)
        seen = [next_frame(stream).stamp]
        while seen[-1] < 999:
            seen.append(next_frame(stream).stamp)
        assert seen == sorted(set(seen))


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


def test_more_streams_than_the_limit_are_refused_and_the_others_go_on() -> None:
    server = running_server(max_clients=2)
    with open_socket(server, "/ws/stream") as first, open_socket(server, "/ws/stream") as second:
        hello_of(first)
        hello_of(second)
        assert refused_status(server, "/ws/stream") == 503
        server.publish([face()], 1, None)
        assert next_frame(first).faces
        assert next_frame(second).faces
    server.close()


def test_more_connections_than_the_limit_are_refused_and_the_stream_goes_on() -> None:
    server = running_server(max_connections=4)
    with open_socket(server, "/ws/stream") as stream:
        hello_of(stream)
        silent = [socket.create_connection(("127.0.0.1", port_of(server)), PATIENCE) for _ in range(50)]
        refused = read_to_end(silent[-1])
        assert refused.startswith(b"HTTP/1.1 503")
        assert b"Retry-After: 5" in refused
        server.publish([face()], 1, None)
        assert next_frame(stream).faces
        for client in silent:
            client.close()

    def answers() -> bool:
        try:
            return raw_request(server, "GET /api/health HTTP/1.1", "Host: localhost").startswith(b"HTTP/1.1 200")
        except ConnectionError:
            return False

    until(answers, "room for a new client")
    server.close()


def test_a_connection_that_says_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEADER_TIMEOUT", 0.2)
    server = running_server()
    with socket.create_connection(("127.0.0.1", port_of(server)), PATIENCE) as silent:
        silent.sendall(b"GET / HT")
        assert read_to_end(silent) == b""
    server.close()


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
