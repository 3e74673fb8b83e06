"""Live Link Face and iFacialMocap against packets written by hand."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from support.avatar_faces import ROUNDING, TURNS, every_shape, make_state
from support.avatar_receivers import ifacialmocap, live_link

from face_expr_ros.core.types import FaceState
from face_expr_ros.retargeting import ifacialmocap as ifm
from face_expr_ros.retargeting import live_link as llf
from face_expr_ros.retargeting.avatar_config import LiveLinkConfig

# Live Link Face


def decoded_live_link(state: FaceState, **settings: Any) -> tuple[dict[str, Any], dict[str, float]]:
    return live_link(llf.encode(state, seconds=1.51, rate=60, config=LiveLinkConfig(**settings)))


def test_live_link_has_all_52_names() -> None:
    header, values = decoded_live_link(make_state(**every_shape()), subject="Grüße")
    expected = {name[0].upper() + name[1:]: value for name, value in every_shape().items()}
    assert {name: values[name] for name in expected} == pytest.approx(expected, abs=ROUNDING)
    assert header["subject"] == "Grüße"
    assert (header["frame"], header["rate"]) == (90, (60, 1))
    assert header["subframe"] == pytest.approx(0.6, abs=1e-6)


@pytest.mark.parametrize(
    ("turn", "name"), [("left", "HeadYaw"), ("up", "HeadPitch"), ("tilt to the right", "HeadRoll")]
)
def test_live_link_has_the_head_rotation_in_radians(turn: str, name: str) -> None:
    _, values = decoded_live_link(make_state(*TURNS[turn]))
    angles = {axis: value for axis, value in values.items() if axis.startswith("Head")}
    assert angles == pytest.approx(dict.fromkeys(angles, 0.0) | {name: math.pi / 6}, abs=ROUNDING)


def test_live_link_has_the_eye_rotations() -> None:
    """In recordings of the app, yaw is positive to the subject's right and pitch is positive down."""
    state = make_state(eyeLookOutLeft=1.0, eyeLookInRight=0.5, eyeLookUpLeft=0.5, eyeLookDownRight=1.0)
    _, values = decoded_live_link(state, full_angle=28.0)
    eyes = {name: value for name, value in values.items() if "Eye" in name and name.endswith(("Yaw", "Pitch", "Roll"))}
    assert eyes == pytest.approx(
        {
            "LeftEyeYaw": -1.0,
            "LeftEyePitch": -0.5,
            "LeftEyeRoll": 0.0,
            "RightEyeYaw": -0.5,
            "RightEyePitch": 1.0,
            "RightEyeRoll": 0.0,
        },
        abs=ROUNDING,
    )


def test_live_link_angles_are_clipped_to_1() -> None:
    _, values = decoded_live_link(make_state(*TURNS["left"]), full_angle=20.0)
    assert values["HeadYaw"] == 1.0


def test_a_live_link_packet_equals_the_bytes_written_by_hand() -> None:
    config = LiveLinkConfig(subject="face", full_angle=60.0)
    given = llf.encode(make_state(*TURNS["left"], jawOpen=0.5, tongueOut=1.0), seconds=0.5, rate=60, config=config)
    device = given[5:41]
    assert len(device.decode().split("-")) == 5
    assert len(device) == 36
    values = [0.0] * 61
    values[17], values[51], values[52] = 0.5, 1.0, 0.5
    expected = b"\x06\0\0\0$" + device + b"\0\0\0\x04face" + b"\0\0\0\x1e\0\0\0\0" + b"\0\0\0\x3c\0\0\0\x01" + b"\x3d"
    expected += b"".join(struct.pack(">f", value) for value in values)
    assert len(given) == 4 + 37 + 4 + 4 + 8 + 8 + 1 + 244
    rounded = struct.unpack(">61f", given[-244:])
    assert rounded == pytest.approx(values, abs=ROUNDING)
    assert given[:-244] == expected[:-244]
    assert given[-244:-36] == expected[-244:-36]


# iFacialMocap


def test_an_ifacialmocap_packet_equals_the_text_written_by_hand() -> None:
    state = make_state(*TURNS["left"], position=(0.1, 0.05, 0.6), jawOpen=0.12, mouthSmileRight=0.4, jawLeft=0.07)
    expected = (
        "eyeBlink_L-0|eyeLookDown_L-0|eyeLookIn_L-0|eyeLookOut_L-0|eyeLookUp_L-0|eyeSquint_L-0|eyeWide_L-0|"
        "eyeBlink_R-0|eyeLookDown_R-0|eyeLookIn_R-0|eyeLookOut_R-0|eyeLookUp_R-0|eyeSquint_R-0|eyeWide_R-0|"
        "jawForward-0|jawLeft-7|jawRight-0|jawOpen-12|mouthClose-0|mouthFunnel-0|mouthPucker-0|mouthLeft-0|"
        "mouthRight-0|mouthSmile_L-0|mouthSmile_R-40|mouthFrown_L-0|mouthFrown_R-0|mouthDimple_L-0|mouthDimple_R-0|"
        "mouthStretch_L-0|mouthStretch_R-0|mouthRollLower-0|mouthRollUpper-0|mouthShrugLower-0|mouthShrugUpper-0|"
        "mouthPress_L-0|mouthPress_R-0|mouthLowerDown_L-0|mouthLowerDown_R-0|mouthUpperUp_L-0|mouthUpperUp_R-0|"
        "browDown_L-0|browDown_R-0|browInnerUp-0|browOuterUp_L-0|browOuterUp_R-0|cheekPuff-0|cheekSquint_L-0|"
        "cheekSquint_R-0|noseSneer_L-0|noseSneer_R-0|tongueOut-0|"
        "=head#0.000000,30.000000,0.000000,0.100000,-0.050000,-0.600000|"
        "rightEye#0.000000,0.000000,0.000000|leftEye#0.000000,0.000000,0.000000|"
    )
    assert ifm.encode(state) == expected.encode()


@pytest.mark.parametrize(
    ("turn", "angles"), [("left", (0, 30, 0)), ("up", (-30, 0, 0)), ("tilt to the right", (0, 0, 30))]
)
def test_ifacialmocap_has_the_head_rotation_in_degrees(turn: str, angles: tuple[float, ...]) -> None:
    _, parts = ifacialmocap(ifm.encode(make_state(*TURNS[turn])))
    assert parts["head"][:3] == pytest.approx(angles, abs=1e-5)


def test_ifacialmocap_eye_signs_match_the_published_example() -> None:
    """The example has rightEye#6.0,2.4 with eyeLookDown_R 17 and eyeLookIn_R 6, and leftEye#6.0,-1.7 with In_L 4."""
    state = make_state(eyeLookDownLeft=0.17, eyeLookDownRight=0.17, eyeLookInRight=0.06, eyeLookInLeft=0.04)
    _, parts = ifacialmocap(ifm.encode(state))
    assert parts["rightEye"] == pytest.approx((28 * 0.17, 28 * 0.06, 0.0), abs=1e-5)
    assert parts["leftEye"] == pytest.approx((28 * 0.17, -28 * 0.04, 0.0), abs=1e-5)


def test_ifacialmocap_version_2_separates_with_an_ampersand() -> None:
    shapes, _ = ifacialmocap(ifm.encode(make_state(jawOpen=0.5), separator="&"), "&")
    assert len(shapes) == 52
    assert shapes["jawOpen"] == 50
