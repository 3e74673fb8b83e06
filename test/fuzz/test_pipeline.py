"""Faces of random images are finite and within their ranges, whatever the images, sizes and stamps."""

from __future__ import annotations

import json
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from std_msgs.msg import Header

from face_expr_ros.benchmarks.soak.message_rules import violations
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.rotations import quaternion_from_rotation
from face_expr_ros.core.types import Face, Frame
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.ros.encode import face_array
from face_expr_ros.serialization.json_records import face_record


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    running = Pipeline(PerceptionConfig())
    yield running
    running.close()


def check_face(face: Face) -> None:
    """Raises AssertionError unless all numbers of a face are finite and within their ranges."""
    fit, values = face.fit, face.blendshapes.values
    assert 0.0 <= fit.confidence <= 1.0
    for array in (fit.pose.rotation, fit.pose.position, fit.shape, fit.expression, fit.landmarks68, values):
        assert np.isfinite(array).all()
    assert ((values >= 0.0) & (values <= 1.0)).all()
    assert np.linalg.norm(quaternion_from_rotation(fit.pose.rotation)) == pytest.approx(1.0, abs=1e-6)
    assert fit.pose.position[2] > 0.0
    box = face.roi
    assert all(np.isfinite((box.x, box.y, box.width, box.height)))
    assert min(box.width, box.height) >= 0.0
    if face.landmarks is not None:
        assert np.isfinite(face.landmarks.points).all()
    json.dumps(face_record(face), allow_nan=False)


@st.composite
def image(draw: st.DrawFn, portrait: np.ndarray) -> np.ndarray:
    """A (height, width, 3) image: noise, one color, or a portrait that is warped, repeated and damaged."""
    height, width = draw(st.integers(1, 400)), draw(st.integers(1, 400))
    kind = draw(st.sampled_from(("noise", "flat", "face", "face", "face", "faces")))
    seed = draw(st.integers(0, 2**16))
    if kind == "noise":
        return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    if kind == "flat":
        return np.full((height, width, 3), seed % 256, np.uint8)
    scale, turn = draw(st.floats(0.05, 3.0)), draw(st.floats(-180.0, 180.0))
    center = portrait.shape[1] / 2, portrait.shape[0] / 2
    matrix = cv2.getRotationMatrix2D(center, turn, scale * height / portrait.shape[0])
    matrix[0, 0] *= draw(st.floats(-1.5, 1.5))
    matrix[:, 2] += [width / 2 - center[0] + draw(st.floats(-200, 200)), height / 2 - center[1]]
    border = cv2.BORDER_REFLECT if kind == "faces" else cv2.BORDER_CONSTANT
    shown = cv2.warpAffine(portrait, matrix, (width, height), borderMode=border)
    gain, noise = draw(st.floats(0.0, 4.0)), draw(st.integers(0, 60))
    grain = np.random.default_rng(seed).normal(0.0, noise, shown.shape) if noise else 0.0
    return np.clip(shown * gain + grain, 0, 255).astype(np.uint8)


def test_faces_of_random_images_are_finite_and_in_range(pipeline: Pipeline, portrait: np.ndarray) -> None:
    stamps = st.one_of(st.just(33_333_333), st.integers(-(10**10), 10**10), st.just(0))
    time_ns = 10**12

    @settings(suppress_health_check=list(HealthCheck))
    @given(image(portrait), stamps, st.integers(1, 3))
    def check(shown: np.ndarray, step: int, count: int) -> None:
        nonlocal time_ns
        camera = default_camera(shown.shape[1], shown.shape[0], 63.0)
        for _ in range(count):
            time_ns = max(0, time_ns + step)
            faces = pipeline(Frame(shown, time_ns, "camera", camera))
            assert len({face.id for face in faces}) == len(faces)
            for face in faces:
                check_face(face)
            assert not list(violations(face_array(faces, camera, "open", Header(frame_id="camera"))))

    check()


@pytest.mark.parametrize("size", [(1, 1), (1, 16384), (16384, 1), (2, 3), (4096, 4096)])
def test_extreme_sizes_are_processed(pipeline: Pipeline, size: tuple[int, int]) -> None:
    width, height = size
    frame = Frame(np.zeros((height, width, 3), np.uint8), 0, "camera", default_camera(width, height, 63.0))
    assert pipeline.still(frame) == ()
