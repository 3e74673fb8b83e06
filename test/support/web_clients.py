"""Helpers for tests of the web server: a server on a free port, clients, waiting for conditions."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.geometry import rotation_from_euler
from face_expr_ros.core.types import NO_READOUTS, Blendshapes, FaceState, Pose, Roi
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.web.codec import StreamFrame, decode_frame
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.server import FaceServer

TIMEOUT = 60.0  # seconds, for loaded machines
NO_LIMIT = 100_000


def running_server(**changes: Any) -> FaceServer:
    """A server on a free port without a request rate limit, unless given in the changes."""
    defaults = {"port": 0, "request_rate": float(NO_LIMIT), "request_burst": NO_LIMIT}
    return FaceServer(WebConfig(**{**defaults, **changes}), open_face_model("open"), "test")


def port_of(server: FaceServer) -> int:
    return int(server.url.split(":")[2].split("/")[0])


def get(server: FaceServer, path: str, **headers: str) -> httpx.Response:
    """The response to a GET request."""
    return httpx.get(f"http://127.0.0.1:{port_of(server)}{path}", headers=headers, timeout=TIMEOUT, trust_env=False)


def open_socket(server: FaceServer, path: str, **options: Any) -> ClientConnection:
    """Open a WebSocket."""
    return connect(f"ws://127.0.0.1:{port_of(server)}{path}", proxy=None, open_timeout=TIMEOUT, **options)


def refused_status(server: FaceServer, path: str, **options: Any) -> int:
    """HTTP status of a refused handshake; 101 if it is accepted."""
    try:
        with open_socket(server, path, **options):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def hello_of(stream: ClientConnection) -> dict[str, Any]:
    """The first message of a stream."""
    message: dict[str, Any] = json.loads(stream.recv(TIMEOUT))
    assert message["type"] == "hello"
    return message


def next_frame(stream: Any) -> StreamFrame:
    """The next frame of a stream."""
    return decode_frame(stream.recv(TIMEOUT))


def joined(server: FaceServer, count: int) -> None:
    """Wait until ``count`` streams are open."""
    until(lambda: len(server.hub.streams) == count, f"{count} streams")


def close_code(stream: Any) -> int:
    """The close code sent by the server."""
    with pytest.raises(ConnectionClosed) as closed:
        list(iter(lambda: stream.recv(TIMEOUT), None))
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def raw_request(server: FaceServer, *lines: str, body: bytes = b"", close: bool = True) -> bytes:
    """The response to a request with exactly these header lines."""
    head = [*lines, *(["Connection: close"] if close else [])]
    with socket.create_connection(("127.0.0.1", port_of(server)), TIMEOUT) as client:
        client.sendall("".join(f"{line}\r\n" for line in head).encode() + b"\r\n" + body)
        return read_to_end(client)


def read_to_end(client: socket.socket) -> bytes:
    answer = b""
    while part := client.recv(65536):
        answer += part
    return answer


def until(condition: Callable[[], Any], what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, f"timeout after {TIMEOUT:g} s waiting for {what}"
        time.sleep(0.005)


def face(number: int = 1, jaw: float = 0.0, shape: float = 0.0) -> FaceState:
    """A face of the open model, facing the camera."""
    values = np.zeros(len(ARKIT_NAMES))
    values[ARKIT_NAMES.index("jawOpen")] = jaw
    pose = Pose(rotation_from_euler(0, 0, 0), np.array([0, 0, 0.6]), metric=True)
    return FaceState(
        id=f"f{number}", stamp_ns=1, confidence=0.9, roi=Roi(1, 2, 3, 4), pose=pose, model="open",
        shape=np.full(40, shape), expression=values, blendshapes=Blendshapes(ARKIT_NAMES, values),
        readouts=NO_READOUTS, landmarks=np.zeros((0, 3), np.float32),
    )  # fmt: skip
