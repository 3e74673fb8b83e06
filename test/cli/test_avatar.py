"""The verbs avatar and calibrate without ROS: receivers on the command line, and the guided calibration."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.avatar_faces import make_state
from support.avatar_receivers import VmcAvatar

from face_expr_ros.cli import main
from face_expr_ros.core.calibration import load_calibration
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.types import Frame
from face_expr_ros.perception.guided_calibration import PREPARE, STEPS
from face_expr_ros.sources.guided import GuidedError, run_guided
from face_expr_ros.sources.live_faces import TrackedFrame

RATE = 30.0
FRAME = Frame(np.zeros((4, 4, 3), np.uint8), 0, "", default_camera(4, 4, 60.0))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["face_expr", *arguments])
    return main()


def test_a_receiver_of_the_command_line_gets_the_face(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    avatar = VmcAvatar()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
        assert run(monkeypatch, "avatar", "--vmc", f"127.0.0.1:{port}", "--names", "vrm1", "--seconds", "2") == 0
        receiver.setblocking(False)
        while True:
            try:
                avatar.receive(receiver.recv(65536))
            except BlockingIOError:
                break
    assert {"aa", "blinkLeft", "happy"} <= avatar.blendshapes.keys()
    shown = capsys.readouterr().out
    assert f"sending to vmc 127.0.0.1:{port}" in shown
    assert "packets sent, 0 failed" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "expected a receiver: --vmc, --live-link, --ifacialmocap, --openseeface or --targets"),
        (("--vmc", "host:99999"), "--vmc: expected HOST or HOST:PORT with a port from 1 to 65535, got 'host:99999'"),
        (("--vmc", "a b"), "--vmc: host: expected a host name or an IPv4 address without the port, got 'a b'"),
        (("--live-link", "--names", "arkit"), "--names is for --vmc"),
    ],
)
def test_wrong_receivers_are_refused(monkeypatch, capsys, arguments: tuple[str, ...], message: str) -> None:
    assert run(monkeypatch, "avatar", *arguments) == 2
    assert message in capsys.readouterr().err


class Person:
    """Frames of a person who follows the instructions; time passes by one frame interval per frame."""

    def __init__(self, reach: float = 0.5) -> None:
        self.now, self.said, self._reach = 0.0, list[str](), reach
        self._shapes: dict[str, float] = {}

    def say(self, text: str) -> None:
        self.said.append(text)
        for step in STEPS:
            if step.text in text:
                self._shapes = {"browInnerUp": 0.1, **dict.fromkeys(step.blendshapes, 0.1 + 0.9 * self._reach)}

    def frames(self) -> Iterator[TrackedFrame]:
        while True:
            self.now += 1 / RATE
            state = make_state(**self._shapes)
            yield TrackedFrame(FRAME, (), (replace(state, stamp_ns=round(self.now * 1e9)),))


def test_the_guided_calibration_follows_all_steps() -> None:
    person = Person()
    calibration, notes = run_guided(person.frames(), person.say, "Ada", clock=lambda: person.now)
    assert calibration.name == "Ada"
    assert calibration.neutral == {"browInnerUp": 0.1}
    assert calibration.blendshapes["browInnerUp"].gain == pytest.approx(2.0, rel=0.02)
    assert calibration.blendshapes.keys() == {name for step in STEPS for name in step.blendshapes}
    assert not notes
    assert person.now == pytest.approx(sum(step.seconds + PREPARE for step in STEPS), abs=1.0)
    assert [line for line in person.said if line.startswith("1/")] == [
        f"1/{len(STEPS)} {STEPS[0].text} (recording starts in 3 s)"
    ]


def test_an_expression_that_is_not_shown_is_asked_for_again_and_then_skipped() -> None:
    person = Person(reach=0.1)
    calibration, _ = run_guided(person.frames(), person.say, clock=lambda: person.now)
    assert sum("Close your eyes" in line for line in person.said) == 3
    assert not any(response.gain != 1 for response in calibration.blendshapes.values())


def test_a_source_that_ends_early_is_reported() -> None:
    person = Person()
    few = [frame for _, frame in zip(range(30), person.frames(), strict=False)]
    with pytest.raises(GuidedError, match="the source ended before the calibration was complete"):
        run_guided(iter(few), person.say, clock=lambda: person.now)


def test_calibrate_does_not_mix_node_and_camera(monkeypatch, capsys, tmp_path: Path) -> None:
    assert run(monkeypatch, "calibrate", "--node", "/perception", "--out", str(tmp_path / "a.yaml")) == 2
    assert "omit --source, --out, --name and --bundle" in capsys.readouterr().err
    assert run(monkeypatch, "calibrate", "--timeout", "3") == 2
    assert "--timeout is for --node" in capsys.readouterr().err


def test_a_missing_calibration_is_reported(monkeypatch, capsys, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("version: 1\nneutral: {nose: 0.1}\n", encoding="utf-8")
    assert run(monkeypatch, "avatar", "--vmc", "--calibration", str(tmp_path / "bad.yaml")) == 2
    assert "bad.yaml, line 2: neutral: expected a blendshape of ARKit, got 'nose'" in capsys.readouterr().err
    with pytest.raises(ValueError, match="expected a blendshape of ARKit"):
        load_calibration(tmp_path / "bad.yaml")
