"""TensorFlow Lite networks on LiteRT: the only file that imports its interpreter."""

from __future__ import annotations

import ctypes
import json
import math
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
from face_expr_ros.models.network_runs import observed_run


class LitertModel:
    """A network. It belongs to one thread and computes on the calling thread.

    Attributes:
        inputs, outputs: their memory, with the batch dimension, in the order of the file; `run` reads and writes it.
    """

    def __init__(self, path: Path) -> None:
        """Load the file. Raises BundleError when it is missing or is not a network that LiteRT can run."""
        self._interpreter = _open(path, threads=1)
        self.inputs = [_memory(self._interpreter, entry) for entry in self._interpreter.get_input_details()]
        self.outputs = [_memory(self._interpreter, entry) for entry in self._interpreter.get_output_details()]

    def __call__(self, *inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs for inputs of the network's shapes, both in the order of the file, as copies."""
        _fill(self.inputs, inputs)
        self.run()
        return [output.copy() for output in self.outputs]

    def repeat(self, *inputs: NDArray[np.float32]) -> None:
        """Run without reading the outputs, see `network_runs.Network`."""
        _fill(self.inputs, inputs)
        self._interpreter.invoke()

    def run(self) -> None:
        """Run the network on what its inputs contain."""
        observed_run(self, self.inputs, self._interpreter.invoke)


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
        inputs = {entry["name"]: entry for entry in self._interpreter.get_input_details()}
        if sorted(inputs) != sorted(input_names):
            expected, actual = (", ".join(map(repr, names)) for names in (input_names, inputs))
            raise BundleError(f"{path}: expected the input {expected}, got {actual}")
        self._inputs = [_memory(self._interpreter, inputs[name]) for name in input_names]
        self._outputs = [_memory(self._interpreter, entry) for entry in self._interpreter.get_output_details()]
        self.metadata = _description(path)

    def __call__(self, *batches: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs (n, ...) for batches (n, ...) of the network's shapes, both in the order of the file."""
        samples = len(batches[0])
        if samples == 1:
            return self._run_one(batches)
        if any(len(batch) != samples for batch in batches):
            raise ValueError(f"expected batches of {samples} samples, got {[len(batch) for batch in batches]}")
        results = [np.empty((samples, *output.shape[1:]), np.float32) for output in self._outputs]
        for number in range(samples):
            one = self._run_one([batch[number : number + 1] for batch in batches])
            for result, output in zip(results, one, strict=True):
                result[number] = output[0]
        return results

    def repeat(self, *sample: NDArray[np.float32]) -> None:
        """Run on a batch of one sample without reading the outputs, see `network_runs.Network`."""
        _fill(self._inputs, sample)
        self._interpreter.invoke()

    def _run_one(self, sample: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        _fill(self._inputs, sample)
        observed_run(self, sample, self._interpreter.invoke)
        return [output.copy() for output in self._outputs]


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


def _memory(interpreter: Interpreter, tensor: dict[str, Any]) -> NDArray[np.float32]:
    """The memory of an input or output, which stays in its place as long as no tensor is resized.

    LiteRT counts its own arrays and refuses to run while there is one: they would have to be made anew for each run,
    which takes longer than copying what they contain.
    """
    if tensor["dtype"] is not np.float32:
        raise BundleError(f"the network's tensor {tensor['name']!r}: expected float32, got {tensor['dtype']}")
    shape = tuple(int(size) for size in tensor["shape"])
    address = interpreter.tensor(tensor["index"])().ctypes.data
    kind: Any = type("TensorMemory", (ctypes.Array,), {"_type_": ctypes.c_float, "_length_": math.prod(shape)})
    memory = kind.from_address(address)
    memory.interpreter = interpreter  # which owns the memory, and therefore must live as long as the array
    return np.frombuffer(memory, np.float32).reshape(shape)


def _fill(memories: Sequence[NDArray[np.float32]], inputs: Sequence[NDArray[np.float32]]) -> None:
    for index, (memory, values) in enumerate(zip(memories, inputs, strict=True)):
        if values.shape != memory.shape:
            raise ValueError(f"input {index}: expected the shape {memory.shape}, got {values.shape}")
        np.copyto(memory, values)


def _description(path: Path) -> dict[str, Any]:
    """The description of a TensorFlow Lite file as JSON; empty without one.

    Read without `ai_edge_litert.schema_py_generated`, whose import takes longer than loading the network.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        root = flatbuffers.encode.Get(flatbuffers.packer.uoffset, content, 0)
        table = flatbuffers.table.Table(content, root)
        offset = table.Offset(4 + 2 * 3)  # the fourth field of the schema's Model
        return dict(json.loads(table.String(offset + root))) if offset else {}
