"""MediaPipe's landmark messages as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from face_expr_ros.core.types import FloatArray

landmark_pb2 = pytest.importorskip("mediapipe.framework.formats.landmark_pb2")
coordinates = pytest.importorskip("face_expr_ros.perception.landmarks.mediapipe_solutions").coordinates


def message(points: FloatArray) -> Any:
    rows = [landmark_pb2.NormalizedLandmark(x=x, y=y, z=z) for x, y, z in points.tolist()]
    return landmark_pb2.NormalizedLandmarkList(landmark=rows)


@pytest.mark.parametrize("points", [np.zeros((0, 3)), np.zeros((2, 3)), np.random.default_rng(0).normal(size=(478, 3))])
def test_all_coordinates_are_read(points: FloatArray) -> None:
    given = coordinates(message(points).SerializeToString())
    assert given.dtype == np.float32
    np.testing.assert_array_equal(given, points.astype(np.float32))


def test_a_message_with_other_fields_is_parsed() -> None:
    points = np.random.default_rng(0).normal(size=(5, 3))
    given = message(points)
    given.landmark[2].visibility = 0.5
    given.landmark[3].ClearField("z")
    points[3, 2] = 0.0
    np.testing.assert_array_equal(coordinates(given.SerializeToString()), points.astype(np.float32))
