"""TensorFlow Lite networks on LiteRT: the only file that imports its interpreter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.native_output import native_output_hidden
from face_expr_ros.models.network_runs import report_run


class LitertModel:
    """A network. It belongs to one thread and computes on the calling thread.

    Attributes:
        input_shape: shape of the first input, with the batch dimension.
    """

    def __init__(self, path: Path) -> None:
        """Load the file. Raises BundleError when it is missing or is not a network that LiteRT can run."""
        try:
            with native_output_hidden():
                self._interpreter = Interpreter(str(path), num_threads=1)
                self._interpreter.allocate_tensors()
        except (OSError, RuntimeError, ValueError) as error:
            raise BundleError(f"the network {str(path)!r} cannot be opened: {error}; restore the file") from error
        inputs = self._interpreter.get_input_details()
        self._inputs = [entry["index"] for entry in inputs]
        self._outputs = [entry["index"] for entry in self._interpreter.get_output_details()]
        self.input_shape: tuple[int, ...] = tuple(int(size) for size in inputs[0]["shape"])

    def __call__(self, *inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs for inputs of the network's shapes, both in the order of the file, as copies."""
        report_run(self, inputs)
        for index, values in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, values)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]
