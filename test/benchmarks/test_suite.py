"""Results of the benchmarks; times are not checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from face_expr_ros.benchmarks import clips, clock, fitting
from face_expr_ros.benchmarks.annotation import measure_annotation
from face_expr_ros.benchmarks.floor import measure_floor
from face_expr_ros.benchmarks.machine import machine
from face_expr_ros.benchmarks.ros_cameras import several_cameras
from face_expr_ros.benchmarks.suite import Workload, measure
from face_expr_ros.benchmarks.table import table
from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.core.types import Frame

FACES = ["1 face", "2 faces", "5 faces", "10 faces"]
CONTRACT = {
    "pipeline_over_floor", "marker_speedup", "stages_ms", "end_to_end_ms", "faces_slope_ms", "peak_memory_mb",
    "annotate_realtime_factor",
}  # fmt: skip


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each function is measured once."""
    monkeypatch.setattr(fitting, "_ROUNDS", 1)
    monkeypatch.setattr(fitting, "_RUNS", 1)


def test_the_fitter_is_compared_to_the_bare_network(once: None, tddfa_bundle: Path) -> None:
    result = fitting.measure_fitting()
    assert result["tddfa_bundle"] == "3ddfa_v2 mb05"
    for key in ("tddfa_ms", "tddfa_network_ms", "tddfa_over_network"):
        assert list(result[key]) == FACES
        assert min(result[key].values()) > 0.0
    assert result["dense_over_product"] > 0.0


def test_a_missing_network_is_explained_in_the_result(
    once: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FACE_EXPR_HOME", str(tmp_path))
    monkeypatch.setattr(fitting, "BUNDLES", ("3ddfa_v2",))
    result = fitting.measure_fitting()
    assert "run face_expr fetch-models 3ddfa_v2" in result["tddfa_bundle"]
    assert "tddfa_ms" not in result
    assert result["dense_ms"] > 0.0


def test_the_fastest_run_of_each_round_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    durations = {"first": iter([9.0, 1.0] * fitting._ROUNDS), "second": iter([2.0, 8.0] * fitting._ROUNDS)}

    def work(name: str) -> Callable[[], None]:
        def pass_time() -> None:
            nonlocal now
            now += next(durations[name])

        return pass_time

    monkeypatch.setattr(fitting, "_RUNS", 2)
    monkeypatch.setattr(fitting.time, "perf_counter", lambda: now)
    assert fitting._alternate(work("first"), work("second")) == (1000.0, 2000.0)


def test_times_are_summarized_in_milliseconds() -> None:
    times = clock.Times(wall=[0.001, 0.002, 0.009], cpu=[0.001, 0.003, 0.002])
    assert times.run(lambda: "result") == "result"
    assert len(times.wall) == len(times.cpu) == 4
    times = clock.Times(wall=[0.001, 0.002, 0.009], cpu=[0.001, 0.003, 0.002])
    assert times.summary() == {"median": 2.0, "mean": 4.0, "p95": 8.3, "cpu": 2.0}
    assert clock.percentiles([]) == {"p50": None, "p95": None, "p99": None}
    assert clock.percentiles([0.004] * 10) == {"p50": 4.0, "p95": 4.0, "p99": 4.0}


def test_cpu_time_and_memory_of_a_process_are_read() -> None:
    pid = os.getpid()
    before = clock.cpu_seconds(pid)
    while clock.cpu_seconds(pid) == before:
        np.zeros(1_000_000).sum()
    assert 1.0 < clock.memory_mb(pid, "VmRSS") <= clock.memory_mb("self", "VmHWM")
    assert clock.pss_mb(pid) <= clock.memory_mb(pid, "VmHWM")
    with pytest.raises(OSError, match=r"/proc/self/status has no entry VmNone"):
        clock.memory_mb("self", "VmNone")


def frame(width: int, height: int, number: int = 0) -> Frame:
    """An image with a bright square in its center."""
    image = np.zeros((height, width, 3), np.uint8)
    image[height // 2 - 20 : height // 2 + 20, width // 2 - 20 : width // 2 + 20] = 200
    return Frame(image, number, "lens", pinhole_camera(width, height, 45.0))


def test_a_clip_is_played_forward_and_backward() -> None:
    clip = [frame(64, 48, number) for number in range(3)]
    shown = list(clips.played(clip, 6))
    assert [next(i for i, one in enumerate(clip) if one.image is new.image) for new in shown] == [0, 1, 2, 1, 0, 1]
    steps = np.diff([new.stamp_ns for new in shown])
    np.testing.assert_allclose(steps, 1e9 / clips.RATE, atol=1)


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (3840, 2160)])
def test_a_resized_frame_keeps_its_center_and_aspect_ratio(size: tuple[int, int]) -> None:
    (new,) = clips.resized([frame(1280, 720)], *size)
    assert new.image.shape == (size[1], size[0], 3)
    assert (new.camera.width, new.camera.height) == size
    rows, columns = (np.flatnonzero(new.image[..., 0].max(axis=axis) > 100) for axis in (1, 0))
    assert rows.mean() == pytest.approx((size[1] - 1) / 2, abs=1.0)
    assert columns.mean() == pytest.approx((size[0] - 1) / 2, abs=1.0)
    assert len(rows) == pytest.approx(len(columns), abs=1)


def test_annotation_of_a_recording_is_measured() -> None:
    result = measure_annotation([frame(1280, 720), frame(1280, 720, 1)], 3)
    assert result["annotate_realtime_factor"] > 0.0
    assert result["annotate_cpu_ms"]["decode"] > 0.0
    assert result["annotate_thread_ms"].keys() == {"reading", "measuring", "writing"}


def test_the_table_starts_with_ratios_and_has_columns_for_groups() -> None:
    result = {
        "stages_ms": {"fitter": 1.5, "total": 8.0},
        "end_to_end": {"30 Hz": {"fps": 29.96, "faces_ms": {"p50": 9.1, "p99": None}}, "60 Hz": {"fps": 60.0}},
        "marker_speedup": 250.0,
        "pipeline_over_floor": 1.2,
    }
    lines = table(result).splitlines()
    assert [line.split() for line in lines[:2]] == [["pipeline_over_floor", "1.2"], ["marker_speedup", "250"]]
    assert lines[3:6] == ["stages_ms", f"  {'fitter':26}{'1.5':>10}", f"  {'total':26}{'8':>10}"]
    assert lines[8].split() == ["fps", "faces", "p50", "faces", "p99"]
    assert lines[9].split() == ["30", "Hz", "29.96", "9.1", "-"]
    assert lines[10] == f"  {'60 Hz':26}{'60':>10}"
    assert [line.index(word) + len(word) for line, word in zip(lines[8:10], ("p99", "-"), strict=True)] == [60, 60]


def test_the_machine_is_described() -> None:
    found = machine()
    assert found["cores"] >= 1
    assert found["ai-edge-litert"][0].isdigit()
    assert found["load"] >= 0.0


@pytest.mark.slow
def test_the_floor_repeats_the_network_runs_of_the_pipeline() -> None:
    result = measure_floor(clips.person(4), 8)
    assert result["network_runs_per_frame"] >= 4.0  # mesh, parts, expression head, fusion
    assert result["floor_ms"]["cpu"] > 0.0
    assert 0.0 < result["networks_ms"]["median"] < result["pipeline_ms"]["median"]
    assert result["pipeline_over_networks"] > 1.0
    assert {"detector", "landmarks", "fitter", "expression", "total"} <= set(result["stages_ms"])


@pytest.mark.slow
def test_the_suite_returns_all_values(once: None) -> None:
    result = measure(Workload(4, 2, 2, 4, 2, 1, (1.0,) * 4, (), 0.0))
    assert set(result) >= CONTRACT
    for run in result["end_to_end"].values():
        assert run["fps"] > 0
        assert run["peak_memory_mb"] >= result["start_memory_mb"]
    assert {row["followed"] for row in result["faces_ms"].values()} == {1.0, 2.0, 5.0, 10.0}
    assert {row["followed"] for row in result["sizes_ms"].values()} == {1.0}
    assert list(result["message_bytes"])[-1] == "pose, shape, expression"
    assert result["message_bytes"]["pose, shape, expression"] < 1024
    assert table(result).startswith("pipeline_over_networks")


@pytest.mark.slow
def test_two_cameras_are_measured_with_one_and_two_processes(tmp_path: Path) -> None:
    clip = tmp_path / "clip.npy"
    np.save(clip, np.array([frame.image for frame in clips.person(4)]))
    rows = several_cameras(clip, (2,), 1.0)["cameras"]
    assert list(rows) == ["2 cameras, 1 process", "2 cameras, 2 processes"]
    assert min(row["least"] for row in rows.values()) > 0
    assert rows["2 cameras, 1 process"]["memory_mb"] < rows["2 cameras, 2 processes"]["memory_mb"]
