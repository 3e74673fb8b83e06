"""Networks written as ONNX: MobileNet against a reference, FaceBoxes at several sizes, invalid weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from support.paths import ROOT

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.models.bundle import open_bundle
from face_expr_ros.models.networks import write_faceboxes, write_mobilenet

AFLW2000 = ROOT.parent / "shared/data/aflw2000"
Weights = dict[str, NDArray[Any]]


def batch_norm(name: str, width: int, random: np.random.Generator) -> Weights:
    return {
        f"{name}.weight": random.uniform(0.5, 1.5, width).astype(np.float32),
        f"{name}.bias": random.normal(0, 0.1, width).astype(np.float32),
        f"{name}.running_mean": random.normal(0, 0.1, width).astype(np.float32),
        f"{name}.running_var": random.uniform(0.5, 1.5, width).astype(np.float32),
        f"{name}.num_batches_tracked": np.array(5),
    }


def mobilenet_weights(widen: float, outputs: int = 62) -> Weights:
    """Random weights with the names and shapes of 3DDFA_V2's MobileNet V1."""
    random = np.random.default_rng(3)
    widths = [int(widen * width) for width in (32, 64, 128, 128, 256, 256, 512, *[512] * 5, 1024, 1024)]
    names = ["dw2_1", "dw2_2", "dw3_1", "dw3_2", "dw4_1", "dw4_2", *(f"dw5_{i}" for i in range(1, 7)), "dw6"]

    def filters(*shape: int) -> NDArray[np.float32]:
        return (random.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)

    weights: Weights = {"conv1.weight": filters(widths[0], 3, 3, 3), **batch_norm("bn1", widths[0], random)}
    for name, before, after in zip(names, widths[:-1], widths[1:], strict=True):
        weights[f"{name}.conv_dw.weight"] = filters(before, 1, 3, 3)
        weights |= batch_norm(f"{name}.bn_dw", before, random)
        weights[f"{name}.conv_sep.weight"] = filters(after, before, 1, 1)
        weights |= batch_norm(f"{name}.bn_sep", after, random)
    weights |= {"fc_param.weight": filters(outputs, widths[-1]), "fc_param.bias": filters(outputs, 1)[:, 0]}
    return weights | {"fc_lm.weight": filters(136, widths[-1]), "fc_lm.bias": filters(136, 1)[:, 0]}


def faceboxes_weights() -> Weights:
    """Random weights with the names and shapes of FaceBoxes."""
    random = np.random.default_rng(4)
    layers = {"conv1": (24, 3, 7), "conv2": (64, 48, 5)}
    for i in (1, 2, 3):
        layers |= {f"inception{i}.branch1x1{end}": (32, 128, 1) for end in ("", "_2")}
        layers |= {f"inception{i}.branch3x3_reduce{end}": (24, 128, 1) for end in ("", "_2")}
        layers |= {f"inception{i}.branch3x3{end}": (32, 24, 3) for end in ("", "_2")}
        layers[f"inception{i}.branch3x3_3"] = (32, 32, 3)
    layers |= {"conv3_1": (128, 128, 1), "conv3_2": (256, 128, 3), "conv4_1": (128, 256, 1), "conv4_2": (256, 128, 3)}
    weights: Weights = {}
    for name, (after, before, kernel) in layers.items():
        size = (after, before, kernel, kernel)
        weights[f"{name}.conv.weight"] = (random.normal(size=size) / kernel / np.sqrt(before)).astype(np.float32)
        weights |= batch_norm(f"{name}.bn", after, random)
    for head, numbers in (("loc", 4), ("conf", 2)):
        for level, (before, priors) in enumerate(((128, 21), (256, 1), (256, 1))):
            size = (numbers * priors, before, 3, 3)
            weights[f"{head}.{level}.weight"] = (random.normal(size=size) / 60).astype(np.float32)
            weights[f"{head}.{level}.bias"] = random.normal(size=numbers * priors).astype(np.float32)
    return weights


def run(path: Path, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"input": x})


def convolve(x: NDArray[Any], weight: NDArray[Any], stride: int, depthwise: bool = False) -> NDArray[np.float64]:
    """(C, h, w) -> (out, ...), zero-padded by half a kernel, computed from the definition."""
    size = weight.shape[2]
    padded = np.pad(x, ((0, 0), (size // 2,) * 2, (size // 2,) * 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    if depthwise:
        return np.einsum("chwij,cij->chw", windows, weight[:, 0])
    return np.einsum("chwij,ocij->ohw", windows, weight)


def reference_mobilenet(weights: Weights, x: NDArray[Any]) -> NDArray[np.float64]:
    """The output for one image in float64, without folding the batch normalization into the weights."""

    def layer(x: NDArray[Any], conv: str, norm: str, stride: int = 1, depthwise: bool = False) -> NDArray[np.float64]:
        y = convolve(x, weights[f"{conv}.weight"].astype(np.float64), stride, depthwise)
        w, b, mean, variance = (
            weights[f"{norm}.{part}"].astype(np.float64)[:, None, None]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return np.maximum((y - mean) / np.sqrt(variance + 1e-5) * w + b, 0)

    x = layer(x, "conv1", "bn1", 2)
    for name in [n.removesuffix(".conv_dw.weight") for n in weights if n.endswith(".conv_dw.weight")]:
        stride = 2 if name in ("dw2_2", "dw3_2", "dw4_2", "dw5_6") else 1
        x = layer(x, f"{name}.conv_dw", f"{name}.bn_dw", stride, depthwise=True)
        x = layer(x, f"{name}.conv_sep", f"{name}.bn_sep")
    return weights["fc_param.weight"] @ x.mean(axis=(1, 2)) + weights["fc_param.bias"]


@pytest.mark.parametrize("widen", [0.125, 0.25])
def test_mobilenet_matches_the_reference_for_any_width(tmp_path: Path, widen: float) -> None:
    weights = mobilenet_weights(widen)
    write_mobilenet(weights, tmp_path / "mb.onnx")
    x = np.random.default_rng(5).uniform(-1, 1, (3, 3, 120, 120)).astype(np.float32)
    (outputs,) = run(tmp_path / "mb.onnx", x)
    expected = np.stack([reference_mobilenet(weights, image) for image in x.astype(np.float64)])
    np.testing.assert_allclose(outputs, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(("height", "width"), [(1, 1), (31, 33), (128, 128), (97, 300)])
def test_faceboxes_accepts_any_size_and_has_all_priors(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int
) -> None:
    path = tmp_path_factory.mktemp("faceboxes") / "faceboxes.onnx"
    write_faceboxes(faceboxes_weights(), path)
    loc, conf = run(path, np.zeros((1, 3, height, width), np.float32))
    count = sum(n * -(-height // step) * -(-width // step) for step, n in ((32, 21), (64, 1), (128, 1)))
    assert loc.shape == (1, count, 4)
    assert conf.shape == (1, count, 2)
    np.testing.assert_allclose(conf.sum(axis=2), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dw3_1.conv_sep.weight": None}, "expected one named 'dw3_1.conv_sep.weight'"),
        ({"extra.weight": np.zeros(3, np.float32)}, "contain extra.weight, which the network does not have"),
        ({"conv1.weight": np.full((4, 3, 3, 3), np.nan, np.float32)}, "expected finite numbers in 'conv1.weight'"),
    ],
)
def test_weights_of_another_network_are_rejected(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    weights = {name: w for name, w in (mobilenet_weights(0.125) | change).items() if w is not None}
    with pytest.raises(BundleError, match=words):
        write_mobilenet(weights, tmp_path / "mb.onnx")
    assert not (tmp_path / "mb.onnx").exists()


@pytest.mark.skipif(not AFLW2000.is_dir(), reason="the images of AFLW2000-3D are missing")
def test_the_released_network_matches_the_original_implementation(tddfa_bundle: Path) -> None:
    bundle = open_bundle("3ddfa_v2")
    assert bundle.sparse
    assert bundle.network is not None
    assert bundle.network.path.parent == tddfa_bundle
    network, truth = bundle.network, np.load(AFLW2000 / "ground_truth.npz")
    parameters, points = truth["mb05_params"][0], truth["mb05_pts68"][0]
    assert (len(parameters), network.mean.shape) == (62, (62,))
    weak = parameters[:12].reshape(3, 4)
    vertices = bundle.model.vertices(parameters[12:52], parameters[52:]) + network.origin
    projected = weak[:, :3] @ vertices.T / network.model_unit + weak[:, 3:]
    # Both are the same points in the crop's and the image's pixels: equal but for scale and shift of each axis.
    for axis, sign in ((0, 1), (1, -1)):
        slope, shift = np.polyfit(projected[axis], points[axis], 1)
        assert slope * sign > 0
        np.testing.assert_allclose(projected[axis] * slope + shift, points[axis], atol=0.01)  # pixels
