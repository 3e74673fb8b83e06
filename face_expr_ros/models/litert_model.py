"""TensorFlow Lite networks on LiteRT: the only file that imports its interpreter."""

from __future__ import annotations

import json
import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers.encode
import flatbuffers.packer
import flatbuffers.table
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.mapped_files import drop_mapped_pages
from face_expr_ros.core.native_output import native_output_hidden
from face_expr_ros.models.network_runs import report_run


class LitertModel:
    """A network. It belongs to one thread and computes on the calling thread.

    Attributes:
        input_shape: shape of the first input, with the batch dimension.
    """

    def __init__(self, path: Path) -> None:
        """Load the file. Raises BundleError when it is missing or is not a network that LiteRT can run."""
        self._interpreter = _open(path, threads=1)
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


class SampleNetwork:
    """A network whose file computes one sample, run on each sample of a batch. It belongs to one thread.

    Attributes:
        metadata: the description of the file, see `onnx_to_tflite`.
    """

    def __init__(self, path: Path, input_names: Sequence[str], threads: int = 1) -> None:
        """Load the file.

        Args:
            input_names: all inputs, in the order of the arguments of a call.
            threads: per layer.

        Raises:
            BundleError: the file is missing or damaged, or has other inputs.
        """
        self._interpreter = _open(path, threads)
        inputs = {entry["name"]: entry["index"] for entry in self._interpreter.get_input_details()}
        if sorted(inputs) != sorted(input_names):
            expected, actual = (", ".join(map(repr, names)) for names in (input_names, inputs))
            raise BundleError(f"{path}: expected the input {expected}, got {actual}")
        self._inputs = [inputs[name] for name in input_names]
        self._outputs = [(entry["index"], entry["shape"]) for entry in self._interpreter.get_output_details()]
        self.metadata = _description(path)

    def __call__(self, *batches: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs (n, ...) for batches (n, ...) of the network's shapes, both in the order of the file."""
        report_run(self, lambda: batches)
        return self._run(batches)

    def repeat(self, *batches: NDArray[np.float32]) -> None:
        """Run without an observer, see `network_runs.Network`."""
        self._run(batches)

    def _run(self, batches: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        results = [np.empty((len(batches[0]), *shape[1:]), np.float32) for _, shape in self._outputs]
        for number, sample in enumerate(zip(*batches, strict=True)):
            for index, values in zip(self._inputs, sample, strict=True):
                self._interpreter.set_tensor(index, values[None])
            self._interpreter.invoke()
            for (index, _), result in zip(self._outputs, results, strict=True):
                result[number] = self._interpreter.get_tensor(index)[0]
        return results


def sample_shapes(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """The shapes of a file's inputs and outputs by name. Raises BundleError if LiteRT cannot read it."""
    interpreter = _open(path, threads=1, ready=False)
    inputs, outputs = (
        {entry["name"]: tuple(int(size) for size in entry["shape"]) for entry in entries}
        for entries in (interpreter.get_input_details(), interpreter.get_output_details())
    )
    return inputs, outputs


def _open(path: Path, threads: int, *, ready: bool = True) -> Interpreter:
    """The interpreter of a file, whose weights are prepared for running if it is to be ``ready``."""
    try:
        with native_output_hidden():
            interpreter = Interpreter(str(path), num_threads=threads)
            if ready:
                interpreter.allocate_tensors()
                drop_mapped_pages(path)  # XNNPACK has copied nearly all weights
    except (OSError, RuntimeError, ValueError) as error:
        raise BundleError(f"the network {str(path)!r} cannot be opened: {error}; restore the file") from error
    return interpreter


def _description(path: Path) -> dict[str, Any]:
    """The description of a TensorFlow Lite file as JSON; empty without one.

    Read without `ai_edge_litert.schema_py_generated`, whose import takes longer than loading the network.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        root = flatbuffers.encode.Get(flatbuffers.packer.uoffset, content, 0)
        table = flatbuffers.table.Table(content, root)
        offset = table.Offset(4 + 2 * 3)  # the fourth field of the schema's Model
        return dict(json.loads(table.String(offset + root))) if offset else {}
