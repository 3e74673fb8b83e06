"""Builds TensorFlow Lite files operator by operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

_IDENTIFIER = b"TFL3"
_TYPES = {np.dtype(np.float32): schema.TensorType.FLOAT32, np.dtype(np.int32): schema.TensorType.INT32}


class TfliteGraph:
    """A network under construction. Tensors are numbers; those that are computed are float32."""

    def __init__(self) -> None:
        self._model, self._graph = schema.ModelT(), schema.SubGraphT()
        self._model.version, self._model.subgraphs = 3, [self._graph]
        self._model.operatorCodes, self._model.buffers = [], [schema.BufferT()]  # the first: tensors without data
        self._graph.tensors, self._graph.operators = [], []
        self._codes: dict[int, int] = {}
        self._results: dict[tuple[Any, ...], int] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], int] = {}

    def shape(self, tensor: int) -> tuple[int, ...]:
        """The shape of a tensor."""
        return tuple(self._graph.tensors[tensor].shape)

    def input(self, name: str, shape: Sequence[int]) -> int:
        """Add an input, float32."""
        return self._tensor(name, shape, schema.TensorType.FLOAT32)

    def constant(self, values: NDArray[Any]) -> int:
        """Add constant values, float32 or int32; equal ones are stored once."""
        values = np.ascontiguousarray(values)
        key = (values.dtype.str, values.shape, values.tobytes())
        if key not in self._constants:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(key[2], np.uint8)
            self._model.buffers.append(buffer)
            number = self._tensor(f"constant_{len(self._constants)}", values.shape, _TYPES[values.dtype])
            self._graph.tensors[number].buffer = len(self._model.buffers) - 1
            self._constants[key] = number
        return self._constants[key]

    def operator(self, name: str, inputs: Sequence[int], shape: Sequence[int], **options: Any) -> int:
        """Add an operator; returns its result. One that exists already, with the same inputs, is used again.

        Args:
            name: of the schema's BuiltinOperator, such as CONV_2D.
            inputs: its tensors.
            shape: of the result.
            options: fields of the operator's options; `kind` is their class in the schema, without T.
        """
        key = (name, tuple(inputs), tuple(shape), repr(sorted(options.items())))
        if key in self._results and name != "PAD":  # XNNPACK computes a PAD with the convolution after it, if it is one
            return self._results[key]
        result = self._tensor(f"{name.lower()}_{len(self._graph.operators)}", shape, schema.TensorType.FLOAT32)
        self._results[key] = result
        operator = schema.OperatorT()
        operator.opcodeIndex = self._opcode(getattr(schema.BuiltinOperator, name))
        operator.inputs, operator.outputs = list(inputs), [result]
        if kind := options.pop("kind", ""):
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = getattr(schema, f"{kind}T")()
            for field, value in options.items():
                setattr(operator.builtinOptions, field, value)
        self._graph.operators.append(operator)
        return result

    def content(self, inputs: Sequence[int], outputs: Mapping[str, int], description: str) -> bytes:
        """The content of the file, with a description, which `litert_model` can read."""
        self._graph.inputs, self._graph.outputs = list(inputs), list(outputs.values())
        for name, tensor in outputs.items():
            self._graph.tensors[tensor].name = name
        self._model.description = description
        builder = flatbuffers.Builder(0)
        builder.Finish(self._model.Pack(builder), _IDENTIFIER)
        return bytes(builder.Output())

    def _tensor(self, name: str, shape: Sequence[int], kind: int) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, [int(size) for size in shape], kind, 0
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _opcode(self, builtin: int) -> int:
        if builtin not in self._codes:
            self._codes[builtin] = len(self._model.operatorCodes)
            code = schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), 1
            self._model.operatorCodes.append(code)
        return self._codes[builtin]


RELU = schema.ActivationFunctionType.RELU
NO_ACTIVATION = schema.ActivationFunctionType.NONE
SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
