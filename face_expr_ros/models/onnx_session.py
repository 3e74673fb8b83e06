"""Runs ONNX networks with onnxruntime."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.models.network_runs import observed_run

# The setting `provider` -> ONNX Runtime's name.
PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
# In the order of preference. Not OpenVINO, which is slower on the CPU with these networks (docs/tuning.md), and not
# TensorRT, which compiles each network for minutes when it is loaded.
_AUTOMATIC = ("cuda", "coreml", "cpu")
_INSTALL = {
    "cuda": "pip install onnxruntime-gpu instead of onnxruntime, with its version of CUDA",
    "tensorrt": "pip install onnxruntime-gpu instead of onnxruntime, with its versions of CUDA and TensorRT",
    "openvino": "pip install onnxruntime-openvino instead of onnxruntime",
    "coreml": "it exists on macOS only",
}
_ERRORS_ONLY = 3
_log = logging.getLogger(__name__)


class OnnxNetwork:
    """A loaded network, for use by one thread.

    Attributes:
        metadata: of the file.
    """

    def __init__(self, path: Path, input_names: Sequence[str], provider: str = "cpu", threads: int = 1) -> None:
        """Loads the file.

        Args:
            input_names: all inputs, in the order of the arguments of a call.
            provider: a key of PROVIDERS, or "auto"; see `choose_provider`. What the provider does not support runs on
                the CPU.
            threads: per layer; idle threads sleep rather than spin.

        Raises:
            BundleError: the file is missing or damaged, or has other inputs.
        """
        self._session = _open(path, choose_provider(provider), threads)
        given = [entry.name for entry in self._session.get_inputs()]
        if sorted(given) != sorted(input_names):
            expected, actual = (", ".join(map(repr, names)) for names in (input_names, given))
            raise BundleError(f"{path}: expected the input {expected}, got {actual}")
        self._input_names = tuple(input_names)
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    def __call__(self, *batches: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The answers to batches of the network's shapes, in the order of its outputs."""
        inputs = dict(zip(self._input_names, batches, strict=True))
        found: list[NDArray[np.float32]] = observed_run(self, batches, lambda: self._session.run(None, inputs))
        return found

    def repeat(self, *batches: NDArray[np.float32]) -> None:
        """Run without reading the outputs, see `network_runs.Network`."""
        self._session.run(None, dict(zip(self._input_names, batches, strict=True)))


Shape = tuple[int | str | None, ...]  # a string or None is a dimension of any size


def input_and_output_shapes(path: Path) -> tuple[dict[str, Shape], dict[str, Shape]]:
    """The shapes of a file's inputs and outputs by name. Raises BundleError if onnxruntime cannot read it."""
    session = _open(path, "cpu", threads=1)
    inputs, outputs = (
        {entry.name: tuple(entry.shape) for entry in entries}
        for entries in (session.get_inputs(), session.get_outputs())
    )
    return inputs, outputs


def available_providers() -> list[str]:
    """The keys of `PROVIDERS` that the installed ONNX Runtime offers."""
    offered = onnxruntime.get_available_providers()
    return [key for key, name in PROVIDERS.items() if name in offered]


def choose_provider(provider: str) -> str:
    """A provider that is available.

    Args:
        provider: a key of PROVIDERS; or "auto": the first available one of cuda, coreml and cpu.

    Returns:
        A key of PROVIDERS; "cpu", after a warning, if the given one is unavailable.
    """
    available = available_providers()
    if provider == "auto":
        return next(key for key in _AUTOMATIC if key in available)
    if provider in available:
        return provider
    _warn(
        f"provider {provider} is unavailable, the CPU is used instead: ONNX Runtime {onnxruntime.__version__} has "
        f"{', '.join(available)}; {_INSTALL[provider]}"
    )
    return "cpu"


def _open(path: Path, provider: str, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    names = list(dict.fromkeys((PROVIDERS[provider], PROVIDERS["cpu"])))
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=names)
    except Exception as error:  # onnxruntime's errors have no common base class
        raise BundleError(f"the network {str(path)!r} cannot be opened: {error}; fetch it again") from error
    if PROVIDERS[provider] not in session.get_providers():  # its libraries cannot be loaded
        _warn(f"provider {provider} cannot be started, the CPU is used instead: {_INSTALL[provider]}")
    return session


@cache
def _warn(text: str) -> None:
    """Log a warning, once for all networks."""
    _log.warning(text)
