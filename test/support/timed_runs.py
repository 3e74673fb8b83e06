"""The option ``--minutes``: tests are repeated with new random input until the time is over, and inputs are counted."""

from __future__ import annotations

import re
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis.statistics import collector

_EXAMPLES = re.compile(r"(\d+) (?:passing|failing|invalid)")
_inputs: Counter[str] = Counter()
_seconds: dict[str, float] = {}
_current = ""  # the name of the running test


def count_input(count: int = 1) -> None:
    """Count inputs that the running test has generated itself; those of Hypothesis are counted anyway."""
    _inputs[_current] += count


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run all tests in turn until the time is over; a test that has failed is not repeated."""
    minutes = session.config.getoption("--minutes")
    if not minutes or session.config.option.collectonly:
        return None
    deadline, items = time.monotonic() + 60 * minutes, list(session.items)
    while items and time.monotonic() < deadline:
        items = [
            item
            for item, following in zip(items, [*items[1:], items[0]], strict=True)
            if time.monotonic() < deadline and _passes(session, item, following)
        ]
    session._setupstate.teardown_exact(None)
    return True


def _passes(session: pytest.Session, item: pytest.Item, following: pytest.Item) -> bool:
    """Run a test; whether it has passed."""
    global _current
    _current, started, failed = item.name, time.monotonic(), session.testsfailed
    if isinstance(item, pytest.Function):
        item._initrequest()  # otherwise the fixtures of its last run are used
    with collector.with_value(_count):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None if following is item else following)
    for part in _EXAMPLES.findall(
        str(getattr(item, "hypothesis_statistics", ""))
    ):  # of tests that Hypothesis runs itself
        count_input(int(part))
    _seconds[item.name] = _seconds.get(item.name, 0.0) + time.monotonic() - started
    return session.testsfailed == failed


def _count(statistics: Any) -> None:
    """Add the inputs of one run of Hypothesis."""
    count_input(sum(len(part.get("test-cases", ())) for part in statistics.values() if isinstance(part, dict)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the number of inputs of each test."""
    if not _seconds:
        return
    terminalreporter.section("generated inputs")
    for name, seconds in _seconds.items():
        terminalreporter.line(f"{_inputs[name]:>10,}  {seconds:8.1f} s  {name}")
    terminalreporter.line(f"{sum(_inputs.values()):>10,}  {sum(_seconds.values()):8.1f} s  in total")
