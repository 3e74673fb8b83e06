"""Exports a trained head: an ONNX graph with batch normalization folded in, and its canonical face."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from face_expr_ros.models.bundle import open_face_model, sha256_of
from face_expr_ros.models.onnx_graph import Graph
from face_expr_ros.models.onnx_to_tflite import write_converted
from face_expr_ros.perception.expression.alignment import FEATURES
from face_expr_ros.perception.expression.head import FEATURE_VERSION, INPUTS
from face_expr_ros.perception.expression.neutral import MAX_NEUTRAL, neutral_mask
from face_expr_ros.perception.expression.patches import PARTS, SIDE
from face_expr_ros.training.expression.graph_layers import clip, columns, encoded_patches, encoded_points, linear_layer
from face_expr_ros.training.expression.network import HeadNetwork
from face_expr_ros.training.expression.train import best_network

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
    paths = (onnx_path, write_converted(onnx_path), arrays_path)
    return {path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in paths}


def write_network(network: HeadNetwork, names: tuple[str, ...], path: Path, metadata: dict[str, str]) -> None:
    """Write a head as ONNX: inputs `head.INPUTS`, outputs ``blendshapes`` (n, E) in 0..1 and ``state`` (n, S)."""
    size = network.state_size
    shapes: list[list[int | str]] = [["n", FEATURES], ["n", len(PARTS), SIDE, SIDE], ["n", size], ["n", 1]]
    graph = Graph(dict(zip(INPUTS, shapes, strict=True)))
    state = _state(graph, network)
    absolute = _trunk(graph, network, state)
    offset = clip(graph, _trunk(graph, network, "rest"), MAX_NEUTRAL)
    offset = graph.node(
        "Mul", graph.node("Mul", "known", offset), graph.constant(neutral_mask(names).astype(np.float32))
    )
    one = graph.constant(np.ones(1, np.float32))
    values = graph.node("Div", graph.node("Sub", absolute, offset), graph.node("Sub", one, offset))
    outputs: dict[str, tuple[str, list[int | str]]] = {
        "blendshapes": (clip(graph, values, 1.0), ["n", len(names)]),
        "state": (state, ["n", size]),
    }
    interface = {"feature_version": str(FEATURE_VERSION), "state_size": str(size), "names": json.dumps(names)}
    graph.save(path, outputs, interface | metadata)


def _trunk(graph: Graph, network: HeadNetwork, state: str) -> str:
    """Output (n, E) of the trunk for a state (n, S) and the graph's neutral input, before clipping."""
    difference = graph.node("Mul", "known", graph.node("Sub", state, "rest"))
    rest = graph.node("Mul", "known", "rest")
    view = columns(graph, "features", FEATURES - 3, FEATURES)
    x = graph.node("Concat", state, rest, difference, "known", view, axis=1)
    for layer in network.trunk:
        x = linear_layer(graph, x, layer) if isinstance(layer, nn.Linear) else graph.node("Relu", x)
    return x


def _state(graph: Graph, network: HeadNetwork) -> str:
    points = encoded_points(graph, network.mean, network.basis, network.landmarks, network.even)
    encoded = graph.node("Concat", points, *encoded_patches(graph, network.parts), axis=1)
    return linear_layer(graph, graph.node("Relu", encoded), network.mix)
