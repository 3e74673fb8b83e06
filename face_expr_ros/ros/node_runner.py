"""Running a node, or several, as a process: clean ends, and one sentence where it cannot start."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

import rclpy
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.ros.malloc_tuning import keep_freed_memory
from face_expr_ros.sources import SourceError

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LOG_INTERVAL = 5.0  # seconds between two lines of a log that say the same of what comes in
SIGNAL_INTERVAL = 0.2  # seconds; Python hears of a signal only between two waits for messages


class StartError(RuntimeError):
    """A node cannot start; the text is the sentence for the user."""


class Finished(Exception):
    """Raised by a callback when the node's work is done."""


def light_executor() -> Executor:
    """rclpy's executor that waits in C++, where this rclpy has it (Kilted and later), else the usual one.

    The usual one lists all topics, services and timers in Python before each wait: for a perception node that is two
    milliseconds an image.
    """
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor()
    return EventsExecutor()


def run_node(
    create: Callable[[], Node | Sequence[Node]],
    name: str,
    open_executor: Callable[[], Executor] = SingleThreadedExecutor,
) -> int:
    """Spin the node, or the nodes, that ``create`` makes until Ctrl-C, SIGTERM or :class:`Finished`.

    rclpy's own signal handlers would shut the context down while another thread publishes; here the node is
    destroyed first, with a context that still works.

    Returns:
        The exit status: 0 after a clean end, 2 where the configuration or the input does not let the node work.
    """
    keep_freed_memory()
    for number in SIGNALS:
        signal.signal(number, _interrupt_once)
    nodes: Sequence[Node] = ()
    try:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        created = create()
        nodes = [created] if isinstance(created, Node) else created
        executor = open_executor()
        for node in nodes:
            executor.add_node(node)
        heard = _listen()
        while not heard:
            executor.spin_once(timeout_sec=SIGNAL_INTERVAL)
        return 0
    except (KeyboardInterrupt, Finished):
        return 0
    except (BundleError, ConfigError, SourceError, StartError) as error:
        return _refused(name, str(error))
    except RuntimeError as error:
        if rclpy.ok():
            raise
        # The command line or a parameter file; rclpy's text goes on with the places in its C files.
        return _refused(name, str(error).splitlines()[0].split(", at /")[0])
    finally:
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()


def _listen() -> list[int]:
    """The signals that came, from now on: an exception in the middle of a wait would confuse an executor in C++."""
    heard: list[int] = []
    for number in SIGNALS:
        signal.signal(number, lambda number, frame: heard.append(number))
    return heard


def _interrupt_once(number: int, frame: FrameType | None) -> None:
    """As Ctrl-C, but only the first time: what is cleaned up is cleaned up to the end."""
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


def _refused(name: str, sentence: str) -> int:
    print(f"{name}: {sentence}", file=sys.stderr, flush=True)
    return 2
