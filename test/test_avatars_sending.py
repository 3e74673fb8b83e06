"""Targets files, what an avatar shows between images and after a loss, and senders on real sockets."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from avatar_faces import ROUNDING, every_shape, make_state
from avatar_receivers import VmcAvatar, ifacialmocap, live_link, openseeface

from face_expr_ros.config import ConfigError, from_mapping, settings
from face_expr_ros.geometry import euler_angles
from face_expr_ros.open_model.blendshapes import ARKIT_NAMES
from face_expr_ros.retargeting.avatar_config import PORTS, TargetConfig, load_targets
from face_expr_ros.retargeting.avatar_sender import Sender, packets
from face_expr_ros.retargeting.avatar_stream import AvatarStream, Shown
from face_expr_ros.values import Blendshapes

PATIENCE = 30.0  # seconds
LOST, RELAX = 0.5, 1.0  # seconds


def make_target(protocol: str, **settings: Any) -> TargetConfig:
    return from_mapping(TargetConfig, {"protocol": protocol, **settings})


def make_stream(**settings: Any) -> AvatarStream:
    return AvatarStream(make_target("vmc", **settings), LOST, RELAX)


# Targets files


def test_the_shipped_example_has_a_target_of_each_protocol_at_its_usual_port() -> None:
    targets = load_targets()
    assert {target.protocol: target.port_number for target in targets} == PORTS
    assert targets[0].label == "vmc 127.0.0.1:39539"


def test_the_documents_list_every_setting_of_a_target() -> None:
    text = (Path(__file__).parent.parent / "docs/avatars.md").read_text(encoding="utf-8")
    table = text.split("| setting | default | meaning |")[1].split("\n\n")[0]
    listed = [name for row in table.splitlines()[2:] for name in re.findall("`([^`]+)`", row.split("|")[1])]
    assert listed == [entry.name for entry in settings(TargetConfig)]


def write(folder: Path, content: object) -> str:
    path = folder / "mine.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return str(path)


def test_a_target_keeps_what_the_file_says(tmp_path: Path) -> None:
    entry = {"protocol": "vmc", "host": "studio", "port": 4000, "face": "f3", "vmc": {"names": "vrm0"}}
    (target,) = load_targets(write(tmp_path, {"targets": [entry]}))
    assert (target.host, target.port_number, target.face, target.vmc.names) == ("studio", 4000, "f3", "vrm0")


BAD_FILES = {
    "no YAML": ("targets: [", "mine.yaml' cannot be read"),
    "no targets": ({}, "a list under the one key targets was wanted"),
    "an empty list": ({"targets": []}, "a list under the one key targets was wanted"),
    "another key": ({"targets": [{"protocol": "vmc"}], "rate": 3}, "a list under the one key targets was wanted"),
    "no protocol": ({"targets": [{"host": "a"}]}, "target 1: settings with a protocol of vmc, live_link, ifacialmocap"),
    "a wrong protocol": ({"targets": [{"protocol": "osc"}]}, "protocol must be one of vmc, live_link"),
    "a wrong name": (
        {"targets": [{"protocol": "vmc"}, {"protocol": "vmc", "prot": 1}]},
        "mine.yaml, target 2: there is no setting 'prot', did you mean port?",
    ),
    "a wrong type": ({"targets": [{"protocol": "vmc", "rate": "fast"}]}, "rate must be a number from 0.1 to 240 (Hz)"),
    "another's settings": (
        {"targets": [{"protocol": "vmc", "live_link": {"subject": "me"}}]},
        "live_link was given, the protocol is vmc",
    ),
    "the same place twice": (
        {"targets": [{"protocol": "vmc"}, {"protocol": "openseeface", "port": 39539}]},
        "two targets at 127.0.0.1:39539",
    ),
    "an empty host": ({"targets": [{"protocol": "vmc", "host": ""}]}, "host and face must not be empty"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_targets_file_that_cannot_be_used_is_refused_with_a_sentence(case: str, tmp_path: Path) -> None:
    content, words = BAD_FILES[case]
    with pytest.raises(ConfigError) as refused:
        load_targets(write(tmp_path, content))
    assert words in str(refused.value)


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_targets("/nowhere/avatars.yaml")


# What is shown


def test_before_anybody_came_the_avatar_is_at_rest() -> None:
    shown = make_stream().at(3.0)
    assert not shown.tracked
    assert not shown.state.blendshapes.values.any()


def test_between_two_images_the_avatar_is_between_them() -> None:
    stream = make_stream()
    stream.put([make_state(0, jawOpen=0.2)], 1.00)
    stream.put([make_state(20, jawOpen=0.6)], 1.04)
    for seconds, share in ((1.04, 0.0), (1.05, 0.25), (1.08, 1.0), (1.2, 1.0)):
        shown = stream.at(seconds)
        yaw = euler_angles(shown.state.pose.rotation)[0]
        assert np.degrees(yaw) == pytest.approx(20 * share)
        assert shown.state.blendshapes.values.max() == pytest.approx(0.2 + 0.4 * share)
        assert shown.tracked


def test_without_interpolation_the_newest_image_is_repeated() -> None:
    stream = make_stream(interpolate=False)
    stream.put([make_state(jawOpen=0.2)], 1.00)
    stream.put([make_state(jawOpen=0.6)], 1.04)
    assert stream.at(1.04).state.blendshapes.values.max() == pytest.approx(0.6)


def test_another_face_is_not_blended_with_the_one_before() -> None:
    stream = make_stream(face="largest")
    stream.put([make_state(jawOpen=0.2)], 1.00)
    stream.put([replace(make_state(jawOpen=0.6), id="f13")], 9.0)  # long after: the first one is given up
    stream.put([replace(make_state(jawOpen=0.6), id="f13")], 9.01)
    assert stream.at(9.01).state.id == "f13"
    assert stream.at(9.01).state.blendshapes.values.max() == pytest.approx(0.6)


@pytest.mark.parametrize("gone", ["no messages", "empty messages"])
def test_a_lost_face_relaxes_and_comes_back(gone: str) -> None:
    stream = make_stream()
    stream.put([make_state(-30, jawOpen=0.8)], 1.0)
    if gone == "empty messages":
        stream.put([], 1.1)
    assert stream.at(1.0 + LOST).tracked
    assert stream.at(1.0 + LOST).state.blendshapes.values.max() == pytest.approx(0.8)
    half, rest = stream.at(1.0 + LOST + RELAX / 2), stream.at(1.0 + LOST + RELAX)
    assert not half.tracked
    assert half.state.blendshapes.values.max() == pytest.approx(0.4)
    assert np.degrees(euler_angles(half.state.pose.rotation)[0]) == pytest.approx(-15)
    assert not rest.state.blendshapes.values.any()
    np.testing.assert_allclose(euler_angles(rest.state.pose.rotation), 0, atol=1e-9)
    stream.put([make_state(jawOpen=0.3)], 9.0)
    assert stream.at(9.0).tracked
    assert stream.at(9.0).state.blendshapes.values.max() == pytest.approx(0.3)


def test_the_face_with_the_id_is_shown_and_nobody_else() -> None:
    stream = make_stream(face="f13")
    stream.put([make_state(jawOpen=0.2)], 1.0)
    assert not stream.at(1.0).tracked
    stream.put([make_state(jawOpen=0.2), replace(make_state(jawOpen=0.6), id="f13")], 1.1)
    assert stream.at(1.1).state.id == "f13"


def test_a_mirrored_target_shows_the_other_side() -> None:
    stream = make_stream(mirror=True)
    stream.put([make_state(-30, mouthSmileLeft=0.5)], 1.0)
    state = stream.at(1.0).state
    assert np.degrees(euler_angles(state.pose.rotation)[0]) == pytest.approx(30)
    assert dict(zip(state.blendshapes.names, state.blendshapes.values, strict=True))["mouthSmileRight"] == 0.5


def test_a_face_without_arkits_names_is_refused_when_it_comes() -> None:
    with pytest.raises(ValueError, match="avatars want ARKit's"):
        make_stream().put([replace(make_state(), blendshapes=Blendshapes(("a",), np.zeros(1)))], 1.0)


def test_landmarks_that_are_no_numbers_are_refused_when_they_come() -> None:
    with pytest.raises(ValueError, match="finite landmarks were wanted for 'f12'"):
        make_stream().put([replace(make_state(), landmarks=np.full((478, 3), np.nan, np.float32))], 1.0)


def test_whatever_the_face_does_every_receiver_reads_it_and_every_number_is_in_its_range() -> None:
    random = np.random.default_rng(1)
    for _ in range(60):
        yaw, pitch, roll = random.choice([-180.0, -90.0, -30.0, 0.0, 20.0, 90.0], 3).tolist()
        x, y = random.uniform(-0.5, 0.5, 2).tolist()
        state = make_state(yaw, pitch, roll, (x, y, 0.5))
        state = replace(state, blendshapes=Blendshapes(ARKIT_NAMES, random.uniform(-1.0, 2.0, 52)))
        for protocol in PORTS:
            (*_, packet) = sent = packets(make_target(protocol), Shown(state, True), 1.0)
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


# On real sockets


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(PATIENCE)
        yield listening


@pytest.fixture
def send() -> Iterator[Callable[..., Sender]]:
    """Starts senders of a face whose 52 values differ."""
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


def test_all_52_names_arrive_over_vmc(receiver: socket.socket, send: Callable[..., Sender]) -> None:
    send(make_target("vmc", port=port(receiver), rate=200.0))
    avatar = VmcAvatar()
    while not avatar.applied:
        avatar.receive(receiver.recv(65536))
    assert avatar.blendshapes == pytest.approx(every_shape(), abs=ROUNDING)


def test_all_52_names_arrive_over_live_link(receiver: socket.socket, send: Callable[..., Sender]) -> None:
    send(make_target("live_link", port=port(receiver), rate=200.0))
    _, values = live_link(receiver.recv(65536))
    assert list(values.values())[:52] == pytest.approx(list(every_shape().values()), abs=ROUNDING)


def test_all_52_names_arrive_over_ifacialmocap(receiver: socket.socket, send: Callable[..., Sender]) -> None:
    send(make_target("ifacialmocap", port=port(receiver), rate=200.0))
    shapes, _ = ifacialmocap(receiver.recv(65536))
    assert list(shapes.values()) == [round(100 * value) for value in every_shape().values()]


def test_openseeface_sends_faces_and_nothing_while_nobody_is_seen(
    receiver: socket.socket, send: Callable[..., Sender]
) -> None:
    send(make_target("openseeface", port=port(receiver), rate=200.0))
    assert openseeface(receiver.recv(65536)).id == 12


@pytest.mark.parametrize(("version", "separator"), [(b"", "-"), (b"|sendDataVersion=v2", "&")])
def test_ifacialmocap_waits_for_the_hello_and_answers_to_whom_said_it(
    receiver: socket.socket, send: Callable[..., Sender], version: bytes, separator: str
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        place = free.getsockname()
    settings = {"ifacialmocap.wait_for_hello": True, "ifacialmocap.reply_port": port(receiver)}
    sender = send(make_target("ifacialmocap", port=place[1], rate=200.0, **settings))
    receiver.sendto(b"who are you?", place)
    receiver.settimeout(0.2)
    with pytest.raises(TimeoutError):
        receiver.recv(65536)
    assert sender.tally.sent == 0
    receiver.settimeout(PATIENCE)
    receiver.sendto(b"iFacialMocap_sahuasouryya9218sauhuiayeta91555dy3719" + version, place)
    shapes, _ = ifacialmocap(receiver.recv(65536), separator)
    assert len(shapes) == 52


def test_a_port_for_hellos_that_is_taken_is_refused_at_start(receiver: socket.socket) -> None:
    target = make_target("ifacialmocap", port=port(receiver), **{"ifacialmocap.wait_for_hello": True})
    with pytest.raises(OSError, match="in use"):
        Sender(target, AvatarStream(target, LOST, RELAX), lambda _: None)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "255.255.255.255"])
def test_a_receiver_that_cannot_be_reached_is_counted_and_reported(host: str, send: Callable[..., Sender]) -> None:
    said: list[str] = []
    failed = threading.Event()

    def report(sentence: str) -> None:
        said.append(sentence)
        failed.set()

    sender = send(make_target("vmc", host=host, rate=200.0), report)
    assert failed.wait(PATIENCE)
    assert said[0].startswith(f"not sent to vmc {host}:39539: ")
    assert sender.tally.failed >= 1
    assert sender.tally.sent == 0


def test_a_receiver_that_does_not_listen_does_not_stop_the_sender(
    receiver: socket.socket, send: Callable[..., Sender]
) -> None:
    place = port(receiver)
    receiver.close()
    sender = send(make_target("vmc", port=place, rate=200.0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
        late.settimeout(PATIENCE)
        late.bind(("127.0.0.1", place))
        assert late.recv(65536).startswith(b"#bundle\0")
    assert sender.tally.failed == 0
