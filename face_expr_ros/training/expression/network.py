"""The network that is trained: each part of a face is looked at by a small convolutional network, landmarks by a linear
layer; what both see is the state of the face, and an MLP compares it with the state of the same face at rest.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from face_expr_ros.perception.expression.patches import PARTS, SIDE

_CHANNELS = (16, 24, 40, 64)
EYES = 2  # the first parts, which one network looks at: the left is stored mirrored
_WIDTH = {"eye": 48, "other": 48}  # numbers that say what is seen of a part
_LANDMARKS = 128
_HIDDEN = (256, 192)
MOST_REST = 0.9  # of a blendshape that is read at rest
DARK = 64.0  # variance of gray levels below which a patch is mere noise: contrast is not raised to full


class PartNetwork(nn.Module):
    """(n, 1, SIDE, SIDE) gray levels -> (n, width): contrast made even, then depthwise separable convolutions
    (Howard et al., 2017)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        first, *others = _CHANNELS
        layers: list[nn.Module] = [nn.Conv2d(1, first, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(first)]
        layers.append(nn.ReLU())
        for given, wanted in zip(_CHANNELS, others, strict=False):
            layers += [
                nn.Conv2d(given, given, 3, stride=2, padding=1, groups=given, bias=False),
                nn.BatchNorm2d(given),
                nn.Conv2d(given, wanted, 1, bias=False),
                nn.BatchNorm2d(wanted),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(_CHANNELS[-1] * (SIDE // 16) ** 2, width))
        self.even = nn.BatchNorm1d(width)

    def forward(self, gray: torch.Tensor) -> torch.Tensor:
        """What is seen."""
        answer: torch.Tensor = self.even(self.layers(functional.instance_norm(gray, eps=DARK)))
        return answer


class HeadNetwork(nn.Module):
    """The expression head.

    Args:
        mean: (FEATURES,) of the features.
        basis: (FEATURES, K) what makes the rest of them even: landmarks move together, and the least of their joint
            movements may say the most.
        blendshapes: how many.
    """

    def __init__(self, mean: torch.Tensor, basis: torch.Tensor, blendshapes: int) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("basis", basis)
        parts = len(PARTS) - EYES + 1
        self.parts = nn.ModuleList([PartNetwork(_WIDTH["eye" if k == 0 else "other"]) for k in range(parts)])
        self.landmarks = nn.Linear(basis.shape[1], _LANDMARKS)
        self.even = nn.BatchNorm1d(_LANDMARKS)
        seen = _LANDMARKS + EYES * _WIDTH["eye"] + (parts - 1) * _WIDTH["other"]
        self.state_size = seen
        self.mix = nn.Linear(seen, seen)
        self.trunk = nn.Sequential(
            nn.Linear(3 * seen + 4, _HIDDEN[0]),
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
        """(n, state_size) of features (n, FEATURES) and patches (n, P, SIDE, SIDE) in gray levels."""
        points = self.even(self.landmarks((features - self.mean) @ self.basis))
        eyes = self.parts[0](patches[:, :EYES].reshape(-1, 1, SIDE, SIDE)).reshape(len(patches), -1)
        others = [part(patches[:, k : k + 1]) for k, part in enumerate(self.parts[1:], EYES)]
        seen = functional.relu(torch.cat([points, eyes, *others], dim=1))
        state: torch.Tensor = self.mix(seen)
        return state

    def forward(self, state: torch.Tensor, view: torch.Tensor, rest: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """(n, blendshapes) of states, the view direction (n, 3), and rests (n, state_size) where ``known`` (n, 1)
        is 1; elsewhere 0."""
        told = torch.cat([state, known * rest, known * (state - rest), known, view], dim=1)
        answer: torch.Tensor = self.trunk(told)
        return answer

    def from_rest(
        self, state: torch.Tensor, view: torch.Tensor, rest: torch.Tensor, known: torch.Tensor, calm: torch.Tensor
    ) -> torch.Tensor:
        """The answer in 0..1, with what a face at that rest would be read as taken off: a rest reads as exactly 0, and
        what lies above it is stretched so that 1 stays 1.

        Args:
            calm: (blendshapes,) 1 for what a face at rest does not show, 0 for where the eyes look.
        """
        told = known * calm * self(rest, view, rest, known).clamp(0.0, MOST_REST)
        return ((self(state, view, rest, known) - told) / (1.0 - told)).clamp(0.0, 1.0)
