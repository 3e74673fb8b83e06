"""What many clients cost: a server in this process, its clients in another.

``python -m face_expr_ros.web.bench --clients 50`` prints the processor time of the server for each client, and drops.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time

import numpy as np
from websockets.asyncio.client import connect

from face_expr_ros.bundle import open_face_model
from face_expr_ros.face_state import FaceState
from face_expr_ros.geometry import rotation_from_euler
from face_expr_ros.open_model.blendshapes import ARKIT_NAMES
from face_expr_ros.values import NOTHING_READ, Blendshapes, Pose, Roi
from face_expr_ros.web.codec import decode_frame
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.server import FaceServer

RATE = 30.0  # Hz


def measure(clients: int, seconds: float) -> dict[str, float]:
    """Publish one face 30 times a second, first to nobody, then to the clients.

    Returns:
        ``server_percent`` and ``client_percent``: of one processor core, all together and for each client;
        ``rate_hz`` that the clients saw, ``dropped`` by the server, ``missed`` by all clients, ``bytes`` of a frame.
    """
    config = WebConfig(port=0, max_clients=max(1, clients), max_connections=clients + 8, request_burst=100_000)
    server = FaceServer(config, open_face_model("open"), "bench")
    idle = _publish(server, seconds)
    command = [sys.executable, "-m", __spec__.name, "--listen", server.url, str(clients), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listeners:
        while len(server.hub.streams) < clients and listeners.poll() is None:
            time.sleep(0.01)
        busy = _publish(server, seconds)
        while listeners.poll() is None:  # the slowest to begin is the last to end
            _publish(server, 0.5)
        seen = json.loads(listeners.stdout.read()) if listeners.stdout else {}
    dropped = server.hub.dropped
    server.close()
    return {"server_percent": busy, "client_percent": (busy - idle) / clients, "dropped": dropped, **seen}


def _publish(server: FaceServer, seconds: float) -> float:
    """Percent of a core that this process takes meanwhile."""
    begun, spent = time.monotonic(), time.process_time()
    for number in range(round(seconds * RATE)):
        server.publish([_face(number)], time.time_ns(), None)
        time.sleep(max(0.0, begun + (number + 1) / RATE - time.monotonic()))
    return 100 * (time.process_time() - spent) / (time.monotonic() - begun)


def _face(number: int) -> FaceState:
    values = 0.5 + 0.5 * np.sin(number / 10 + np.arange(len(ARKIT_NAMES)))
    pose = Pose(rotation_from_euler(0.1, 0.0, 0.0), np.array([0.0, 0.0, 0.6]), metric=True)
    return FaceState(
        id="f1", stamp_ns=0, confidence=1.0, roi=Roi(0, 0, 100, 100), pose=pose, model="open", shape=np.zeros(40),
        expression=values, blendshapes=Blendshapes(ARKIT_NAMES, values), readouts=NOTHING_READ,
        landmarks=np.zeros((0, 3), np.float32),
    )  # fmt: skip


async def _listen(url: str, clients: int, seconds: float) -> dict[str, float]:
    """What many clients see."""
    rows = np.array(await asyncio.gather(*(_client(url, seconds) for _ in range(clients))))
    frames, missed, size = rows.sum(axis=0).tolist()
    return {"rate_hz": frames / clients / seconds, "missed": missed, "bytes": size / frames}


async def _client(url: str, seconds: float) -> tuple[int, int, int]:
    """Frames, gaps in their numbers, and bytes."""
    frames = gaps = size = last = 0
    async with connect(url.replace("http", "ws", 1) + "ws/stream", proxy=None, open_timeout=60) as stream:
        await stream.recv()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            data = await stream.recv()
            assert isinstance(data, bytes)
            sequence = decode_frame(data).sequence
            gaps += sequence - last - 1 if last else 0
            frames, size, last = frames + 1, size + len(data), sequence
    return frames, gaps, size


def main() -> None:
    """Print the measurement, or, with ``--listen``, be the clients of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--listen", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.listen:
        url, clients, seconds = given.listen
        print(json.dumps(asyncio.run(_listen(url, int(clients), float(seconds)))))
        return
    for name, value in measure(given.clients, given.seconds).items():
        print(f"{name}: {value:.3f}")


if __name__ == "__main__":
    main()
