"""The benchmark of the landmark backends."""

from __future__ import annotations

import pytest

from face_expr_ros.benchmarks import backends
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.settings import from_mapping
from face_expr_ros.perception.landmarks import BACKENDS


def test_every_backend_has_a_detector() -> None:
    assert set(backends.DETECTORS) == set(BACKENDS)
    for backend in backends.DETECTORS:
        config = from_mapping(PerceptionConfig, backends.settings_of(backend, "face_landmarker.task"))
        assert config.landmarks.backend == backend


@pytest.mark.parametrize(
    ("any_version", "solutions", "expected"),
    [
        (False, False, ["facemesh", "facemesh_v2"]),
        (True, False, ["facemesh", "facemesh_v2", "mediapipe_tasks"]),
        (True, True, ["facemesh", "facemesh_v2", "mediapipe_tasks", "mediapipe_solutions"]),
    ],
)
def test_only_installed_backends_are_measured(
    monkeypatch: pytest.MonkeyPatch, any_version: bool, solutions: bool, expected: list[str]
) -> None:
    monkeypatch.setattr(backends, "has_mediapipe", lambda: any_version)
    monkeypatch.setattr(backends, "has_solutions", lambda: solutions)
    assert backends.available("face_landmarker.task") == expected
    assert set(backends.available("")) == set(expected) & {"facemesh", "mediapipe_solutions"}


@pytest.mark.slow
def test_a_backend_is_measured_in_its_own_process() -> None:
    result = backends.measure("facemesh", frames=5)
    assert set(result) == {"first_face_s", "frame_ms", "cpu_ms", "landmarks_ms", "memory_mb"}
    assert 0 < result["landmarks_ms"] < result["frame_ms"]
    assert 0 < result["first_face_s"] < 120
    assert result["memory_mb"] > 50
