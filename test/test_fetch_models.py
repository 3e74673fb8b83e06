"""`face_expr fetch-models`: from a server of the test's own and from a folder; a bad end leaves nothing behind."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from face_expr_ros import bundle
from face_expr_ros.bundle import RECORD, bundle_folder, open_bundle
from face_expr_ros.cli import main
from face_expr_ros.face_model import BundleError
from face_expr_ros.models import convert
from face_expr_ros.models.basel import write_basel_model
from face_expr_ros.models.download import download
from face_expr_ros.models.fetch import fetch_models

RANDOM = np.random.default_rng(8)
CONTENT = RANDOM.bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """A server of files, and how it misbehaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True  # it knows the header Range
    cut_after: list[int] = field(default_factory=list)  # bytes after which the next answers break off
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # path and Range
    url: str = ""


@pytest.fixture
def server() -> Iterator[Server]:
    """Serves on a free port of this machine while the test runs."""
    state = Server({"file.bin": CONTENT})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.requests.append((self.path.removeprefix("/"), asked))
            if self.path.removeprefix("/") not in state.files:
                return self.send_error(404, "Not Found")
            content = state.files[self.path.removeprefix("/")]
            first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and state.ranges else 0
            self.send_response(206 if first else 200)
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - first))
            self.end_headers()
            end = first + state.cut_after.pop(0) if state.cut_after else None
            self.wfile.write(content[first:end])
            return None

        def log_message(self, *arguments: Any) -> None:
            """Quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_port}"
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "file.bin"


def fetch_file(server: Server, target: Path, sha256: str = SHA256) -> None:
    download(f"{server.url}/file.bin", target, size=len(CONTENT), sha256=sha256)


# One file


def test_a_file_is_brought_whole_and_nothing_else_is_left(server: Server, target: Path) -> None:
    fetch_file(server, target)
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["file.bin"]
    assert server.requests == [("file.bin", None)]


def test_a_bar_on_stderr_shows_the_bytes(server: Server, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fetch_file(server, target)
    shown = capfd.readouterr()
    assert "file.bin: 100%" in shown.err
    assert "300k/300k" in shown.err
    assert shown.out == ""


def test_an_answer_that_breaks_off_is_continued_where_it_ended(server: Server, target: Path) -> None:
    server.cut_after = [100_000, 50_000]
    fetch_file(server, target)
    assert target.read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [None, "bytes=100000-", "bytes=150000-"]


def test_a_part_of_an_earlier_attempt_is_continued(server: Server, target: Path) -> None:
    target.with_name("file.bin.part").write_bytes(CONTENT[:123_456])
    fetch_file(server, target)
    assert target.read_bytes() == CONTENT
    assert server.requests == [("file.bin", "bytes=123456-")]


def test_a_server_without_ranges_is_asked_for_the_whole_file_again(server: Server, target: Path) -> None:
    server.ranges = False
    server.cut_after = [100_000]
    fetch_file(server, target)
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_a_server_that_always_breaks_off_is_given_up_and_what_came_is_kept(server: Server, target: Path) -> None:
    server.cut_after = [1000, 0, 0, 0]
    with pytest.raises(BundleError, match=r"1000 of 300000 bytes of .* no more come; run the same command again"):
        fetch_file(server, target)
    assert not target.exists()
    fetch_file(server, target)
    assert server.requests[-1] == ("file.bin", "bytes=1000-")


def test_nobody_at_the_address_is_said(server: Server, target: Path) -> None:
    url = server.url.rsplit(":", 1)[0] + ":9/file.bin"  # the port of `discard`, which nobody serves
    with pytest.raises(BundleError, match=r"0 of 300000 bytes of .* no more come \(.*refused"):
        download(url, target, size=len(CONTENT), sha256=SHA256)


def test_a_missing_file_is_named_with_the_answer(server: Server, target: Path) -> None:
    del server.files["file.bin"]
    with pytest.raises(BundleError, match=r"file\.bin cannot be fetched: the server answers 404 Not Found"):
        fetch_file(server, target)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("other", [CONTENT[:-1] + b"x", CONTENT + b"and more", CONTENT * 10], ids=len)
def test_another_file_is_refused_and_not_kept(server: Server, target: Path, other: bytes) -> None:
    server.files["file.bin"] = other
    with pytest.raises(BundleError, match=f"300000 bytes with sha256 {SHA256} were expected.* nothing was kept"):
        fetch_file(server, target)
    assert list(target.parent.iterdir()) == []


def test_a_part_of_another_file_is_dropped_so_that_the_next_attempt_works(server: Server, target: Path) -> None:
    target.with_name("file.bin.part").write_bytes(b"something else")
    with pytest.raises(BundleError, match="nothing was kept"):
        fetch_file(server, target)
    fetch_file(server, target)
    assert target.read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_no_matter_of_the_network(server: Server, target: Path) -> None:
    target.with_name("file.bin.part").mkdir()
    with pytest.raises(OSError, match=r"file\.bin\.part"):
        fetch_file(server, target)
    assert len(server.requests) == 1


# A bundle of the test's own: a face model of 68 points, dense where one more file is there


POINTS = {f"bfm68/{name}.txt": shape for name, shape in (("u_base", 1), ("w_shp_base", 40), ("w_exp_base", 10))}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> Path:
    """A folder with the released files of the bundle `points`; the server has them as well."""
    released = tmp_path / "released"
    (released / "bfm68").mkdir(parents=True)
    for name, columns in POINTS.items():
        np.savetxt(released / name, RANDOM.normal(size=(204, columns)))
    server.files = {f"upstream/{name}": (released / name).read_bytes() for name in POINTS}
    server.files["upstream/more.bin"] = CONTENT
    files: list[dict[str, Any]] = [
        {"name": name, "path": f"upstream/{name}", **described((released / name).read_bytes())} for name in POINTS
    ]
    files.append({"name": "more.bin", "path": "upstream/more.bin", "without": "there is no more", **described(CONTENT)})
    fetch = {
        "url": server.url + "/{path}",
        "files": files,
        "licence_name": "the professor's",
        "licence_text": "For learning only.",
        "licence_url": "https://example.org/license",
    }
    entries = {"points": {"face_model": {"file": "face_model.npz"}, "fetch": fetch}, "open": {}}
    monkeypatch.setattr(bundle, "manifest", lambda: entries)
    monkeypatch.setitem(convert.CONVERTERS, "points", convert_points)
    monkeypatch.setenv("FACE_EXPR_HOME", str(tmp_path / "home"))
    return released


def described(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def convert_points(sources: Mapping[str, Path], target: Path) -> None:
    write_basel_model(sources, target / "face_model.npz")


def installed() -> set[str]:
    home = bundle_folder("points").parent
    return {str(path.relative_to(home)) for path in home.rglob("*")} if home.exists() else set()


INSTALLED = {"points", "points/face_model.npz", f"points/{RECORD}"}


def test_a_bundle_is_downloaded_converted_and_opened(folder: Path, server: Server) -> None:
    result = fetch_models("points")
    assert [file["name"] for file in result["files"]] == [*POINTS, "more.bin"]
    assert result["files"][-1] == {"name": "more.bin", "sha256": SHA256, "bytes": len(CONTENT)}
    assert result["sparse"] is True
    assert result["missing"] == {}
    assert installed() == INSTALLED  # what was downloaded is gone
    assert open_bundle("points").model.mean.shape == (68, 3)


def test_an_interrupted_download_of_a_bundle_goes_on_where_it_was(folder: Path, server: Server) -> None:
    server.files.pop("upstream/more.bin")
    with pytest.raises(BundleError, match="404"):
        fetch_models("points")
    assert not bundle_folder("points").exists()
    server.files["upstream/more.bin"] = CONTENT
    server.requests.clear()
    fetch_models("points")
    assert [path for path, _ in server.requests] == ["upstream/more.bin"]
    assert installed() == INSTALLED


def test_a_folder_may_lack_what_others_do_without(folder: Path, server: Server) -> None:
    result = fetch_models("points", folder)
    assert result["missing"] == {"more.bin": "there is no more"}
    assert server.requests == []
    assert installed() == INSTALLED


def test_a_folder_may_have_the_layout_of_the_upstream_repository(folder: Path) -> None:
    (folder / "upstream").mkdir()
    (folder / "bfm68").rename(folder / "upstream/bfm68")
    assert fetch_models("points", folder)["sparse"] is True


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.unlink(), r"released lacks bfm68/w_exp_base\.txt \(\d+ bytes, sha256 [0-9a-f]{64}\)"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:-1]),
            r"w_exp_base\.txt is not the released file: \d+ bytes with sha256 [0-9a-f]{64} were wanted, it has \d+ ",
        ),
    ],
    ids=["missing", "truncated"],
)
def test_a_bad_file_of_a_folder_is_named_and_the_installed_bundle_stays(folder: Path, harm: Any, words: str) -> None:
    fetch_models("points", folder)
    before = (bundle_folder("points") / RECORD).read_bytes()
    harm(folder / "bfm68/w_exp_base.txt")
    with pytest.raises(BundleError, match=words):
        fetch_models("points", folder)
    assert (bundle_folder("points") / RECORD).read_bytes() == before
    assert installed() == INSTALLED


def test_a_conversion_that_fails_half_way_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(sources: Mapping[str, Path], target: Path) -> None:
        (target / "face_model.npz").write_bytes(b"half")
        raise BundleError("the pickle is not one of arrays")

    monkeypatch.setitem(convert.CONVERTERS, "points", fail)
    with pytest.raises(BundleError, match="not one of arrays"):
        fetch_models("points", folder)
    assert installed() == set()


def test_a_second_fetch_replaces_the_first(folder: Path) -> None:
    fetch_models("points", folder)
    (bundle_folder("points") / "face_model.npz").write_bytes(b"damaged")
    with pytest.raises(BundleError, match=r"its sha256 should be .* run face_expr fetch-models points again"):
        open_bundle("points")
    fetch_models("points", folder)
    assert open_bundle("points").sparse
    assert installed() == INSTALLED


def test_the_open_bundle_is_not_fetched(folder: Path) -> None:
    with pytest.raises(BundleError, match="bundle 'open' comes with this package: there is nothing to fetch"):
        fetch_models("open")


def test_a_folder_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(BundleError, match=r"nowhere is not a folder; --from takes one"):
        fetch_models("points", folder / "nowhere")


# The verb


@dataclass(frozen=True)
class Done:
    """What the verb left behind."""

    status: int
    out: str
    err: str


def run_verb(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str) -> Done:
    monkeypatch.setattr(sys, "argv", ["face_expr", "fetch-models", *arguments])
    capfd.readouterr()
    return Done(main(), *capfd.readouterr())


def test_the_license_is_shown_and_without_acceptance_nothing_is_fetched(
    folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    done = run_verb(monkeypatch, capfd, "points")
    assert done.status == 2
    for words in ("For learning only.", "https://example.org/license", "--accept-bfm-licence"):
        assert words in done.err
    assert server.requests == []
    assert installed() == set()


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "status"), [("y\n", 0), ("n\n", 2), ("\n", 2)])
def test_on_a_terminal_the_license_can_be_accepted_by_hand(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], typed: str, status: int
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert run_verb(monkeypatch, capfd, "points", "--from", str(folder)).status == status
    assert installed() == (INSTALLED if status == 0 else set())


def test_the_verb_installs_says_what_is_missing_and_writes_json(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ("points", "--from", str(folder), "--accept-bfm-licence", "--json", str(tmp_path / "r.json"))
    done = run_verb(monkeypatch, capfd, *arguments)
    assert done.status == 0, done.err
    assert "without more.bin, there is no more" in done.out
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["bundle"] == "points"
    assert result["sparse"] is True
    assert [file.keys() for file in result["files"]] == [{"name", "sha256", "bytes"}] * 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "there is no bundle 'nothing' in weights/manifest.yaml; there are points, open"),
        (["open"], "there is nothing to fetch"),
        (["points", "--accept-bfm-licence", "--from", "nowhere"], "nowhere is not a folder"),
        (["points", "--accept-bfm-licence", "--json", "no/x.json"], "'no/x.json'"),
    ],
)
def test_wrong_usage_ends_with_status_2_and_a_sentence(
    folder: Path,
    arguments: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    done = run_verb(monkeypatch, capfd, *arguments)
    assert done.status == 2
    assert words in done.err
    assert "Traceback" not in done.err


def test_the_released_files_become_a_sparse_bundle(tddfa_bundle: Path) -> None:
    files = {path.name for path in tddfa_bundle.iterdir()}
    assert files == {"mb05.onnx", "param_mean_std.npz", "face_model.npz", "faceboxes.onnx", RECORD}
    opened = open_bundle("3ddfa_v2")
    assert opened.sparse
    assert opened.detector_path == tddfa_bundle / "faceboxes.onnx"
    assert opened.network is not None
    assert opened.network.mean.shape == (62,)
    with pytest.raises(BundleError, match=r"was installed without mb1\.onnx; it has face_model\.npz, "):
        open_bundle("3ddfa_v2", "mb1")
