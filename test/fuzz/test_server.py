"""Malformed requests, WebSocket messages and slow clients neither stop the server nor change its memory for long."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.mutations import damaged
from support.web_clients import get, open_socket, port_of, running_server
from websockets.exceptions import ConnectionClosed

from face_expr_ros.web.server import FaceServer

PATHS = ("/", "/api/health", "/api/model", "/api/infer", "/metrics", "/ws/stream", "/ws/camera", "/ws/infer")
HEADERS = (
    b'Host: 127.0.0.1\r\nAccept-Encoding: gzip\r\nIf-None-Match: "x"\r\n',
    b"Host: 127.0.0.1\r\nContent-Length: 20\r\nContent-Type: image/jpeg\r\nExpect: 100-continue\r\n",
    b"Host: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nContent-Type: image/png\r\n",
    b"Host: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
)
BODIES = (
    b"",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"\xff\xd8\xff\xe0" + bytes(16),
    b"\x81\x85\1\2\3\4hello",
    b"\x88\x80\0\0\0\0",
)
MESSAGES = st.one_of(
    st.just('{"type": "ping", "t": 1.0}'), st.text(max_size=40), st.binary(max_size=200),
    st.sampled_from(('{"type": "ping"}', '{"type": "ping", "t": "x"}', '{"type": "ping", "t": 1e999}', "[" * 5000)),
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[FaceServer]:
    running = running_server(upload_megapixels=0.5)
    yield running
    running.close()


def check_alive(server: FaceServer) -> None:
    assert get(server, "/api/health").status_code == 200


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from((b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"BREW")))
    path = draw(st.sampled_from(PATHS)).encode()
    target = path + draw(st.sampled_from((b"", b"?token=x", b"/../../etc/passwd", b"%2e%2e/%00", b"?landmarks=1")))
    head = method + b" " + target + b" HTTP/1.1\r\n" + draw(st.sampled_from(HEADERS)) + b"\r\n"
    return draw(damaged(head + draw(st.sampled_from(BODIES))))


def test_damaged_requests_do_not_stop_the_server(server: FaceServer) -> None:
    @settings(suppress_health_check=list(HealthCheck))
    @given(requests())
    def check(request: bytes) -> None:
        with socket.create_connection(("127.0.0.1", port_of(server)), timeout=10) as client, suppress(OSError):
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            answer = client.recv(65536)
            assert not answer or answer.startswith(b"HTTP/1.1 ")
            assert not answer.startswith(b"HTTP/1.1 500")

    check()
    check_alive(server)


# A connection to /ws/infer loads a pipeline, which takes longest.
@pytest.mark.parametrize(("path", "count"), [("/ws/stream", 4), ("/ws/camera", 4), ("/ws/infer", 100)])
def test_random_messages_do_not_stop_the_server(server: FaceServer, path: str, count: int) -> None:
    @settings(max_examples=settings().max_examples * 4 // count, suppress_health_check=list(HealthCheck))
    @given(st.lists(MESSAGES, max_size=count))
    def check(messages: list[str | bytes]) -> None:
        with open_socket(server, path) as client, suppress(ConnectionClosed):
            for message in messages:
                client.send(message)

    check()
    check_alive(server)


IMAGE = b"POST /api/infer HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
MALFORMED = {
    "header of a megabyte": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + bytes(1_000_000).replace(b"\0", b"x"),
    "ten thousand headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 10_000 + b"\r\n",
    "two lengths": IMAGE + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "length and chunks": IMAGE + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
    "negative length": IMAGE + b"Content-Length: -1\r\n\r\n",
    "length beyond the body": IMAGE + b"Content-Length: 100\r\n\r\nabcd",
    "chunk of 2^64 bytes": IMAGE + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabcd",
    "header split by a line feed": b"GET / HTTP/1.1\r\nHost: localhost\r\n Folded: x\r\n\nGET / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_requests_are_refused(server: FaceServer, name: str) -> None:
    answer = b""
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=60) as client, suppress(OSError):
        client.sendall(MALFORMED[name])
        client.shutdown(socket.SHUT_WR)
        while part := client.recv(65536):
            answer += part
    assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 503")), answer[:100]
    check_alive(server)


def test_many_slow_clients_do_not_delay_others(server: FaceServer) -> None:
    clients = [socket.create_connection(("127.0.0.1", port_of(server)), timeout=60) for _ in range(100)]
    for byte in IMAGE + b"Content-Length: 100\r\n":
        for client in clients:
            client.sendall(bytes([byte]))
    check_alive(server)
    for client in clients[::2]:  # without a complete request; the others close only their side
        client.close()
    for client in clients[1::2]:
        client.shutdown(socket.SHUT_WR)
    check_alive(server)
    for client in clients[1::2]:
        client.close()
