"""The node avatar_bridge with live topics and UDP sockets."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from face_expr_ros.msg import FaceArray
from std_msgs.msg import Header
from support.avatar_faces import ROUNDING
from support.avatar_receivers import VmcAvatar
from support.faces import CAMERA, make_face

from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.ros.encode import face_array


def test_faces_arrive_at_an_avatar_despite_invalid_messages(graph: Any, start: Any, tmp_path: Path) -> None:
    model, avatar, count = open_face_model("open"), VmcAvatar(), 0
    smiling = face_array([make_face(model, jawOpen=0.5)], CAMERA, "open", Header(stamp=Time(sec=1)))
    laughing = face_array([make_face(model, jawOpen=0.9), make_face(model, "odd")], CAMERA, "open", Header())
    laughing.faces[1].expression.blendshape_names = laughing.faces[1].expression.blendshapes = []
    shown = smiling
    faces = graph.node.create_publisher(FaceArray, "/show/faces", 10)
    statuses = graph.listen(DiagnosticArray, "/diagnostics")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        targets = [
            {"protocol": "live_link", "face": "odd"},
            {
                "protocol": "vmc",
                "face": "f1",
                "port": receiver.getsockname()[1],
                "vmc": {"names": "arkit", "neck_share": 0.0},
            },
            {"protocol": "live_link", "host": "no-such-host.invalid", "name": "unreachable"},
        ]
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"targets": targets}), encoding="utf-8")
        bridge = start("avatar_bridge", "-r", "__ns:=/show", "-p", f"targets:={tmp_path}/mine.yaml")

        def step() -> None:
            nonlocal count
            count += 1
            invalid = face_array([make_face(model)], CAMERA, "open", Header())
            invalid.faces[0].expression.blendshapes.pop()
            faces.publish(invalid if count % 3 == 0 else shown)
            while True:
                try:
                    avatar.receive(receiver.recv(65536))
                except BlockingIOError:
                    return

        graph.until(lambda: avatar.blendshapes.get("jawOpen", 0.0) > 0.4, "the open jaw", each=step)
        graph.until(lambda: "faces skipped: expected a value for each of 52" in bridge.output, "the error", each=step)
        graph.until(lambda: "unreachable: " in bridge.output, "the warning", each=step)
        before = avatar.applied
        graph.until(lambda: avatar.applied > before + 3, "more packets", each=step)
        assert avatar.blendshapes["jawOpen"] == pytest.approx(0.5, abs=ROUNDING)
        assert len(avatar.blendshapes) == 52
        assert avatar.ok == (1, 3, 0, 1)
        graph.until(lambda: any("unreachable failed" in keys(status) for status in statuses), "diagnostics", each=step)
        shown = laughing
        graph.until(lambda: avatar.blendshapes["jawOpen"] > 0.8, "a valid face next to an invalid one", each=step)
    assert bridge.stop() == 0, bridge.output


def keys(message: DiagnosticArray) -> set[str]:
    return {pair.key for status in message.status for pair in status.values}


def test_a_missing_targets_file_stops_the_bridge_with_a_message(start: Any) -> None:
    bridge = start("avatar_bridge", "-r", "__ns:=/bad", "-p", "targets:=/nowhere/a.yaml")
    assert bridge.wait() == 2
    assert "avatar_bridge: cannot read '/nowhere/a.yaml': No such file or directory" in bridge.output
    assert "Traceback" not in bridge.output


def test_a_hello_port_in_use_stops_the_bridge_with_a_message(start: Any, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", 0))
        entry = {"protocol": "ifacialmocap", "port": other.getsockname()[1], "ifacialmocap": {"wait_for_hello": True}}
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"targets": [entry]}), encoding="utf-8")
        bridge = start("avatar_bridge", "-p", f"targets:={tmp_path}/mine.yaml")
        assert bridge.wait() == 2
    assert "waits for a hello packet" in bridge.output
    assert "in use" in bridge.output
