"""Deferred Ctrl-C, and SIGTERM as an interrupt."""

from __future__ import annotations

import signal
import threading

import pytest

from face_expr_ros.core.signals import deferred_sigint, terminate_as_interrupt


@pytest.mark.parametrize(("times", "expected"), [(1, ["pressed", "went on"]), (2, ["pressed"])])
def test_ctrl_c_is_deferred_and_a_second_one_is_immediate(times: int, expected: list[str]) -> None:
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


def test_an_existing_sigint_handler_is_called() -> None:
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        with deferred_sigint() as check:
            signal.raise_signal(signal.SIGINT)
            check()
    finally:
        signal.signal(signal.SIGINT, before)
    assert pressed == [signal.SIGINT]


def test_sigterm_raises_and_its_handler_is_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminate_as_interrupt():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_handlers_are_not_changed_in_another_thread() -> None:
    handlers: list[object] = []

    def work() -> None:
        with terminate_as_interrupt(), deferred_sigint():
            handlers.extend((signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)]
