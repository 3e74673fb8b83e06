"""Export of a trained fusion to ONNX, with batch normalization folded and the calibration included."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face_expr_ros.core.types import FloatArray
from face_expr_ros.models.onnx_graph import Graph
from face_expr_ros.perception.expression.alignment import FEATURES
from face_expr_ros.perception.expression.fused import INPUTS
from face_expr_ros.perception.expression.head import FEATURE_VERSION
from face_expr_ros.perception.expression.patches import PARTS, SIDE
from face_expr_ros.training.expression.graded.appearance import AppearancePart
from face_expr_ros.training.expression.graded.calibration import TOE, Curves
from face_expr_ros.training.expression.graded.grade_network import GradeNetwork, Scaling
from face_expr_ros.training.expression.graded.grins import JAW, grin_columns
from face_expr_ros.training.expression.graded.grins import SHARE as GRIN_SHARE
from face_expr_ros.training.expression.graded.linear import (
    APPEARANCE_SHARE,
    NETWORK_SHARE,
    PORTRAIT,
    RENDERED,
    SHARE,
    LinearPart,
    shares_of,
)
from face_expr_ros.training.expression.graded.loss import columns_of
from face_expr_ros.training.expression.graded.network import VIEW, FusionNetwork
from face_expr_ros.training.expression.graph_layers import clip, columns, encoded_patches, encoded_points, linear_layer

NAME = "expression_fusion"


@dataclass(frozen=True)
class Parts:
    """What is blended with the networks on patches."""

    linear: LinearPart
    appearance: AppearancePart
    scaling: Scaling
    grades: Sequence[GradeNetwork]


def write_fusion(
    networks: Sequence[FusionNetwork],
    parts: Parts,
    curves: Curves,
    names: tuple[str, ...],
    path: Path,
    metadata: dict[str, str],
) -> None:
    """Write the mean of the networks, blended with the other parts, as one ONNX file.

    Inputs: `fused.INPUTS`; output: calibrated blendshapes (n, E) in 0..1.
    """
    count = len(names)
    shapes: list[list[int | str]] = [
        ["n", FEATURES], ["n", len(PARTS), SIDE, SIDE], ["n", count], ["n", count], ["n", len(parts.linear.state)],
        ["n", len(parts.appearance.weights)], ["n", 1],
    ]  # fmt: skip
    graph = Graph(dict(zip(INPUTS, shapes, strict=True)))
    values = [_values(graph, network) for network in networks]
    mean = graph.node("Mean", *values) if len(values) > 1 else values[0]
    mixed = _without_grins(graph, _blended(graph, mean, parts, names), names)
    outputs: dict[str, tuple[str, list[int | str]]] = {"blendshapes": (_calibrated(graph, mixed, curves), ["n", count])}
    described = {
        "feature_version": str(FEATURE_VERSION),
        "names": json.dumps(names),
        "appearance": str(len(parts.appearance.weights)),
    }
    graph.save(path, outputs, described | metadata)


def _blended(graph: Graph, values: str, parts: Parts, names: tuple[str, ...]) -> str:
    """Same as `linear.blended`, with or without appearance according to the input ``known``."""
    read = graph.node("MatMul", values, graph.constant(columns_of(names)))
    estimates = graph.node("Concat", "features", "fit", "head", "state", axis=1)
    linear, count = parts.linear, len(parts.linear.constant) - 1
    weights = np.concatenate([linear.features, linear.fit, linear.head, linear.state])
    said = _gemm(graph, estimates, weights, linear.constant)
    told = graph.node("Sub", columns(graph, said, 0, count), read)
    unseen = _scaled(graph, told, SHARE)
    appearance = _gemm(graph, "appearance", parts.appearance.weights, parts.appearance.constant)
    seen = graph.node(
        "Add",
        _scaled(graph, graph.node("Sub", appearance, read), APPEARANCE_SHARE),
        _scaled(graph, graph.node("Sub", _graded(graph, parts), read), NETWORK_SHARE),
    )
    moved = graph.node("Add", unseen, graph.node("Mul", "known", graph.node("Sub", seen, unseen)))
    real = graph.node("Sub", columns(graph, said, count, count + 1), graph.constant(np.array(RENDERED, np.float32)))
    portrait = clip(graph, graph.node("Div", real, graph.constant(np.array(PORTRAIT - RENDERED, np.float32))), 1.0)
    shares = graph.constant(shares_of(names).astype(np.float32))
    return graph.node("Add", values, graph.node("Mul", portrait, graph.node("MatMul", moved, shares)))


def _graded(graph: Graph, parts: Parts) -> str:
    """The mean of the grade networks, as one network with the hidden features of all; same as `read_grades_of`."""
    scaling, networks = parts.scaling, parts.grades
    projected = _gemm(
        graph, columns(graph, "appearance", 0, len(scaling.projection)), scaling.projection, scaling.offset
    )
    points = graph.node("MatMul", "features", graph.constant(scaling.basis.astype(np.float32)))
    inputs = graph.node("Concat", projected, points, "fit", "head", "state", axis=1)
    mean = np.concatenate([np.zeros(len(scaling.offset)), scaling.mean])
    spread = np.concatenate([np.ones(len(scaling.offset)), scaling.spread])
    first = np.concatenate([network.first.weight.detach().numpy() for network in networks]).astype(np.float64) / spread
    bias = np.concatenate([network.first.bias.detach().numpy() for network in networks]) - first @ mean
    hidden = graph.node("Relu", _gemm(graph, inputs, first.T, bias))
    second = np.concatenate([network.second.weight.detach().numpy().T for network in networks]) / len(networks)
    return _gemm(graph, hidden, second, np.mean([network.second.bias.detach().numpy() for network in networks], axis=0))


def _gemm(graph: Graph, values: str, weights: FloatArray, bias: FloatArray) -> str:
    return graph.node(
        "Gemm",
        values,
        graph.constant(np.ascontiguousarray(weights, np.float32)),
        graph.constant(np.asarray(bias, np.float32)),
    )


def _scaled(graph: Graph, values: str, factor: float) -> str:
    return graph.node("Mul", values, graph.constant(np.array(factor, np.float32)))


def _without_grins(graph: Graph, values: str, names: tuple[str, ...]) -> str:
    """Same as `grins.without_grins`."""
    shown = clip(graph, graph.node("MatMul", values, graph.constant(grin_columns(names).astype(np.float32))), 1.0)
    grin = graph.node("Mul", columns(graph, shown, 0, 1), columns(graph, shown, 1, 2))
    share = np.zeros((1, len(names)), np.float32)
    share[0, names.index(JAW)] = GRIN_SHARE
    return graph.node("Sub", values, graph.node("MatMul", grin, graph.constant(share)))


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
