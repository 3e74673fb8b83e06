"""`face_expr fetch-models` from a local server and from a folder; failures leave no files."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.file_server import Server, serving

from face_expr_ros.cli import main
from face_expr_ros.core.face_model import BundleError
from face_expr_ros.models import bundle, convert
from face_expr_ros.models.basel import write_basel_model
from face_expr_ros.models.bundle import RECORD, bundle_folder, open_bundle
from face_expr_ros.models.fetch import fetch_models

RANDOM = np.random.default_rng(8)
CONTENT = RANDOM.bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
# The bundle `points` of this test: a face model of 68 points, and an optional file.
POINTS = {f"bfm68/{name}.txt": shape for name, shape in (("u_base", 1), ("w_shp_base", 40), ("w_exp_base", 10))}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving({}) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> Path:
    """A folder with the released files of the bundle `points`, which the server provides as well."""
    released = tmp_path / "released"
    (released / "bfm68").mkdir(parents=True)
    for name, columns in POINTS.items():
        np.savetxt(released / name, RANDOM.normal(size=(204, columns)))
    server.files |= {f"upstream/{name}": (released / name).read_bytes() for name in POINTS}
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
    assert installed() == INSTALLED  # the downloads were deleted
    assert open_bundle("points").model.mean.shape == (68, 3)


def test_an_interrupted_download_of_a_bundle_is_resumed(folder: Path, server: Server) -> None:
    server.files.pop("upstream/more.bin")
    with pytest.raises(BundleError, match="404"):
        fetch_models("points")
    assert not bundle_folder("points").exists()
    server.files["upstream/more.bin"] = CONTENT
    server.requests.clear()
    fetch_models("points")
    assert [path for path, _ in server.requests] == ["upstream/more.bin"]
    assert installed() == INSTALLED


def test_optional_files_may_be_missing_in_a_folder(folder: Path, server: Server) -> None:
    result = fetch_models("points", folder)
    assert result["missing"] == {"more.bin": "there is no more"}
    assert server.requests == []
    assert installed() == INSTALLED


def test_a_folder_with_the_layout_of_upstream_is_accepted(folder: Path) -> None:
    (folder / "upstream").mkdir()
    (folder / "bfm68").rename(folder / "upstream/bfm68")
    assert fetch_models("points", folder)["sparse"] is True


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.unlink(), r"released lacks bfm68/w_exp_base\.txt \(\d+ bytes, sha256 [0-9a-f]{64}\)"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:-1]),
            r"w_exp_base\.txt is not the released file: expected \d+ bytes with sha256 [0-9a-f]{64}, got \d+ ",
        ),
    ],
    ids=["missing", "truncated"],
)
def test_an_invalid_file_is_named_and_the_installed_bundle_kept(folder: Path, harm: Any, words: str) -> None:
    fetch_models("points", folder)
    before = (bundle_folder("points") / RECORD).read_bytes()
    harm(folder / "bfm68/w_exp_base.txt")
    with pytest.raises(BundleError, match=words):
        fetch_models("points", folder)
    assert (bundle_folder("points") / RECORD).read_bytes() == before
    assert installed() == INSTALLED


def test_a_failed_conversion_leaves_no_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    with pytest.raises(BundleError, match=r"expected a file with sha256 .* run face_expr fetch-models points again"):
        open_bundle("points")
    fetch_models("points", folder)
    assert open_bundle("points").sparse
    assert installed() == INSTALLED


def test_the_open_bundle_is_not_fetched(folder: Path) -> None:
    with pytest.raises(BundleError, match="bundle 'open' is part of this package"):
        fetch_models("open")


def test_a_missing_folder_is_named_in_the_error(folder: Path) -> None:
    with pytest.raises(BundleError, match=r"--from: expected a folder with the model files, got .*nowhere"):
        fetch_models("points", folder / "nowhere")


# The command


@dataclass(frozen=True)
class CommandResult:
    """Exit status and outputs of the command."""

    status: int
    out: str
    err: str


def run_command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str) -> CommandResult:
    monkeypatch.setattr(sys, "argv", ["face_expr", "fetch-models", *arguments])
    capfd.readouterr()
    return CommandResult(main(), *capfd.readouterr())


def test_nothing_is_fetched_before_the_license_is_accepted(
    folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    finished = run_command(monkeypatch, capfd, "points")
    assert finished.status == 2
    for words in ("For learning only.", "https://example.org/license", "--accept-bfm-licence"):
        assert words in finished.err
    assert server.requests == []
    assert installed() == set()


class Terminal(io.StringIO):
    """An interactive standard input."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "status"), [("y\n", 0), ("n\n", 2), ("\n", 2)])
def test_the_license_can_be_accepted_on_a_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], typed: str, status: int
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert run_command(monkeypatch, capfd, "points", "--from", str(folder)).status == status
    assert installed() == (INSTALLED if status == 0 else set())


def test_the_command_installs_lists_missing_files_and_writes_json(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ("points", "--from", str(folder), "--accept-bfm-licence", "--json", str(tmp_path / "r.json"))
    finished = run_command(monkeypatch, capfd, *arguments)
    assert finished.status == 0, finished.err
    assert "without more.bin, there is no more" in finished.out
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["bundle"] == "points"
    assert result["sparse"] is True
    assert [file.keys() for file in result["files"]] == [{"name", "sha256", "bytes"}] * 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "expected one of the bundles points, open of weights/manifest.yaml, got 'nothing'"),
        (["open"], "is part of this package and need not be fetched"),
        (
            ["points", "--accept-bfm-licence", "--from", "nowhere"],
            "expected a folder with the model files, got nowhere",
        ),
        (["points", "--accept-bfm-licence", "--json", "no/x.json"], "there is no folder 'no'"),
    ],
)
def test_wrong_usage_exits_with_status_2_and_a_message(
    folder: Path,
    arguments: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    finished = run_command(monkeypatch, capfd, *arguments)
    assert finished.status == 2
    assert words in finished.err
    assert "Traceback" not in finished.err


def test_the_released_files_become_a_sparse_bundle(tddfa_bundle: Path) -> None:
    files = {path.name for path in tddfa_bundle.iterdir()}
    assert files == {"mb05.onnx", "param_mean_std.npz", "face_model.npz", "decimation.npz", "faceboxes.onnx", RECORD}
    opened = open_bundle("3ddfa_v2")
    assert opened.sparse
    assert opened.detector_path == tddfa_bundle / "faceboxes.onnx"
    assert opened.network is not None
    assert opened.network.mean.shape == (62,)
    with pytest.raises(BundleError, match=r"was installed without mb1\.onnx; it has decimation\.npz, "):
        open_bundle("3ddfa_v2", "mb1")
