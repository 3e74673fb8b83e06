"""The expression head's network: small convolutional networks encode patches of the face, a linear layer encodes the
landmarks; both give the state of the face, and an MLP compares it with the state of the same face when neutral.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from face_expr_ros.perception.expression.patches import PARTS, SIDE

_CHANNELS = (16, 24, 40, 64)
EYE_COUNT = 2  # the first two parts share one network; the left eye's patch is stored mirrored
_WIDTH = {"eye": 48, "other": 48}  # features per part
_LANDMARKS = 128
_HIDDEN = (256, 192)
MIN_CONTRAST_VARIANCE = 64.0  # gray levels squared: limits the contrast normalization of patches that are mostly noise


class PartNetwork(nn.Module):
    """(n, 1, SIDE, SIDE) gray levels -> (n, width): contrast normalization, then depthwise separable convolutions
    (Howard et al., 2017), each of which halves the size.

    Args:
        width: number of features.
        channels: of each convolution.
    """

    def __init__(self, width: int, channels: tuple[int, ...] = _CHANNELS) -> None:
        super().__init__()
        self.width = width
        first, *others = channels
        layers: list[nn.Module] = [nn.Conv2d(1, first, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(first)]
        layers.append(nn.ReLU())
        for inputs, outputs in zip(channels, others, strict=False):
            layers += [
                nn.Conv2d(inputs, inputs, 3, stride=2, padding=1, groups=inputs, bias=False),
                nn.BatchNorm2d(inputs),
                nn.Conv2d(inputs, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(channels[-1] * (SIDE >> len(channels)) ** 2, width)
        )
        self.even = nn.BatchNorm1d(width)

    def forward(self, gray: torch.Tensor) -> torch.Tensor:
        """Features (n, width) of patches (n, 1, SIDE, SIDE)."""
        answer: torch.Tensor = self.even(self.layers(functional.instance_norm(gray, eps=MIN_CONTRAST_VARIANCE)))
        return answer


def encoded_patches(parts: nn.ModuleList, patches: torch.Tensor) -> list[torch.Tensor]:
    """Features of each part of patches (n, P, SIDE, SIDE), first those of both eyes, which share the first network."""
    eyes = parts[0](patches[:, :EYE_COUNT].reshape(-1, 1, SIDE, SIDE)).reshape(len(patches), -1)
    return [eyes, *(part(patches[:, k : k + 1]) for k, part in enumerate(parts[1:], EYE_COUNT))]


class HeadNetwork(nn.Module):
    """The expression head.

    Args:
        mean: (FEATURES,) mean of the features.
        basis: (FEATURES, K) whitening basis: landmarks are strongly correlated, and directions of small variance may
            be the most informative.
        blendshapes: number of outputs.
    """

    def __init__(self, mean: torch.Tensor, basis: torch.Tensor, blendshapes: int) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("basis", basis)
        parts = len(PARTS) - EYE_COUNT + 1
        self.parts = nn.ModuleList([PartNetwork(_WIDTH["eye" if k == 0 else "other"]) for k in range(parts)])
        self.landmarks = nn.Linear(basis.shape[1], _LANDMARKS)
        self.even = nn.BatchNorm1d(_LANDMARKS)
        size = _LANDMARKS + EYE_COUNT * _WIDTH["eye"] + (parts - 1) * _WIDTH["other"]
        self.state_size = size
        self.mix = nn.Linear(size, size)
        self.trunk = nn.Sequential(
            nn.Linear(3 * size + 4, _HIDDEN[0]),
            nn.ReLU(),
            nn.Linear(_HIDDEN[0], _HIDDEN[1]),
            nn.ReLU(),
            nn.Linear(_HIDDEN[1], blendshapes),
        )

        for layer in self.trunk:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.normal_(self.trunk[-1].weight, std=0.01)

    def state(self, features: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
        """State (n, state_size) of features (n, FEATURES) and patches (n, P, SIDE, SIDE) in gray levels."""
        points = self.even(self.landmarks((features - self.mean) @ self.basis))
        encoded = functional.relu(torch.cat([points, *encoded_patches(self.parts, patches)], dim=1))
        state: torch.Tensor = self.mix(encoded)
        return state

    def forward(
        self, state: torch.Tensor, view: torch.Tensor, neutral: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """Blendshapes (n, blendshapes), not clipped.

        Args:
            state: (n, state_size). view: (n, 3) view direction.
            neutral: (n, state_size) states of the neutral expression, ignored where ``known`` (n, 1) is 0.
        """
        inputs = torch.cat([state, known * neutral, known * (state - neutral), known, view], dim=1)
        answer: torch.Tensor = self.trunk(inputs)
        return answer
