"""Opens networks that answer batches, on LiteRT or ONNX Runtime, by the type of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.settings import ConfigError

_ONNX = ".onnx"  # converted or fetched by the user, or to be run on a GPU; needs the package onnxruntime
_INSTALL = "ONNX Runtime is not installed: pip install onnxruntime, or onnxruntime-gpu for the provider cuda"
Shapes = Mapping[str, tuple[int | str | None, ...]]  # a string or None is a dimension of any size


class BatchNetwork(Protocol):
    """A loaded network, for use by one thread.

    Attributes:
        metadata: of the file.
    """

    metadata: dict[str, Any]

    def __call__(self, *batches: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs (n, ...) for batches (n, ...) of the network's shapes."""


def open_network(path: Path, input_names: Sequence[str], provider: str = "cpu", threads: int = 1) -> BatchNetwork:
    """Load a .onnx or .tflite file.

    Args:
        path: the file; a .tflite file runs on the CPU.
        input_names: all inputs, in the order of the arguments of a call.
        provider: cpu or cuda.
        threads: per layer.

    Raises:
        ConfigError: the provider is not available, or ONNX Runtime is needed and not installed.
        BundleError: the file is missing or damaged, or has other inputs.
    """
    if path.suffix == _ONNX:
        return _onnx().OnnxNetwork(path, input_names, provider, threads)
    if provider != "cpu":
        raise ConfigError(f"expected a .onnx file for the provider {provider}, got {path}")
    from face_expr_ros.models.litert_model import SampleNetwork

    return SampleNetwork(path, input_names, threads)


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
