"""What tests of the browser's server share: the server on a free port, clients, waiting for an event."""

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
from face_expr_ros.core.types import NOTHING_READ, Blendshapes, FaceState, Pose, Roi
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.web.codec import StreamFrame, decode_frame
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.server import FaceServer

PATIENCE = 60.0  # seconds that a loaded machine may take for anything
MANY = 100_000


def running_server(**changes: Any) -> FaceServer:
    """A server on a free port that takes any number of requests, unless the changes say otherwise."""
    plain = {"port": 0, "request_rate": float(MANY), "request_burst": MANY}
    return FaceServer(WebConfig(**{**plain, **changes}), open_face_model("open"), "test")


def port_of(server: FaceServer) -> int:
    return int(server.url.split(":")[2].split("/")[0])


def get(server: FaceServer, path: str, **headers: str) -> httpx.Response:
    """The answer to an ordinary request."""
    return httpx.get(f"http://127.0.0.1:{port_of(server)}{path}", headers=headers, timeout=PATIENCE, trust_env=False)


def open_socket(server: FaceServer, path: str, **options: Any) -> ClientConnection:
    """A WebSocket of a Python program."""
    return connect(f"ws://127.0.0.1:{port_of(server)}{path}", proxy=None, open_timeout=PATIENCE, **options)


def refused_status(server: FaceServer, path: str, **options: Any) -> int:
    """HTTP's status of a handshake that the server refuses; 101 where it does not."""
    try:
        with open_socket(server, path, **options):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def hello_of(stream: ClientConnection) -> dict[str, Any]:
    """The first message of a stream."""
    message: dict[str, Any] = json.loads(stream.recv(PATIENCE))
    assert message["type"] == "hello"
    return message


def next_frame(stream: Any) -> StreamFrame:
    """The next frame of a stream."""
    return decode_frame(stream.recv(PATIENCE))


def joined(server: FaceServer, count: int) -> None:
    """Wait until so many streams are open."""
    until(lambda: len(server.hub.streams) == count, f"{count} streams")


def close_code(stream: Any) -> int:
    """The code with which the server closes a stream."""
    with pytest.raises(ConnectionClosed) as closed:
        list(iter(lambda: stream.recv(PATIENCE), None))
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def raw_request(server: FaceServer, *lines: str, body: bytes = b"", close: bool = True) -> bytes:
    """The answer to a request of these lines, which no ordinary client would send."""
    head = [*lines, *(["Connection: close"] if close else [])]
    with socket.create_connection(("127.0.0.1", port_of(server)), PATIENCE) as client:
        client.sendall("".join(f"{line}\r\n" for line in head).encode() + b"\r\n" + body)
        return read_to_end(client)


def read_to_end(client: socket.socket) -> bytes:
    answer = b""
    while part := client.recv(65536):
        answer += part
    return answer


def until(done: Callable[[], Any], what: str) -> None:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for {what}"
        time.sleep(0.005)


def face(number: int = 1, jaw: float = 0.0, shape: float = 0.0) -> FaceState:
    """A face of the open model."""
    values = np.zeros(len(ARKIT_NAMES))
    values[ARKIT_NAMES.index("jawOpen")] = jaw
    pose = Pose(rotation_from_euler(0, 0, 0), np.array([0, 0, 0.6]), metric=True)
    return FaceState(
        id=f"f{number}", stamp_ns=1, confidence=0.9, roi=Roi(1, 2, 3, 4), pose=pose, model="open",
        shape=np.full(40, shape), expression=values, blendshapes=Blendshapes(ARKIT_NAMES, values),
        readouts=NOTHING_READ, landmarks=np.zeros((0, 3), np.float32),
    )  # fmt: skip
