"""Writes a trained network as the files of a bundle: ONNX with batch normalization folded in, and its whitening."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from face_expr_ros.models.bundle import sha256_of
from face_expr_ros.models.onnx_graph import Graph
from face_expr_ros.training.folding import folded
from face_expr_ros.training.running import array
from face_expr_ros.training.tddfa.network import INPUT_SIZE, SeparableBlock, WholeConvolution
from face_expr_ros.training.tddfa.train import averaged_network

NAME = "tddfa_open_mb05"


def export(run: Path, folder: Path) -> dict[str, Any]:
    """Write the weights of a training run to ``folder``; file names, sizes and hashes for weights/manifest.yaml."""
    network, mean, std = averaged_network(run)
    onnx_path, arrays_path = folder / f"{NAME}.onnx", folder / f"{NAME}.npz"
    write_network(network, onnx_path)
    np.savez(arrays_path, mean=mean, std=std)
    return {path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in (onnx_path, arrays_path)}


def write_network(network: nn.Sequential, path: Path) -> None:
    """Write a network of `build_network`: input `input` (n, 3, 120, 120), output `output` (n, outputs)."""
    graph = Graph({"input": ["n", 3, INPUT_SIZE, INPUT_SIZE]})
    unshuffle, stem, stem_norm, _, *blocks, whole, whole_norm, _, last = network
    assert isinstance(unshuffle, nn.PixelUnshuffle)
    assert isinstance(whole, WholeConvolution)
    x = graph.node("SpaceToDepth", "input", blocksize=unshuffle.downscale_factor)
    weight, bias = folded(stem, stem_norm)
    x = graph.convolution(x, _in_order_of_onnx(weight, unshuffle.downscale_factor), bias, stride=2)
    x = graph.node("Relu", x)
    for block in blocks:
        x = _block(graph, x, block)
    weight, bias = folded(whole.layer, whole_norm)
    x = graph.node("Conv", x, graph.constant(weight), graph.constant(bias), group=len(weight))
    x = graph.node("Flatten", x)
    x = graph.node("Gemm", x, graph.constant(array(last.weight)), graph.constant(array(last.bias)), transB=1)
    graph.save(path, {"output": (x, ["n", last.out_features])})


def _block(graph: Graph, x: str, block: SeparableBlock) -> str:
    depthwise, depthwise_norm, _, pointwise, pointwise_norm, _ = block.layers
    weight, bias = folded(depthwise, depthwise_norm)
    y = graph.node("Relu", graph.convolution(x, weight, bias, stride=depthwise.stride[0], groups=len(weight)))
    y = graph.node("Relu", graph.convolution(y, *folded(pointwise, pointwise_norm)))
    return graph.node("Add", x, y) if block.skip else y


def _in_order_of_onnx(weight: NDArray[Any], block: int) -> NDArray[Any]:
    """PixelUnshuffle keeps a color's pixels together, SpaceToDepth a pixel's colors."""
    order = np.arange(weight.shape[1]).reshape(-1, block * block).T.ravel()
    return np.ascontiguousarray(weight[:, order])
