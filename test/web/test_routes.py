"""Responses of the server: page, model, health and metrics; no files outside the page."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.model_files import read_model
from support.web_clients import TIMEOUT, get, hello_of, open_socket, port_of, raw_request, running_server

from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.web import app
from face_expr_ros.web.server import FaceServer


@pytest.fixture(scope="module")
def server() -> Iterator[FaceServer]:
    running = running_server()
    yield running
    running.close()


@pytest.mark.parametrize("path", ["/", "/api/health", "/api/model", "/api/phone", "/metrics", "/openapi.json"])
def test_head_returns_the_headers_of_get(server: FaceServer, path: str) -> None:
    url = f"http://127.0.0.1:{port_of(server)}{path}"
    head, whole = (httpx.request(method, url, trust_env=False) for method in ("HEAD", "GET"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == whole.headers["Content-Type"]
    assert head.headers.get("ETag") == whole.headers.get("ETag")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/api/infer", "POST"), ("HEAD", "/api/infer", "POST"), ("POST", "/api/health", "GET")],
)
def test_a_wrong_method_returns_405_with_the_allowed_ones(
    server: FaceServer, method: str, path: str, allowed: str
) -> None:
    url = f"http://127.0.0.1:{port_of(server)}{path}"
    answer = httpx.request(method, url, trust_env=False)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaceServer]:
    """A server with a secret file next to the page."""
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html><title>page</title>")
    (static / "assets/index.js").write_text("export {}")
    (tmp_path / "secret.txt").write_text("secret")
    (static / "link.txt").symlink_to(tmp_path / "secret.txt")
    monkeypatch.setattr(app, "STATIC", static)
    running = running_server()
    yield running
    running.close()


def test_scripts_are_compressed_for_clients_that_accept_it(page: FaceServer) -> None:
    (app.STATIC / "assets/index.js").write_text("export {}\n" * 1000)
    (app.STATIC / "assets/font.woff2").write_bytes(bytes(5000))
    script = get(page, "/assets/index.js", **{"Accept-Encoding": "br, gzip"})
    assert script.headers["Content-Encoding"] == "gzip"
    assert int(script.headers["Content-Length"]) < 200
    assert script.text == "export {}\n" * 1000
    assert script.headers["Vary"] == "Accept-Encoding"
    tag = {"If-None-Match": script.headers["ETag"], "Accept-Encoding": "gzip"}
    assert get(page, "/assets/index.js", **tag).status_code == 304
    plain = get(page, "/assets/index.js", **{"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in plain.headers
    assert "Content-Encoding" not in get(page, "/assets/font.woff2", **{"Accept-Encoding": "gzip"}).headers


def test_only_files_of_the_page_are_served(page: FaceServer) -> None:
    assert "<title>page" in get(page, "/").text
    script = get(page, "/assets/index.js")
    assert script.headers["Content-Type"].startswith(("text/javascript", "application/javascript"))
    assert get(page, "/assets/index.js", **{"If-None-Match": script.headers["ETag"]}).status_code == 304
    for path in (
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/../../secret.txt",
        "/assets/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/..%5csecret.txt",
        "//secret.txt",
        f"/{page.url}../secret.txt",
        "/link.txt",
        "/%00",
        "/assets/" + "a" * 5000,
    ):
        answer = raw_request(page, f"GET {path} HTTP/1.1", "Host: localhost")
        assert answer.split()[1] in (b"404", b"405", b"414"), path
        assert b"secret" not in answer.partition(b"\r\n\r\n")[2]


def test_the_model_is_revalidated_by_its_etag(server: FaceServer) -> None:
    answer = get(server, "/api/model", **{"Accept-Encoding": "identity"})
    assert answer.headers["Content-Type"] == "application/vnd.face-expr.model"
    assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    header, _ = read_model(answer.content)
    assert header["sha256"] == open_face_model("open").sha256
    tag = answer.headers["ETag"]
    for known in (tag, f'"another", W/{tag}', "*"):
        again = get(server, "/api/model", **{"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
    assert get(server, "/api/model", **{"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "encoding", "unpack"),
    [
        ("gzip", "gzip", gzip.decompress),
        ("br, deflate;q=0.5", "deflate", zlib.decompress),
        ("gzip;q=0, deflate", "deflate", zlib.decompress),
        ("br", None, bytes),
    ],
)
def test_the_model_is_compressed_as_accepted(
    server: FaceServer, accepted: str, encoding: str | None, unpack: Any
) -> None:
    with httpx.stream(
        "GET", f"http://127.0.0.1:{port_of(server)}/api/model", headers={"Accept-Encoding": accepted}
    ) as answer:
        content = b"".join(answer.iter_raw())
    assert answer.headers.get("Content-Encoding") == encoding
    assert unpack(content) == server.hub.model.data
    assert encoding is None or len(content) < 0.6 * len(server.hub.model.data)


def test_health_and_metrics_count_events() -> None:
    server = running_server()
    with open_socket(server, "/ws/stream") as stream:
        hello_of(stream)
        server.publish([], 1, None)
        stream.recv(TIMEOUT)
        raw_request(server, "GET / HTTP/1.1", "Host: evil.example")
        health = get(server, "/api/health").json()
        expected = {"ok": True, "clients": 1, "faces": 0, "frames": 1, "dropped": 0, "source": "test"}
        assert health | expected == health
        assert health["uptime_s"] > 0
        metrics = get(server, "/metrics")
        assert metrics.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        for line in (
            "face_expr_web_clients 1",
            "face_expr_web_frames_total 1",
            "face_expr_web_left_out_total 0",
            'refused_total{status="421"} 1',
        ):
            assert line in metrics.text
    server.close()
