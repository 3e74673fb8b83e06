"""Benchmark of web_bridge in a live graph with camera and perception, with and without clients.

``python -m face_expr_ros.benchmarks.web_clients`` runs it after the benchmark of the server alone.
"""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from face_expr_ros.benchmarks.clips import RATE, person
from face_expr_ros.benchmarks.clock import cpu_seconds
from face_expr_ros.benchmarks.ros_cameras import FRAMES
from face_expr_ros.benchmarks.ros_listener import BenchError, Listener
from face_expr_ros.benchmarks.web_clients import StreamClients, print_figures
from face_expr_ros.msg import FaceArray
from face_expr_ros.ros.child_process import Child
from face_expr_ros.ros.environment import prepare_environment

NAMESPACE = "/bench_web"
ROUNDS = 2  # without and with clients alternately, because the load of the machine varies
SETTLE = 3.0  # seconds from a change to the start of the measurement
HOST = "127.0.0.1"
_TOPIC = f"{NAMESPACE}/faces"
_IN_NAMESPACE = ("--ros-args", "-r", f"__ns:={NAMESPACE}")


@dataclass
class _Graph:
    """The processes, and the (stamp, arrival) of each FaceArray."""

    listener: Listener
    children: list[Child]
    received: list[tuple[int, int]]

    def rate(self, seconds: float) -> float:
        """FaceArrays per second, measured for a duration."""
        before, started = len(self.received), time.monotonic()
        self.listener.spin_for(seconds, self.children)
        return (len(self.received) - before) / (time.monotonic() - started)


def measure(clip: Path, clients: int, seconds: float) -> dict[str, float]:
    """Run camera and perception, alternately without and with the bridge and its clients.

    Args:
        clip: frames for `ros_camera`.
        clients: number of clients of the bridge's stream.
        seconds: duration of each part.

    Returns:
        ``bridge_percent`` of a CPU core; ``perception_hz`` without and ``perception_with_clients_hz`` with clients,
        means of the rounds; ``rate_ratio``, the second over the first; and the last round's `StreamClients.result`.

    Raises:
        BenchError: a process exits unexpectedly, or messages are not received.
    """
    listener = Listener()
    children: list[Child] = []
    try:
        children.append(Child("nodes.perception", *_IN_NAMESPACE))
        children.append(Child("benchmarks.ros_camera", str(clip), "--rate", str(RATE), *_IN_NAMESPACE))
        graph = _Graph(listener, children, listener.subscribe(FaceArray, _TOPIC))
        listener.spin_until(lambda: graph.received, "the first result", children)
        listener.spin_for(SETTLE, children)
        rounds = [(graph.rate(seconds), *_with_clients(graph, clients, seconds)) for _ in range(ROUNDS)]
    finally:
        for child in reversed(children):
            child.close()
        listener.close()
    alone, served, percent = np.mean([row[:3] for row in rounds], axis=0).tolist()
    rates = {"perception_hz": alone, "perception_with_clients_hz": served, "rate_ratio": served / alone}
    return {"bridge_percent": percent, **rates, **rounds[-1][3]}


def _with_clients(graph: _Graph, clients: int, seconds: float) -> tuple[float, float, dict[str, float]]:
    """Rate of perception, CPU load of the bridge in percent of a core, and the results of its clients."""
    port = _free_port()
    limits = [f"{name}:={clients + 8}" for name in ("max_clients", "max_connections")]
    parameters = [f"port:={port}", *limits, f"request_burst:={clients + 100}"]
    bridge = Child("nodes.web_bridge", *_IN_NAMESPACE, *(word for each in parameters for word in ("-p", each)))
    graph.children.append(bridge)
    try:
        graph.listener.spin_until(partial(_is_listening, port), "a connection of web_bridge", graph.children)
        with StreamClients(f"http://{HOST}:{port}/", clients, seconds + 2 * SETTLE) as stream_clients:
            graph.listener.spin_until(
                lambda: stream_clients.connected, "the connections of the clients", graph.children
            )
            graph.listener.spin_for(SETTLE, graph.children)
            started, cpu = time.monotonic(), cpu_seconds(bridge.pid)
            rate = graph.rate(seconds)
            percent = 100 * (cpu_seconds(bridge.pid) - cpu) / (time.monotonic() - started)
            graph.listener.spin_until(lambda: not stream_clients.running, "the clients' results", graph.children)
            return rate, percent, stream_clients.result()
    finally:
        graph.children.remove(bridge)
        bridge.close()


def _is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


def _free_port() -> int:
    with socket.socket() as server:
        server.bind((HOST, 0))
        port: int = server.getsockname()[1]
    return port


def main() -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    prepare_environment()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.npy"
        np.save(clip, np.array([frame.image for frame in person()[:FRAMES]]))
        try:
            figures = measure(clip, options.clients, options.seconds)
        except BenchError as error:
            print(f"ros_web: {error}", file=sys.stderr)
            return 1
    print_figures(f"camera, perception and web_bridge, {RATE:g} Hz, {options.clients} clients", figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
