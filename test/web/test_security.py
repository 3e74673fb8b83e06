"""Access control of a real server: token, origin, host and request rate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.web_clients import get, hello_of, open_socket, port_of, raw_request, refused_status, running_server

from face_expr_ros.core.settings import ConfigError, from_mapping
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.limits import RateLimiter
from face_expr_ros.web.security import check_exposure, is_loopback
from face_expr_ros.web.server import FaceServer, ServerError

TOKEN = "a-token-of-good-length"


@pytest.fixture(scope="module")
def server() -> Iterator[FaceServer]:
    """A server with a token and an allowed origin."""
    running = running_server(token=TOKEN, allowed_origins="https://robot.example:8443")
    yield running
    running.close()


BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize("path", ["/api/health", "/api/model", "/api/calibration", "/metrics"])
@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({}, "", 401),
        ({"Authorization": "Bearer wrong"}, "", 401),
        ({"Authorization": f"Basic {TOKEN}"}, "", 401),
        ({}, "?token=", 401),
        ({}, f"?token={TOKEN}x", 401),
        ({}, "?token=%FF%00", 401),
        (BEARER, "", 200),
        ({}, f"?token={TOKEN}", 200),
    ],
)
def test_the_api_requires_the_token(server: FaceServer, path: str, headers: Any, query: str, status: int) -> None:
    answer = get(server, path + query, **headers)
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json().keys() == {"detail"}
        assert TOKEN not in answer.text


def test_streams_require_the_token(server: FaceServer) -> None:
    for path, options in (
        ("/ws/stream", {}),
        ("/ws/stream?token=wrong", {}),
        ("/ws/camera", {}),
        ("/ws/infer", {}),
        ("/ws/stream", {"subprotocols": ["face-expr", "token.wrong"]}),
    ):
        assert refused_status(server, path, **options) == 401
    with open_socket(server, f"/ws/stream?token={TOKEN}") as stream:
        hello_of(stream)
    with open_socket(server, "/ws/stream", subprotocols=["face-expr", f"token.{TOKEN}"]) as stream:
        hello_of(stream)
        assert stream.subprotocol == "face-expr"


def test_the_page_and_the_description_require_no_token(server: FaceServer) -> None:
    assert get(server, "/").status_code == 200
    assert get(server, "/openapi.json").json()["paths"].keys() == {
        "/api/health",
        "/api/model",
        "/api/infer",
        "/api/neutral",
        "/api/calibration",
        "/api/calibration.yaml",
        "/api/calibration/steps",
        "/api/calibration/steps/{name}",
        "/api/calibration/finish",
        "/api/phone",
        "/metrics",
    }


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403),
        ("null", 403),
        ("http://127.0.0.1:1", 403),
        ("file://", 403),
        ("http://[", 403),
        ("https://robot.example:8443", 200),
        ("https://robot.example", 403),
        ("http://127.0.0.1:{port}", 200),
    ],
)
def test_only_the_same_and_allowed_origins_may_connect(server: FaceServer, origin: str, status: int) -> None:
    origin = origin.format(port=port_of(server))
    answer = get(server, "/api/health", Origin=origin, **BEARER)
    assert answer.status_code == status
    allowed = answer.headers.get("Access-Control-Allow-Origin")
    assert allowed == (origin if "robot" in origin and status == 200 else None)
    handshake = refused_status(server, f"/ws/stream?token={TOKEN}", origin=origin)
    assert handshake == (101 if status == 200 else status)


def test_an_allowed_origin_passes_the_preflight_request(server: FaceServer) -> None:
    url = f"http://127.0.0.1:{port_of(server)}/api/infer"
    ask = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = httpx.options(url, headers={"Origin": "https://robot.example:8443", **ask}, trust_env=False)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "https://robot.example:8443"
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"].lower()
    assert httpx.options(url, headers={"Origin": "https://evil.example", **ask}, trust_env=False).status_code == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("evil.example:8765", 421),
        ("localhost.evil.example", 421),
        ("", 421),
        ("[::1", 421),
        ("localhost:99999999", 421),
        ("localhost", 200),
        ("LOCALHOST:8765", 200),
        ("127.0.0.1", 200),
        ("192.168.7.7:8765", 200),
        ("[::1]:8765", 200),
        ("robot.example:8443", 200),
    ],
)
def test_an_unknown_host_is_refused(server: FaceServer, host: str, status: int) -> None:
    answer = raw_request(server, "GET /openapi.json HTTP/1.1", f"Host: {host}")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


def test_only_the_texture_transcoder_may_create_functions(server: FaceServer) -> None:
    worker = get(server, "/assets/basis_worker.js").headers["Content-Security-Policy"]
    assert "'unsafe-eval'" in worker
    assert "default-src 'none'" in worker, "it can load nothing else"
    for path in ("/assets/index.js", "/assets/Basis_worker.js", "/assets/basis_worker.js/"):
        assert "'unsafe-eval'" not in get(server, path).headers["Content-Security-Policy"]


def test_every_response_has_security_headers(server: FaceServer) -> None:
    for path in ("/", "/api/health", "/nothing", "/openapi.json"):
        headers = get(server, path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "'unsafe-" not in policy
        assert not {"*", "ws:", "wss:", "http:", "https:"} & set(policy.replace(";", " ").split()), "no other host"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-cache"
        assert "server" not in headers


def test_requests_above_the_rate_limit_return_429() -> None:
    server = running_server(request_rate=0.1, request_burst=3)
    answers = [get(server, "/api/health") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].headers["Retry-After"] == "1"
    server.close()


def test_rate_limiter_refills_and_evicts_old_addresses() -> None:
    now = 0.0
    limit = RateLimiter(2.0, 3, clock=lambda: now)
    assert [limit.take("a") for _ in range(5)] == [True, True, True, False, False]
    assert limit.take("b")
    now = 1.0
    assert [limit.take("a") for _ in range(3)] == [True, True, False]
    for number in range(10_000):
        limit.take(str(number))
    assert len(limit._buckets) < 5000


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"host": "0.0.0.0"}, "host '0.0.0.0' is reachable from other machines and requires a token"),
        ({"host": "robot.local"}, "requires a token"),
        ({"token": "short"}, "token: expected at least 16 letters, digits, - . _ ~, got 5;"),
        ({"token": "with a space in between"}, "token: expected"),
        ({"allowed_origins": "robot.example"}, "allowed_origins: expected origins such as"),
        ({"allowed_origins": "https://robot.example/path"}, "got 'https://robot.example/path'"),
        ({"allowed_origins": "https://robot.example, http://:80"}, "got 'http://:80'"),
        ({"allowed_origins": "https://robot.example:99999"}, "got 'https://robot.example:99999'"),
    ],
)
def test_unsafe_settings_are_rejected_at_start(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        FaceServer(from_mapping(WebConfig, {"port": 0, **settings}), open_face_model("open"), "test")
    assert words in str(refused.value)
    assert settings.get("token", "?") not in str(refused.value), "tokens must not appear in logs"


def test_loopback_or_a_token_is_accepted() -> None:
    check_exposure(WebConfig())
    check_exposure(WebConfig(host="0.0.0.0", token=TOKEN, allowed_origins="https://a.b, http://c:80"))
    assert [is_loopback(host) for host in ("localhost", "127.9.9.9", "::1", "[::1]")] == [True] * 4
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "example.com", "")] == [False] * 5


def test_a_port_in_use_is_reported() -> None:
    server = running_server()
    with pytest.raises(ServerError, match=f"cannot listen on 127.0.0.1 port {port_of(server)}: .* another program"):
        running_server(port=port_of(server))
    server.close()
