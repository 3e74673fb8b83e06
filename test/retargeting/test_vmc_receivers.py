"""What receivers of the VMC protocol make of the packets: names, added-up positions and availability."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.avatar_faces import ROUNDING, TURNS, every_shape, make_state
from support.avatar_receivers import osc_messages
from support.vmc_receivers import VRM1_OF_VRM0, GodotTracker, PerfectSyncSwitch, UniVrmReceiver

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.types import FaceState
from face_expr_ros.retargeting import vmc
from face_expr_ros.retargeting.avatar_config import TargetConfig, VmcConfig
from face_expr_ros.retargeting.vmc_names import VRM1_NAMES

PASCAL = [name[0].upper() + name[1:] for name in ARKIT_NAMES]
VRM0_CLIPS = ("A", "I", "U", "E", "O", "Blink", "Blink_L", "Blink_R", "Joy", "Angry", "Sorrow", "Fun")
VRM1_CLIPS = ("aa", "ih", "ou", "ee", "oh", "blink", "blinkLeft", "blinkRight", "happy", "angry", "sad", "relaxed")


def packets(state: FaceState, tracked: bool = True, **settings: Any) -> list[bytes]:
    config = TargetConfig.model_validate({"protocol": "vmc", "vmc": settings}).vmc
    return vmc.encode(state, seconds=0.0, tracked=tracked, config=config)


def received(receiver: Any, datagrams: list[bytes]) -> Any:
    for datagram in datagrams:
        receiver.receive(datagram)
    return receiver


def test_godot_s_tracker_finds_all_names_by_default() -> None:
    tracker = received(GodotTracker(PASCAL), packets(make_state(**every_shape())))
    assert tracker.blends == pytest.approx({name[0].upper() + name[1:]: v for name, v in every_shape().items()})


def test_godot_s_tracker_finds_no_camel_case_names() -> None:
    assert not received(GodotTracker(PASCAL), packets(make_state(**every_shape()), names="arkit")).blends


def test_positions_add_up_to_a_head_above_the_hips() -> None:
    tracker = received(GodotTracker(PASCAL), packets(make_state(), torso=True, eye_bones=True))
    heights = [tracker.joint(name)[0][1] for name in ("Hips", "Spine", "Chest", "UpperChest", "Neck", "Head")]
    assert heights == sorted(heights)
    assert heights[-1] == pytest.approx(1.49, abs=0.05)  # meters: below the eyes of an adult
    left, right = tracker.joint("LeftEye")[0], tracker.joint("RightEye")[0]
    assert right[0] - left[0] == pytest.approx(0.064, abs=0.005)


def test_a_turned_head_keeps_its_neck_length_when_added_up() -> None:
    tracker = received(GodotTracker(PASCAL), packets(make_state(*TURNS["tilt to the right"]), torso=True))
    neck, head = tracker.joint("Neck")[0], tracker.joint("Head")[0]
    assert np.linalg.norm(head - neck) == pytest.approx(0.09, abs=1e-6)
    assert head[0] > neck[0]  # tilted to the subject's right: x is right


def test_without_torso_only_neck_and_head_are_sent() -> None:
    avatar = received(UniVrmReceiver(PASCAL), packets(make_state()))
    assert avatar.bones.keys() == {"Neck", "Head"}
    assert avatar.bones["Head"][:3] == pytest.approx((0.0, 0.09, 0.0))


@pytest.mark.parametrize("names", ["perfect_sync", "arkit"])
def test_an_avatar_with_perfect_sync_clips_shows_all_52(names: str) -> None:
    avatar = received(UniVrmReceiver(PASCAL), packets(make_state(**every_shape()), names=names))
    assert len(avatar.shown) == 52


@pytest.mark.parametrize("names", ["vrm0", "vrm1"])
@pytest.mark.parametrize(("clips", "smile"), [(VRM0_CLIPS, "Joy"), (VRM1_CLIPS, "happy")])
def test_both_vrm_versions_are_understood_by_univrm(names: str, clips: tuple[str, ...], smile: str) -> None:
    state = make_state(mouthSmileLeft=0.8, mouthSmileRight=0.8)
    shown = received(UniVrmReceiver(clips), packets(state, names=names)).shown
    assert shown[smile] == pytest.approx(0.8, abs=ROUNDING)
    assert len(shown) == 11


def test_the_vrm1_names_are_the_protocol_s() -> None:
    assert {name: VRM1_NAMES[name] for name in VRM1_OF_VRM0} == VRM1_OF_VRM0


@pytest.mark.parametrize("names", ["perfect_sync", "arkit"])
def test_vmagicmirror_counts_the_sender_as_perfect_sync(names: str) -> None:
    assert received(PerfectSyncSwitch(ARKIT_NAMES), packets(make_state(), names=names)).is_perfect_sync


def test_names_of_two_conventions_can_be_joined() -> None:
    avatar = received(UniVrmReceiver([*PASCAL, *VRM1_CLIPS]), packets(make_state(), names=["perfect_sync", "vrm1"]))
    assert len(avatar.shown) == 52 + 11


@pytest.mark.parametrize(
    ("eye_bones", "names"), [(False, {"lookLeft", "lookRight", "lookUp", "lookDown"}), (True, set())]
)
def test_gaze_is_sent_by_name_or_by_eye_bones(eye_bones: bool, names: set[str]) -> None:
    state = make_state(eyeLookOutLeft=0.6, eyeLookInRight=0.4)
    datagrams = packets(state, names="vrm1", eye_bones=eye_bones)
    values = {each[1][0]: each[1][1] for data in datagrams for each in osc_messages(data) if "Val" in each[0]}
    assert {name for name in values if name.startswith("look")} == names
    assert values.get("lookLeft", 0.5) == pytest.approx(0.5, abs=ROUNDING)


@pytest.mark.parametrize("tracked", [True, False])
def test_a_lost_face_stays_available_and_visible(tracked: bool) -> None:
    """The first value of /VMC/Ext/OK says that bones are sent, not that a face is seen."""
    datagrams = packets(make_state(), tracked=tracked)
    avatar = received(UniVrmReceiver(PASCAL), datagrams)
    assert (avatar.available, avatar.visible) == (True, True)
    (status,) = (values for address, values in osc_messages(datagrams[0]) if address == "/VMC/Ext/OK")
    assert status == [1, 3, 0, int(tracked)]


def test_the_default_names_are_perfect_sync() -> None:
    assert VmcConfig().names == ("perfect_sync",)
