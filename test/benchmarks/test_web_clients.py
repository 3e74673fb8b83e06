"""The measurement of the page's clients says what it promises; how much they cost is not asserted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.benchmarks import ros_web as bench_web
from face_expr_ros.benchmarks.web_clients import measure

SEEN = {"rate_hz", "missed", "missed_percent", "bytes_per_frame", "bytes_per_face"}
LIGHT, WITH_SHAPE = 153, 194  # bytes of a face of the open model, see docs/web.md


def check_clients(figures: dict[str, float]) -> None:
    assert figures.keys() >= SEEN
    assert figures["rate_hz"] > 0
    assert figures["missed"] >= 0
    assert LIGHT <= figures["bytes_per_face"] <= WITH_SHAPE


@pytest.mark.slow
def test_the_server_alone_is_measured_with_its_clients() -> None:
    figures = measure(clients=3, seconds=0.4)
    check_clients(figures)
    assert figures.keys() == SEEN | {"server_percent", "client_percent", "dropped"}
    assert figures["server_percent"] > 0


@pytest.mark.slow
def test_the_node_is_measured_beside_perception_with_and_without_clients(
    tmp_path: Path, portrait: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_web, "SETTLE", 0.5)
    film = tmp_path / "film.npy"
    np.save(film, np.array([np.roll(portrait, shift, axis=1) for shift in range(4)]))
    figures = bench_web.measure(film, clients=3, seconds=1.0)
    check_clients(figures)
    rates = {"perception_hz", "perception_with_clients_hz", "rate_ratio"}
    assert figures.keys() == SEEN | rates | {"bridge_percent"}
    assert figures["bridge_percent"] > 0
    assert figures["rate_ratio"] == pytest.approx(figures["perception_with_clients_hz"] / figures["perception_hz"])
