"""The benchmark of the avatar protocols prints one line per protocol."""

from __future__ import annotations

import sys

import pytest

from face_expr_ros.benchmarks import avatars
from face_expr_ros.retargeting.avatar_config import PORTS


def test_the_benchmark_prints_timing_and_cpu_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["avatars", "--seconds", "0.2"])
    avatars.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == list(PORTS)
    for line in lines:
        for words in (" Hz, jitter ", " % of a core; ", " ms to build an update"):
            assert words in line
