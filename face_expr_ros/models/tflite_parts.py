"""Cuts a part out of a TensorFlow Lite network: the operators between some of its tensors, unchanged."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers

_IDENTIFIER = b"TFL3"


class TfliteNetwork:
    """A network as a tree of objects, from the bytes of its file."""

    def __init__(self, content: bytes) -> None:
        self._model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
        (self._graph,) = self._model.subgraphs
        self._tensors = {tensor.name.decode(): index for index, tensor in enumerate(self._graph.tensors)}

    def custom_options(self, operator: str) -> list[dict[str, Any]]:
        """The options of all custom operators of a name, in the order in which they run."""
        codes = [code.customCode for code in self._model.operatorCodes]
        return [
            flexbuffers.Loads(bytes(each.customOptions))
            for each in self._graph.operators
            if codes[each.opcodeIndex] == operator.encode()
        ]

    def part(self, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
        """A file with the operators that compute some tensors from others, in the same order and with their weights."""
        starts, ends = ([self._tensors[name] for name in names] for names in (inputs, outputs))
        operators = self._needed(starts, ends)
        tensors = sorted({index for each in operators for index in (*each.inputs, *each.outputs) if index >= 0})
        places = {-1: -1, **{index: place for place, index in enumerate(tensors)}}
        model, graph = schema.ModelT(), schema.SubGraphT()
        model.version, model.subgraphs = self._model.version, [graph]
        model.operatorCodes, model.buffers = self._model.operatorCodes, [self._model.buffers[0]]
        graph.tensors = [self._moved(self._graph.tensors[index], model.buffers) for index in tensors]
        graph.operators = [_renumbered(each, places) for each in operators]
        graph.inputs, graph.outputs = ([places[index] for index in indices] for indices in (starts, ends))
        builder = flatbuffers.Builder(0)
        builder.Finish(model.Pack(builder), _IDENTIFIER)
        return bytes(builder.Output())

    def _needed(self, inputs: Sequence[int], outputs: Sequence[int]) -> list[Any]:
        wanted, kept = set(outputs), []
        for operator in reversed(self._graph.operators):
            if wanted.intersection(operator.outputs):
                kept.append(operator)
                wanted |= set(operator.inputs) - set(inputs)
        return kept[::-1]

    def _moved(self, tensor: Any, buffers: list[Any]) -> Any:
        """The tensor with its weights appended to the buffers; the first buffer is that of tensors without any."""
        moved, buffer = copy.copy(tensor), self._model.buffers[tensor.buffer]
        moved.buffer = 0
        if buffer.data is not None and len(buffer.data):
            moved.buffer = len(buffers)
            buffers.append(buffer)
        return moved


def _renumbered(operator: Any, places: dict[int, int]) -> Any:
    moved = copy.copy(operator)
    moved.inputs = [places[index] for index in operator.inputs]
    moved.outputs = [places[index] for index in operator.outputs]
    return moved
