"""Networks on LiteRT, and how they are made."""

from __future__ import annotations

import gc
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from onnxruntime import InferenceSession
from support.paths import ROOT

import face_expr_ros.models
from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.models import batch_network, facemesh_files, onnx_session, onnx_to_tflite
from face_expr_ros.models.batch_network import open_network
from face_expr_ros.models.bundle import package_file, sha256_of
from face_expr_ros.models.litert_model import LitertModel, SampleNetwork
from face_expr_ros.models.network_runs import observed_runs, timed_runs
from face_expr_ros.models.onnx_graph import Graph
from face_expr_ros.models.onnx_session import OnnxNetwork
from face_expr_ros.perception.expression import head

NETWORKS = ("mesh", "parts", "short_range", "full_range")


def test_a_network_computes_its_outputs_as_copies(capfd: pytest.CaptureFixture[str]) -> None:
    network = LitertModel(package_file("facemesh", "short_range"))
    assert network.inputs[0].shape == (1, 128, 128, 3)
    offsets, logits = first = network(np.zeros(network.inputs[0].shape, np.float32))
    second = network(np.ones(network.inputs[0].shape, np.float32))
    assert (offsets.shape, logits.shape) == ((1, 896, 16), (1, 896, 1))
    assert not np.array_equal(first[0], second[0])
    assert capfd.readouterr().err == "", "LiteRT's log lines are not shown"


def test_a_network_runs_on_its_own_memory() -> None:
    network = LitertModel(package_file("facemesh", "short_range"))
    expected = network(np.ones(network.inputs[0].shape, np.float32))
    network(np.zeros(network.inputs[0].shape, np.float32))
    network.inputs[0][...] = 1.0
    network.run()
    np.testing.assert_array_equal(network.outputs[0], expected[0])
    held = network.outputs[1]
    network(np.zeros(network.inputs[0].shape, np.float32))
    assert held is network.outputs[1]
    assert not np.array_equal(held, expected[1]), "the memory has the outputs of the latest run"


def test_the_memory_of_a_network_outlives_it() -> None:
    network = LitertModel(package_file("facemesh", "short_range"))
    (expected, _), held = network(np.ones(network.inputs[0].shape, np.float32)), network.outputs[0]
    del network
    gc.collect()
    np.testing.assert_array_equal(held, expected)


def test_runs_are_observed_with_their_inputs_and_timed() -> None:
    network, seen = LitertModel(package_file("facemesh", "short_range")), []

    def observe(which: object, inputs: Sequence[np.ndarray], run: Callable[[], object]) -> object:
        seen.append((which, inputs[0].copy()))
        return run()

    image = np.full(network.inputs[0].shape, 0.5, np.float32)
    expected = network(image)
    with observed_runs(observe):
        found = network(image)
    np.testing.assert_array_equal(found[0], expected[0])
    assert [which for which, _ in seen] == [network]
    np.testing.assert_array_equal(seen[0][1], image)
    with timed_runs() as seconds:
        network(image)
        network(image)
    assert len(seconds) == 2
    assert min(seconds) > 0.0


@pytest.mark.parametrize("others", [1, 3])
def test_batches_of_different_sizes_are_rejected(others: int) -> None:
    network = SampleNetwork(package_file("expression_head", "network"), head.INPUTS)
    first, *rest = (np.zeros((2, *memory.shape[1:]), np.float32) for memory in network._inputs)
    with pytest.raises(ValueError, match="expected batches of 2 samples"):
        network(first, *(np.resize(batch, (others, *batch.shape[1:])) for batch in rest))


def test_an_input_of_another_shape_is_rejected() -> None:
    network = LitertModel(package_file("facemesh", "short_range"))
    with pytest.raises(ValueError, match=r"input 0: expected the shape \(1, 128, 128, 3\), got \(128, 128, 3\)"):
        network(np.zeros((128, 128, 3), np.float32))


@pytest.mark.parametrize("content", [None, b"", b"no network"])
def test_a_missing_or_damaged_network_is_a_bundle_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "network.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BundleError, match=r"network\.tflite.*cannot be opened"):
        LitertModel(path)


def test_the_networks_are_made_from_mediapipes_wheel(tmp_path: Path) -> None:
    """The installed package, packed again, stands for the wheel: it has the same files."""
    spec = find_spec("mediapipe")
    folder = Path((spec.submodule_search_locations or [""])[0]) if spec is not None else Path()
    networks = [*folder.glob("modules/face_detection/*.tflite"), *folder.glob("modules/face_landmark/*.tflite")]
    if not networks:
        pytest.skip("no mediapipe with networks inside is installed")
    with zipfile.ZipFile(tmp_path / "mediapipe.whl", "w") as wheel:
        for path in networks:
            wheel.write(path, path.relative_to(folder.parent))
    facemesh_files.make_files(tmp_path / "mediapipe.whl", tmp_path / "made")
    for name in NETWORKS:
        shipped = package_file("facemesh", name)
        assert sha256_of(tmp_path / "made" / shipped.name) == sha256_of(shipped)
    shipped = package_file("facemesh", "points")  # its compressed bytes depend on the zlib of Python
    with np.load(shipped) as expected, np.load(tmp_path / "made" / shipped.name) as made:
        assert made.keys() == expected.keys()
        for name in expected:
            np.testing.assert_array_equal(made[name], expected[name])


def test_another_zip_file_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as wheel:
        wheel.writestr("readme", "")
    with pytest.raises(BundleError, match="expected a wheel of mediapipe"):
        facemesh_files.make_files(tmp_path / "other.whl", tmp_path / "made")
    assert facemesh_files.main([str(tmp_path / "none.whl")]) == 1


def sample_inputs(network: InferenceSession, count: int) -> list[np.ndarray]:
    """Inputs in the ranges of real ones: landmarks around zero, gray patches, crops, estimates in 0..1."""
    random = np.random.default_rng(5)
    scales = {"features": (-0.3, 0.3), "patches": (0, 255), "input": (-1, 1), "rest": (-1, 1), "state": (-1, 1)}
    return [
        random.uniform(*scales.get(each.name, (0, 1)), (count, *each.shape[1:])).astype(np.float32)
        for each in network.get_inputs()
    ]


CONVERTED = ("expression_head", "expression_fusion", "tddfa_open_mb05")


@pytest.mark.parametrize("name", CONVERTED)
def test_converted_networks_answer_as_the_onnx_files_do(name: str) -> None:
    source = InferenceSession(ROOT / f"weights/{name}.onnx", providers=["CPUExecutionProvider"])
    names, batches = [each.name for each in source.get_inputs()], sample_inputs(source, 4)
    expected = source.run(None, dict(zip(names, batches, strict=True)))
    found = SampleNetwork(ROOT / f"weights/{name}.tflite", names)(*batches)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("name", CONVERTED)
def test_the_converted_files_are_those_of_the_shipped_onnx_files(name: str) -> None:
    advice = f"run python -m face_expr_ros.models.onnx_to_tflite weights/{name}.onnx"
    source, converted = ROOT / f"weights/{name}.onnx", ROOT / f"weights/{name}.tflite"
    assert onnx_to_tflite.convert(source) == converted.read_bytes(), advice


def test_metadata_is_kept() -> None:
    network = SampleNetwork(package_file("expression_head", "network"), head.INPUTS)
    expected = OnnxNetwork(package_file("expression_head", "onnx"), head.INPUTS).metadata
    assert network.metadata.pop(onnx_to_tflite.SOURCE) == sha256_of(package_file("expression_head", "onnx"))
    assert network.metadata == expected


def test_every_operator_of_fetched_mobilenets_is_converted(tmp_path: Path) -> None:
    graph = Graph({"input": ["n", 3, 8, 8]})
    random = np.random.default_rng(0)
    x = graph.node("Relu", graph.convolution("input", float32(random, 4, 3, 3, 3), float32(random, 4), stride=2))
    x = graph.node("Relu", graph.convolution(x, float32(random, 4, 1, 3, 3), float32(random, 4), groups=4))
    pooled = graph.node("Flatten", graph.node("GlobalAveragePool", x))
    x = graph.node("Gemm", pooled, graph.constant(float32(random, 5, 4)), graph.constant(float32(random, 5)), transB=1)
    graph.save(tmp_path / "net.onnx", {"output": (x, ["n", 5])})
    batch = float32(random, 3, 3, 8, 8)
    expected = OnnxNetwork(tmp_path / "net.onnx", ["input"])(batch)[0]
    found = open_network(onnx_to_tflite.write_converted(tmp_path / "net.onnx"), ["input"])(batch)[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def float32(random: np.random.Generator, *shape: int) -> np.ndarray:
    return random.normal(size=shape).astype(np.float32)


def test_an_operator_that_cannot_be_converted_is_named(tmp_path: Path) -> None:
    graph = Graph({"input": ["n", 4]})
    graph.save(tmp_path / "net.onnx", {"output": (graph.node("Erf", "input"), ["n", 4])})
    with pytest.raises(BundleError, match=r"net\.onnx: the operator Erf cannot be converted"):
        onnx_to_tflite.convert(tmp_path / "net.onnx")
    assert onnx_to_tflite.main([str(tmp_path / "net.onnx")]) == 1


def test_a_network_with_other_inputs_is_refused() -> None:
    with pytest.raises(BundleError, match=r"tddfa_open_mb05\.tflite: expected the input 'image', got 'input'"):
        open_network(ROOT / "weights/tddfa_open_mb05.tflite", ["image"])


@pytest.mark.parametrize(("chosen", "runtime"), [("cuda", "onnx"), ("cpu", "tflite")])
def test_only_a_provider_other_than_the_cpu_runs_the_onnx_file(
    monkeypatch: pytest.MonkeyPatch, chosen: str, runtime: str
) -> None:
    """ONNX Runtime has no provider but the CPU in the tests."""
    opened: list[Path] = []
    monkeypatch.setattr(onnx_session, "choose_provider", lambda provider: chosen)
    monkeypatch.setattr(onnx_session, "OnnxNetwork", lambda path, *arguments: opened.append(path))
    path = ROOT / "weights/tddfa_open_mb05.tflite"
    open_network(path, ["input"], "cuda", onnx=lambda: path.with_suffix(".onnx"))
    assert bool(opened) == (runtime == "onnx")


@pytest.mark.parametrize(("provider", "warnings"), [("cuda", 1), ("auto", 0)])
def test_without_onnx_runtime_a_provider_is_replaced_by_the_cpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, provider: str, warnings: int
) -> None:
    monkeypatch.setattr(batch_network.importlib.util, "find_spec", lambda name: None)
    network = open_network(
        ROOT / "weights/tddfa_open_mb05.tflite", ["input"], provider, onnx=lambda: Path("absent.onnx")
    )
    assert isinstance(network, SampleNetwork)
    assert len(caplog.records) == warnings


def test_without_onnx_runtime_an_onnx_file_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "face_expr_ros.models.onnx_session", raising=False)
    monkeypatch.delattr(face_expr_ros.models, "onnx_session", raising=False)
    with pytest.raises(ConfigError, match="pip install onnxruntime"):
        open_network(ROOT / "weights/tddfa_open_mb05.onnx", ["input"])


def test_the_pipeline_runs_without_scipy_and_onnx_runtime() -> None:
    """What is not needed is not imported, so that it need not be installed."""
    code = """
import sys, cv2
sys.modules |= {"scipy": None, "onnxruntime": None, "onnx": None}
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.types import Frame
from face_expr_ros.perception.pipeline import Pipeline
image = cv2.imread("docs/pictures/demo.jpg")
faces = Pipeline(PerceptionConfig())(Frame(image, 0, "camera", default_camera(image.shape[1], image.shape[0], 60.0)))
assert len(faces) == 2, faces
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
