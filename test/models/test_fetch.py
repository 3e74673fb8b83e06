"""`face_expr fetch-models`: from a server of the test's own and from a folder; a bad end leaves nothing behind."""

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
# The bundle `points` of the test's own: a face model of 68 points, and a file that it does without.
POINTS = {f"bfm68/{name}.txt": shape for name, shape in (("u_base", 1), ("w_shp_base", 40), ("w_exp_base", 10))}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving({}) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> Path:
    """A folder with the released files of the bundle `points`; the server has them as well."""
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
            r"w_exp_base\.txt is not the released file: expected \d+ bytes with sha256 [0-9a-f]{64}, got \d+ ",
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
    with pytest.raises(BundleError, match=r"expected a file with sha256 .* run face_expr fetch-models points again"):
        open_bundle("points")
    fetch_models("points", folder)
    assert open_bundle("points").sparse
    assert installed() == INSTALLED


def test_the_open_bundle_is_not_fetched(folder: Path) -> None:
    with pytest.raises(BundleError, match="bundle 'open' is part of this package"):
        fetch_models("open")


def test_a_folder_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(BundleError, match=r"--from: expected a folder with the model files, got .*nowhere"):
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
        (["nothing"], "expected one of the bundles points, open of weights/manifest.yaml, got 'nothing'"),
        (["open"], "is part of this package and need not be fetched"),
        (
            ["points", "--accept-bfm-licence", "--from", "nowhere"],
            "expected a folder with the model files, got nowhere",
        ),
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
    assert files == {"mb05.onnx", "param_mean_std.npz", "face_model.npz", "decimation.npz", "faceboxes.onnx", RECORD}
    opened = open_bundle("3ddfa_v2")
    assert opened.sparse
    assert opened.detector_path == tddfa_bundle / "faceboxes.onnx"
    assert opened.network is not None
    assert opened.network.mean.shape == (62,)
    with pytest.raises(BundleError, match=r"was installed without mb1\.onnx; it has decimation\.npz, "):
        open_bundle("3ddfa_v2", "mb1")
