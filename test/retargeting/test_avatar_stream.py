"""Targets files, and the avatar between images and after a face is lost."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from support.avatar_faces import make_state
from support.paths import ROOT

from face_expr_ros.core.geometry import euler_angles
from face_expr_ros.core.types import Blendshapes
from face_expr_ros.retargeting.avatar_config import PORTS, TargetConfig, load_targets
from face_expr_ros.retargeting.avatar_stream import AvatarStream

LOST, RELAX = 0.5, 1.0  # seconds


def make_stream(**settings: Any) -> AvatarStream:
    return AvatarStream(TargetConfig.model_validate({"protocol": "vmc", **settings}), LOST, RELAX)


# Targets files


def test_the_packaged_file_has_each_protocol_at_its_default_port() -> None:
    targets = load_targets()
    assert {target.protocol: target.port_number for target in targets} == PORTS
    assert targets[0].label == "vmc 127.0.0.1:39539"


def test_the_docs_list_every_setting_of_a_target() -> None:
    text = (ROOT / "docs/avatars.md").read_text(encoding="utf-8")
    table = text.split("| setting | default | meaning |")[1].split("\n\n")[0]
    listed = [name for row in table.splitlines()[2:] for name in re.findall("`([^`]+)`", row.split("|")[1])]
    expected: list[str] = []
    for name, field in TargetConfig.model_fields.items():
        inner = getattr(field.annotation, "model_fields", {})
        expected += [f"{name}.{key}" for key in inner] or [name]
    assert listed == expected


def write(folder: Path, content: object) -> str:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return str(path)


def test_a_target_has_the_values_of_the_file(tmp_path: Path) -> None:
    entry = {"protocol": "vmc", "host": "studio", "port": 4000, "face": "f3", "vmc": {"names": "vrm0"}}
    (target,) = load_targets(write(tmp_path, {"targets": [entry]}))
    assert (target.host, target.port_number, target.face, target.vmc.names) == ("studio", 4000, "f3", ("vrm0",))


# The avatar over time


def test_before_the_first_face_the_avatar_is_neutral() -> None:
    shown = make_stream().at(3.0)
    assert not shown.tracked
    assert not shown.state.blendshapes.values.any()


def test_the_avatar_is_interpolated_between_images() -> None:
    stream = make_stream()
    stream.put([make_state(0, jawOpen=0.2)], 1.00)
    stream.put([make_state(20, jawOpen=0.6)], 1.04)
    for seconds, share in ((1.04, 0.0), (1.05, 0.25), (1.08, 1.0), (1.2, 1.0)):
        shown = stream.at(seconds)
        yaw = euler_angles(shown.state.pose.rotation)[0]
        assert np.degrees(yaw) == pytest.approx(20 * share)
        assert shown.state.blendshapes.values.max() == pytest.approx(0.2 + 0.4 * share)
        assert shown.tracked


def test_without_interpolation_the_latest_face_is_repeated() -> None:
    stream = make_stream(interpolate=False)
    stream.put([make_state(jawOpen=0.2)], 1.00)
    stream.put([make_state(jawOpen=0.6)], 1.04)
    assert stream.at(1.04).state.blendshapes.values.max() == pytest.approx(0.6)


def test_faces_of_different_ids_are_not_interpolated() -> None:
    stream = make_stream(face="largest")
    stream.put([make_state(jawOpen=0.2)], 1.00)
    stream.put([replace(make_state(jawOpen=0.6), id="f13")], 9.0)  # long after the first one is lost
    stream.put([replace(make_state(jawOpen=0.6), id="f13")], 9.01)
    assert stream.at(9.01).state.id == "f13"
    assert stream.at(9.01).state.blendshapes.values.max() == pytest.approx(0.6)


@pytest.mark.parametrize("gone", ["no messages", "empty messages"])
def test_a_lost_face_relaxes_and_returns(gone: str) -> None:
    stream = make_stream()
    stream.put([make_state(-30, jawOpen=0.8)], 1.0)
    if gone == "empty messages":
        stream.put([], 1.1)
    assert stream.at(1.0 + LOST).tracked
    assert stream.at(1.0 + LOST).state.blendshapes.values.max() == pytest.approx(0.8)
    half, neutral = stream.at(1.0 + LOST + RELAX / 2), stream.at(1.0 + LOST + RELAX)
    assert not half.tracked
    assert half.state.blendshapes.values.max() == pytest.approx(0.4)
    assert np.degrees(euler_angles(half.state.pose.rotation)[0]) == pytest.approx(-15)
    assert not neutral.state.blendshapes.values.any()
    np.testing.assert_allclose(euler_angles(neutral.state.pose.rotation), 0, atol=1e-9)
    stream.put([make_state(jawOpen=0.3)], 9.0)
    assert stream.at(9.0).tracked
    assert stream.at(9.0).state.blendshapes.values.max() == pytest.approx(0.3)


def test_a_face_id_selects_only_that_face() -> None:
    stream = make_stream(face="f13")
    stream.put([make_state(jawOpen=0.2)], 1.0)
    assert not stream.at(1.0).tracked
    stream.put([make_state(jawOpen=0.2), replace(make_state(jawOpen=0.6), id="f13")], 1.1)
    assert stream.at(1.1).state.id == "f13"


def test_a_mirrored_target_swaps_the_sides() -> None:
    stream = make_stream(mirror=True)
    stream.put([make_state(-30, mouthSmileLeft=0.5)], 1.0)
    state = stream.at(1.0).state
    assert np.degrees(euler_angles(state.pose.rotation)[0]) == pytest.approx(30)
    assert dict(zip(state.blendshapes.names, state.blendshapes.values, strict=True))["mouthSmileRight"] == 0.5


def test_put_rejects_a_face_without_arkit_names() -> None:
    with pytest.raises(ValueError, match="expected the 52 ARKit blendshapes"):
        make_stream().put([replace(make_state(), blendshapes=Blendshapes(("a",), np.zeros(1)))], 1.0)


def test_put_rejects_landmarks_that_are_not_finite() -> None:
    with pytest.raises(ValueError, match="expected finite landmarks for the face 'f12'"):
        make_stream().put([replace(make_state(), landmarks=np.full((478, 3), np.nan, np.float32))], 1.0)
