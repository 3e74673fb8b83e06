"""The TDDFA network: MobileNet x0.5 (Howard et al., 2017) with identity skips and 120 x 120 input.

Its stem reduces the resolution to a quarter, and a global depthwise convolution (MobileFaceNets, Chen et al., 2018)
replaces the average pooling at its end, which would discard positions.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

INPUT_SIZE = 120
_WIDTHS = ((64, 1), (128, 2), (128, 1), (128, 1), (256, 2), *((256, 1),) * 5, (512, 2), (512, 1))


class SeparableBlock(nn.Module):
    """A depthwise and a pointwise convolution, each with batch normalization and ReLU."""

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


class GlobalDepthwiseConvolution(nn.Module):
    """A depthwise convolution over the whole feature map; maps of smaller crops are resized to ``side`` first."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.layer = nn.Conv2d(channels, channels, side, groups=channels, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-1] != self.side:
            x = functional.interpolate(x, size=(self.side, self.side), mode="bilinear", align_corners=False)
        return self.layer(x)


def build_network(outputs: int) -> nn.Sequential:
    """A network from normalized BGR crops (N, 3, 120, 120) to (N, outputs).

    Crops down to 64 pixels are accepted as well, for the first, faster part of the training.
    """
    blocks = [nn.PixelUnshuffle(2), nn.Conv2d(12, 64, 3, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    inputs = 64
    for width, stride in _WIDTHS:
        blocks.append(SeparableBlock(inputs, width, stride))
        inputs = width
    side = -(-INPUT_SIZE // 32)
    return nn.Sequential(
        *blocks,
        GlobalDepthwiseConvolution(inputs, side),
        nn.BatchNorm2d(inputs),
        nn.Flatten(),
        nn.Linear(inputs, outputs),
    )
