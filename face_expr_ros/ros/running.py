"""Running one node as a process: clean ends, and one sentence where it cannot start."""

from __future__ import annotations

import sys
from collections.abc import Callable

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from face_expr_ros.config import ConfigError
from face_expr_ros.sources import SourceError

STOPPED = (KeyboardInterrupt, ExternalShutdownException)


class StartError(RuntimeError):
    """A node cannot start; the text is the sentence for the user."""


def run_node(create: Callable[[], Node], name: str) -> int:
    """Spin the node that ``create`` makes until Ctrl-C, SIGTERM or the node's own shutdown.

    Returns:
        The exit status: 0 after a clean end, 2 where the configuration or the input does not let the node start.
    """
    try:
        rclpy.init()
    except RuntimeError as error:  # rclpy's own text repeats its sentence with C file names after the first line
        return _refused(name, str(error).splitlines()[0].split(", at /")[0])
    node = None
    try:
        node = create()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except STOPPED:
        pass
    except (ConfigError, SourceError, StartError) as error:
        return _refused(name, str(error))
    except Exception:
        if rclpy.ok():  # else a callback was in the middle of publishing when the process was told to end
            raise
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _refused(name: str, sentence: str) -> int:
    print(f"{name}: {sentence}", file=sys.stderr, flush=True)
    return 2
