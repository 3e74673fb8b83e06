"""Initialization of a training run from an exported network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from face_expr_ros.models.onnx_graph import read_layers
from face_expr_ros.training.tddfa.network import INPUT_SIZE

_POSE, _TX, _TZ = 12, 3, 11


def load_exported(network: nn.Sequential, path: Path) -> None:
    """Load the weights of an exported network into a network of `build_network` without normalization.

    A network that was exported for larger crops is adapted to smaller ones: instead of resizing the last feature map,
    as for small crops in training, the convolution over the map is resized, which gives the same results.

    Raises:
        ValueError: the layers of the file and the network differ.
    """
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    weights = read_layers(path)
    if len(weights) > 1:
        weights[-2] = shrunk(weights[-2][0], layers[-2].weight.shape[-1]), weights[-2][1]
    expected, found = [tuple(layer.weight.shape) for layer in layers], [weight.shape for weight, _ in weights]
    if expected != found:
        raise ValueError(f"expected layers of the shapes {expected} in {str(path)!r}, got {found}")
    unshuffle = network[0]
    assert isinstance(unshuffle, nn.PixelUnshuffle)
    for number, (layer, (weight, bias)) in enumerate(zip(layers, weights, strict=True)):
        ordered = _in_order_of_torch(weight, unshuffle.downscale_factor) if number == 0 else weight
        layer.weight.data = torch.from_numpy(ordered.copy())
        assert layer.bias is not None
        layer.bias.data = torch.from_numpy(bias.copy())


def read_whitening(path: Path, side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and std (12 + I + E,) from the .npz file next to an exported network, for crops of ``side`` pixels."""
    with np.load(path.with_suffix(".npz")) as arrays:
        given = int(arrays["side"]) if "side" in arrays else INPUT_SIZE
        return rescaled(arrays["mean"], arrays["std"], side / given)


def rescaled(
    mean: NDArray[np.floating], std: NDArray[np.floating], scale: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and std of the parameters for crops scaled by a factor.

    In [f R | t], x starts at 1, and y is counted from the bottom.
    """
    mean, std = mean.astype(np.float32).copy(), std.astype(np.float32).copy()
    mean[:_POSE] *= scale
    std[:_TZ] *= scale  # tz is always 0; its standard deviation is a placeholder of 1
    mean[_TX] += 1 - scale
    return mean, std


def shrunk(weight: NDArray[Any], side: int) -> NDArray[Any]:
    """A convolution (C, 1, s, s) over a map upsampled from ``side``, converted to one over the small map."""
    if weight.ndim != 4 or weight.shape[-1] <= side:
        return weight
    units = torch.eye(side * side).view(-1, 1, side, side)
    stretched = functional.interpolate(units, size=weight.shape[-2:], mode="bilinear", align_corners=False)
    moved = stretched.view(side * side, -1).numpy() @ weight.reshape(len(weight), -1).T
    return np.ascontiguousarray(moved.T.reshape(len(weight), 1, side, side).astype(np.float32))


def _in_order_of_torch(weight: NDArray[Any], block: int) -> NDArray[Any]:
    """Reorder channels: SpaceToDepth groups them by pixel, PixelUnshuffle by color."""
    order = np.arange(weight.shape[1]).reshape(block * block, -1).T.ravel()
    return np.ascontiguousarray(weight[:, order])
