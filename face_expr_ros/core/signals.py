"""Ctrl-C and SIGTERM where they must not strike at any moment, or not a process alone."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred_sigint() -> Iterator[Callable[[], None]]:
    """Ctrl-C waits until the function that this gives is called, or until the end; a second one does not wait.

    Python raises KeyboardInterrupt between any two instructions of the main thread, also inside of a queue, whose lock
    then stays taken: closing the threads would wait for ever. In other threads, and where somebody handles SIGINT
    already, nothing is changed.
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
    """Meanwhile SIGTERM is a KeyboardInterrupt, as Ctrl-C is: child processes are ended, and files finished.

    In other threads than the main one, where Python lets nobody handle signals, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
