"""The only packet that avatars receive is the start message of iFacialMocap: nothing else starts the sending."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from support.avatar_faces import every_shape, make_state
from support.avatar_receivers import ifacialmocap
from support.mutations import mutated
from support.timed_runs import count_input

from face_expr_ros.retargeting.avatar_config import TargetConfig
from face_expr_ros.retargeting.avatar_sender import Sender
from face_expr_ros.retargeting.avatar_stream import AvatarStream
from face_expr_ros.retargeting.ifacialmocap import HELLO, SECOND_VERSION

RECEIVER, OTHER = "127.0.0.1", "127.0.0.2"
ROUND, PATIENCE, TURN = 50, 30.0, 3.0  # datagrams of one round, seconds, seconds with --minutes
SEEDS = (HELLO, HELLO + SECOND_VERSION, HELLO[:-1], b"", bytes(65507))


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two receivers on the same port of two addresses."""
    with ExitStack() as stack:
        receiver, other = (stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2))
        receiver.bind((RECEIVER, 0))
        other.bind((OTHER, receiver.getsockname()[1]))
        receiver.settimeout(0.1)
        other.settimeout(0.0)
        yield receiver, other


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])


def test_other_datagrams_start_nothing(
    sockets: tuple[socket.socket, socket.socket], request: pytest.FixtureRequest
) -> None:
    receiver, other = sockets
    reply = {"wait_for_hello": True, "reply_port": receiver.getsockname()[1]}
    settings = {"protocol": "ifacialmocap", "port": free_port(), "rate": 200.0, "ifacialmocap": reply}
    target = TargetConfig.model_validate(settings)
    stream = AvatarStream(target, 1e6, 0.0)
    stream.put([make_state(**every_shape())], time.monotonic())
    errors: list[str] = []
    sender = Sender(target, stream, errors.append)
    try:
        timed = bool(request.config.getoption("--minutes"))
        rng, end = random.Random() if timed else random.Random(1), time.monotonic() + TURN
        while True:
            check_round(rng, receiver, other, target.port_number)
            if not timed or time.monotonic() > end:
                break
    finally:
        sender.close()
    assert errors == []


def check_round(rng: random.Random, receiver: socket.socket, other: socket.socket, place: int) -> None:
    """Damaged datagrams from one address, then a start message from another: only the second receives packets."""
    for _ in range(ROUND):
        data = mutated(rng.choice(SEEDS), rng)[:65507]
        if not data.startswith(HELLO):
            other.sendto(data, (OTHER, place))
            count_input()
    version = rng.choice((b"", SECOND_VERSION))
    packet, end = b"", time.monotonic() + PATIENCE
    # Earlier packets may be under way, and a full queue drops the message.
    while not packet or (b"&" in packet) != bool(version):
        assert time.monotonic() < end, "expected an answer to the start message"
        receiver.sendto(HELLO + version, (RECEIVER, place))
        with suppress(TimeoutError):
            packet = receiver.recv(65536)
    shapes, _ = ifacialmocap(packet, "&" if version else "-")
    assert len(shapes) == 52
    with pytest.raises(BlockingIOError):
        other.recv(65536)
