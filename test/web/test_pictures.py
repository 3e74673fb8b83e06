"""Images sent by clients: valid ones are processed, others are refused with a reason."""

from __future__ import annotations

import json
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from support.web_clients import (
    TIMEOUT,
    open_socket,
    port_of,
    raw_request,
    read_to_end,
    refused_status,
    running_server,
    until,
)
from websockets.exceptions import ConnectionClosed, InvalidStatus

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.web import limits
from face_expr_ros.web.codec import decode_frame
from face_expr_ros.web.inference import MAX_UPLOADS, Inference
from face_expr_ros.web.server import FaceServer

DISTANCE = 0.6  # meters, of the portrait at a field of view of 45 degrees; the server assumes 63


@pytest.fixture(scope="module")
def server() -> Iterator[FaceServer]:
    running = running_server(upload_megabytes=1.0, upload_megapixels=2.0, max_webcams=1)
    yield running
    running.close()


@pytest.fixture(scope="module")
def jpeg(portrait: NDArray[np.uint8]) -> bytes:
    data: bytes = cv2.imencode(".jpg", portrait)[1].tobytes()
    return data


def post(server: FaceServer, data: bytes, kind: str = "image/jpeg") -> httpx.Response:
    url = f"http://127.0.0.1:{port_of(server)}/api/infer"
    return httpx.post(url, content=data, headers={"Content-Type": kind}, timeout=TIMEOUT, trust_env=False)


def png(width: int, height: int) -> bytes:
    """A small PNG file with an arbitrary size in its header."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_an_image_returns_the_record_of_its_face(server: FaceServer, jpeg: bytes) -> None:
    answer = post(server, jpeg)
    assert answer.status_code == 200
    record = answer.json()
    assert (record["width"], record["height"]) == (640, 480)
    assert record["seconds"] > 0
    (face,) = record["faces"]
    assert len(face["landmarks"]) == 478
    assert face["blendshapes"].keys() >= {"jawOpen", "eyeBlinkLeft"}
    assert max(abs(face["pose"][angle]) for angle in ("yaw_deg", "pitch_deg", "roll_deg")) < 6
    expected = DISTANCE * np.tan(np.radians(45 / 2)) / np.tan(np.radians(63 / 2))
    assert face["pose"]["position"][2] == pytest.approx(expected, rel=0.1)


def test_an_image_without_a_face_returns_no_faces(server: FaceServer, portrait: NDArray[np.uint8]) -> None:
    answer = post(server, cv2.imencode(".png", np.full_like(portrait, 90))[1].tobytes(), "image/png")
    assert (answer.status_code, answer.json()["faces"]) == (200, [])


# A frame header of 64 x 64 pixels and a scan without tables.
HOLLOW_JPEG = bytes.fromhex("ffd8 ffc0000b080040004001011100 ffda0008010100003f00 00000000 ffd9")
BAD_IMAGES = {
    "text": (b"hello", "text/plain", 415, "expected Content-Type image/jpeg or image/png, got 'text/plain'"),
    "other": (b"GIF89a", "image/gif", 415, "got 'image/gif'"),
    "nothing": (b"", "image/jpeg", 400, "expected a JPEG or PNG image"),
    "garbage": (b"\xff\xd8" + bytes(range(256)), "image/jpeg", 400, "expected a complete JPEG image"),
    "bomb": (png(30_000, 30_000), "image/png", 413, "expected 1 to 2 million pixels, got 30000 x 30000"),
    "flat": (png(0, 10), "image/png", 413, "got 0 x 10"),
    "damaged": (HOLLOW_JPEG, "image/jpeg", 400, "expected a valid image, got a damaged file"),
    "large": (bytes(1_100_000), "image/jpeg", 413, "expected at most 1 MB"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_an_invalid_image_is_refused_with_a_reason(server: FaceServer, case: str) -> None:
    data, kind, status, words = BAD_IMAGES[case]
    answer = post(server, data, kind)
    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_a_truncated_jpeg_is_refused_and_the_next_one_works(server: FaceServer, jpeg: bytes) -> None:
    answer = post(server, jpeg[: len(jpeg) // 2])
    assert (answer.status_code, answer.json()["detail"]) == (400, "expected a complete JPEG image")
    assert post(server, jpeg).status_code == 200


def test_a_gigabyte_is_refused_from_its_content_length(server: FaceServer) -> None:
    head = ("POST /api/infer HTTP/1.1", "Host: localhost", "Content-Type: image/jpeg", "Content-Length: 1000000000")
    assert raw_request(server, *head, body=b"\xff\xd8").startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
@pytest.mark.parametrize(
    ("kind", "status"), [("image/jpeg", 413), ("image/gif", 415)], ids=["too large", "of another type"]
)
def test_a_client_that_sends_everything_can_read_the_refusal(
    server: FaceServer, connection: str, kind: str, status: int
) -> None:
    body = bytes(20_000_000)  # exceeds the socket buffers
    head = ("POST /api/infer HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", f"Content-Length: {len(body)}")
    with socket.create_connection(("127.0.0.1", port_of(server)), TIMEOUT) as client:
        client.sendall("".join(f"{line}\r\n" for line in (*head, f"Connection: {connection}")).encode() + b"\r\n")
        client.sendall(body)
        assert client.recv(13) == f"HTTP/1.1 {status} ".encode()


def test_a_chunked_upload_is_read_up_to_the_limit(server: FaceServer) -> None:
    head = ("POST /api/infer HTTP/1.1", "Host: localhost", "Content-Type: image/jpeg", "Transfer-Encoding: chunked")
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    with socket.create_connection(("127.0.0.1", port_of(server)), TIMEOUT) as client:
        client.sendall("".join(f"{line}\r\n" for line in head).encode() + b"\r\n" + 16 * chunk)  # above 1 MB
        assert client.recv(13) == b"HTTP/1.1 413 "


def test_an_incomplete_upload_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DISCARD_PAUSE", 0.1)
    server = running_server(upload_timeout=0.2)
    head = ("POST /api/infer HTTP/1.1", "Host: localhost", "Content-Type: image/jpeg", "Content-Length: 1000")
    assert raw_request(server, *head, body=b"\xff\xd8").startswith(b"HTTP/1.1 408 ")
    server.close()


def test_slow_uploads_block_no_one_and_are_limited(server: FaceServer, jpeg: bytes) -> None:
    head = "POST /api/infer HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: 1000\r\n\r\n"
    with ExitStack() as stack:
        for number in range(MAX_UPLOADS):
            assert post(server, jpeg).status_code == 200, f"while {number} are uploading"
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port_of(server)), TIMEOUT))
            client.sendall(head.encode() + b"\xff\xd8")
        until(lambda: post(server, jpeg).status_code == 503, "too many uploads")
    until(lambda: post(server, jpeg).status_code == 200, "room for an upload")


def test_a_second_image_returns_503_while_the_first_is_processed(
    server: FaceServer, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, finish = threading.Event(), threading.Event()

    def work(self: Inference, data: bytes) -> dict[str, Any]:
        begun.set()
        assert finish.wait(TIMEOUT)
        return {"faces": []}

    monkeypatch.setattr(Inference, "_process_still", work)
    answers: list[httpx.Response] = []
    first = threading.Thread(target=lambda: answers.append(post(server, jpeg)))
    first.start()
    assert begun.wait(TIMEOUT)
    second = post(server, jpeg)
    finish.set()
    first.join()
    assert (second.status_code, second.headers["Retry-After"]) == (503, "1")
    assert answers[0].status_code == 200


def test_a_webcam_gets_one_answer_per_image(server: FaceServer, jpeg: bytes) -> None:
    with open_socket(server, "/ws/infer?landmarks=1") as webcam:
        for sequence in (1, 2):
            webcam.send(jpeg)
            frame = decode_frame(webcam.recv(TIMEOUT))
            assert (frame.sequence, frame.width, frame.height) == (sequence, 640, 480)
            (face,) = frame.faces
            assert face.shape is not None
            landmarks = json.loads(webcam.recv(TIMEOUT))
            assert (landmarks["type"], landmarks["sequence"]) == ("landmarks", sequence)
            assert landmarks["faces"][0]["id"] == face.id
            assert len(landmarks["faces"][0]["points"]) == 478
        webcam.send(b"no picture")
        problem = json.loads(webcam.recv(TIMEOUT))
        assert (problem["type"], problem["status"]) == ("error", 400)
        webcam.send(jpeg)
        assert decode_frame(webcam.recv(TIMEOUT)).faces
        webcam.recv(TIMEOUT)
        assert refused_status(server, "/ws/infer") == 503  # max_webcams is 1
        webcam.send("text")
        with pytest.raises(ConnectionClosed) as closed:
            webcam.recv(TIMEOUT)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1003
    until(lambda: refused_status(server, "/ws/infer") == 101, "room for another webcam")


def test_the_next_webcam_uses_the_loaded_networks_without_the_faces_of_the_last(
    server: FaceServer, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = []
    for _ in range(2):
        with open_socket(server, "/ws/infer") as webcam:
            webcam.send(jpeg)
            ids.append([face.id for face in decode_frame(webcam.recv(TIMEOUT)).faces])
        until(lambda: refused_status(server, "/ws/infer") == 101, "room for another webcam")
        monkeypatch.setattr("face_expr_ros.web.inference.Pipeline", _Unavailable)
    assert len(ids[0]) == len(ids[1]) == 1
    assert ids[0] != ids[1]


def test_an_idle_webcam_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("face_expr_ros.web.inference.Pipeline", _NoPipeline)
    server = running_server(idle_timeout=0.2)
    with open_socket(server, "/ws/infer") as webcam, pytest.raises(ConnectionClosed) as closed:
        webcam.recv(TIMEOUT)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000
    server.close()


def test_a_webcam_without_its_bundle_is_refused_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(config: Any) -> None:
        raise BundleError("run face_expr fetch-models")

    monkeypatch.setattr("face_expr_ros.web.inference.Pipeline", missing)
    server = running_server()
    with pytest.raises(InvalidStatus) as refused:
        open_socket(server, "/ws/infer").close()
    assert refused.value.response.status_code == 503
    assert b"run face_expr fetch-models" in refused.value.response.body
    server.close()


class _Unavailable:
    """Replaces a pipeline that is not to be loaded again."""

    def __init__(self, config: Any) -> None:
        raise AssertionError("the networks were loaded again")


class _NoPipeline:
    """Replaces a pipeline that is never called."""

    def __init__(self, config: Any) -> None: ...

    def reset(self) -> None: ...

    def close(self) -> None: ...


def test_a_closed_server_refuses_connections(jpeg: bytes) -> None:
    server = running_server()
    port = port_of(server)
    server.close()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
        read_to_end(client)
