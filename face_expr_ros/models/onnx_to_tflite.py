"""Converts this package's ONNX networks to TensorFlow Lite, so that one runtime is enough to run everything.

    python -m face_expr_ros.models.onnx_to_tflite weights/tddfa_open_mb05.onnx ...

writes weights/tddfa_open_mb05.tflite, and the hashes of both in weights/manifest.yaml. A file computes one sample; the
weights are unchanged. Images are (height, width, channels) inside; inputs and outputs have the shapes of the ONNX file.
Supported are the operators and attributes that the networks of `models.networks` and `training` use.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.atomic_files import write_bytes
from face_expr_ros.core.face_model import BundleError
from face_expr_ros.models.bundle import write_hash
from face_expr_ros.models.onnx_graph import Node, OnnxFile, read_graph
from face_expr_ros.models.tflite_graph import NO_ACTIVATION, RELU, SAME, VALID, TfliteGraph

SOURCE = "onnx_sha256"  # in the metadata of a converted file
_BINARY = {
    "Add": ("ADD", "AddOptions"), "Sub": ("SUB", "SubOptions"), "Mul": ("MUL", "MulOptions"),
    "Div": ("DIV", "DivOptions"), "Max": ("MAXIMUM", "MaximumMinimumOptions"),
    "Min": ("MINIMUM", "MaximumMinimumOptions"),
}  # fmt: skip


def convert(path: Path) -> bytes:
    """The content of a TensorFlow Lite file that computes what an ONNX file does.

    Its description is JSON: the metadata of the ONNX file, and the sha256 of that file.

    Raises:
        BundleError: the file has an operator or attribute that is not supported.
    """
    description = {SOURCE: hashlib.sha256(path.read_bytes()).hexdigest()}
    source = read_graph(path)
    return _Conversion(source, path).content(json.dumps(source.metadata | description))


def write_converted(path: Path) -> Path:
    """Convert an ONNX file; the result is next to it. Raises BundleError as `convert` does."""
    target = path.with_suffix(".tflite")
    write_bytes(target, convert(path))
    return target


class _Conversion:
    """The tensors that exist so far: by ONNX name, as computed, and as (n, h, w, c) for those of four dimensions."""

    def __init__(self, source: OnnxFile, path: Path) -> None:
        self._source, self._path, self._graph = source, path, TfliteGraph()
        self._plain: dict[str, int] = {name: self._graph.input(name, source.shapes[name]) for name in source.inputs}
        self._inputs = list(self._plain.values())
        self._images: dict[str, int] = {}
        self._readers = Counter(name for node in source.nodes for name in node.inputs)
        self._relus = {node.inputs[0]: node.output for node in source.nodes if node.operator == "Relu"}

    def content(self, description: str) -> bytes:
        for node in self._source.nodes:
            if node.output not in self._images and node.output not in self._plain:  # a Relu is part of its convolution
                self._add(node)
        outputs = {name: self._tensor(name) for name in self._source.outputs}
        return self._graph.content(self._inputs, outputs, description)

    def _add(self, node: Node) -> None:
        if node.operator in _BINARY:
            self._binary(node)
            return
        method = getattr(self, f"_{node.operator.lower()}", None)
        if method is None:
            raise BundleError(f"{self._path}: the operator {node.operator} cannot be converted to TensorFlow Lite")
        method(node)

    # Tensors

    def _constant(self, name: str) -> NDArray[Any]:
        return self._source.constants[name]

    def _shape(self, name: str) -> tuple[int, ...]:
        constants = self._source.constants
        return tuple(constants[name].shape) if name in constants else self._source.shapes[name]

    def _tensor(self, name: str) -> int:
        """A tensor in ONNX's layout."""
        if name in self._source.constants:
            return self._graph.constant(self._constant(name).astype(np.float32))
        if name not in self._plain:
            self._plain[name] = self._permuted(self._images[name], self._shape(name), (0, 3, 1, 2))
        return self._plain[name]

    def _image(self, name: str) -> int:
        """A tensor of four dimensions as (n, h, w, c)."""
        if name not in self._images:
            n, c, h, w = self._shape(name)
            self._images[name] = self._permuted(self._plain[name], (n, h, w, c), (0, 2, 3, 1))
        return self._images[name]

    def _permuted(self, tensor: int, shape: Sequence[int], order: Sequence[int]) -> int:
        given = self._graph.shape(tensor)
        if [size for size in shape if size > 1] == [given[axis] for axis in range(4) if given[axis] > 1]:
            return self._reshaped(tensor, shape)  # the same order in memory
        axes = self._graph.constant(np.array(order, np.int32))
        return self._graph.operator("TRANSPOSE", [tensor, axes], shape, kind="TransposeOptions")

    def _reshaped(self, tensor: int, shape: Sequence[int]) -> int:
        sizes = self._graph.constant(np.array(shape, np.int32))
        return self._graph.operator("RESHAPE", [tensor, sizes], shape, kind="ReshapeOptions", newShape=list(shape))

    def _activation(self, node: Node) -> tuple[int, str]:
        """The activation that is computed together with a node, and the name of the result."""
        relu = self._relus.get(node.output, "")
        return (RELU, relu) if relu and self._readers[node.output] == 1 else (NO_ACTIVATION, node.output)

    # Operators

    def _conv(self, node: Node) -> None:
        weight, bias = self._constant(node.inputs[1]), self._constant(node.inputs[2])
        image, groups = self._image(node.inputs[0]), node.attributes.get("group", 1)
        (count, height, width, channels), stride = self._graph.shape(image), node.attributes.get("strides", [1, 1])
        pads, kernel = node.attributes.get("pads", [0] * 4), weight.shape[2]
        if groups not in (1, channels) or (groups > 1 and len(weight) != groups) or len({*pads}) > 1:
            raise BundleError(f"{self._path}: a convolution with groups {groups} and pads {pads} cannot be converted")
        padding = SAME if stride == [1, 1] and 2 * pads[0] == kernel - 1 else VALID
        if padding == VALID and pads[0]:
            amount = self._graph.constant(np.array([[0, 0], pads[:2], pads[:2], [0, 0]], np.int32))
            padded = (count, height + 2 * pads[0], width + 2 * pads[0], channels)
            image = self._graph.operator("PAD", [image, amount], padded, kind="PadOptions")
        activation, output = self._activation(node)
        n, c, h, w = self._shape(node.output)
        options = {"padding": padding, "strideH": stride[0], "strideW": stride[1]}
        options |= {"fusedActivationFunction": activation, "dilationHFactor": 1, "dilationWFactor": 1}
        name, order = ("CONV_2D", (0, 2, 3, 1)) if groups == 1 else ("DEPTHWISE_CONV_2D", (1, 2, 3, 0))
        kind = "Conv2DOptions" if groups == 1 else "DepthwiseConv2DOptions"
        options |= {} if groups == 1 else {"depthMultiplier": 1}
        weights = [self._graph.constant(weight.transpose(order)), self._graph.constant(bias)]
        self._images[output] = self._graph.operator(name, [image, *weights], (n, h, w, c), kind=kind, **options)

    def _gemm(self, node: Node) -> None:
        weight = self._constant(node.inputs[1])
        weight = weight if node.attributes.get("transB", 0) else weight.T
        self._dense(node, weight, self._constant(node.inputs[2]))

    def _matmul(self, node: Node) -> None:
        weight = self._constant(node.inputs[1]).T
        self._dense(node, weight, np.zeros(len(weight), np.float32))

    def _dense(self, node: Node, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        activation, output = self._activation(node)
        tensors = [self._tensor(node.inputs[0]), self._graph.constant(weight), self._graph.constant(bias)]
        self._plain[output] = self._graph.operator(
            "FULLY_CONNECTED", tensors, self._shape(node.output),
            kind="FullyConnectedOptions", fusedActivationFunction=activation, keepNumDims=False,
        )  # fmt: skip

    def _relu(self, node: Node) -> None:
        self._elementwise(node, "RELU")

    def _sigmoid(self, node: Node) -> None:
        self._elementwise(node, "LOGISTIC")

    def _elementwise(self, node: Node, name: str) -> None:
        given = self._images if node.inputs[0] in self._images else self._plain
        tensor = given[node.inputs[0]]
        given[node.output] = self._graph.operator(name, [tensor], self._graph.shape(tensor))

    def _binary(self, node: Node) -> None:
        name, kind = _BINARY[node.operator]
        images = [each for each in node.inputs if each in self._images]
        find = self._image if len(images) == len(node.inputs) else self._tensor
        tensors = [find(each) for each in node.inputs]
        shape = np.broadcast_shapes(*(self._graph.shape(each) for each in tensors))
        result = self._graph.operator(name, tensors, shape, kind=kind)
        (self._images if images and find == self._image else self._plain)[node.output] = result

    def _mean(self, node: Node) -> None:
        total, shape = self._tensor(node.inputs[0]), self._shape(node.output)
        for each in node.inputs[1:]:
            total = self._graph.operator("ADD", [total, self._tensor(each)], shape, kind="AddOptions")
        share = self._graph.constant(np.array([1 / len(node.inputs)], np.float32))
        self._plain[node.output] = self._graph.operator("MUL", [total, share], shape, kind="MulOptions")

    def _clip(self, node: Node) -> None:
        tensor, shape = self._tensor(node.inputs[0]), self._shape(node.output)
        for name, limit in zip(("MAXIMUM", "MINIMUM"), node.inputs[1:], strict=True):
            tensors = [tensor, self._graph.constant(self._constant(limit).reshape(1))]
            tensor = self._graph.operator(name, tensors, shape, kind="MaximumMinimumOptions")
        self._plain[node.output] = tensor

    def _slice(self, node: Node) -> None:
        starts, ends, axes = (self._constant(name) for name in node.inputs[1:4])
        if len(node.inputs) > 4 and (self._constant(node.inputs[4]) != 1).any():
            raise BundleError(f"{self._path}: a slice with steps cannot be converted")
        shape = self._shape(node.inputs[0])
        begin, size = np.zeros(len(shape), np.int32), np.array(shape, np.int32)
        for start, end, axis in zip(starts.tolist(), ends.tolist(), axes.tolist(), strict=True):
            low, high, _ = slice(start, end).indices(shape[axis])
            begin[axis], size[axis] = low, high - low
        tensors = [self._tensor(node.inputs[0]), self._graph.constant(begin), self._graph.constant(size)]
        self._plain[node.output] = self._graph.operator("SLICE", tensors, size.tolist(), kind="SliceOptions")

    def _concat(self, node: Node) -> None:
        tensors = [self._tensor(name) for name in node.inputs]
        axis = node.attributes["axis"]
        self._plain[node.output] = self._graph.operator(
            "CONCATENATION", tensors, self._shape(node.output),
            kind="ConcatenationOptions", axis=axis, fusedActivationFunction=NO_ACTIVATION,
        )  # fmt: skip

    def _reshape(self, node: Node) -> None:
        self._plain[node.output] = self._reshaped(self._tensor(node.inputs[0]), self._shape(node.output))

    _flatten = _reshape

    def _identity(self, node: Node) -> None:
        self._plain[node.output] = self._tensor(node.inputs[0])

    def _spacetodepth(self, node: Node) -> None:
        n, c, h, w = self._shape(node.output)
        self._images[node.output] = self._graph.operator(
            "SPACE_TO_DEPTH", [self._image(node.inputs[0])], (n, h, w, c),
            kind="SpaceToDepthOptions", blockSize=node.attributes["blocksize"],
        )  # fmt: skip

    def _globalaveragepool(self, node: Node) -> None:
        self._images[node.output] = self._average(self._image(node.inputs[0]))

    def _instancenormalization(self, node: Node) -> None:
        """(x - mean) / sqrt(variance + epsilon) over each channel, times a scale, plus an offset."""
        image = self._image(node.inputs[0])
        shape, binary = self._graph.shape(image), self._graph.operator
        centered = binary("SUB", [image, self._average(image)], shape, kind="SubOptions")
        variance = self._average(binary("MUL", [centered, centered], shape, kind="MulOptions"))
        small, epsilon = self._graph.shape(variance), np.array([node.attributes["epsilon"]], np.float32)
        shifted = binary("ADD", [variance, self._graph.constant(epsilon)], small, kind="AddOptions")
        factor = binary("RSQRT", [shifted], small)
        scale, offset = (self._constant(name) for name in node.inputs[1:])
        if (scale != 1).any():
            factor = binary("MUL", [factor, self._graph.constant(scale)], small, kind="MulOptions")
        result = binary("MUL", [centered, factor], shape, kind="MulOptions")
        if offset.any():
            result = binary("ADD", [result, self._graph.constant(offset)], shape, kind="AddOptions")
        self._images[node.output] = result

    def _average(self, image: int) -> int:
        n, _, _, c = self._graph.shape(image)
        axes = self._graph.constant(np.array([1, 2], np.int32))
        return self._graph.operator("MEAN", [image, axes], (n, 1, 1, c), kind="ReducerOptions", keepDims=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert the files that the arguments name."""
    try:
        for name in sys.argv[1:] if arguments is None else arguments:
            for path in (Path(name), write_converted(Path(name))):
                write_hash(path)
                print(path)
    except (BundleError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
