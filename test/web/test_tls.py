"""Encrypted connections with a certificate of the server's own, and the link for phones."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from support.web_clients import TIMEOUT, get, next_frame, port_of, running_server
from websockets.sync.client import connect

from face_expr_ros.core.settings import ConfigError
from face_expr_ros.web import tls
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.phone import network_url, terminal_code
from face_expr_ros.web.server import FaceServer
from face_expr_ros.web.tls import own_certificate, server_certificate

pytest.importorskip("cryptography")
TOKEN = "a-token-of-some-length"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FaceServer]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    one = running_server(tls=True, token=TOKEN, host="0.0.0.0")
    yield one
    one.close()


def trusting(folder: Path) -> ssl.SSLContext:
    """A client that trusts exactly the certificate of the server."""
    return ssl.create_default_context(cafile=folder / "face_expr/tls/certificate.pem")


def test_page_and_streams_are_served_over_tls(server: FaceServer, tmp_path: Path) -> None:
    context, port = trusting(tmp_path), port_of(server)
    assert server.url.startswith("https://127.0.0.1:")
    page = httpx.get(f"https://localhost:{port}/", verify=context, trust_env=False, timeout=TIMEOUT)
    assert page.status_code == 200
    url = f"wss://localhost:{port}/ws/stream?token={TOKEN}"
    with connect(url, ssl=context, proxy=None, open_timeout=TIMEOUT) as stream:
        assert "hello" in stream.recv(TIMEOUT)
        server.publish([], 1_000_000_000, None)
        assert next_frame(stream).stamp == 1.0


def test_the_phone_link_has_address_token_code_and_fingerprint(server: FaceServer, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"https://127.0.0.1:{port_of(server)}/api/phone"
    link = httpx.get(url, verify=trusting(tmp_path), headers=headers, trust_env=False, timeout=TIMEOUT).json()
    assert link["url"] == server.network_url == f"https://{tls.local_address()}:{port_of(server)}/?token={TOKEN}"
    assert link["svg"].startswith("<svg")
    assert len(link["fingerprint"].split(":")) == 32
    refused = httpx.get(url, verify=trusting(tmp_path), trust_env=False, timeout=TIMEOUT)
    assert refused.status_code == 401, "the link contains the token"


def test_a_loopback_server_explains_how_to_use_a_phone() -> None:
    server = running_server()
    answer = get(server, "/api/phone")
    server.close()
    assert answer.json()["url"] == ""
    assert "face_expr web --tls" in answer.json()["problem"]
    assert server.network_url == ""


def test_a_certificate_is_kept_private_and_used_again(tmp_path: Path) -> None:
    first = own_certificate(tmp_path / "tls")
    assert own_certificate(tmp_path / "tls") == first
    assert first.key.stat().st_mode & 0o777 == 0o600
    assert first.key.parent.stat().st_mode & 0o777 == 0o700


def test_an_expiring_or_damaged_certificate_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as short:
        short.setattr(tls, "VALIDITY", datetime.timedelta(days=3))
        expiring = own_certificate(tmp_path)
    second = own_certificate(tmp_path)
    assert second.fingerprint != expiring.fingerprint
    second.certificate.write_text("no certificate")
    assert own_certificate(tmp_path).fingerprint != second.fingerprint


def test_a_changed_address_makes_a_new_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = own_certificate(tmp_path)
    monkeypatch.setattr(tls, "local_address", lambda: "198.51.100.7")
    assert own_certificate(tmp_path).fingerprint != first.fingerprint


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tls_key": "key.pem"}, "expected both tls_certificate and tls_key"),
        ({"tls_key": "key.pem", "tls_certificate": "none.pem"}, "tls_certificate: no file 'none.pem'"),
    ],
)
def test_invalid_certificate_settings_are_errors(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        server_certificate(WebConfig(**settings))


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"host": "192.0.2.4", "tls": True, "token": TOKEN}, f"https://192.0.2.4:80/?token={TOKEN}"),
        ({"host": "::1"}, "http://[::1]:80/"),
    ],
)
def test_the_network_url_names_the_address_of_the_host(settings: dict[str, Any], url: str) -> None:
    assert network_url(WebConfig(**settings), 80) == url


def test_the_terminal_code_is_a_square_of_blocks() -> None:
    lines = terminal_code("https://192.0.2.4:8765/?token=" + TOKEN).splitlines()
    assert len(lines) > 12


def test_tls_alone_listens_for_phones_with_a_random_token(monkeypatch: pytest.MonkeyPatch) -> None:
    from face_expr_ros.cli.web import web

    given: dict[str, Any] = {}

    def serve(config: WebConfig, *_: Any, **__: Any) -> int:
        given.update(host=config.host, token=config.token, tls=config.tls)
        return 1

    monkeypatch.setattr("face_expr_ros.web.live.serve", serve)
    result = CliRunner().invoke(web, ["--tls"])
    assert result.exit_code == 0, result.output
    assert given["host"] == "0.0.0.0"
    assert given["tls"] is True
    assert len(given["token"]) > 30
    CliRunner().invoke(web, ["--tls", "--host", "127.0.0.1"])
    assert given["host"] == "127.0.0.1"
