"""Layers that the networks of this package share, as nodes of an ONNX graph; batch normalization is folded in."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from face_expr_ros.models.onnx_graph import Graph
from face_expr_ros.perception.expression.patches import SIDE
from face_expr_ros.training.checkpoints_and_schedule import float32_array
from face_expr_ros.training.expression.network import EYE_COUNT, MIN_CONTRAST_VARIANCE, PartNetwork
from face_expr_ros.training.folding import fold_batch_norm, fold_batch_norm_linear


def encoded_points(graph: Graph, mean: Any, basis: Any, layer: Any, norm: Any) -> str:
    """Features (n, K) of the graph's input ``features``: centered, projected to the basis, a linear layer."""
    centered = graph.node("Sub", "features", graph.constant(float32_array(mean)))
    weight, bias = fold_batch_norm_linear(layer, norm)
    return graph.node("Gemm", centered, graph.constant(weight @ float32_array(basis).T), graph.constant(bias), transB=1)


def encoded_patches(graph: Graph, parts: nn.ModuleList) -> list[str]:
    """Same as `network.encoded_patches`, of the graph's input ``patches``."""
    first = parts[0]
    assert isinstance(first, PartNetwork)
    eyes = graph.node("Reshape", columns(graph, "patches", 0, EYE_COUNT), integers(graph, -1, 1, SIDE, SIDE))
    both = graph.node("Reshape", part_features(graph, eyes, first), integers(graph, -1, EYE_COUNT * first.width))
    others = [
        part_features(graph, columns(graph, "patches", place, place + 1), part)
        for place, part in enumerate(parts[1:], EYE_COUNT)
    ]
    return [both, *others]


def part_features(graph: Graph, gray: str, part: Any) -> str:
    """Features (n, width) of a `network.PartNetwork` for patches (n, 1, SIDE, SIDE)."""
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


def linear_layer(graph: Graph, x: str, layer: Any) -> str:
    """A linear layer."""
    weight, bias = float32_array(layer.weight), float32_array(layer.bias)
    return graph.node("Gemm", x, graph.constant(weight), graph.constant(bias), transB=1)


def clip(graph: Graph, x: str, limit: float) -> str:
    """x clipped to 0..limit."""
    return graph.node("Clip", x, *(graph.constant(np.array(bound, np.float32)) for bound in (0.0, limit)))


def columns(graph: Graph, x: str, begin: int, end: int) -> str:
    """x[:, begin:end]."""
    return graph.node("Slice", x, integers(graph, begin), integers(graph, end), integers(graph, 1))


def integers(graph: Graph, *values: int) -> str:
    """A constant."""
    return graph.constant(np.array(values, np.int64))
