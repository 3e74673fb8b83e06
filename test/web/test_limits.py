"""Slow, idle, invalid or too many clients do not affect others and are disconnected."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest
from support.web_clients import (
    TIMEOUT,
    close_code,
    face,
    hello_of,
    joined,
    next_frame,
    open_socket,
    port_of,
    raw_request,
    read_to_end,
    refused_status,
    running_server,
    until,
)
from websockets.exceptions import ConnectionClosed

from face_expr_ros.web import limits
from face_expr_ros.web.server import FaceServer

MANY_FACES = [face(number) for number in range(200)]


@pytest.fixture(scope="module")
def server() -> Iterator[FaceServer]:
    running = running_server()
    yield running
    running.close()


def slow_client(server: FaceServer) -> socket.socket:
    """A stream whose client reads the handshake and nothing else."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(TIMEOUT)
    client.connect(("127.0.0.1", port_of(server)))
    client.sendall(
        b"GET /ws/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert client.recv(12) == b"HTTP/1.1 101"
    return client


def test_too_many_pings_close_the_stream(server: FaceServer) -> None:
    with open_socket(server, "/ws/stream") as stream:
        with contextlib.suppress(ConnectionClosed):  # the server may close before all pings are sent
            for _ in range(200):
                stream.send('{"type": "ping", "t": 1}')
        assert close_code(stream) == 1008


def test_an_oversized_message_closes_the_stream() -> None:
    server = running_server(upload_megabytes=0.1)
    with open_socket(server, "/ws/stream") as stream:
        stream.send(b"\0" * 200_000)
        assert close_code(stream) == 1009
    server.close()


def test_an_invalid_websocket_frame_closes_only_its_connection(server: FaceServer) -> None:
    with open_socket(server, "/ws/stream") as good, slow_client(server) as bad:
        hello_of(good)
        bad.sendall(b"\xff\xff\xff\xff half a frame")
        read_to_end(bad)
        joined(server, 1)
        server.publish([face()], 1, None)
        assert next_frame(good).faces


def test_a_slow_reader_drops_frames_and_is_disconnected() -> None:
    server = running_server(slow_timeout=1.0)
    dropped = []
    with slow_client(server) as slow, open_socket(server, "/ws/stream") as fast:
        hello_of(fast)
        joined(server, 2)
        sent = 0
        while len(server.hub.streams) == 2:
            server.publish(MANY_FACES, sent, None)
            sent += 1
            assert len(next_frame(fast).faces) == len(MANY_FACES)
            dropped = sorted(client.dropped for client in list(server.hub.streams))
            assert sent < 100_000
        assert dropped[0] == 0, "the fast reader got every frame"
        assert server.hub.dropped
        server.publish([face()], 1, None)
        assert next_frame(fast).faces
        with contextlib.suppress(ConnectionResetError):
            read_to_end(slow)  # returns once disconnected
    server.close()


def test_a_burst_of_updates_ends_with_the_latest_frame(server: FaceServer) -> None:
    with open_socket(server, "/ws/stream") as stream:
        hello_of(stream)
        for number in range(1000):
            server.publish([face()], number * 1_000_000_000, None)
        stamps = [next_frame(stream).stamp]
        while stamps[-1] < 999:
            stamps.append(next_frame(stream).stamp)
        assert stamps == sorted(set(stamps))


def test_streams_above_the_limit_are_refused() -> None:
    server = running_server(max_clients=2)
    with open_socket(server, "/ws/stream") as first, open_socket(server, "/ws/stream") as second:
        hello_of(first)
        hello_of(second)
        assert refused_status(server, "/ws/stream") == 503
        server.publish([face()], 1, None)
        assert next_frame(first).faces
        assert next_frame(second).faces
    server.close()


def test_connections_above_the_limit_are_refused() -> None:
    server = running_server(max_connections=4)
    with open_socket(server, "/ws/stream") as stream:
        hello_of(stream)
        silent = [socket.create_connection(("127.0.0.1", port_of(server)), TIMEOUT) for _ in range(50)]
        refused = read_to_end(silent[-1])
        assert refused.startswith(b"HTTP/1.1 503")
        assert b"Retry-After: 5" in refused
        server.publish([face()], 1, None)
        assert next_frame(stream).faces
        for client in silent:
            client.close()

    def is_available() -> bool:
        try:
            return raw_request(server, "GET /api/health HTTP/1.1", "Host: localhost").startswith(b"HTTP/1.1 200")
        except ConnectionError:
            return False

    until(is_available, "a free connection")
    server.close()


def test_an_incomplete_request_header_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEADER_TIMEOUT", 0.2)
    server = running_server()
    with socket.create_connection(("127.0.0.1", port_of(server)), TIMEOUT) as silent:
        silent.sendall(b"GET / HT")
        assert read_to_end(silent) == b""
    server.close()


def test_reading_a_slow_refused_upload_times_out(server: FaceServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DISCARD_TIMEOUT", 0.3)
    head = "POST /api/infer HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port_of(server)), TIMEOUT) as client:
        client.sendall(head.encode())
        assert client.recv(13) == b"HTTP/1.1 415 "

        def is_closed() -> bool:
            """Send another byte; True if the connection is closed."""
            try:
                client.sendall(b"x")
            except ConnectionError:
                return True
            return False

        until(is_closed, "the end of the connection")
