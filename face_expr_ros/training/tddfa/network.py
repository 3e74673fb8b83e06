"""The network that is trained: MobileNet x0.5 (Howard et al., 2017) with identity skips, 120 x 120 in.

Its stem goes to a quarter of the size at once, and its end is a global depthwise convolution (MobileFaceNets, Chen et
al., 2018) instead of an average, which would forget where things are.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

INPUT_SIZE = 120
_WIDTHS = ((64, 1), (128, 2), (128, 1), (128, 1), (256, 2), *((256, 1),) * 5, (512, 2), (512, 1))


class SeparableBlock(nn.Module):
    """A depthwise and a pointwise convolution, each with batch normalization and a rectifier."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.skip = inputs == outputs and stride == 1
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x) if self.skip else self.layers(x)


class WholeConvolution(nn.Module):
    """A depthwise convolution over the whole map; a smaller map, of smaller crops, is stretched to it."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.layer = nn.Conv2d(channels, channels, side, groups=channels, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-1] != self.side:
            x = functional.interpolate(x, size=(self.side, self.side), mode="bilinear", align_corners=False)
        return self.layer(x)


def build_network(outputs: int) -> nn.Sequential:
    """(N, 3, 120, 120) normalized BGR crops to (N, outputs); crops of 64 pixels and more do for a rough start."""
    blocks = [nn.PixelUnshuffle(2), nn.Conv2d(12, 64, 3, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    inputs = 64
    for width, stride in _WIDTHS:
        blocks.append(SeparableBlock(inputs, width, stride))
        inputs = width
    side = -(-INPUT_SIZE // 32)
    return nn.Sequential(
        *blocks, WholeConvolution(inputs, side), nn.BatchNorm2d(inputs), nn.Flatten(), nn.Linear(inputs, outputs)
    )
