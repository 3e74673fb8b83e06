"""Joint tables, and the motion of a joint to its target."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from support.paths import ROOT

from face_expr_ros.core.settings import ConfigError
from face_expr_ros.retargeting.joints import SHIPPED, Joint, load_joints
from face_expr_ros.retargeting.limiter import advance

HEADS = ROOT / "config/heads"
ROW = {"source": "yaw", "minimum": -1, "maximum": 1, "velocity": 2, "acceleration": 8}
numbers = st.floats(-10, 10)
limits = st.floats(0.01, 100)


def joint(**keys: object) -> Joint:
    return Joint.model_validate(ROW | keys)


@pytest.mark.parametrize(
    ("now", "target", "limits", "elapsed", "expected"),
    [
        ((0.0, 0.0), 4.0, (2.0, 2.0), 1.0, (1.0, 2.0)),  # accelerating: a t^2 / 2
        ((0.0, 0.0), 4.0, (2.0, 2.0), 1.5, (2.0, 2.0)),  # cruising
        ((0.0, 0.0), 4.0, (2.0, 2.0), 2.5, (3.75, 1.0)),  # decelerating
        ((0.0, 0.0), 4.0, (2.0, 2.0), 3.0, (4.0, 0.0)),  # at the target
        ((0.0, 0.0), -1.0, (9.0, 1.0), 1.0, (-0.5, -1.0)),  # triangular profile, negative direction
        ((0.0, 2.0), 0.0, (2.0, 2.0), 1.0, (1.0, 0.0)),  # cannot stop at the target: overshoots ...
        ((0.0, 2.0), 0.0, (2.0, 2.0), 1.5, (0.75, -1.0)),  # ... and returns
        ((0.0, 2.0), 1.0, (2.0, 2.0), 1.0, (1.0, 0.0)),  # decelerates to the target
        ((0.0, 3.0), 9.0, (1.0, 2.0), 1.0, (2.0, 1.0)),  # above the velocity limit: decelerates first
        ((1.0, 0.0), 1.0, (2.0, 2.0), 5.0, (1.0, 0.0)),
        ((1.0, 0.5), 3.0, (2.0, 2.0), 0.0, (1.0, 0.5)),  # no time, no change
    ],
)
def test_motion_matches_values_computed_by_hand(
    now: tuple[float, float],
    target: float,
    limits: tuple[float, float],
    elapsed: float,
    expected: tuple[float, float],
) -> None:
    assert advance(*now, target, *limits, elapsed) == pytest.approx(expected, abs=1e-12)


@given(numbers, st.floats(-1, 1), numbers, limits, limits, st.floats(0, 5), st.floats(0, 5))
def test_two_steps_equal_one_long_step(
    position: float, part: float, target: float, velocity: float, acceleration: float, first: float, second: float
) -> None:
    once = advance(position, part * velocity, target, velocity, acceleration, first + second)
    halfway = advance(position, part * velocity, target, velocity, acceleration, first)
    assert advance(*halfway, target, velocity, acceleration, second) == pytest.approx(once, abs=1e-4, rel=1e-4)


@given(st.floats(-1, 1), limits, limits, st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 0.5)), max_size=50))
def test_no_sequence_of_targets_exceeds_a_limit(
    start: float, velocity: float, acceleration: float, steps: list[tuple[float, float]]
) -> None:
    position, speed = start, 0.0
    for target, elapsed in steps:
        before = position, speed
        position, speed = advance(position, speed, target, velocity, acceleration, elapsed)
        assert abs(position) <= 1 + 1e-9
        assert abs(speed) <= velocity * (1 + 1e-9)
        assert abs(position - before[0]) <= velocity * elapsed * (1 + 1e-9) + 1e-12
        assert abs(speed - before[1]) <= acceleration * elapsed * (1 + 1e-9) + 1e-9


@given(numbers, st.floats(-1, 1), numbers, limits, limits)
def test_a_joint_reaches_its_target_and_stops(
    position: float, part: float, target: float, velocity: float, acceleration: float
) -> None:
    longest = (40 + velocity**2 / acceleration) / velocity + 4 * velocity / acceleration + 100
    assert advance(position, part * velocity, target, velocity, acceleration, 1e3 * longest) == (target, 0.0)


@pytest.mark.parametrize(
    ("keys", "value", "expected"),
    [
        ({}, 0.25, 0.25),
        ({"gain": -2.0, "offset": 0.1}, 0.25, -0.4),
        ({}, 7.0, 1.0),
        ({}, -7.0, -1.0),
        ({"gain": 1e300}, -1e300, -1.0),
        ({"dead_band": 0.1}, 0.05, 0.0),
        ({"dead_band": 0.1}, 0.35, 0.25),
        ({"dead_band": 0.1}, -0.35, -0.25),
        ({"curve": [[0, 0], [0.2, 0.1], [0.7, 1.0]]}, 0.45, 0.55),
        ({"curve": [[0, 0], [0.2, 0.1], [0.7, 1.0]]}, 3.0, 1.0),
        ({"curve": [[0, 0], [1, 0.5]], "gain": 2, "offset": -0.5, "dead_band": 0.2}, 0.7, 0.0),
        ({"relative": True}, 0.25, 0.55),
        ({"relative": True, "gain": -0.5}, 0.2, 0.2),
        ({"relative": True}, 0.9, 1.0),
    ],
)
def test_target_positions_match_values_computed_by_hand(keys: dict, value: float, expected: float) -> None:
    assert joint(**keys).target(value, position=0.3) == pytest.approx(expected)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_targets_of_finite_values_are_within_the_limits(value: float, gain: float) -> None:
    assume(math.isfinite(gain))
    assert -1 <= joint(gain=gain, offset=0.5).target(value, 0.0) <= 1


@pytest.mark.parametrize("key", ROW)
def test_source_and_limits_are_required(key: str, tmp_path: Path) -> None:
    row = {name: value for name, value in ROW.items() if name != key}
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"joints": {"neck": row}}))
    with pytest.raises(ConfigError, match=f"joints.neck.{key}: required key is missing"):
        load_joints(str(file))


def test_an_unknown_table_is_rejected_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"cannot read 'neckk': .*; the parameter table is neck, pan_tilt or"):
        load_joints("neckk")


@pytest.mark.parametrize("name", SHIPPED)
def test_the_tables_of_the_package_are_valid(name: str) -> None:
    assert load_joints(name) == load_joints(str(HEADS / f"{name}.yaml"))


def test_the_neck_table_matches_the_joints_and_limits_of_its_urdf() -> None:
    robot = ElementTree.parse(HEADS / "neck.urdf").getroot()
    moving = {element.get("name"): element for element in robot.findall("joint") if element.get("type") != "fixed"}
    rows = load_joints("neck")
    assert set(rows) == set(moving)
    for name, row in rows.items():
        limit = moving[name].find("limit")
        assert limit is not None
        bounds = {key: float(value) for key, value in limit.attrib.items()}
        assert (bounds["lower"], bounds["upper"]) == (row.minimum, row.maximum)
        assert bounds["velocity"] >= row.velocity


def test_the_tables_of_the_package_state_their_units() -> None:
    for name in SHIPPED:
        text = (HEADS / f"{name}.yaml").read_text(encoding="utf-8")
        assert "radians" in text
        assert list(yaml.safe_load(text)) == ["joints"]
