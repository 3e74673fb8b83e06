"""Folds batch normalization into the preceding layer."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from face_expr_ros.training.checkpoints_and_schedule import float32_array


def fold_batch_norm(convolution: nn.Conv2d, norm: nn.Module) -> tuple[NDArray[Any], NDArray[Any]]:
    """Weight and bias, float32, of a convolution and the batch normalization after it, or of one with a bias."""
    if isinstance(norm, nn.Identity):
        assert convolution.bias is not None
        return float32_array(convolution.weight), float32_array(convolution.bias)
    scale, offset = _scale_and_offset(norm)
    return float32_array(convolution.weight * scale[:, None, None, None]), float32_array(offset)


def fold_batch_norm_linear(linear: nn.Linear, norm: nn.Module) -> tuple[NDArray[Any], NDArray[Any]]:
    """Weight and bias, float32, of a linear layer and the batch normalization after it."""
    scale, offset = _scale_and_offset(norm)
    return float32_array(linear.weight * scale[:, None]), float32_array(linear.bias * scale + offset)


def _scale_and_offset(norm: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    assert norm.running_var is not None
    assert norm.running_mean is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale
