"""Runs ONNX networks with onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.models.network_runs import report_run

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_ERRORS_ONLY = 3


class OnnxNetwork:
    """A loaded network, for use by one thread.

    Attributes:
        metadata: of the file.
    """

    def __init__(self, path: Path, input_names: Sequence[str], provider: str = "cpu", threads: int = 1) -> None:
        """Loads the file.

        Args:
            input_names: all inputs, in the order of the arguments of a call.
            provider: a key of PROVIDERS.
            threads: per layer; idle threads sleep rather than spin.

        Raises:
            ConfigError: the provider is not available.
            BundleError: the file is missing or damaged, or has other inputs.
        """
        self._session = _open(path, PROVIDERS[provider], threads)
        given = [entry.name for entry in self._session.get_inputs()]
        if sorted(given) != sorted(input_names):
            expected, actual = (", ".join(map(repr, names)) for names in (input_names, given))
            raise BundleError(f"{path}: expected the input {expected}, got {actual}")
        self._input_names = tuple(input_names)
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    def __call__(self, *batches: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The answers to batches of the network's shapes, in the order of its outputs."""
        report_run(self, batches)
        return self._session.run(None, dict(zip(self._input_names, batches, strict=True)))


Shape = tuple[int | str | None, ...]  # a string or None is a dimension of any size


def input_and_output_shapes(path: Path) -> tuple[dict[str, Shape], dict[str, Shape]]:
    """The shapes of a file's inputs and outputs by name. Raises BundleError if onnxruntime cannot read it."""
    session = _open(path, PROVIDERS["cpu"], threads=1)
    inputs, outputs = (
        {entry.name: tuple(entry.shape) for entry in entries}
        for entries in (session.get_inputs(), session.get_outputs())
    )
    return inputs, outputs


def _open(path: Path, provider: str, threads: int) -> onnxruntime.InferenceSession:
    _require_provider(provider, onnxruntime.get_available_providers())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
    except Exception as error:  # onnxruntime's errors have no common base class
        raise BundleError(f"the network {str(path)!r} cannot be opened: {error}; fetch it again") from error
    _require_provider(provider, session.get_providers())  # onnxruntime falls back to the CPU if CUDA fails
    return session


def _require_provider(provider: str, available: list[str]) -> None:
    if provider not in available:
        raise ConfigError(
            f"expected one of the providers {', '.join(available)} of onnxruntime {onnxruntime.__version__}, "
            f"got {provider}; set fitting.provider to cpu, or install onnxruntime-gpu instead, with its CUDA version"
        )
