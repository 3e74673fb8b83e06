"""Head, eyes and mirroring in avatar axes, and VMC against packets written by hand."""

from __future__ import annotations

import math
import re
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.avatar_faces import HALF, ROUNDING, TURNS, WHOLE, every_shape, make_state
from support.avatar_receivers import VmcAvatar, osc_messages
from support.paths import ROOT

from face_expr_ros.core.arkit import ARKIT_NAMES, gaze_angles
from face_expr_ros.core.head_axes import head_rotation, right_handed_degrees
from face_expr_ros.core.types import Blendshapes, FaceState
from face_expr_ros.retargeting import avatar_axes, vmc, vmc_names
from face_expr_ros.retargeting.avatar_axes import NEUTRAL_FACE
from face_expr_ros.retargeting.avatar_config import VmcConfig


def decoded_vmc(state: FaceState, tracked: bool = True, **settings: Any) -> VmcAvatar:
    avatar = VmcAvatar()
    config = VmcConfig(**{"names": ("arkit",), **settings})
    for datagram in vmc.encode(state, seconds=1.5, tracked=tracked, config=config):
        assert len(datagram) <= 1400
        avatar.receive(datagram)
    return avatar


# Axes


def test_facing_the_camera_is_the_identity_rotation() -> None:
    np.testing.assert_allclose(head_rotation(make_state().pose.rotation), np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    ("turn", "nose"),
    [("left", (0.5, 0.0, 0.75**0.5)), ("up", (0.0, 0.5, 0.75**0.5)), ("tilt to the right", (0.0, 0.0, 1.0))],
)
def test_the_nose_follows_the_head_rotation(turn: str, nose: tuple[float, ...]) -> None:
    head = head_rotation(make_state(*TURNS[turn]).pose.rotation)
    np.testing.assert_allclose(head @ (0, 0, 1), nose, atol=1e-12)


def test_tilting_to_the_right_raises_the_left_side() -> None:
    head = head_rotation(make_state(*TURNS["tilt to the right"]).pose.rotation)
    np.testing.assert_allclose(head @ (1, 0, 0), (0.75**0.5, 0.5, 0.0), atol=1e-12)


def test_angles_compose_to_the_matrix_in_the_documented_order() -> None:
    head = head_rotation(make_state(20, 10, -15).pose.rotation)
    x, y, z = np.radians(right_handed_degrees(head))
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    np.testing.assert_allclose(about_y @ about_x @ about_z, head, atol=1e-12)


def test_mirroring_swaps_left_and_right_and_keeps_pitch() -> None:
    state = make_state(-30, 10, 5, position=(0.1, 0.02, 0.6), mouthSmileLeft=0.8, jawLeft=0.3, jawOpen=0.4)
    mirror = avatar_axes.mirrored(state)
    expected = make_state(30, 10, -5)
    np.testing.assert_allclose(mirror.pose.rotation, expected.pose.rotation, atol=1e-12)
    np.testing.assert_allclose(mirror.pose.position, (-0.1, 0.02, 0.6))
    shapes = dict(zip(mirror.blendshapes.names, mirror.blendshapes.values.tolist(), strict=True))
    assert {name: value for name, value in shapes.items() if value} == {
        "mouthSmileRight": 0.8,
        "jawRight": 0.3,
        "jawOpen": 0.4,
    }


def test_gaze_angles_from_eye_look_blendshapes() -> None:
    state = make_state(eyeLookOutLeft=0.5, eyeLookInRight=0.5, eyeLookUpLeft=0.25, eyeLookDownRight=0.25)
    left, right = np.degrees(gaze_angles(state.blendshapes.values))
    np.testing.assert_allclose(left, (14.0, 7.0))
    np.testing.assert_allclose(right, (14.0, -7.0))


@pytest.mark.parametrize("bad", [("jawOpen",), ("bfm_exp_0", "bfm_exp_1")])
def test_a_face_without_arkit_names_is_rejected(bad: tuple[str, ...]) -> None:
    state = replace(make_state(), blendshapes=Blendshapes(bad, np.zeros(len(bad))))
    with pytest.raises(ValueError, match="expected the 52 ARKit blendshapes, missing: eyeBlinkLeft"):
        vmc.encode(state, seconds=0.0, tracked=True, config=VmcConfig())


def test_a_blendshape_that_is_not_finite_is_rejected() -> None:
    with pytest.raises(ValueError, match="expected finite blendshapes"):
        decoded_vmc(make_state_with_values(np.full(52, np.nan)))


def make_state_with_values(values: NDArray) -> FaceState:
    return replace(make_state(), blendshapes=Blendshapes(ARKIT_NAMES, values))


def test_the_order_of_names_does_not_change_the_values() -> None:
    state = make_state(**every_shape())
    names, values = ARKIT_NAMES[::-1], state.blendshapes.values[::-1]
    other = replace(state, blendshapes=Blendshapes(("_neutral", *names), np.append(1.0, values)))
    assert decoded_vmc(other).blendshapes == decoded_vmc(state).blendshapes


def test_values_are_clipped_to_their_range() -> None:
    shapes = decoded_vmc(make_state_with_values(np.resize([-0.5, 1.5], 52))).blendshapes
    assert set(shapes.values()) == {0.0, 1.0}


# VMC


def test_vmc_sends_all_52_names_with_their_values() -> None:
    avatar = decoded_vmc(make_state(**every_shape()))
    assert avatar.blendshapes == pytest.approx(every_shape(), abs=ROUNDING)
    assert avatar.applied == 1
    assert (avatar.ok, avatar.seconds, avatar.root) == ((1, 3, 0, 1), 1.5, (0, 0, 0, 0, 0, 0, 1))


# Unity: x to the avatar's right, y up, z forward, left-handed. Positive rotation about y turns to the right, about x
# down, about z tilts to the avatar's left (up moves towards -x).
@pytest.mark.parametrize(
    ("turn", "quaternion"),
    [
        ("left", (0.0, -HALF, 0.0, WHOLE)),
        ("up", (-HALF, 0.0, 0.0, WHOLE)),
        ("tilt to the right", (0.0, 0.0, -HALF, WHOLE)),
    ],
)
def test_the_head_bone_rotates_in_unity_axes(turn: str, quaternion: tuple[float, ...]) -> None:
    bones = decoded_vmc(make_state(*TURNS[turn]), neck_share=0.0).bones
    assert bones["Head"][3:] == pytest.approx(quaternion, abs=ROUNDING)
    assert bones["Neck"][3:] == pytest.approx((0, 0, 0, 1), abs=ROUNDING)


def test_neck_and_head_share_the_rotation() -> None:
    bones = decoded_vmc(make_state(*TURNS["left"]), neck_share=1 / 3).bones
    five, ten = math.radians(5), math.radians(10)
    assert bones["Neck"][3:] == pytest.approx((0, -math.sin(five), 0, math.cos(five)), abs=ROUNDING)
    assert bones["Head"][3:] == pytest.approx((0, -math.sin(ten), 0, math.cos(ten)), abs=ROUNDING)


def test_eye_bones_are_sent_if_enabled() -> None:
    state = make_state(eyeLookOutLeft=1.0, eyeLookInRight=1.0)
    assert "LeftEye" not in decoded_vmc(state).bones
    bones = decoded_vmc(state, eye_bones=True).bones
    half = math.radians(14)
    for eye in ("LeftEye", "RightEye"):
        assert bones[eye][3:] == pytest.approx((0, -math.sin(half), 0, math.cos(half)), abs=ROUNDING)


def test_a_lost_face_is_sent_as_not_tracked() -> None:
    assert decoded_vmc(NEUTRAL_FACE, tracked=False).ok == (1, 3, 0, 0)


def padded(text: bytes) -> bytes:
    return text + b"\0" * (4 - len(text) % 4)


def test_a_vmc_packet_equals_the_bytes_written_by_hand() -> None:
    shapes = [("A", 0.75), ("I", 0.0), ("U", 0.0), ("E", 0.0), ("O", 0.0), ("Blink_L", 1.0), ("Blink_R", 0.0)]
    shapes += [("Joy", 0.0), ("Angry", 0.0), ("Sorrow", 0.0), ("Fun", 0.0)]
    shapes += [("LookUp", 0.0), ("LookDown", 0.0), ("LookLeft", 0.0), ("LookRight", 0.0)]
    still, neck, head = (struct.pack(">7f", 0, y, 0, 0, 0, 0, 1) for y in (0.0, 0.14, 0.09))
    messages = [
        b"/VMC/Ext/OK\0,iiii\0\0\0\0\0\0\1\0\0\0\3\0\0\0\0\0\0\0\1",
        b"/VMC/Ext/T\0\0,f\0\0\x3f\xc0\0\0",
        b"/VMC/Ext/Root/Pos\0\0\0,sfffffff\0\0\0root\0\0\0\0" + still,
        b"/VMC/Ext/Bone/Pos\0\0\0,sfffffff\0\0\0Neck\0\0\0\0" + neck,
        b"/VMC/Ext/Bone/Pos\0\0\0,sfffffff\0\0\0Head\0\0\0\0" + head,
        *(b"/VMC/Ext/Blend/Val\0\0,sf\0" + padded(name.encode()) + struct.pack(">f", value) for name, value in shapes),
        b"/VMC/Ext/Blend/Apply\0\0\0\0,\0\0\0",
    ]
    expected = b"#bundle\0\0\0\0\0\0\0\0\1" + b"".join(struct.pack(">i", len(each)) + each for each in messages)
    state = make_state(jawOpen=0.5, eyeBlinkLeft=1.0)
    (given,) = vmc.encode(state, seconds=1.5, tracked=True, config=VmcConfig(names=("vrm0",)))
    assert given == expected


def test_python_osc_decodes_the_same_messages() -> None:
    from pythonosc.osc_bundle import OscBundle

    for datagram in vmc.encode(make_state(**every_shape()), seconds=2.0, tracked=True, config=VmcConfig()):
        theirs = [(message.address, message.params) for message in OscBundle(datagram)]
        assert theirs == osc_messages(datagram)


TEETH: dict[str, Any] = {f"mouth{lip}{side}": 0.6 for lip in ("LowerDown", "UpperUp") for side in ("Left", "Right")}
VRM0: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "an open jaw is A": ({"jawOpen": 0.4}, {"A": 0.6}),
    "a pucker is U": ({"mouthPucker": 0.6}, {"U": 0.6}),
    "a funnel is O for any jaw": ({"mouthFunnel": 0.6, "jawOpen": 0.4}, {"O": 0.6}),
    "a stretch is I": ({"mouthStretchLeft": 0.5, "mouthStretchRight": 0.7}, {"I": 0.6}),
    "bared teeth are E": (TEETH, {"E": 0.6}),
    "eyelids are separate": ({"eyeBlinkLeft": 0.9, "eyeBlinkRight": 0.2}, {"Blink_L": 0.9, "Blink_R": 0.2}),
    "a smile is Joy": ({"mouthSmileLeft": 0.5, "mouthSmileRight": 0.7}, {"Joy": 0.6}),
    "lowered brows are Angry": ({"browDownLeft": 1.0, "browDownRight": 1.0}, {"Angry": 0.8}),
    "corners down are Sorrow": ({"mouthFrownLeft": 1.0, "mouthFrownRight": 1.0, "browInnerUp": 1.0}, {"Sorrow": 1.0}),
    "raised cheeks are Fun": ({"cheekSquintLeft": 0.6, "cheekSquintRight": 0.6}, {"Fun": 0.6}),
}  # fmt: skip


@pytest.mark.parametrize("case", VRM0)
def test_vrm0_values_are_derived_from_arkit(case: str) -> None:
    shapes, nonzero = VRM0[case]
    given = decoded_vmc(make_state(**shapes), names=("vrm0",), eye_bones=True).blendshapes
    expected = dict.fromkeys(("A", "I", "U", "E", "O", "Blink_L", "Blink_R", "Joy", "Angry", "Sorrow", "Fun"), 0.0)
    assert given == pytest.approx(expected | nonzero, abs=ROUNDING)


def test_the_docs_have_the_same_sums() -> None:
    text = (ROOT / "docs/avatars.md").read_text(encoding="utf-8")
    rows = text.split("| name | made of |\n|---|---|\n")[1].split("\n\n")[0].splitlines()
    shown: dict[str, dict[str, float]] = {}
    for row in rows:
        _, name, made_of, _ = (cell.strip() for cell in row.split("|"))
        shown[name] = {}
        for sign, factor, shape in re.findall(r"(-?) ?([\d.]*) ?([a-z]\w+)", made_of):
            weight = float(factor or 1) * (-1 if sign else 1)
            sides = [shape] if shape in ARKIT_NAMES else [f"{shape}Left", f"{shape}Right"]
            shown[name] |= dict.fromkeys(sides, weight / len(sides))
    assert shown == vmc_names.VRM0


def test_the_sum_of_the_vowels_is_at_most_1() -> None:
    shapes: dict[str, Any] = {name: 1.0 for name in ARKIT_NAMES if name.startswith("mouth")}
    given = decoded_vmc(make_state(**shapes), names=("vrm0",)).blendshapes
    assert sum(given[vowel] for vowel in "AIUEO") <= 1.0 + ROUNDING
