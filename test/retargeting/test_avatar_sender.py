"""Packets of arbitrary faces, and senders on real sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.avatar_faces import ROUNDING, every_shape, make_state
from support.avatar_receivers import VmcAvatar, ifacialmocap, live_link, openseeface

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.types import Blendshapes
from face_expr_ros.retargeting import avatar_sender
from face_expr_ros.retargeting import ifacialmocap as ifacialmocap_protocol
from face_expr_ros.retargeting.avatar_config import PORTS, TargetConfig
from face_expr_ros.retargeting.avatar_sender import Sender, packets
from face_expr_ros.retargeting.avatar_stream import AvatarState, AvatarStream

PATIENCE = 30.0  # seconds


def make_target(protocol: str, **settings: Any) -> TargetConfig:
    return TargetConfig.model_validate({"protocol": protocol, **settings})


def test_random_faces_decode_to_values_within_range() -> None:
    random = np.random.default_rng(1)
    for _ in range(60):
        yaw, pitch, roll = random.choice([-180.0, -90.0, -30.0, 0.0, 20.0, 90.0], 3).tolist()
        x, y = random.uniform(-0.5, 0.5, 2).tolist()
        state = make_state(yaw, pitch, roll, (x, y, 0.5))
        state = replace(state, blendshapes=Blendshapes(ARKIT_NAMES, random.uniform(-1.0, 2.0, 52)))
        for protocol in PORTS:
            (*_, packet) = sent = packets(make_target(protocol), AvatarState(state, True), 1.0)
            if protocol == "vmc":
                avatar = VmcAvatar()
                for datagram in sent:
                    avatar.receive(datagram)
                assert np.linalg.norm(avatar.bones["Head"][3:]) == pytest.approx(1.0, abs=ROUNDING)
                assert 0.0 <= min(avatar.blendshapes.values()) <= max(avatar.blendshapes.values()) <= 1.0
            elif protocol == "live_link":
                assert np.abs(list(live_link(packet)[1].values())).max() <= 1.0
            elif protocol == "ifacialmocap":
                shapes, parts = ifacialmocap(packet)
                assert set(shapes.values()) <= set(range(101))
                assert np.abs(parts["head"][:3]).max() <= 180.0
            else:
                data = openseeface(packet)
                assert np.isfinite([*data.quaternion, *data.euler, *np.ravel(data.points)]).all()
                assert np.abs(data.features).max() <= 1.0


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(PATIENCE)
        yield listening


@pytest.fixture
def send() -> Iterator[Callable[..., Sender]]:
    """Starts senders of a face with 52 different values."""
    senders: list[Sender] = []

    def start(target: TargetConfig, report: Callable[[str], None] = lambda _: None) -> Sender:
        stream = AvatarStream(target, 1e6, 0.0)
        stream.put([make_state(**every_shape())], time.monotonic())
        senders.append(Sender(target, stream, report))
        return senders[-1]

    yield start
    for sender in senders:
        sender.close()


def port(receiver: socket.socket) -> int:
    return int(receiver.getsockname()[1])


def test_vmc_transmits_all_52_names(receiver: socket.socket, send: Callable[..., Sender]) -> None:
    send(make_target("vmc", port=port(receiver), rate=200.0))
    avatar = VmcAvatar()
    while not avatar.applied:
        avatar.receive(receiver.recv(65536))
    assert avatar.blendshapes == pytest.approx(
        {name[0].upper() + name[1:]: value for name, value in every_shape().items()}, abs=ROUNDING
    )


def test_live_link_transmits_all_52_names(receiver: socket.socket, send: Callable[..., Sender]) -> None:
    send(make_target("live_link", port=port(receiver), rate=200.0))
    _, values = live_link(receiver.recv(65536))
    assert list(values.values())[:52] == pytest.approx(list(every_shape().values()), abs=ROUNDING)


def test_ifacialmocap_transmits_all_52_names(receiver: socket.socket, send: Callable[..., Sender]) -> None:
    send(make_target("ifacialmocap", port=port(receiver), rate=200.0))
    shapes, _ = ifacialmocap(receiver.recv(65536))
    assert list(shapes.values()) == [round(100 * value) for value in every_shape().values()]


def test_openseeface_sends_a_tracked_face(receiver: socket.socket, send: Callable[..., Sender]) -> None:
    send(make_target("openseeface", port=port(receiver), rate=200.0))
    assert openseeface(receiver.recv(65536)).id == 12


@pytest.mark.parametrize(("version", "separator"), [(b"", "-"), (b"|sendDataVersion=v2", "&")])
def test_ifacialmocap_sends_to_the_sender_of_the_hello(
    receiver: socket.socket, send: Callable[..., Sender], version: bytes, separator: str
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        place = free.getsockname()
    settings = {"wait_for_hello": True, "reply_port": port(receiver)}
    sender = send(make_target("ifacialmocap", port=place[1], rate=200.0, ifacialmocap=settings))
    receiver.sendto(b"who are you?", place)
    receiver.settimeout(0.2)
    with pytest.raises(TimeoutError):
        receiver.recv(65536)
    assert sender.stats.sent == 0
    receiver.settimeout(PATIENCE)
    receiver.sendto(b"iFacialMocap_sahuasouryya9218sauhuiayeta91555dy3719" + version, place)
    shapes, _ = ifacialmocap(receiver.recv(65536), separator)
    assert len(shapes) == 52


class FloodedSocket:
    """One hello, followed by endless other datagrams."""

    def __init__(self, *_: Any) -> None:
        self.sent = threading.Event()
        self._hello = [ifacialmocap_protocol.HELLO]

    def recvfrom(self, _: int) -> tuple[bytes, tuple[str, int]]:
        return (self._hello.pop() if self._hello else b"x"), ("127.0.0.1", 5)

    def sendto(self, *_: Any) -> None:
        self.sent.set()

    def setblocking(self, _: bool) -> None: ...
    def bind(self, _: Any) -> None: ...
    def close(self) -> None: ...


def test_a_flood_of_datagrams_does_not_stop_the_packets(
    monkeypatch: pytest.MonkeyPatch, send: Callable[..., Sender]
) -> None:
    flooded = FloodedSocket()
    monkeypatch.setattr(avatar_sender.socket, "socket", lambda *_: flooded)
    send(make_target("ifacialmocap", ifacialmocap={"wait_for_hello": True}))
    assert flooded.sent.wait(PATIENCE)


def test_a_hello_port_in_use_raises_at_start(receiver: socket.socket) -> None:
    target = make_target("ifacialmocap", port=port(receiver), ifacialmocap={"wait_for_hello": True})
    with pytest.raises(OSError, match="in use"):
        Sender(target, AvatarStream(target, 0.5, 1.0), lambda _: None)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "255.255.255.255"])
def test_an_unreachable_receiver_is_counted_and_reported(host: str, send: Callable[..., Sender]) -> None:
    reports: list[str] = []
    failed = threading.Event()

    def report(message: str) -> None:
        reports.append(message)
        failed.set()

    sender = send(make_target("vmc", host=host, rate=200.0), report)
    assert failed.wait(PATIENCE)
    assert reports[0].startswith(f"cannot send to vmc {host}:39539: ")
    assert sender.stats.failed >= 1
    assert sender.stats.sent == 0


def test_close_does_not_wait_for_a_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answer = threading.Event(), threading.Event()

    def ask(*_: Any) -> Any:
        asked.set()
        answer.wait(PATIENCE)
        raise OSError("no answer")

    monkeypatch.setattr(avatar_sender.socket, "getaddrinfo", ask)
    monkeypatch.setattr(avatar_sender, "CLOSE_TIMEOUT", 0.05)
    sender = Sender(make_target("vmc"), AvatarStream(make_target("vmc"), 0.5, 1.0), lambda _: None)
    assert asked.wait(PATIENCE)
    sender.close()
    answer.set()
    monkeypatch.setattr(avatar_sender, "CLOSE_TIMEOUT", PATIENCE)
    sender.close()


def test_a_closed_receiver_does_not_stop_the_sender(receiver: socket.socket, send: Callable[..., Sender]) -> None:
    place = port(receiver)
    receiver.close()
    sender = send(make_target("vmc", port=place, rate=200.0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
        late.settimeout(PATIENCE)
        late.bind(("127.0.0.1", place))
        assert late.recv(65536).startswith(b"#bundle\0")
    assert sender.stats.failed == 0
