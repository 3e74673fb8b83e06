"""The benchmark of the avatars prints a line for each protocol."""

from __future__ import annotations

import sys

import pytest

from face_expr_ros.benchmarks import avatars as avatar_bench
from face_expr_ros.retargeting.avatar_config import PORTS


def test_the_benchmark_prints_what_arrived_and_what_it_cost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["avatar_bench", "--seconds", "0.2"])
    avatar_bench.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == list(PORTS)
    for line in lines:
        for words in (" Hz, jitter ", " % of a core; ", " ms to build a moment"):
            assert words in line
