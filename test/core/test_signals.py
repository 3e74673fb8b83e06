"""Ctrl-C where it must not strike at any moment, and SIGTERM that is one."""

from __future__ import annotations

import signal
import threading

import pytest

from face_expr_ros.core.signals import deferred_sigint, terminate_as_interrupt


@pytest.mark.parametrize(("times", "expected"), [(1, ["pressed", "went on"]), (2, ["pressed"])])
def test_a_held_control_c_comes_at_the_end_and_a_second_one_at_once(times: int, expected: list[str]) -> None:
    done: list[str] = []

    def work() -> None:
        with deferred_sigint():
            done.append("pressed")
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
            done.append("went on")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == expected


def test_who_handles_control_c_already_goes_on_doing_so() -> None:
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        with deferred_sigint() as check:
            signal.raise_signal(signal.SIGINT)
            check()
    finally:
        signal.signal(signal.SIGINT, before)
    assert pressed == [signal.SIGINT]


def test_sigterm_is_an_interrupt_meanwhile_and_what_it_was_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminate_as_interrupt():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_in_another_thread_signals_are_left_alone() -> None:
    seen: list[object] = []

    def work() -> None:
        with terminate_as_interrupt(), deferred_sigint():
            seen.extend((signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)]
