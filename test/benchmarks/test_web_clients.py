"""The benchmark of web clients returns its documented values; their size is not checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.benchmarks import ros_web
from face_expr_ros.benchmarks.web_clients import measure

CLIENT_KEYS = {"rate_hz", "missed", "missed_percent", "bytes_per_frame", "bytes_per_face"}
WITHOUT_SHAPE, WITH_SHAPE = 153, 194  # bytes of a face of the open model, see docs/web.md


def check_clients(figures: dict[str, float]) -> None:
    assert figures.keys() >= CLIENT_KEYS
    assert figures["rate_hz"] > 0
    assert figures["missed"] >= 0
    assert WITHOUT_SHAPE <= figures["bytes_per_face"] <= WITH_SHAPE


@pytest.mark.slow
def test_the_benchmark_of_the_server_returns_all_values() -> None:
    figures = measure(clients=3, seconds=0.4)
    check_clients(figures)
    assert figures.keys() == CLIENT_KEYS | {"server_percent", "client_percent", "dropped"}
    assert figures["server_percent"] > 0


@pytest.mark.slow
def test_the_benchmark_of_web_bridge_returns_all_values(
    tmp_path: Path, portrait: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ros_web, "SETTLE", 0.5)
    clip = tmp_path / "clip.npy"
    np.save(clip, np.array([np.roll(portrait, shift, axis=1) for shift in range(4)]))
    figures = ros_web.measure(clip, clients=3, seconds=1.0)
    check_clients(figures)
    rates = {"perception_hz", "perception_with_clients_hz", "rate_ratio"}
    assert figures.keys() == CLIENT_KEYS | rates | {"bridge_percent"}
    assert figures["bridge_percent"] > 0
    assert figures["rate_ratio"] == pytest.approx(figures["perception_with_clients_hz"] / figures["perception_hz"])
