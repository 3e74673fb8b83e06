"""What the page's clients cost a live graph: camera, perception and web_bridge, with clients and without.

``python -m face_expr_ros.benchmarks.web_clients`` runs it after the server alone.
"""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face_expr_ros.benchmarks.clips import RATE, person
from face_expr_ros.benchmarks.clock import cpu_seconds
from face_expr_ros.benchmarks.ros_cameras import FRAMES
from face_expr_ros.benchmarks.ros_listener import BenchError, Listener
from face_expr_ros.benchmarks.web_clients import Listeners, print_figures
from face_expr_ros.msg import FaceArray
from face_expr_ros.ros.child_process import Child
from face_expr_ros.ros.environment import prepare_environment

NAMESPACE = "/bench_web"
ROUNDS = 2  # without and with clients, in turn: a machine is not equally busy all the time
SETTLE = 3.0  # seconds from a change to what counts
HOST = "127.0.0.1"
_TOPIC = f"{NAMESPACE}/faces"
_IN_NAMESPACE = ("--ros-args", "-r", f"__ns:={NAMESPACE}")


@dataclass
class _Graph:
    """Who takes part, and when each message of perception came."""

    listener: Listener
    children: list[Child]
    heard: list[tuple[int, int]]

    def rate(self, seconds: float) -> float:
        """FaceArrays a second."""
        before, begun = len(self.heard), time.monotonic()
        self.listener.during(seconds, self.children)
        return (len(self.heard) - before) / (time.monotonic() - begun)


def measure(film: Path, clients: int, seconds: float) -> dict[str, float]:
    """Camera and perception all the time, the bridge with its clients in every other part.

    Args:
        film: frames for the bench camera.
        clients: of the bridge's stream.
        seconds: of each part.

    Returns:
        ``bridge_percent`` of a processor core; ``perception_hz`` without and ``perception_with_clients_hz``, means of
        the rounds, and ``rate_ratio``, the second over the first; the rest as `Listeners.result`, of the last round.

    Raises:
        BenchError: a process ended by itself, or nothing came from one to another.
    """
    listener = Listener()
    children: list[Child] = []
    try:
        children.append(Child("perception", *_IN_NAMESPACE))
        children.append(Child("bench_camera", str(film), "--rate", str(RATE), *_IN_NAMESPACE))
        graph = _Graph(listener, children, listener.listen(FaceArray, _TOPIC))
        listener.until(lambda: graph.heard, "the first answer", children)
        listener.during(SETTLE, children)
        rounds = [(graph.rate(seconds), *_with_clients(graph, clients, seconds)) for _ in range(ROUNDS)]
    finally:
        for child in reversed(children):
            child.close()
        listener.close()
    alone, served, percent = np.mean([row[:3] for row in rounds], axis=0).tolist()
    rates = {"perception_hz": alone, "perception_with_clients_hz": served, "rate_ratio": served / alone}
    return {"bridge_percent": percent, **rates, **rounds[-1][3]}


def _with_clients(graph: _Graph, clients: int, seconds: float) -> tuple[float, float, dict[str, float]]:
    """Rate of perception, percent of a core that the bridge takes, and what its clients see."""
    port = _free_port()
    limits = [f"{name}:={clients + 8}" for name in ("max_clients", "max_connections")]
    parameters = [f"port:={port}", *limits, f"request_burst:={clients + 100}"]
    bridge = Child("web_bridge", *_IN_NAMESPACE, *(word for each in parameters for word in ("-p", each)))
    graph.children.append(bridge)
    try:
        graph.listener.until(_listens(port), "web_bridge", graph.children)
        with Listeners(f"http://{HOST}:{port}/", clients, seconds + 2 * SETTLE) as listeners:
            graph.listener.during(SETTLE, graph.children)
            begun, spent = time.monotonic(), cpu_seconds(bridge.pid)
            rate = graph.rate(seconds)
            percent = 100 * (cpu_seconds(bridge.pid) - spent) / (time.monotonic() - begun)
            graph.listener.until(lambda: not listeners.running, "the end of the clients", graph.children)
            return rate, percent, listeners.result()
    finally:
        graph.children.remove(bridge)
        bridge.close()


def _listens(port: int) -> Callable[[], bool]:
    def listens() -> bool:
        with socket.socket() as client:
            return client.connect_ex((HOST, port)) == 0

    return listens


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
    return port


def main() -> int:
    """Print the measurement; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    prepare_environment()
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.npy"
        np.save(film, np.array([frame.image for frame in person()[:FRAMES]]))
        try:
            figures = measure(film, given.clients, given.seconds)
        except BenchError as error:
            print(f"bench_web: {error}", file=sys.stderr)
            return 1
    print_figures(f"camera, perception and web_bridge, {RATE:g} Hz, {given.clients} clients", figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
