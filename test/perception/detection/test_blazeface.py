"""BlazeFace on LiteRT gives MediaPipe's detections."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.models.bundle import package_file
from face_expr_ros.perception.detection.blazeface import BlazeFace


@pytest.mark.parametrize("kind", ["short_range", "full_range"])
@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((300, 10), (40, 500)), ((700, 700), (0, 900))])
def test_detections_equal_mediapipes(
    portrait: NDArray[np.uint8], kind: str, padding: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    pytest.importorskip("mediapipe.python._framework_bindings")
    from face_expr_ros.perception.detection import mediapipe

    image = np.pad(portrait, (*padding, (0, 0)), mode="edge")
    theirs = mediapipe.MediapipeBlazeFace(mediapipe.SHORT_RANGE if kind == "short_range" else mediapipe.FULL_RANGE)
    ours, expected = BlazeFace(package_file("facemesh", kind))(image), theirs(image)
    theirs.close()
    assert len(ours) == len(expected)
    for one, other in zip(ours, expected, strict=True):
        assert one.score == pytest.approx(other.score, abs=0.02)
        size = other.box[1, 0] - other.box[0, 0]
        np.testing.assert_allclose(one.box, other.box, atol=0.02 * size)
        np.testing.assert_allclose(one.keypoints, other.keypoints, atol=0.02 * size)


def test_twins_are_two_detections_and_the_minimum_score_counts(portrait: NDArray[np.uint8]) -> None:
    twins = np.hstack([portrait, portrait])
    found = BlazeFace(package_file("facemesh", "short_range"))(twins)
    assert len(found) == 2
    assert abs(found[0].box[0, 0] - found[1].box[0, 0]) == pytest.approx(portrait.shape[1], abs=10)  # pixels
    assert BlazeFace(package_file("facemesh", "short_range"), min_score=0.9999)(twins) == []


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (1, 4000), (3000, 2)])
def test_an_image_of_any_size_is_processed(shape: tuple[int, int]) -> None:
    assert BlazeFace(package_file("facemesh", "full_range"))(np.full((*shape, 3), 120, np.uint8)) == []
