"""Benchmark of many web clients: the server alone, then, if ROS is installed, web_bridge in a live graph.

``python -m face_expr_ros.benchmarks.web_clients --clients 50`` prints one figure per line.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping

import numpy as np
from websockets.asyncio.client import connect

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.geometry import rotation_from_euler
from face_expr_ros.core.types import NO_READOUTS, Blendshapes, FaceState, Pose, Roi
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.web.codec import HEADER_SIZE
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.picture import PicturePace
from face_expr_ros.web.server import FaceServer

RATE = 30.0  # Hz
PICTURE_SIZE = 40_000  # bytes of a camera picture of a person, 640x360
CONNECTED = "connected"  # line of the clients' output
WITH_ROS = "face_expr_ros.benchmarks.ros_web"


def measure(clients: int, seconds: float, pictures: bool = False) -> dict[str, float]:
    """Publish one face at 30 Hz, first without clients, then with clients.

    Args:
        clients: number of clients of the stream of faces.
        seconds: duration of each part.
        pictures: the clients receive the camera pictures as well, and pictures of PICTURE_SIZE are published.

    Returns:
        ``server_percent`` and ``client_percent``: CPU load in percent of one core, total and per client;
        ``dropped``: frames dropped by the server; and the values of `StreamClients.result`.
    """
    config = WebConfig(port=0, max_clients=max(1, clients), max_connections=2 * clients + 8, request_burst=100_000)
    server = FaceServer(config, open_face_model("open"), "bench")
    idle = _publish(server, seconds)
    with StreamClients(server.url, clients, seconds, pictures) as stream_clients:
        while not stream_clients.connected and stream_clients.running:
            time.sleep(0.01)
        busy = _publish(server, seconds, pictures)
        while stream_clients.running:  # clients that connected late finish late
            _publish(server, 0.5)
        result = stream_clients.result()
    dropped = server.hub.dropped
    server.close()
    return {"server_percent": busy, "client_percent": (busy - idle) / clients, "dropped": dropped, **result}


class StreamClients:
    """Clients of a stream, in a separate process.

    Args:
        url: address of the page.
        clients: number of clients.
        seconds: duration for which each client receives.
        pictures: each also receives the camera pictures.
    """

    def __init__(self, url: str, clients: int, seconds: float, pictures: bool = False) -> None:
        command = [
            sys.executable,
            "-m",
            "face_expr_ros.benchmarks.web_clients",
            "--receive",
            url,
            str(clients),
            str(seconds),
            str(int(pictures)),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> StreamClients:
        return self

    def __exit__(self, *error: object) -> None:
        with self._process:
            self._process.kill()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)

    @property
    def connected(self) -> bool:
        """Whether all clients are connected; they receive from then on."""
        return bool(self._lines)

    @property
    def running(self) -> bool:
        """Whether the process is still running."""
        return self._process.poll() is None

    def result(self) -> dict[str, float]:
        """Wait for the process and return its measurements.

        Returns:
            ``rate_hz``: frames per second of a client; ``missed``: missed frames of all clients, and
            ``missed_percent`` of the sent ones; ``bytes_per_frame``, and ``bytes_per_face`` without the frame's header;
            ``pictures_hz``: pictures per second of a client, if they are received.
        """
        self._process.wait()
        self._reader.join()
        result: dict[str, float] = json.loads(self._lines[-1])
        return result


def _publish(server: FaceServer, seconds: float, pictures: bool = False) -> float:
    """Publish faces for a duration; returns the CPU load of this process in percent of a core."""
    pace, picture = PicturePace(), bytes(PICTURE_SIZE)
    started, cpu = time.monotonic(), time.process_time()
    for number in range(round(seconds * RATE)):
        server.publish([_face(number)], time.time_ns(), None)
        if pictures and pace.due(time.monotonic(), server.camera_clients):
            server.publish_picture(picture)
        time.sleep(max(0.0, started + (number + 1) / RATE - time.monotonic()))
    return 100 * (time.process_time() - cpu) / (time.monotonic() - started)


def _face(number: int) -> FaceState:
    values = 0.5 + 0.5 * np.sin(number / 10 + np.arange(len(ARKIT_NAMES)))
    pose = Pose(rotation_from_euler(0.1, 0.0, 0.0), np.array([0.0, 0.0, 0.6]), metric=True)
    return FaceState(
        id="f1", stamp_ns=0, confidence=1.0, roi=Roi(0, 0, 100, 100), pose=pose, model="open", shape=np.zeros(40),
        expression=values, blendshapes=Blendshapes(ARKIT_NAMES, values), readouts=NO_READOUTS,
        landmarks=np.zeros((0, 3), np.float32),
    )  # fmt: skip


class _Barrier:
    """As asyncio.Barrier, which Python 3.10 lacks; prints `CONNECTED` when it opens."""

    def __init__(self, count: int) -> None:
        self._missing, self._complete = count, asyncio.Event()

    async def wait(self) -> None:
        """Wait until ``count`` tasks wait."""
        self._missing -= 1
        if not self._missing:
            print(CONNECTED, flush=True)
            self._complete.set()
        await self._complete.wait()


async def _receive(url: str, clients: int, seconds: float, pictures: bool) -> dict[str, float]:
    """Connect all clients, let them receive at the same time, and summarize their measurements."""
    connected = _Barrier(clients * (1 + pictures))
    viewers = asyncio.gather(*(_viewer(url, seconds, connected) for _ in range(clients * pictures)))
    rows = np.array(await asyncio.gather(*(_client(url, seconds, connected) for _ in range(clients))))
    received = sum(await viewers)
    frames, missed, faces, size = rows.sum(axis=0).tolist()
    return {
        "rate_hz": frames / clients / seconds,
        "missed": missed,
        "missed_percent": 100 * missed / max(1, frames + missed),
        "bytes_per_frame": size / max(1, frames),
        "bytes_per_face": (size - HEADER_SIZE * frames) / max(1, faces),
        **({"pictures_hz": received / clients / seconds} if pictures else {}),
    }


async def _viewer(url: str, seconds: float, connected: _Barrier) -> int:
    """Number of camera pictures that a client receives."""
    count = 0
    address = url.replace("http", "ws", 1) + "ws/camera"
    async with connect(address, proxy=None, open_timeout=60, compression=None) as stream:
        await connected.wait()
        with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                await asyncio.wait_for(stream.recv(), left)
                count += 1
    return count


async def _client(url: str, seconds: float, connected: _Barrier) -> tuple[int, int, int, int]:
    """Numbers of frames, missed frames, faces and bytes; of a frame only the header is read."""
    frames = gaps = faces = size = last = 0
    async with connect(
        url.replace("http", "ws", 1) + "ws/stream", proxy=None, open_timeout=60, compression=None
    ) as stream:
        await connected.wait()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            data = await stream.recv()
            if isinstance(data, str):  # hello
                continue
            count, sequence = data[2], int.from_bytes(data[4:8], "little")
            gaps += sequence - last - 1 if last else 0
            frames, faces, size, last = frames + 1, faces + count, size + len(data), sequence
    return frames, gaps, faces, size


def print_figures(title: str, figures: Mapping[str, float]) -> None:
    """Print one figure per line."""
    print(title)
    for name, value in figures.items():
        print(f"    {name}: {value:.3f}", flush=True)


def main() -> None:
    """The command line; with the internal option ``--receive`` the process of `StreamClients`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--pictures", action="store_true", help="the clients receive the camera pictures as well")
    parser.add_argument("--receive", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.receive:
        url, clients, seconds, pictures = options.receive
        print(json.dumps(asyncio.run(_receive(url, int(clients), float(seconds), pictures == "1"))))
        return
    print_figures(
        f"server alone, {RATE:g} Hz, {options.clients} clients",
        measure(options.clients, options.seconds, options.pictures),
    )
    if options.pictures:
        return
    if importlib.util.find_spec("rclpy"):
        command = [sys.executable, "-m", WITH_ROS, "--clients", str(options.clients), "--seconds", str(options.seconds)]
        sys.exit(subprocess.run(command, check=False).returncode)
    print("ROS is not installed: web_bridge is not measured.")


if __name__ == "__main__":
    main()
