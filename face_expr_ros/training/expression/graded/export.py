"""Export of a trained fusion to ONNX, with batch normalization folded and the calibration included."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from face_expr_ros.models.onnx_graph import Graph
from face_expr_ros.perception.expression.alignment import FEATURES
from face_expr_ros.perception.expression.fused import INPUTS
from face_expr_ros.perception.expression.head import FEATURE_VERSION
from face_expr_ros.perception.expression.patches import PARTS, SIDE
from face_expr_ros.training.expression.graded.calibration import TOE, Curves
from face_expr_ros.training.expression.graded.linear import PORTRAIT, RENDERED, SHARE, LinearPart, shares_of
from face_expr_ros.training.expression.graded.loss import columns_of
from face_expr_ros.training.expression.graded.network import VIEW, FusionNetwork
from face_expr_ros.training.expression.graph_layers import clip, columns, encoded_patches, encoded_points, linear_layer

NAME = "expression_fusion"


def write_fusion(
    networks: Sequence[FusionNetwork],
    linear: LinearPart,
    curves: Curves,
    names: tuple[str, ...],
    path: Path,
    metadata: dict[str, str],
) -> None:
    """Write the mean of the networks and the linear part as one ONNX file.

    Inputs: `fused.INPUTS`; output: calibrated blendshapes (n, E) in 0..1.
    """
    count = len(names)
    shapes: list[list[int | str]] = [
        ["n", FEATURES], ["n", len(PARTS), SIDE, SIDE], ["n", count], ["n", count], ["n", len(linear.state)]
    ]  # fmt: skip
    graph = Graph(dict(zip(INPUTS, shapes, strict=True)))
    values = [_values(graph, network) for network in networks]
    mean = graph.node("Mean", *values) if len(values) > 1 else values[0]
    mixed = _blended(graph, mean, linear, names)
    outputs: dict[str, tuple[str, list[int | str]]] = {"blendshapes": (_calibrated(graph, mixed, curves), ["n", count])}
    graph.save(path, outputs, {"feature_version": str(FEATURE_VERSION), "names": json.dumps(names)} | metadata)


def _blended(graph: Graph, values: str, linear: LinearPart, names: tuple[str, ...]) -> str:
    """Same as `linear.blended`."""
    estimates = graph.node("Concat", "features", "fit", "head", "state", axis=1)
    weights = np.concatenate([linear.features, linear.fit, linear.head, linear.state]).astype(np.float32)
    said = graph.node("Gemm", estimates, graph.constant(weights), graph.constant(linear.constant.astype(np.float32)))
    read = graph.node("MatMul", values, graph.constant(columns_of(names)))
    count = len(linear.constant) - 1
    moved = graph.node("Sub", columns(graph, said, 0, count), read)
    real = graph.node("Sub", columns(graph, said, count, count + 1), graph.constant(np.array(RENDERED, np.float32)))
    share = clip(graph, graph.node("Div", real, graph.constant(np.array(PORTRAIT - RENDERED, np.float32))), 1.0)
    shares = graph.constant((SHARE * shares_of(names)).astype(np.float32))
    return graph.node("Add", values, graph.node("Mul", share, graph.node("MatMul", moved, shares)))


def _values(graph: Graph, network: FusionNetwork) -> str:
    """Uncalibrated blendshapes, same as `FusionNetwork.forward`."""
    estimates = graph.node("Concat", "fit", "head", axis=1)
    points = encoded_points(graph, network.mean, network.basis, network.points, network.even)
    seen = [points, *encoded_patches(graph, network.parts), linear_layer(graph, estimates, network.estimates)]
    rectified = graph.node("Relu", graph.node("Concat", *seen, axis=1))
    mixed = graph.node("Relu", linear_layer(graph, rectified, network.mix))
    view = columns(graph, "features", FEATURES - VIEW, FEATURES)
    told = graph.node("Relu", linear_layer(graph, graph.node("Concat", mixed, view, estimates, axis=1), network.trunk))
    share = graph.node("Sigmoid", linear_layer(graph, told, network.gate))
    return graph.node("Add", linear_layer(graph, told, network.added), graph.node("Mul", share, "head"))


def _calibrated(graph: Graph, values: str, curves: Curves) -> str:
    scaled = graph.node("Mul", values, graph.constant(curves.scale.astype(np.float32)))
    moved = graph.node("Add", scaled, graph.constant(curves.offset.astype(np.float32)))
    straight = graph.node("Max", moved, graph.node("Mul", values, graph.constant(np.full(1, TOE, np.float32))))
    slope = curves.slope().astype(np.float32)
    bent = graph.node("Add", graph.node("Mul", values, graph.constant(slope)), graph.constant(1.0 - slope))
    return clip(graph, graph.node("Min", straight, bent), 1.0)
