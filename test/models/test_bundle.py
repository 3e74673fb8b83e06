"""Opening bundles: hashes, and consistency of network and face model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from face_expr_ros.core.face_model import BundleError, write_arrays
from face_expr_ros.core.resources import resource_path
from face_expr_ros.models import bundle
from face_expr_ros.models.bundle import RECORD, bundle_folder, open_bundle, sha256_of
from face_expr_ros.models.onnx_graph import Graph

Entry = dict[str, Any]
WIDTH = 12 + 40 + 52


def write_network(path: Path, *, name: str = "input", output: str = "output", size: int = 120, width: int) -> None:
    """A network whose every output is the sum of the means of the channels."""
    graph = Graph({name: ["n", 3, size, size]})
    mean = graph.node("Flatten", graph.node("GlobalAveragePool", name))
    answer = graph.node("Gemm", mean, graph.constant(np.ones((3, width), np.float32)))
    graph.save(path, {output: (answer, ["n", width])})


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """A bundle of the open face model with a network; a test changes it before it is opened."""
    write_network(tmp_path / "net.onnx", width=WIDTH)
    write_arrays(tmp_path / "mean_std.npz", {"mean": np.zeros(WIDTH), "std": np.ones(WIDTH)})
    network = {
        **{"file": str(tmp_path / "net.onnx"), "mean_std": {"file": str(tmp_path / "mean_std.npz")}},
        **{"input": "input", "output": "output", "input_size": 120, "model_unit": 1.0},
        **{"shape_count": 40, "expression_count": 52},
    }
    result = {"face_model": bundle.manifest()["open"]["face_model"], "networks": {"net": network}}
    monkeypatch.setattr(bundle, "manifest", lambda: {"mine": result})
    return result


def open_it(entry: Entry, name: str = "") -> bundle.Bundle:
    """The bundle, with the hashes of the present files."""
    network = entry["networks"]["net"]
    for file in (network, network["mean_std"]):
        file["sha256"] = sha256_of(resource_path(file["file"]))
    return open_bundle("mine", name)


def test_the_open_bundle_opens_without_fetched_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACE_EXPR_HOME", str(tmp_path))
    opened = open_bundle("open")
    assert opened.name == "open"
    assert not opened.sparse
    assert opened.model.name == "open"
    assert opened.detector_path is None


@pytest.mark.parametrize("extra", [0, 1])
def test_a_network_is_opened_with_and_without_a_face_logit(entry: Entry, tmp_path: Path, extra: int) -> None:
    write_network(tmp_path / "net.onnx", width=WIDTH + extra)
    network = open_it(entry).network
    assert network is not None
    assert (network.path, network.sha256) == (tmp_path / "net.onnx", sha256_of(tmp_path / "net.onnx"))
    assert network.mean.shape == network.std.shape == (WIDTH,)
    np.testing.assert_array_equal(network.origin, np.zeros(3))


def test_the_origin_of_a_network_is_read_if_the_file_has_one(entry: Entry, tmp_path: Path) -> None:
    origin = np.array([0.0, 0.026, 0.111])
    write_arrays(tmp_path / "mean_std.npz", {"mean": np.zeros(WIDTH), "std": np.ones(WIDTH), "origin": origin})
    network = open_it(entry).network
    assert network is not None
    np.testing.assert_array_equal(network.origin, origin)


def network_of(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: write_network(folder / "net.onnx", **{"width": WIDTH, **changes})


def mean_std_of(**arrays: Any) -> Callable[[Path], None]:
    return lambda folder: write_arrays(folder / "mean_std.npz", arrays)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (
            network_of(width=62),
            r"the output 'output' of shape \(n, 104\) or \(n, 105\), got \{'output': \('n', 62\)\}",
        ),
        (network_of(width=WIDTH + 2), r"expected the output .*, got .*106"),
        (network_of(output="params"), r"expected the output 'output' of shape .*, got \{'params': "),
        (network_of(name="data"), r"expected the input 'input' of shape \(n, 3, 120, 120\), got \{'data': "),
        (network_of(size=112), r"expected the input .* \(n, 3, 120, 120\), got .*112, 112"),
        (lambda folder: (folder / "net.onnx").write_bytes(b"no network"), r"net\.onnx' cannot be opened"),
        (mean_std_of(mean=np.zeros(WIDTH)), r"mean_std\.npz lacks std"),
        (mean_std_of(mean=np.zeros(62), std=np.ones(62)), r"of shapes \(104,\), \(104,\) and \(3,\), got \(\(62,\), "),
        (mean_std_of(mean=np.zeros(WIDTH), std=np.zeros(WIDTH) * np.nan), r"mean_std\.npz: expected finite numbers in"),
    ],
)
def test_an_inconsistent_network_is_rejected_with_its_shapes(
    entry: Entry, tmp_path: Path, harm: Callable[[Path], None], words: str
) -> None:
    harm(tmp_path)
    with pytest.raises(BundleError, match=words):
        open_it(entry)


def test_a_network_of_another_face_model_is_rejected(entry: Entry) -> None:
    entry["networks"]["net"]["expression_count"] = 10
    with pytest.raises(
        BundleError, match=r"expected 40 shape and 52 expression coefficients, .* 'open', got 40 and 10"
    ):
        open_it(entry)


@pytest.mark.parametrize("file", ["net.onnx", "mean_std.npz"])
def test_a_file_that_is_missing_or_has_a_wrong_hash_is_rejected(entry: Entry, tmp_path: Path, file: str) -> None:
    open_it(entry)
    (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:-1])
    with pytest.raises(BundleError, match=rf"{file} of bundle 'mine': expected a file with sha256"):
        open_bundle("mine")
    (tmp_path / file).unlink()
    with pytest.raises((BundleError, FileNotFoundError), match=file):
        open_bundle("mine")


def test_an_unknown_network_is_rejected_with_the_known_ones(entry: Entry) -> None:
    with pytest.raises(BundleError, match="bundle 'mine': expected one of the networks net, got 'mb1'"):
        open_it(entry, "mb1")


def test_an_unknown_bundle_is_rejected_with_the_known_ones() -> None:
    with pytest.raises(
        BundleError, match=r"expected one of the bundles open, 3ddfa_v2 of weights/manifest\.yaml, got 'basel'"
    ):
        open_bundle("basel")


# Installed bundles


@pytest.mark.parametrize(
    ("home", "data", "expected"),
    [("/home", "/data", "/home"), ("", "/data", "/data/face_expr_ros"), ("", "", "/user/.local/share/face_expr_ros")],
)
def test_the_environment_selects_the_folder_of_bundles(
    monkeypatch: pytest.MonkeyPatch, home: str, data: str, expected: str
) -> None:
    for name, value in (("FACE_EXPR_HOME", home), ("XDG_DATA_HOME", data), ("HOME", "/user")):
        monkeypatch.setenv(name, value)
    assert bundle_folder("3ddfa_v2") == Path(expected) / "bundles/3ddfa_v2"


def test_the_error_for_a_missing_bundle_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACE_EXPR_HOME", str(tmp_path))
    with pytest.raises(BundleError, match=r"not installed in .*/bundles/3ddfa_v2: run face_expr fetch-models 3ddfa_v2"):
        open_bundle("3ddfa_v2")


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("", "is damaged"),
        ("[]", "is damaged"),
        ('{"sources": {}}', "is damaged .'files'"),
        ('{"sources": {}, "files": {}}', "was installed without face_model.npz; it has nothing"),
        ('{"sources": {"tri.pkl": "00"}, "files": {}}', "got another tri.pkl"),
    ],
)
def test_an_invalid_record_is_rejected(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, record: str, words: str
) -> None:
    monkeypatch.setenv("FACE_EXPR_HOME", str(tmp_path))
    bundle_folder("3ddfa_v2").mkdir(parents=True)
    (bundle_folder("3ddfa_v2") / RECORD).write_text(record)
    with pytest.raises(BundleError, match=f"{words}.*run face_expr fetch-models 3ddfa_v2 again"):
        open_bundle("3ddfa_v2")


@pytest.mark.parametrize(
    "file", ["mb05.onnx", "param_mean_std.npz", "face_model.npz", "decimation.npz", "faceboxes.onnx"]
)
def test_a_changed_or_deleted_file_is_named_in_the_error(
    tddfa_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.setenv("FACE_EXPR_HOME", str(tmp_path))
    copy = bundle_folder("3ddfa_v2")
    copy.mkdir(parents=True)
    for path in tddfa_bundle.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    assert open_bundle("3ddfa_v2").sparse
    (copy / file).write_bytes(b"x" + (copy / file).read_bytes()[1:])
    with pytest.raises(
        BundleError, match=rf"{file} of bundle .*: expected a file .* run face_expr fetch-models 3ddfa_v2 again"
    ):
        open_bundle("3ddfa_v2")
    (copy / file).unlink()
    with pytest.raises(BundleError, match=rf"{file} of bundle '3ddfa_v2' cannot be read: No such file"):
        open_bundle("3ddfa_v2")


def test_the_record_has_the_hashes_of_sources_and_results(tddfa_bundle: Path) -> None:
    record = json.loads((tddfa_bundle / RECORD).read_text())
    assert record["sources"]["mb05_120x120.pth"].startswith("f93ed7f1")
    made = {name: sha256_of(tddfa_bundle / name) for name in record["files"]}
    assert made == {name: file["sha256"] for name, file in record["files"].items()}
