"""Batch normalization as part of the convolution before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def folded(convolution: nn.Conv2d, norm: nn.Module) -> tuple[NDArray[Any], NDArray[Any]]:
    """Weight and bias, float32, of a convolution without bias and the batch normalization after it."""
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_var is not None
    assert norm.running_mean is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = convolution.weight * scale[:, None, None, None]
    bias = norm.bias - norm.running_mean * scale
    return weight.detach().numpy().astype(np.float32), bias.detach().numpy().astype(np.float32)
