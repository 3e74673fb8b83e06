"""Deferring Ctrl-C to safe points, and handling SIGTERM like Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred_sigint() -> Iterator[Callable[[], None]]:
    """Defer Ctrl-C until the yielded function is called, or until the end; a second Ctrl-C is not deferred.

    Python raises KeyboardInterrupt between any two instructions of the main thread, also inside a queue, whose lock
    then stays locked: closing the threads would block forever. Has no effect in other threads, or if SIGINT has another
    handler.
    """
    usual = signal.default_int_handler
    pressed: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        if pressed:
            usual(number, frame)
        pressed.append(number)

    def check() -> None:
        if pressed:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not usual:
        yield check
        return
    signal.signal(signal.SIGINT, hold)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, usual)
    check()


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGINT and SIGTERM, so that child processes are ended and files are finished.

    Replaces the handlers that an executable has while it loads. A shell's background job, for which SIGINT is ignored,
    stays so. Has no effect outside the main thread, where Python does not allow signal handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [each for each in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(each) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
