"""Opens networks that answer batches, on LiteRT or ONNX Runtime, by the type of the file."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.settings import ConfigError

_ONNX = ".onnx"  # converted or fetched by the user, or to be run on a GPU; needs the package onnxruntime
_INSTALL = "ONNX Runtime is not installed: pip install onnxruntime, or onnxruntime-gpu for cuda and tensorrt"
_log = logging.getLogger(__name__)
Shapes = Mapping[str, tuple[int | str | None, ...]]  # a string or None is a dimension of any size


class BatchNetwork(Protocol):
    """A loaded network, for use by one thread.

    Attributes:
        metadata: of the file.
    """

    metadata: dict[str, Any]

    def __call__(self, *batches: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs (n, ...) for batches (n, ...) of the network's shapes."""


def open_network(
    path: Path,
    input_names: Sequence[str],
    provider: str = "cpu",
    threads: int = 1,
    onnx: Callable[[], Path] | None = None,
) -> BatchNetwork:
    """Load a .onnx or .tflite file.

    Args:
        path: the file; a .tflite file runs on the CPU.
        input_names: all inputs, in the order of the arguments of a call.
        provider: a value of the setting `provider`; one that is unavailable is replaced by the CPU, after a warning.
        threads: per layer.
        onnx: finds the same network as ONNX, for providers other than the CPU; None if ``path`` is ONNX.

    Raises:
        ConfigError: ONNX Runtime is needed and not installed.
        BundleError: the file is missing or damaged, or has other inputs.
    """
    chosen = _available(provider)
    source = path if chosen == "cpu" or onnx is None else onnx()
    if source.suffix == _ONNX:
        return _onnx().OnnxNetwork(source, input_names, chosen, threads)
    from face_expr_ros.models.litert_model import SampleNetwork

    return SampleNetwork(source, input_names, threads)


def _available(provider: str) -> str:
    """The provider, cpu if it is unavailable, or what "auto" selects."""
    if provider == "cpu":
        return provider
    if importlib.util.find_spec("onnxruntime") is not None:
        return str(_onnx().choose_provider(provider))
    if provider != "auto":
        _log.warning("provider %s is unavailable, the CPU is used instead: %s", provider, _INSTALL)
    return "cpu"


def input_and_output_shapes(path: Path) -> tuple[Shapes, Shapes]:
    """The shapes of a file's inputs and outputs by name.

    Raises:
        ConfigError: ONNX Runtime is needed and not installed.
        BundleError: the file cannot be read.
    """
    if path.suffix == _ONNX:
        return _onnx().input_and_output_shapes(path)
    from face_expr_ros.models.litert_model import sample_shapes

    return sample_shapes(path)


def _onnx() -> Any:
    """The module, imported only if a network needs ONNX Runtime."""
    try:
        from face_expr_ros.models import onnx_session
    except ModuleNotFoundError as error:
        raise ConfigError(_INSTALL) from error
    return onnx_session
