"""Runs one or several nodes as a process, with a clean shutdown and one-line messages for startup errors."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

import rclpy
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.resources import resource_path
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.ros.fastdds_shared_memory import use_small_segment
from face_expr_ros.ros.malloc_tuning import keep_freed_memory
from face_expr_ros.sources import SourceError

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LOG_INTERVAL = 5.0  # seconds between repeated log messages about the input
SIGNAL_INTERVAL = 0.2  # seconds; Python handles signals only between two waits for messages
SHUTDOWN_TIMEOUT = 20.0  # seconds; under heavy load the nodes end within 2


class StartError(RuntimeError):
    """A node cannot start; the text is shown to the user."""


class Finished(Exception):
    """Raised by a callback to stop the node with success."""


def create_events_executor() -> Executor:
    """rclpy's EventsExecutor, which waits in C++ (Kilted and later); on older versions the SingleThreadedExecutor.

    The SingleThreadedExecutor lists all topics, services and timers in Python before each wait, which takes two
    milliseconds per image in a perception node.
    """
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor()
    return EventsExecutor()


def run_node(
    create: Callable[[], Node | Sequence[Node]],
    name: str,
    create_executor: Callable[[], Executor] = SingleThreadedExecutor,
    shutdown_timeout: float = SHUTDOWN_TIMEOUT,
    publishes_camera: bool = False,
) -> int:
    """Spin the nodes returned by ``create`` until SIGINT, SIGTERM or :class:`Finished`.

    rclpy's own signal handlers shut the context down while other threads may still publish. Here the nodes are
    destroyed first, while the context is valid. A process that has not ended ``shutdown_timeout`` seconds later, for
    example because the middleware waits for a lock of a killed process, writes the stacks of its threads to stderr and
    exits with status 1.

    Args:
        create: creates the nodes, after rclpy is initialized.
        name: of the executable, for messages.
        create_executor: creates what runs their callbacks.
        publishes_camera: the nodes publish camera images, which need the larger shared memory of config/fastdds.xml.
        shutdown_timeout: seconds from the end of the nodes' work to that of the process.

    Returns:
        The exit status: 0 after a clean shutdown, 2 if the configuration or the input is invalid.
    """
    keep_freed_memory()
    if not publishes_camera:
        use_small_segment(os.environ, resource_path("config/fastdds.xml"), resource_path("config/fastdds_small.xml"))
    for number in SIGNALS:
        signal.signal(number, _interrupt_once)
    nodes: Sequence[Node] = ()
    try:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        created = create()
        nodes = [created] if isinstance(created, Node) else created
        executor = create_executor()
        for node in nodes:
            executor.add_node(node)
        signals = _record_signals()
        while not signals:
            executor.spin_once(timeout_sec=SIGNAL_INTERVAL)
        return 0
    except (KeyboardInterrupt, Finished):
        return 0
    except (BundleError, ConfigError, SourceError, StartError) as error:
        return _report_start_error(name, str(error))
    except RuntimeError as error:
        if rclpy.ok():
            raise
        # An error in the command line or a parameter file; rclpy appends the locations in its C sources.
        return _report_start_error(name, str(error).splitlines()[0].split(", at /")[0])
    finally:
        _end(nodes, shutdown_timeout)


def _end(nodes: Sequence[Node], timeout: float) -> None:
    """Destroy the nodes. From now on the process ends within the timeout, whatever the middleware does."""
    _ignore_signals()  # launch and terminal both send one, and Python restores the default handlers while it ends
    # A thread in C ends the process, even while the middleware holds the interpreter's lock.
    faulthandler.dump_traceback_later(timeout, exit=True)
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown()


def _record_signals() -> list[int]:
    """A list to which signals are appended from now on: an exception during a wait is not safe in a C++ executor."""
    received: list[int] = []
    for number in SIGNALS:
        signal.signal(number, lambda number, frame: received.append(number))
    return received


def _interrupt_once(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt and ignore further signals, so that they do not interrupt the cleanup."""
    _ignore_signals()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _report_start_error(name: str, message: str) -> int:
    print(f"{name}: {message}", file=sys.stderr, flush=True)
    return 2
