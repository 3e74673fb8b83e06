"""Builds ONNX files node by node, and reads their layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

# The oldest versions with all operators used here, so that ONNX Runtime from 1.13 on can read the files.
OPSET = 17
IR_VERSION = 8
Shape = Sequence[int | str]  # a string is a dimension of any size


class Graph:
    """A network under construction, with float32 inputs: name -> shape. Methods that add a node return the name of its
    output."""

    def __init__(self, inputs: Mapping[str, Shape]) -> None:
        self._inputs = inputs
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._named: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add an ONNX operator."""
        output = f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, values: NDArray[Any]) -> str:
        """Add constant values; equal ones are stored once."""
        key = (values.dtype.str, values.shape, values.tobytes())
        if key not in self._named:
            self._named[key] = f"constant_{len(self._constants)}"
            self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), self._named[key]))
        return self._named[key]

    def convolution(self, x: str, weight: NDArray[Any], bias: NDArray[Any], *, stride: int = 1, groups: int = 1) -> str:
        """A convolution with (out, in / groups, k, k) weights, padded so that stride 1 keeps the size."""
        kernel = weight.shape[2]
        return self.node(
            "Conv", x, self.constant(weight), self.constant(bias),
            kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4, group=groups,
        )  # fmt: skip

    def save(
        self, path: Path, outputs: Mapping[str, tuple[str, Shape]], metadata: Mapping[str, str] | None = None
    ) -> None:
        """Check the network and write it.

        Args:
            outputs: name -> the node's output and its shape; float32.
            metadata: stored in the file.
        """
        for name, (tensor, _) in outputs.items():
            self._nodes.append(helper.make_node("Identity", [tensor], [name], name=name))
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self._nodes,
            path.stem,
            [value(name, TensorProto.FLOAT, shape) for name, shape in self._inputs.items()],
            [value(name, TensorProto.FLOAT, shape) for name, (_, shape) in outputs.items()],
            self._constants,
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="face_expr_ros")
        helper.set_model_props(model, dict(metadata or {}))
        onnx.checker.check_model(model, full_check=True)
        path.write_bytes(model.SerializeToString(deterministic=True))


def read_layers(path: Path) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Weight and bias of each convolution and matrix product of an ONNX file, in their order."""
    graph = onnx.load(path).graph
    values = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    nodes = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    return [(values[node.input[1]], values[node.input[2]]) for node in nodes]


@dataclass(frozen=True)
class Node:
    """An operator of an ONNX file with the names of its inputs and of its output."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


@dataclass(frozen=True)
class OnnxFile:
    """The content of an ONNX file for one sample.

    Attributes:
        nodes: in the order in which they run.
        constants: values by name.
        shapes: of every tensor, for a batch of one.
        inputs, outputs: names.
        metadata: of the file.
    """

    nodes: tuple[Node, ...]
    constants: dict[str, NDArray[Any]]
    shapes: dict[str, tuple[int, ...]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    metadata: dict[str, str]


def read_graph(path: Path) -> OnnxFile:
    """The operators of an ONNX file whose only dimension of any size is the first one, for a batch of one."""
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    nodes = tuple(
        Node(node.op_type, tuple(node.input), node.output[0],
             {each.name: helper.get_attribute_value(each) for each in node.attribute})
        for node in graph.node
    )  # fmt: skip
    return OnnxFile(
        nodes,
        {value.name: numpy_helper.to_array(value) for value in graph.initializer},
        {
            value.name: tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
            for value in (*graph.input, *graph.value_info, *graph.output)
        },
        tuple(value.name for value in graph.input),
        tuple(value.name for value in graph.output),
        {entry.key: entry.value for entry in model.metadata_props},
    )
