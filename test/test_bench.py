"""What the bench prints; how long things take is not asserted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from face_expr_ros.evaluation import bench, bench_fitting

FACES = ["1 face", "2 faces", "5 faces", "10 faces"]


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is measured a single time."""
    monkeypatch.setattr(bench_fitting, "_ROUNDS", 1)
    monkeypatch.setattr(bench_fitting, "_RUNS", 1)


def test_the_network_is_measured_beside_its_bare_run(once: None, tddfa_bundle: Path) -> None:
    result = bench_fitting.measure_fitting()
    assert result["tddfa_bundle"] == "3ddfa_v2 mb05"
    for key in ("tddfa_ms", "tddfa_network_ms", "tddfa_over_network"):
        assert list(result[key]) == FACES
        assert min(result[key].values()) > 0.0
    assert result["dense_over_product"] > 0.0


def test_without_a_network_the_bench_says_why(once: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACE_EXPR_HOME", str(tmp_path))
    monkeypatch.setattr(bench_fitting, "BUNDLES", ("3ddfa_v2",))
    result = bench_fitting.measure_fitting()
    assert "run face_expr fetch-models 3ddfa_v2" in result["tddfa_bundle"]
    assert "tddfa_ms" not in result
    assert result["dense_ms"] > 0.0


def test_the_quickest_run_of_each_round_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    taken = {"first": iter([9.0, 1.0] * bench_fitting._ROUNDS), "second": iter([2.0, 8.0] * bench_fitting._ROUNDS)}

    def work(name: str) -> Callable[[], None]:
        def pass_time() -> None:
            nonlocal now
            now += next(taken[name])

        return pass_time

    monkeypatch.setattr(bench_fitting, "_RUNS", 2)
    monkeypatch.setattr(bench_fitting.time, "perf_counter", lambda: now)
    assert bench_fitting._take_turns(work("first"), work("second")) == (1000.0, 2000.0)


@pytest.mark.slow
def test_the_pipeline_is_measured_stage_by_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_CYCLE", 3)
    result = bench.measure(4)
    assert {"landmarks", "fitter", "smoother", "total"} <= set(result["stages_ms"])
    assert {"pipeline_over_floor", "faces_slope_ms", "peak_memory_mb", "memory_growth_mb"} <= set(result)
