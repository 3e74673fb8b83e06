"""Batch normalization as part of the layer before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def folded(convolution: nn.Conv2d, norm: nn.Module) -> tuple[NDArray[Any], NDArray[Any]]:
    """Weight and bias, float32, of a convolution without bias and the batch normalization after it."""
    scale, offset = _scale_and_offset(norm)
    return _array(convolution.weight * scale[:, None, None, None]), _array(offset)


def folded_linear(linear: nn.Linear, norm: nn.Module) -> tuple[NDArray[Any], NDArray[Any]]:
    """Weight and bias, float32, of a linear layer and the batch normalization after it."""
    scale, offset = _scale_and_offset(norm)
    return _array(linear.weight * scale[:, None]), _array(linear.bias * scale + offset)


def _scale_and_offset(norm: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    assert norm.running_var is not None
    assert norm.running_mean is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    return tensor.detach().numpy().astype(np.float32)
