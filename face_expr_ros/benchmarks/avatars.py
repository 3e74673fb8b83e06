"""How steadily avatars are sent to, and what it costs: ``python -m face_expr_ros.benchmarks.avatars``.

The synthetic actor's face comes 30 times a second; each protocol's packets go to a socket of this process.
"""

from __future__ import annotations

import argparse
import socket
import time
from dataclasses import dataclass, replace

import numpy as np

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.types import Blendshapes, FaceState
from face_expr_ros.retargeting.avatar_axes import NEUTRAL_FACE
from face_expr_ros.retargeting.avatar_config import PORTS, TargetConfig
from face_expr_ros.retargeting.avatar_sender import Sender, packets
from face_expr_ros.retargeting.avatar_stream import AvatarState, AvatarStream
from face_expr_ros.synthetic.actor import state_at

FACE_RATE = 30.0  # Hz
FIRST_OF_VMC = b"/VMC/Ext/OK"  # in the first datagram of a moment; the other protocols have one each


@dataclass(frozen=True)
class Steadiness:
    """What arrived.

    Attributes:
        rate: moments in a second.
        jitter_ms: standard deviation of the time between two, and p99_ms: how far 99 % of them are off at most.
        cpu: processor time over time, 1.0 is one core: of the sender, and of the actor and the receiver beside it.
    """

    rate: float
    jitter_ms: float
    p99_ms: float
    cpu: float


def building_ms(protocol: str, moments: int = 200) -> float:
    """Processor time of building one moment's packets, milliseconds; a face of its own for each moment."""
    target = TargetConfig.model_validate({"protocol": protocol})
    avatars = [AvatarState(_face(number / FACE_RATE), True) for number in range(moments)]
    packets(target, avatars[0], 0.0)  # what is made once is not counted
    start = time.process_time()
    for number, each in enumerate(avatars):
        packets(target, each, number / FACE_RATE)
    return 1e3 * (time.process_time() - start) / moments


def measure(protocol: str, rate: float, seconds: float) -> Steadiness:
    """Send to a socket of this process for so many seconds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0.02)
        target = TargetConfig.model_validate({"protocol": protocol, "port": receiver.getsockname()[1], "rate": rate})
        stream = AvatarStream(target, 1.0, 1.0)
        stream.put([_face(0.0)], time.monotonic())
        cpu, start = time.process_time(), time.monotonic()
        sender = Sender(target, stream, print)
        arrivals = _listen(receiver, stream, start + seconds, FIRST_OF_VMC if protocol == "vmc" else b"")
        sender.close()
        used = (time.process_time() - cpu) / (time.monotonic() - start)
    gaps = np.diff(arrivals)
    off = np.abs(gaps - 1.0 / rate)
    return Steadiness(1.0 / gaps.mean(), 1e3 * gaps.std(), 1e3 * float(np.percentile(off, 99)), used)


def _listen(receiver: socket.socket, stream: AvatarStream, end: float, first: bytes) -> list[float]:
    """When each moment's first datagram came."""
    arrivals: list[float] = []
    start, faces = time.monotonic(), 0
    while (now := time.monotonic()) < end:
        if now >= start + faces / FACE_RATE:
            stream.put([_face(faces / FACE_RATE)], now)
            faces += 1
        try:
            datagram = receiver.recv(65536)
        except TimeoutError:
            continue
        if first in datagram:
            arrivals.append(time.monotonic())
    return arrivals


def _face(seconds: float) -> FaceState:
    act = state_at(seconds, ARKIT_NAMES)
    landmarks = np.zeros((478, 3), np.float32)
    blendshapes = Blendshapes(ARKIT_NAMES, act.expression)
    return replace(NEUTRAL_FACE, id="f1", pose=act.pose, blendshapes=blendshapes, landmarks=landmarks)


def main() -> None:
    """Print a line for each protocol."""
    parser = argparse.ArgumentParser(description="How steadily avatars are sent to, and what it costs.")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each protocol (default 10)")
    parser.add_argument("--rate", type=float, default=60.0, help="of the packets, Hz (default 60)")
    arguments = parser.parse_args()
    for protocol in PORTS:
        found = measure(protocol, arguments.rate, arguments.seconds)
        print(
            f"{protocol}: {found.rate:.2f} Hz, jitter {found.jitter_ms:.2f} ms (99 % within {found.p99_ms:.2f} ms), "
            f"{100 * found.cpu:.1f} % of a core; {building_ms(protocol):.2f} ms to build a moment"
        )


if __name__ == "__main__":
    main()
