"""Damaged files and messages are read or refused with the error of their parser."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.mutations import damaged, damaged_text, mutated
from support.parsers import PARSERS
from support.timed_runs import count_input

TURN = 3.0  # seconds for each parser and turn with --minutes


@pytest.mark.parametrize("name", PARSERS)
def test_damaged_input_is_read_or_refused(name: str, tmp_path: Path) -> None:
    read, seeds, file, is_slow = PARSERS[name]
    strategies: list[st.SearchStrategy[bytes]] = []
    for seed in seeds():
        read(seed, tmp_path / file)
        strategies.append(damaged(seed))
        if seed.isascii():
            strategies.append(damaged_text(seed.decode()).map(str.encode))

    @settings(suppress_health_check=list(HealthCheck), max_examples=settings().max_examples // (5 if is_slow else 1))
    @given(st.one_of(strategies))
    def check(data: bytes) -> None:
        read(data, tmp_path / file)

    check()


@pytest.mark.parametrize("name", PARSERS)
def test_mutated_input_is_read_or_refused(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    read, seeds, file, is_slow = PARSERS[name]
    timed = bool(request.config.getoption("--minutes"))
    rng = random.Random() if timed else random.Random(1)
    valid = list(seeds())
    end, count = time.monotonic() + TURN, 0
    while count < (20 if is_slow else 100) or (timed and time.monotonic() < end):
        data = mutated(rng.choice(valid), rng)
        try:
            read(data, tmp_path / file)
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error}, of the input {data!r}") from error
        count += 1
    count_input(count)
