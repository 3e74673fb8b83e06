"""Targets files, and what an avatar shows between images and after a loss."""

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
from face_expr_ros.core.settings import ConfigError, from_mapping, settings
from face_expr_ros.core.types import Blendshapes
from face_expr_ros.retargeting.avatar_config import PORTS, TargetConfig, load_targets
from face_expr_ros.retargeting.avatar_stream import AvatarStream

LOST, RELAX = 0.5, 1.0  # seconds


def make_stream(**settings: Any) -> AvatarStream:
    return AvatarStream(from_mapping(TargetConfig, {"protocol": "vmc", **settings}), LOST, RELAX)


# Targets files


def test_the_shipped_example_has_a_target_of_each_protocol_at_its_usual_port() -> None:
    targets = load_targets()
    assert {target.protocol: target.port_number for target in targets} == PORTS
    assert targets[0].label == "vmc 127.0.0.1:39539"


def test_the_documents_list_every_setting_of_a_target() -> None:
    text = (ROOT / "docs/avatars.md").read_text(encoding="utf-8")
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
        "mine.yaml, target 2: unknown setting 'prot', did you mean port?",
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
    "a key twice": (
        "targets:\n- protocol: vmc\n  rate: 30\n  rate: 60",
        "mine.yaml: rate is there more than once, again in line 4",
    ),
    "a mirror for points": (
        {"targets": [{"protocol": "openseeface", "mirror": True}]},
        "mirror must be false",
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
