"""TensorFlow Lite networks on LiteRT: the only file that imports its interpreter."""

from __future__ import annotations

from collections.abc import Sequence
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
        outputs = self._interpreter.get_output_details()
        self._inputs = [self._interpreter.tensor(entry["index"]) for entry in inputs]
        self._outputs = [self._interpreter.tensor(entry["index"]) for entry in outputs]
        self.input_shape: tuple[int, ...] = tuple(int(size) for size in inputs[0]["shape"])

    def __call__(self, *inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs for inputs of the network's shapes, both in the order of the file, as copies."""
        self._fill(inputs)
        self.run()
        return [tensor().copy() for tensor in self._outputs]

    def repeat(self, *inputs: NDArray[np.float32]) -> None:
        """Run without reading the outputs, see `network_runs.Network`."""
        self._fill(inputs)
        self._interpreter.invoke()

    def input(self, index: int) -> NDArray[np.float32]:
        """The memory of an input, for `run`. Drop it before: LiteRT refuses to run while an array refers to it."""
        values: NDArray[np.float32] = self._inputs[index]()
        return values

    def run(self) -> None:
        """Run the network on what its inputs contain.

        Raises:
            RuntimeError: an array refers to an input or output.
        """
        report_run(self, lambda: [tensor() for tensor in self._inputs])
        self._interpreter.invoke()

    def output(self, index: int) -> NDArray[np.float32]:
        """The memory of an output, valid until the next run. Drop it before, see `input`."""
        values: NDArray[np.float32] = self._outputs[index]()
        return values

    def _fill(self, inputs: Sequence[NDArray[np.float32]]) -> None:
        for index, (tensor, values) in enumerate(zip(self._inputs, inputs, strict=True)):
            memory = tensor()
            if values.shape != memory.shape:
                raise ValueError(f"input {index}: expected the shape {memory.shape}, got {values.shape}")
            np.copyto(memory, values)
