"""Quantities of a face that a joint can follow."""

from __future__ import annotations

import math

import pytest
from support.robot_head import face

from face_expr_ros.retargeting.sources import ACTION_UNITS, quantity, weighted_sum


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("yaw", 0.3),
        ("pitch", -0.2),
        ("roll", 0.1),
        ("bearing", math.atan2(0.3, 0.4)),  # to image right
        ("elevation", math.atan2(1.2, 0.5)),  # above the camera
        ("distance", 1.3),
        ("valence", 0.4),
        ("arousal", -0.2),
        ("mouth_open", 1.0),
        ("looking_at_camera", 0.75),
        ("speaking", 0.6),
        ("jawOpen", 0.7),
        ("AU12", 0.3),
    ],
)
def test_quantities_match_values_computed_by_hand(name: str, expected: float) -> None:
    assert quantity(face(yaw=0.3, pitch=-0.2, roll=0.1, position=(0.3, -1.2, 0.4), jawOpen=0.7), name) == pytest.approx(
        expected
    )


def test_a_weighted_sum_is_nan_if_a_quantity_is_missing() -> None:
    state = face(jawOpen=0.5, mouthClose=0.2)
    assert weighted_sum(state, {"jawOpen": 2.0, "mouthClose": -1.0}) == pytest.approx(0.8)
    assert math.isnan(weighted_sum(state, {"jawOpen": 1.0, "eyeBlinkLeft": 0.5}))
    assert "AU12" in ACTION_UNITS
