"""Exports a trained network: an ONNX graph with batch normalization folded in, and its output mean and deviation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from face_expr_ros.models.bundle import sha256_of
from face_expr_ros.models.onnx_graph import Graph
from face_expr_ros.models.onnx_to_tflite import write_converted
from face_expr_ros.training.checkpoints_and_schedule import float32_array
from face_expr_ros.training.folding import fold_batch_norm
from face_expr_ros.training.tddfa.network import INPUT_SIZE, GlobalDepthwiseConvolution, SeparableBlock
from face_expr_ros.training.tddfa.train import averaged_network

NAME = "tddfa_open_mb05"


def export(run: Path, folder: Path) -> dict[str, Any]:
    """Write the network of a training run to ``folder``.

    Returns:
        size and SHA-256 of each file, keyed by file name, for weights/manifest.yaml.
    """
    trained = averaged_network(run)
    onnx_path, arrays_path = folder / f"{NAME}.onnx", folder / f"{NAME}.npz"
    write_network(trained.network, onnx_path, trained.side)
    np.savez(arrays_path, mean=trained.mean, std=trained.std, side=trained.side)
    paths = (onnx_path, write_converted(onnx_path), arrays_path)
    return {path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in paths}


def write_network(network: nn.Sequential, path: Path, side: int = INPUT_SIZE) -> None:
    """Write a network of `build_network`: input `input` (n, 3, side, side), output `output` (n, outputs)."""
    graph = Graph({"input": ["n", 3, side, side]})
    unshuffle, stem, stem_norm, _, *blocks, pooling, pooling_norm, _, last = network
    assert isinstance(unshuffle, nn.PixelUnshuffle)
    assert isinstance(pooling, GlobalDepthwiseConvolution)
    x = graph.node("SpaceToDepth", "input", blocksize=unshuffle.downscale_factor)
    weight, bias = fold_batch_norm(stem, stem_norm)
    x = graph.convolution(x, _reorder_for_onnx(weight, unshuffle.downscale_factor), bias, stride=2)
    x = graph.node("Relu", x)
    for block in blocks:
        x = _block(graph, x, block)
    weight, bias = fold_batch_norm(pooling.layer, pooling_norm)
    x = graph.node("Conv", x, graph.constant(weight), graph.constant(bias), group=len(weight))
    x = graph.node("Flatten", x)
    x = graph.node(
        "Gemm", x, graph.constant(float32_array(last.weight)), graph.constant(float32_array(last.bias)), transB=1
    )
    graph.save(path, {"output": (x, ["n", last.out_features])})


def _block(graph: Graph, x: str, block: SeparableBlock) -> str:
    depthwise, depthwise_norm, _, pointwise, pointwise_norm, _ = block.layers
    weight, bias = fold_batch_norm(depthwise, depthwise_norm)
    y = graph.node("Relu", graph.convolution(x, weight, bias, stride=depthwise.stride[0], groups=len(weight)))
    y = graph.node("Relu", graph.convolution(y, *fold_batch_norm(pointwise, pointwise_norm)))
    return graph.node("Add", x, y) if block.skip else y


def _reorder_for_onnx(weight: NDArray[Any], block: int) -> NDArray[Any]:
    """Reorder input channels: PixelUnshuffle groups them by color, SpaceToDepth by pixel."""
    order = np.arange(weight.shape[1]).reshape(-1, block * block).T.ravel()
    return np.ascontiguousarray(weight[:, order])
