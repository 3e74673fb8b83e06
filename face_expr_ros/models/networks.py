"""The networks of 3DDFA_V2 as ONNX graphs, from the weights of their checkpoints.

MobileNet V1: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications", 2017.
FaceBoxes: Zhang et al., "FaceBoxes: A CPU Real-time Face Detector with High Accuracy", 2017.
Batch normalization is folded into the preceding convolution.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.models.onnx_graph import Graph
from face_expr_ros.models.torch_files import Weights

EPSILON = 1e-5  # of batch normalization, the same in both networks
# The blocks of MobileNet V1 and the stride of each; their widths are in the weights.
MOBILENET_BLOCKS = (
    ("dw2_1", 1), ("dw2_2", 2), ("dw3_1", 1), ("dw3_2", 2), ("dw4_1", 1), ("dw4_2", 2), ("dw5_1", 1), ("dw5_2", 1),
    ("dw5_3", 1), ("dw5_4", 1), ("dw5_5", 1), ("dw5_6", 2), ("dw6", 1),
)  # fmt: skip


def write_mobilenet(weights: Weights, path: Path, *, input_size: int = 120) -> None:
    """Write 3DDFA_V2's MobileNet V1 of any width as ONNX.

    Input `input`: (n, 3, input_size, input_size), BGR, (x - 127.5) / 128. Output `output`: (n, P), the parameters
    before `p = output * std + mean`. The second head of the checkpoints, `fc_lm`, is used only in training.

    Raises:
        BundleError: a weight is missing, of the wrong shape, or unused.
    """
    state = _State(weights, path.stem)
    graph = Graph({"input": ["n", 3, input_size, input_size]})
    x = state.convolution(graph, "input", "conv1", "bn1", stride=2)
    for block, stride in MOBILENET_BLOCKS:
        groups = len(state.peek(f"{block}.conv_dw.weight"))
        x = state.convolution(graph, x, f"{block}.conv_dw", f"{block}.bn_dw", stride=stride, groups=groups)
        x = state.convolution(graph, x, f"{block}.conv_sep", f"{block}.bn_sep")
    x = graph.node("Flatten", graph.node("GlobalAveragePool", x))
    weight, bias = state.take("fc_param.weight"), state.take("fc_param.bias")
    x = graph.node("Gemm", x, graph.constant(weight), graph.constant(bias), transB=1)
    state.finish(unused=("fc_lm.weight", "fc_lm.bias"))
    graph.save(path, {"output": (x, ["n", len(bias)])})


def write_faceboxes(weights: Weights, path: Path) -> None:
    """Write FaceBoxes as ONNX, for images of any size.

    Input `input`: (1, 3, height, width), BGR minus (104, 117, 123). Output `loc`: (1, N, 4), the offsets of each prior
    box (center x, center y, logarithm of width, of height; variances 0.1, 0.1, 0.2, 0.2); output `conf`: (1, N, 2),
    the probabilities of background and face. N counts, for steps of 32, 64 and 128, the ceil(height / step) rows by
    ceil(width / step) columns of a grid, row by row; in each cell 21 priors (16 of 32 pixels, 4 of 64, 1 of 128), then
    1 of 256 pixels, then 1 of 512.

    Raises:
        BundleError: a weight is missing, of the wrong shape, or unused.
    """
    state = _State(weights, path.stem)
    graph = Graph({"input": [1, 3, "height", "width"]})
    x = "input"
    for name, stride in (("conv1", 4), ("conv2", 2)):  # the rapidly digested layers: concatenated ReLU, then pooling
        x = state.convolution(graph, x, f"{name}.conv", f"{name}.bn", stride=stride, activation="CReLU")
        x = graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for name in ("inception1", "inception2", "inception3"):
        x = _inception(state, graph, x, name)
    levels = [x]
    for name in ("conv3", "conv4"):
        x = state.convolution(graph, x, f"{name}_1.conv", f"{name}_1.bn")
        x = state.convolution(graph, x, f"{name}_2.conv", f"{name}_2.bn", stride=2)
        levels.append(x)
    loc = _head(state, graph, levels, "loc", 4)
    conf = graph.node("Softmax", _head(state, graph, levels, "conf", 2), axis=2)
    state.finish()
    graph.save(path, {"loc": (loc, [1, "priors", 4]), "conf": (conf, [1, "priors", 2])})


def _inception(state: _State, graph: Graph, x: str, name: str) -> str:
    """Four parallel branches: 1x1; average pooling and 1x1; 1x1 and 3x3; 1x1 and twice 3x3."""

    def layers(x: str, *names: str) -> str:
        for layer in names:
            x = state.convolution(graph, x, f"{name}.{layer}.conv", f"{name}.{layer}.bn")
        return x

    pooled = graph.node("AveragePool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4, count_include_pad=1)
    branches = (
        layers(x, "branch1x1"),
        layers(pooled, "branch1x1_2"),
        layers(x, "branch3x3_reduce", "branch3x3"),
        layers(x, "branch3x3_reduce_2", "branch3x3_2", "branch3x3_3"),
    )
    return graph.node("Concat", *branches, axis=1)


def _head(state: _State, graph: Graph, levels: Iterable[str], name: str, width: int) -> str:
    """The (1, N, width) predictions of one kind for the priors of all levels."""
    shape = graph.constant(np.array([1, -1, width]))
    parts = []
    for level, x in enumerate(levels):
        weight, bias = state.take(f"{name}.{level}.weight"), state.take(f"{name}.{level}.bias")
        x = graph.node("Transpose", graph.convolution(x, weight, bias), perm=[0, 2, 3, 1])
        parts.append(graph.node("Reshape", x, shape))
    return graph.node("Concat", *parts, axis=1)


class _State:
    """The weights of a network, each used once."""

    def __init__(self, weights: Weights, network: str) -> None:
        self._weights = weights
        self._network = network
        self._left = {name for name in weights if not name.endswith(".num_batches_tracked")}

    def peek(self, name: str) -> NDArray[Any]:
        """A weight that is used later."""
        if name not in self._weights:
            raise BundleError(
                f"the weights of {self._network}: expected one named {name!r}, got those of another network"
            )
        return self._weights[name]

    def take(self, name: str) -> NDArray[Any]:
        """A weight, float32."""
        weight = self.peek(name)
        self._left.discard(name)
        if weight.dtype.kind != "f" or not np.isfinite(weight).all():
            raise BundleError(f"the weights of {self._network}: expected finite numbers in {name!r}, got others")
        return weight.astype(np.float32)

    def convolution(
        self, graph: Graph, x: str, conv: str, norm: str, *, stride: int = 1, groups: int = 1, activation: str = "ReLU"
    ) -> str:
        """Convolution, batch normalization and ReLU, or CReLU: the ReLU of the values and of their negatives."""
        gamma, beta, mean, variance = (
            self.take(f"{norm}.{part}").astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + EPSILON)
        weight = self.take(f"{conv}.weight") * scale[:, None, None, None]
        bias = (beta - mean * scale).astype(np.float32)
        x = graph.convolution(x, weight.astype(np.float32), bias, stride=stride, groups=groups)
        if activation == "CReLU":
            x = graph.node("Concat", x, graph.node("Neg", x), axis=1)
        return graph.node("Relu", x)

    def finish(self, unused: Iterable[str] = ()) -> None:
        """Raise BundleError if weights are unused, except those named."""
        if left := sorted(self._left.difference(unused)):
            raise BundleError(
                f"the weights of {self._network} contain {', '.join(left)}, which the network does not have"
            )
