"""Networks run with the requested provider, or on the CPU after a warning."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from face_expr_ros.core import config
from face_expr_ros.models import onnx_session
from face_expr_ros.models.onnx_graph import Graph
from face_expr_ros.models.onnx_session import PROVIDERS, OnnxNetwork, choose_provider

CPU, CUDA, COREML, OPENVINO, TENSORRT = (PROVIDERS[key] for key in ("cpu", "cuda", "coreml", "openvino", "tensorrt"))


@pytest.fixture(autouse=True)
def warn_again() -> Iterator[None]:
    """A warning is logged once per process."""
    onnx_session._warn.cache_clear()
    yield
    onnx_session._warn.cache_clear()


def offer(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [*names])


@pytest.mark.parametrize(
    ("provider", "offered", "chosen"),
    [
        ("cpu", [CUDA, CPU], "cpu"),
        ("cuda", [TENSORRT, CUDA, CPU], "cuda"),
        ("tensorrt", [TENSORRT, CUDA, CPU], "tensorrt"),
        ("openvino", [OPENVINO, CPU], "openvino"),
        ("coreml", [COREML, CPU], "coreml"),
        ("auto", [CPU], "cpu"),
        ("auto", [TENSORRT, CUDA, CPU], "cuda"),
        ("auto", [COREML, "AzureExecutionProvider", CPU], "coreml"),
        ("auto", [OPENVINO, TENSORRT, CPU], "cpu"),
    ],
)
def test_an_available_provider_is_chosen(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, provider: str, offered: list[str], chosen: str
) -> None:
    offer(monkeypatch, *offered)
    assert choose_provider(provider) == chosen
    assert not caplog.records


@pytest.mark.parametrize(
    ("provider", "advice"),
    [("cuda", "onnxruntime-gpu"), ("tensorrt", "TensorRT"), ("openvino", "onnxruntime-openvino"), ("coreml", "macOS")],
)
def test_an_unavailable_provider_is_replaced_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, provider: str, advice: str
) -> None:
    offer(monkeypatch, CPU)
    assert [choose_provider(provider) for _ in range(3)] == ["cpu"] * 3
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"provider {provider} is unavailable, the CPU is used instead" in record.message
    assert advice in record.message


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A network that negates its input."""
    graph = Graph({"input": ["n", 3]})
    path = tmp_path / "net.onnx"
    graph.save(path, {"output": (graph.node("Neg", "input"), ["n", 3])})
    return path


def test_a_provider_that_does_not_start_is_replaced_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, network: Path
) -> None:
    opened = onnxruntime.InferenceSession
    requested = []

    def without_cuda(path: str, options: onnxruntime.SessionOptions, providers: list[str]) -> object:
        requested.append(providers)
        return opened(path, options, providers=[CPU])

    offer(monkeypatch, CUDA, CPU)
    monkeypatch.setattr(onnxruntime, "InferenceSession", without_cuda)
    (result,) = OnnxNetwork(network, ["input"], "cuda")(np.ones((2, 3), np.float32))
    assert np.array_equal(result, -np.ones((2, 3)))
    assert requested == [[CUDA, CPU]]
    assert "provider cuda cannot be started, the CPU is used instead" in caplog.text


@pytest.mark.parametrize(
    "provider", [key for key in PROVIDERS if PROVIDERS[key] in onnxruntime.get_available_providers()]
)
def test_every_available_provider_gives_the_same_result(network: Path, provider: str) -> None:
    (result,) = OnnxNetwork(network, ["input"], provider)(np.ones((2, 3), np.float32))
    assert np.allclose(result, -1.0)


def test_the_settings_offer_every_provider() -> None:
    assert set(config.PROVIDERS) == {"auto", *PROVIDERS}
