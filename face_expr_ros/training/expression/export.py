"""Exports a trained head: an ONNX graph with batch normalization folded in, and its canonical face."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from face_expr_ros.models.bundle import open_face_model, sha256_of
from face_expr_ros.models.onnx_graph import Graph
from face_expr_ros.perception.expression.alignment import FEATURES
from face_expr_ros.perception.expression.head import FEATURE_VERSION, INPUTS
from face_expr_ros.perception.expression.patches import PARTS, SIDE
from face_expr_ros.training.checkpoints_and_schedule import float32_array
from face_expr_ros.training.expression.network import (
    EYE_COUNT,
    MAX_NEUTRAL,
    MIN_CONTRAST_VARIANCE,
    HeadNetwork,
    PartNetwork,
)
from face_expr_ros.training.expression.train import best_network
from face_expr_ros.training.folding import fold_batch_norm, fold_batch_norm_linear

NAME = "expression_head"


def export(run: Path, folder: Path) -> dict[str, Any]:
    """Write the best head of a training run to ``folder``.

    Returns:
        size and SHA-256 of each file, keyed by file name, for weights/manifest.yaml.
    """
    model = open_face_model("open")
    network, canonical = best_network(run, len(model.expression_names))
    onnx_path, arrays_path = folder / f"{NAME}.onnx", folder / f"{NAME}.npz"
    metadata = {"bundle": model.name, "bundle_sha256": model.sha256}
    write_network(network, model.expression_names, onnx_path, metadata)
    np.savez(arrays_path, canonical=canonical.astype(np.float32))
    return {path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in (onnx_path, arrays_path)}


def write_network(network: HeadNetwork, names: tuple[str, ...], path: Path, metadata: dict[str, str]) -> None:
    """Write a head as ONNX: inputs `head.INPUTS`, outputs ``blendshapes`` (n, E) in 0..1 and ``state`` (n, S)."""
    size = network.state_size
    shapes: list[list[int | str]] = [["n", FEATURES], ["n", len(PARTS), SIDE, SIDE], ["n", size], ["n", 1]]
    graph = Graph(dict(zip(INPUTS, shapes, strict=True)))
    state = _state(graph, network)
    absolute = _trunk(graph, network, state)
    offset = _clip(graph, _trunk(graph, network, "rest"), MAX_NEUTRAL)
    offset = graph.node("Mul", graph.node("Mul", "known", offset), graph.constant(neutral_mask(names)))
    one = graph.constant(np.ones(1, np.float32))
    values = graph.node("Div", graph.node("Sub", absolute, offset), graph.node("Sub", one, offset))
    outputs: dict[str, tuple[str, list[int | str]]] = {
        "blendshapes": (_clip(graph, values, 1.0), ["n", len(names)]),
        "state": (state, ["n", size]),
    }
    interface = {"feature_version": str(FEATURE_VERSION), "state_size": str(size), "names": json.dumps(names)}
    graph.save(path, outputs, interface | metadata)


def neutral_mask(names: tuple[str, ...]) -> NDArray[np.float32]:
    """(E,) 1 for blendshapes that are 0 in a neutral expression, 0 for gaze."""
    return np.array([not name.startswith("eyeLook") for name in names], np.float32)


def _trunk(graph: Graph, network: HeadNetwork, state: str) -> str:
    """Output (n, E) of the trunk for a state (n, S) and the graph's neutral input, before clipping."""
    difference = graph.node("Mul", "known", graph.node("Sub", state, "rest"))
    rest = graph.node("Mul", "known", "rest")
    view = _columns(graph, "features", FEATURES - 3, FEATURES)
    x = graph.node("Concat", state, rest, difference, "known", view, axis=1)
    for layer in network.trunk:
        x = _linear(graph, x, layer) if isinstance(layer, nn.Linear) else graph.node("Relu", x)
    return x


def _clip(graph: Graph, x: str, limit: float) -> str:
    """x clipped to 0..limit."""
    return graph.node("Clip", x, *(graph.constant(np.array(bound, np.float32)) for bound in (0.0, limit)))


def _state(graph: Graph, network: HeadNetwork) -> str:
    centered = graph.node("Sub", "features", graph.constant(float32_array(network.mean)))
    weight, bias = fold_batch_norm_linear(network.landmarks, network.even)
    projection = graph.constant(weight @ float32_array(network.basis).T)
    points = graph.node("Gemm", centered, projection, graph.constant(bias), transB=1)
    eyes = graph.node("Reshape", _columns(graph, "patches", 0, EYE_COUNT), _integers(graph, -1, 1, SIDE, SIDE))
    eye_features = _part(graph, eyes, network.parts[0])
    width = network.parts[0].width
    encoded = [points, graph.node("Reshape", eye_features, _integers(graph, -1, EYE_COUNT * width))]
    for column, part in enumerate(network.parts[1:], EYE_COUNT):
        encoded.append(_part(graph, _columns(graph, "patches", column, column + 1), part))
    return _linear(graph, graph.node("Relu", graph.node("Concat", *encoded, axis=1)), network.mix)


def _part(graph: Graph, gray: str, part: Any) -> str:
    """Features (n, width) of a part network."""
    assert isinstance(part, PartNetwork)
    one, zero = (graph.constant(np.full(1, value, np.float32)) for value in (1, 0))
    x = graph.node("InstanceNormalization", gray, one, zero, epsilon=MIN_CONTRAST_VARIANCE)
    *layers, _, last = part.layers
    for position, layer in enumerate(layers):
        if isinstance(layer, nn.Conv2d):
            weight, bias = fold_batch_norm(layer, layers[position + 1])
            x = graph.convolution(x, weight, bias, stride=layer.stride[0], groups=layer.groups)
        elif isinstance(layer, nn.ReLU):
            x = graph.node("Relu", x)
    weight, bias = fold_batch_norm_linear(last, part.even)
    return graph.node("Gemm", graph.node("Flatten", x), graph.constant(weight), graph.constant(bias), transB=1)


def _linear(graph: Graph, x: str, layer: Any) -> str:
    return graph.node(
        "Gemm", x, graph.constant(float32_array(layer.weight)), graph.constant(float32_array(layer.bias)), transB=1
    )


def _columns(graph: Graph, x: str, begin: int, end: int) -> str:
    """x[:, begin:end]."""
    return graph.node("Slice", x, _integers(graph, begin), _integers(graph, end), _integers(graph, 1))


def _integers(graph: Graph, *values: int) -> str:
    return graph.constant(np.array(values, np.int64))
