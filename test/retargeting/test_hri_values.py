"""Values of REP-155 messages, and the bridge without hri_msgs."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from support.avatar_faces import make_state

from face_expr_ros.core.facemesh_regions import IBUG68
from face_expr_ros.core.types import FaceState, Readouts, Roi
from face_expr_ros.perception.expression.affect import LABELS
from face_expr_ros.perception.expression.facs import NAMES, intensities
from face_expr_ros.retargeting import hri_values
from face_expr_ros.retargeting.hri_values import ImageSize

SIZE = ImageSize(640, 480)
# Labels of hri_msgs/Expression.
HRI_LABELS = {
    "neutral", "angry", "sad", "happy", "surprised", "disgusted", "scared", "pleading", "vulnerable", "despaired",
    "guilty", "disappointed", "embarrassed", "horrified", "skeptical", "annoyed", "furious", "suspicious", "rejected",
    "bored", "tired", "asleep", "confused", "amazed", "excited",
}  # fmt: skip


def read(state: FaceState) -> FaceState:
    units = intensities(state.blendshapes)
    return replace(state, readouts=Readouts(NAMES, units, 0.0, 0.0, "neutral", False))


@pytest.mark.parametrize(
    ("given", "expected"),
    [("f1", "f1"), ("12", "f12"), ("face-3", "face_3"), ("", "f"), ("_a", "f_a"), ("f1 é", "f1__")],
)
def test_hri_id_is_valid_in_a_topic_name(given: str, expected: str) -> None:
    assert hri_values.hri_id(given) == expected


@pytest.mark.parametrize(
    ("roi", "expected"),
    [
        (Roi(64, 48, 128, 96), (0.1, 0.1, 0.3, 0.3)),
        (Roi(0, 0, 640, 480), (0, 0, 1, 1)),
        (Roi(-64, -48, 128, 1000), (0, 0, 0.1, 1)),
    ],
)
def test_a_box_is_normalized_and_clipped(roi: Roi, expected: tuple[float, ...]) -> None:
    assert hri_values.normalized_box(roi, SIZE) == pytest.approx(expected)


def test_landmarks_are_dlibs_68_and_the_pupils() -> None:
    state = make_state(10, 5, 0)
    points = hri_values.normalized_points(state, SIZE)
    pixels = points[:, :2] * (640, 480) - 0.5
    np.testing.assert_allclose(pixels[:68], state.landmarks[list(IBUG68), :2], atol=1e-4)
    # A person's right is left in the image: ear 0 and ear 16, outer corners of right and left eye, pupils between.
    assert pixels[0, 0] < pixels[36, 0] < pixels[68, 0] < pixels[39, 0] < pixels[42, 0] < pixels[69, 0] < pixels[45, 0]
    assert pixels[45, 0] < pixels[16, 0]
    assert pixels[8, 1] == pixels[:68, 1].max()  # the chin
    assert (points[:, 2] == 0.75).all()


def test_a_landmark_outside_the_image_is_clipped_with_confidence_0() -> None:
    state = make_state()
    outside = np.array(state.landmarks)
    outside[IBUG68[8]] = (320.0, 500.0, 0.0)
    points = hri_values.normalized_points(replace(state, landmarks=outside), SIZE)
    assert points[8].tolist() == pytest.approx([320.5 / 640, 1.0, 0.0])


def test_missing_landmarks_are_rejected() -> None:
    with pytest.raises(ValueError, match="expected landmarks, got none for the face 'f12'"):
        hri_values.normalized_points(replace(make_state(), landmarks=np.zeros((0, 3), np.float32)), SIZE)


CODES: dict[str, tuple[dict[str, Any], dict[int, float]]] = {
    "a smile is 12": ({"mouthSmileLeft": 0.6, "mouthSmileRight": 0.4}, {12: 0.5}),
    "raised inner brows are 1": ({"browInnerUp": 0.7}, {1: 0.7}),
    "an open jaw is 26, and parts the lips": ({"jawOpen": 0.4}, {26: 0.4, 25: 0.4}),
    "closed eyes are 45": ({"eyeBlinkLeft": 0.8, "eyeBlinkRight": 0.8}, {45: 0.8}),
    "one closed eye is a wink, too": ({"eyeBlinkLeft": 0.8}, {45: 0.4, 46: 0.8}),
    "eyes to the left are 61": ({"eyeLookOutLeft": 0.6, "eyeLookInRight": 0.4}, {61: 0.5}),
    "eyes up are 63": ({"eyeLookUpLeft": 0.3, "eyeLookUpRight": 0.3}, {63: 0.3}),
    "a puff is 34": ({"cheekPuff": 0.9}, {34: 0.9}),
}


@pytest.mark.parametrize("case", CODES)
def test_action_units_are_at_the_index_of_their_facs_code(case: str) -> None:
    shapes, expected = CODES[case]
    intensity, confidence = hri_values.action_units(read(make_state(**shapes)))
    assert {code: pytest.approx(intensity[code]) for code in np.flatnonzero(intensity > 1e-9)} == expected
    assert all(confidence[code] == 0.75 for code in expected)


@pytest.mark.parametrize(
    ("angles", "code"),
    [((-30, 0, 0), 51), ((30, 0, 0), 52), ((0, 30, 0), 53), ((0, -30, 0), 54), ((0, 0, 30), 55), ((0, 0, -30), 56)],
)
def test_head_rotations_are_at_the_index_of_their_facs_code(angles: tuple[float, float, float], code: int) -> None:
    intensity, _ = hri_values.action_units(read(make_state(*angles)))
    assert {each: pytest.approx(intensity[each]) for each in np.flatnonzero(intensity > 1e-9)} == {code: 2 / 3}


def test_unestimated_action_units_have_confidence_0() -> None:
    _, confidence = hri_values.action_units(read(make_state()))
    known = {1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 18, 19, 20, 22, 24, 25, 26, 27, 28, 29, 30, 34, 45, 46}
    assert set(np.flatnonzero(confidence)) == known | {51, 52, 53, 54, 55, 56, 61, 62, 63, 64}
    _, confidence = hri_values.action_units(make_state())  # no read-outs
    assert set(np.flatnonzero(confidence)) == {51, 52, 53, 54, 55, 56}


def test_invalid_or_unsupported_action_units_are_unknown() -> None:
    names = ("AU1", "AU12", "AU99", "AU12345678901234567890", "AU45L", "AU45R", "AU26")
    values = np.array([np.nan, np.inf, 0.5, 0.5, np.nan, 0.2, 0.25])
    state = replace(make_state(), readouts=Readouts(names, values, 0.0, 0.0, "neutral", False))
    intensity, confidence = hri_values.action_units(state)
    assert set(np.flatnonzero(confidence)) == {26, 51, 52, 53, 54, 55, 56}
    assert intensity[26] == 0.25
    assert not intensity[[1, 12, 46]].any()


def test_every_label_maps_to_a_label_of_hri_msgs() -> None:
    assert set(hri_values.EXPRESSIONS) == set(LABELS)
    assert set(hri_values.EXPRESSIONS.values()) <= HRI_LABELS


def test_a_crop_is_the_box_at_the_requested_size() -> None:
    image = np.zeros((120, 200, 3), np.uint8)
    image[40:80, 60:100] = (10, 20, 30)
    same = hri_values.cropped(image, Roi(60, 40, 40, 40), 40, 40)
    np.testing.assert_array_equal(same, image[40:80, 60:100])
    wide = hri_values.cropped(image, Roi(60, 40, 40, 40), 128, 64)
    assert wide.shape == (64, 128, 3)
    assert (wide[2:-2, 36:92] == (10, 20, 30)).all()
    assert not wide[:, :28].any()


def test_a_crop_is_black_outside_the_image() -> None:
    image = np.full((100, 100, 3), 200, np.uint8)
    corner = hri_values.cropped(image, Roi(-50, -50, 100, 100), 100, 100)
    assert not corner[:50].any()
    assert not corner[:, :50].any()
    assert (corner[50:, 50:] == 200).all()


@pytest.mark.skipif(find_spec("hri_msgs") is not None, reason="hri_msgs is installed")
def test_without_hri_msgs_the_bridge_explains_and_exits_with_0(start: Any) -> None:
    bridge = start("hri_bridge", "-r", "__ns:=/nobody")
    assert bridge.wait() == 0, bridge.output
    assert "sudo apt install ros-$ROS_DISTRO-hri-msgs" in bridge.output
    assert "Traceback" not in bridge.output
    assert len(bridge.output.strip().splitlines()) == 1
