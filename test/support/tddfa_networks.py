"""Bundles whose networks have a constant output, and helpers to fit with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import FittingConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler, weak_perspective
from face_expr_ros.core.types import Camera, FaceFit, FloatArray, Frame, Pose, Roi, Track
from face_expr_ros.models.bundle import Bundle, Network
from face_expr_ros.models.onnx_graph import Graph
from face_expr_ros.perception.fitting.tddfa import TddfaFitter

SIZE, SHAPES, EXPRESSIONS = 120, 40, 52
CAMERA = pinhole_camera(640, 480, field_of_view=45.0)
CROP = Roi(200.0, 100.0, 240.0, 240.0)
UNIT, ORIGIN = 1e-3, np.array([0.001, -0.02, 0.1])  # a network in millimeters with an origin inside the head


def frame_of(camera: Camera = CAMERA, image: NDArray[np.uint8] | None = None) -> Frame:
    black = np.zeros((camera.height, camera.width, 3), np.uint8)
    return Frame(black if image is None else image, 0, "camera_optical_frame", camera)


def track(crop: Roi = CROP, *, fresh: bool = False) -> Track:
    return Track("f1", crop, None, fresh)


def crop_numbers(matrix: FloatArray, crop: Roi, height: int) -> FloatArray:
    """The 12 network outputs for a weak perspective (3, 4) in a crop: the inverse of `in_image`."""
    scale = SIZE / crop.width
    turn = matrix[:, :3] * scale * UNIT
    x = (matrix[0, 3] - 1 - crop.x) * scale + 1
    y = SIZE - (height - matrix[1, 3] - crop.y) * scale
    return np.column_stack([turn, np.array([x, y, -66.7]) - turn @ ORIGIN / UNIT]).ravel()


def bundle_with_output(
    folder: Path, model: MorphableModel, values: FloatArray, logit: float | None = None, shade: float = 0.0
) -> Bundle:
    """A bundle whose network has a constant output.

    With ``shade``, every output grows by that value per unit of the mean of the crop.
    """
    width = len(values)
    rng = np.random.default_rng(1)
    mean, std = rng.normal(size=width), rng.uniform(0.5, 2.0, width)
    normalized = (values - mean) / std if logit is None else np.append((values - mean) / std, logit)
    graph = Graph({"input": ["n", 3, SIZE, SIZE]})
    pooled = graph.node("Flatten", graph.node("GlobalAveragePool", "input"))
    weight = graph.constant(np.full((3, len(normalized)), shade / 3, np.float32))
    output = graph.node("Gemm", pooled, weight, graph.constant(normalized.astype(np.float32)))
    graph.save(folder / "net.onnx", {"output": (output, ["n", len(normalized)])})
    network = Network(
        folder / "net.onnx", "", "input", "output", SIZE, mean, std, SHAPES, EXPRESSIONS, UNIT, ORIGIN
    )  # fmt: skip
    return Bundle("mine", False, model, network, None)


def fit_of(bundle: Bundle, crop: Roi = CROP, camera: Camera = CAMERA, *, fresh: bool = False) -> FaceFit:
    (fit,) = TddfaFitter(FittingConfig(), bundle)(frame_of(camera), [track(crop, fresh=fresh)])
    return fit


def frontal(camera: Camera = CAMERA, crop: Roi = CROP) -> FloatArray:
    """The network output for the mean face towards the camera, at 0.7 m."""
    pose = Pose(rotation_from_euler(0.0, 0.0, 0.0), np.array([0.0, 0.0, 0.7]), metric=True)
    numbers = crop_numbers(weak_perspective(pose, camera), crop, camera.height)
    return np.concatenate([numbers, np.zeros(SHAPES + EXPRESSIONS)])
