"""The TDDFA network: MobileNet x0.5 (Howard et al., 2017) with identity skips and an input of 120 x 120, or less.

Its stem reduces the resolution to a quarter, and a global depthwise convolution (MobileFaceNets, Chen et al., 2018)
replaces the average pooling at its end, which would discard positions.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

INPUT_SIZE = 120
_WIDTHS = ((64, 1), (128, 2), (128, 1), (128, 1), (256, 2), *((256, 1),) * 5, (512, 2), (512, 1))


class PointwiseConvolution(nn.Conv2d):
    """A 1x1 convolution that may multiply in bfloat16 while it is trained.

    Processors that have bfloat16 multiply in it twice as fast. Depthwise convolutions do not gain, and their gradients
    are several times slower in it, so that autocast as a whole does not pay.
    """

    reduced = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not (self.reduced and self.training):
            return super().forward(x)
        bias = None if self.bias is None else self.bias.bfloat16()
        return functional.conv2d(x.bfloat16(), self.weight.bfloat16(), bias).float()


class SeparableBlock(nn.Module):
    """A depthwise and a pointwise convolution, each with batch normalization or a bias, and ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int, normalized: bool) -> None:
        super().__init__()
        self.skip = inputs == outputs and stride == 1
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=not normalized),
            _norm(inputs, normalized),
            nn.ReLU(inplace=True),
            PointwiseConvolution(inputs, outputs, 1, bias=not normalized),
            _norm(outputs, normalized),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x) if self.skip else self.layers(x)


class GlobalDepthwiseConvolution(nn.Module):
    """A depthwise convolution over the whole feature map; maps of smaller crops are resized to ``side`` first."""

    def __init__(self, channels: int, side: int, normalized: bool) -> None:
        super().__init__()
        self.side = side
        self.layer = nn.Conv2d(channels, channels, side, groups=channels, bias=not normalized)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-1] != self.side:
            x = functional.interpolate(x, size=(self.side, self.side), mode="bilinear", align_corners=False)
        return self.layer(x)


def build_network(outputs: int, normalized: bool = True, side: int = INPUT_SIZE) -> nn.Sequential:
    """(N, 3, side, side) normalized BGR crops to (N, outputs); crops of 64 pixels and more do for a rough start.

    Args:
        normalized: with batch normalization; without it, every convolution has a bias instead, as in the ONNX file.
        side: of the crops, pixels.
    """
    blocks = [
        nn.PixelUnshuffle(2),
        nn.Conv2d(12, 64, 3, 2, 1, bias=not normalized),
        _norm(64, normalized),
        nn.ReLU(inplace=True),
    ]
    inputs = 64
    for width, stride in _WIDTHS:
        blocks.append(SeparableBlock(inputs, width, stride, normalized))
        inputs = width
    pooling = GlobalDepthwiseConvolution(inputs, -(-side // 32), normalized)
    return nn.Sequential(*blocks, pooling, _norm(inputs, normalized), nn.Flatten(), nn.Linear(inputs, outputs))


def multiply_in_bfloat16(network: nn.Module) -> None:
    """Let the pointwise convolutions of a network train in bfloat16."""
    for module in network.modules():
        if isinstance(module, PointwiseConvolution):
            module.reduced = True


def _norm(channels: int, normalized: bool) -> nn.Module:
    return nn.BatchNorm2d(channels) if normalized else nn.Identity()
