"""Timing and CPU time of the avatar protocols: ``python -m face_expr_ros.benchmarks.avatars``.

The face of the synthetic actor is updated at 30 Hz; the packets of each protocol are sent to a socket of this process.
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
FIRST_OF_VMC = b"/VMC/Ext/OK"  # in the first datagram of an update; the other protocols send one datagram per update


@dataclass(frozen=True)
class SendTiming:
    """Timing of the received updates.

    Attributes:
        rate: updates per second.
        jitter_ms: standard deviation of the interval between updates.
        p99_ms: 99th percentile of the intervals' absolute deviation from the nominal interval.
        cpu: CPU time over wall-clock time, 1.0 is one core, of the sender, the actor and the receiver.
    """

    rate: float
    jitter_ms: float
    p99_ms: float
    cpu: float


def build_ms(protocol: str, updates: int = 200) -> float:
    """CPU time of building the packets of one update, milliseconds; each update has a different face."""
    target = TargetConfig.model_validate({"protocol": protocol})
    avatars = [AvatarState(_face(number / FACE_RATE), True) for number in range(updates)]
    packets(target, avatars[0], 0.0)  # fills caches
    start = time.process_time()
    for number, each in enumerate(avatars):
        packets(target, each, number / FACE_RATE)
    return 1e3 * (time.process_time() - start) / updates


def measure(protocol: str, rate: float, seconds: float) -> SendTiming:
    """Send updates at a rate in Hz to a socket of this process for a number of seconds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0.02)
        target = TargetConfig.model_validate({"protocol": protocol, "port": receiver.getsockname()[1], "rate": rate})
        stream = AvatarStream(target, 1.0, 1.0)
        stream.put([_face(0.0)], time.monotonic())
        cpu, start = time.process_time(), time.monotonic()
        sender = Sender(target, stream, print)
        arrivals = _receive(receiver, stream, start + seconds, FIRST_OF_VMC if protocol == "vmc" else b"")
        sender.close()
        used = (time.process_time() - cpu) / (time.monotonic() - start)
    intervals = np.diff(arrivals)
    deviations = np.abs(intervals - 1.0 / rate)
    return SendTiming(1.0 / intervals.mean(), 1e3 * intervals.std(), 1e3 * float(np.percentile(deviations, 99)), used)


def _receive(receiver: socket.socket, stream: AvatarStream, end: float, first: bytes) -> list[float]:
    """The arrival time of each update's first datagram, which contains ``first``."""
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
    """Print one line per protocol."""
    parser = argparse.ArgumentParser(description="Timing and CPU time of the avatar protocols.")
    parser.add_argument("--seconds", type=float, default=10.0, help="duration per protocol (default 10)")
    parser.add_argument("--rate", type=float, default=60.0, help="update rate, Hz (default 60)")
    arguments = parser.parse_args()
    for protocol in PORTS:
        timing = measure(protocol, arguments.rate, arguments.seconds)
        print(
            f"{protocol}: {timing.rate:.2f} Hz, jitter {timing.jitter_ms:.2f} ms (99 % within {timing.p99_ms:.2f} ms), "
            f"{100 * timing.cpu:.1f} % of a core; {build_ms(protocol):.2f} ms to build an update"
        )


if __name__ == "__main__":
    main()
