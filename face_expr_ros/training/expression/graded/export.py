"""Export of a trained fusion to ONNX, with batch normalization folded and the calibration included."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from face_expr_ros.models.onnx_graph import Graph
from face_expr_ros.perception.expression.alignment import FEATURES
from face_expr_ros.perception.expression.fused import INPUTS
from face_expr_ros.perception.expression.head import FEATURE_VERSION
from face_expr_ros.perception.expression.patches import PARTS, SIDE
from face_expr_ros.training.checkpoints_and_schedule import float32_array
from face_expr_ros.training.expression.graded.calibration import Curves
from face_expr_ros.training.expression.graded.linear import PORTRAIT, RENDERED, SHARE, LinearPart, shares_of
from face_expr_ros.training.expression.graded.loss import columns_of
from face_expr_ros.training.expression.graded.network import VIEW, WIDTH, FusionNetwork, PartNetwork
from face_expr_ros.training.expression.network import EYE_COUNT, MIN_CONTRAST_VARIANCE
from face_expr_ros.training.folding import fold_batch_norm, fold_batch_norm_linear

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
    columns = graph.node("MatMul", values, graph.constant(columns_of(names)))
    count = len(linear.constant) - 1
    moved = graph.node("Sub", _columns(graph, said, 0, count), columns)
    real = graph.node("Sub", _columns(graph, said, count, count + 1), graph.constant(np.array(RENDERED, np.float32)))
    share = _between_0_and_1(graph, graph.node("Div", real, graph.constant(np.array(PORTRAIT - RENDERED, np.float32))))
    shares = graph.constant((SHARE * shares_of(names)).astype(np.float32))
    return graph.node("Add", values, graph.node("Mul", share, graph.node("MatMul", moved, shares)))


def _values(graph: Graph, network: FusionNetwork) -> str:
    """Uncalibrated blendshapes, same as `FusionNetwork.forward`."""
    estimates = graph.node("Concat", "fit", "head", axis=1)
    seen = [_points(graph, network), *_patches(graph, network), _linear(graph, estimates, network.estimates)]
    mixed = _rectified(graph, _linear(graph, _rectified(graph, graph.node("Concat", *seen, axis=1)), network.mix))
    view = _columns(graph, "features", FEATURES - VIEW, FEATURES)
    told = _rectified(graph, _linear(graph, graph.node("Concat", mixed, view, estimates, axis=1), network.trunk))
    share = graph.node("Sigmoid", _linear(graph, told, network.gate))
    return graph.node("Add", _linear(graph, told, network.added), graph.node("Mul", share, "head"))


def _points(graph: Graph, network: FusionNetwork) -> str:
    centered = graph.node("Sub", "features", graph.constant(float32_array(network.mean)))
    weight, bias = fold_batch_norm_linear(network.points, network.even)
    whole = graph.constant(weight @ float32_array(network.basis).T)
    return graph.node("Gemm", centered, whole, graph.constant(bias), transB=1)


def _patches(graph: Graph, network: FusionNetwork) -> list[str]:
    eyes = graph.node("Reshape", _columns(graph, "patches", 0, EYE_COUNT), _integers(graph, -1, 1, SIDE, SIDE))
    seen = graph.node("Reshape", _part(graph, eyes, network.parts[0]), _integers(graph, -1, EYE_COUNT * WIDTH))
    others = [
        _part(graph, _columns(graph, "patches", place, place + 1), part)
        for place, part in enumerate(network.parts[1:], EYE_COUNT)
    ]
    return [seen, *others]


def _part(graph: Graph, gray: str, part: Any) -> str:
    """Features (n, WIDTH) of a part network."""
    assert isinstance(part, PartNetwork)
    one, zero = (graph.constant(np.full(1, value, np.float32)) for value in (1, 0))
    x = graph.node("InstanceNormalization", gray, one, zero, epsilon=MIN_CONTRAST_VARIANCE)
    *layers, _, last = part.layers
    for position, layer in enumerate(layers):
        if isinstance(layer, nn.Conv2d):
            weight, bias = fold_batch_norm(layer, layers[position + 1])
            x = graph.convolution(x, weight, bias, stride=layer.stride[0], groups=layer.groups)
        elif isinstance(layer, nn.ReLU):
            x = _rectified(graph, x)
    assert isinstance(last, nn.Linear)
    weight, bias = fold_batch_norm_linear(last, part.even)
    return graph.node("Gemm", graph.node("Flatten", x), graph.constant(weight), graph.constant(bias), transB=1)


def _calibrated(graph: Graph, values: str, curves: Curves) -> str:
    scaled = graph.node("Mul", values, graph.constant(curves.scale.astype(np.float32)))
    moved = graph.node("Add", scaled, graph.constant(curves.offset.astype(np.float32)))
    slope = curves.slope().astype(np.float32)
    bent = graph.node("Add", graph.node("Mul", values, graph.constant(slope)), graph.constant(1.0 - slope))
    return _between_0_and_1(graph, graph.node("Min", moved, bent))


def _between_0_and_1(graph: Graph, x: str) -> str:
    return graph.node("Clip", x, *(graph.constant(np.array(bound, np.float32)) for bound in (0.0, 1.0)))


def _linear(graph: Graph, x: str, layer: nn.Linear) -> str:
    return graph.node(
        "Gemm", x, graph.constant(float32_array(layer.weight)), graph.constant(float32_array(layer.bias)), transB=1
    )


def _rectified(graph: Graph, x: str) -> str:
    return graph.node("Relu", x)


def _columns(graph: Graph, x: str, begin: int, end: int) -> str:
    """x[:, begin:end]."""
    return graph.node("Slice", x, _integers(graph, begin), _integers(graph, end), _integers(graph, 1))


def _integers(graph: Graph, *values: int) -> str:
    return graph.constant(np.array(values, np.int64))
