"""Downloads of one file: interruptions, wrong contents, and errors of the server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.file_server import Server, serving

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.models.download import download

CONTENT = np.random.default_rng(8).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving({"file.bin": CONTENT}) as running:
        yield running


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "file.bin"


def fetch_file(server: Server, target: Path, sha256: str = SHA256) -> None:
    download(f"{server.url}/file.bin", target, size=len(CONTENT), sha256=sha256)


def test_a_download_leaves_only_the_complete_file(server: Server, target: Path) -> None:
    fetch_file(server, target)
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["file.bin"]
    assert server.requests == [("file.bin", None)]


def test_a_progress_bar_on_stderr_shows_the_bytes(
    server: Server, target: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fetch_file(server, target)
    shown = capfd.readouterr()
    assert "file.bin: 100%" in shown.err
    assert "300k/300k" in shown.err
    assert shown.out == ""


def test_an_interrupted_response_is_resumed(server: Server, target: Path) -> None:
    server.cut_after = [100_000, 50_000]
    fetch_file(server, target)
    assert target.read_bytes() == CONTENT
    assert [requested for _, requested in server.requests] == [None, "bytes=100000-", "bytes=150000-"]


def test_a_partial_file_of_an_earlier_run_is_resumed(server: Server, target: Path) -> None:
    target.with_name("file.bin.part").write_bytes(CONTENT[:123_456])
    fetch_file(server, target)
    assert target.read_bytes() == CONTENT
    assert server.requests == [("file.bin", "bytes=123456-")]


def test_without_range_requests_the_whole_file_is_downloaded(server: Server, target: Path) -> None:
    server.ranges = False
    server.cut_after = [100_000]
    fetch_file(server, target)
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_repeated_interruptions_raise_and_keep_the_partial_file(server: Server, target: Path) -> None:
    server.cut_after = [1000, 0, 0, 0]
    with pytest.raises(BundleError, match=r"stopped after 1000 of 300000 bytes; run the same command again"):
        fetch_file(server, target)
    assert not target.exists()
    fetch_file(server, target)
    assert server.requests[-1] == ("file.bin", "bytes=1000-")


def test_a_refused_connection_is_reported(server: Server, target: Path) -> None:
    url = server.url.rsplit(":", 1)[0] + ":9/file.bin"  # the port of `discard`, on which no server listens
    with pytest.raises(BundleError, match=r"stopped after 0 of 300000 bytes \(.*refused"):
        download(url, target, size=len(CONTENT), sha256=SHA256)


def test_a_missing_file_is_reported_with_the_http_status(server: Server, target: Path) -> None:
    del server.files["file.bin"]
    with pytest.raises(BundleError, match=r"file\.bin cannot be downloaded: the server returned 404 Not Found"):
        fetch_file(server, target)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("other", [CONTENT[:-1] + b"x", CONTENT + b"and more", CONTENT * 10], ids=len)
def test_a_file_with_a_wrong_hash_is_rejected_and_deleted(server: Server, target: Path, other: bytes) -> None:
    server.files["file.bin"] = other
    with pytest.raises(BundleError, match=f"expected 300000 bytes with sha256 {SHA256}, got .* the file was deleted"):
        fetch_file(server, target)
    assert list(target.parent.iterdir()) == []


def test_a_wrong_partial_file_is_deleted_and_a_retry_succeeds(server: Server, target: Path) -> None:
    target.with_name("file.bin.part").write_bytes(b"something else")
    with pytest.raises(BundleError, match="the file was deleted"):
        fetch_file(server, target)
    fetch_file(server, target)
    assert target.read_bytes() == CONTENT


def test_an_error_of_the_file_system_is_not_retried(server: Server, target: Path) -> None:
    target.with_name("file.bin.part").mkdir()
    with pytest.raises(OSError, match=r"file\.bin\.part"):
        fetch_file(server, target)
    assert len(server.requests) == 1
