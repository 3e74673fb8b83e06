"""Statistics of a demo run."""

from __future__ import annotations

import json

import pytest

from face_expr_ros.ros.demo_statistics import DemoStatistics


def test_the_summary_contains_counts_rate_and_latency() -> None:
    statistics = DemoStatistics()
    for frame in range(11):
        ids = ["f1"] if frame % 2 else ["f1", "f2"]
        statistics.add(now=5.0 + frame / 10, stamp_ns=frame, latency=0.010, ids=ids if frame else [])
    statistics.images.update({3, 20})  # with and without a result
    summary = statistics.summary()
    assert (summary["frames_in"], summary["frames_out"], summary["frames_with_face"]) == (12, 11, 10)
    assert (summary["faces_max"], summary["ids"]) == (2, ["f1", "f2"])
    assert summary["fps"] == pytest.approx(10.0)
    assert summary["latency_ms"] == {"p50": 10.0, "p95": 10.0, "p99": 10.0}
    assert statistics.status_line(6.0) == "frames 12 in, 11 out | faces 2 | 5.5 fps | latency 10.0 ms"


def test_the_last_image_is_answered_by_a_result_with_its_stamp() -> None:
    statistics = DemoStatistics()
    assert not statistics.last_is_answered()
    statistics.images.update({1, 2, 3})
    statistics.add(now=5.0, stamp_ns=2, latency=0.01, ids=[])
    assert not statistics.last_is_answered()
    statistics.add(now=5.1, stamp_ns=3, latency=0.01, ids=[])
    assert statistics.last_is_answered()


def test_a_run_without_results_is_valid_json() -> None:
    summary = json.loads(json.dumps(DemoStatistics().summary(), allow_nan=False))
    assert summary["frames_out"] == 0
    assert summary["latency_ms"] == {"p50": None, "p95": None, "p99": None}
    assert DemoStatistics().status_line(1.0).startswith("frames 0 in, 0 out")
