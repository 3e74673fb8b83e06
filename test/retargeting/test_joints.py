"""Joint tables and the way of a joint to its target."""

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
from face_expr_ros.retargeting.joints import SHIPPED, Joint, joints_from, load_joints
from face_expr_ros.retargeting.limiter import advance

HEADS = ROOT / "config/heads"
ROW = {"source": "yaw", "minimum": -1, "maximum": 1, "velocity": 2, "acceleration": 8}
numbers = st.floats(-10, 10)
limits = st.floats(0.01, 100)


def joint(**keys: object) -> Joint:
    (row,) = joints_from({"joints": {"neck": ROW | keys}})
    return row


@pytest.mark.parametrize(
    ("now", "target", "limits", "elapsed", "expected"),
    [
        ((0.0, 0.0), 4.0, (2.0, 2.0), 1.0, (1.0, 2.0)),  # speeding up: a t^2 / 2
        ((0.0, 0.0), 4.0, (2.0, 2.0), 1.5, (2.0, 2.0)),  # cruising
        ((0.0, 0.0), 4.0, (2.0, 2.0), 2.5, (3.75, 1.0)),  # braking
        ((0.0, 0.0), 4.0, (2.0, 2.0), 3.0, (4.0, 0.0)),  # there
        ((0.0, 0.0), -1.0, (9.0, 1.0), 1.0, (-0.5, -1.0)),  # a triangle, the other way
        ((0.0, 2.0), 0.0, (2.0, 2.0), 1.0, (1.0, 0.0)),  # too fast to stop here: past it ...
        ((0.0, 2.0), 0.0, (2.0, 2.0), 1.5, (0.75, -1.0)),  # ... and back
        ((0.0, 2.0), 1.0, (2.0, 2.0), 1.0, (1.0, 0.0)),  # braking to the point
        ((0.0, 3.0), 9.0, (1.0, 2.0), 1.0, (2.0, 1.0)),  # faster than the limit: slowing down first
        ((1.0, 0.0), 1.0, (2.0, 2.0), 5.0, (1.0, 0.0)),
        ((1.0, 0.5), 3.0, (2.0, 2.0), 0.0, (1.0, 0.5)),  # no time, no change
    ],
)
def test_a_joint_moves_as_computed_by_hand(
    now: tuple[float, float],
    target: float,
    limits: tuple[float, float],
    elapsed: float,
    expected: tuple[float, float],
) -> None:
    assert advance(*now, target, *limits, elapsed) == pytest.approx(expected, abs=1e-12)


@given(numbers, st.floats(-1, 1), numbers, limits, limits, st.floats(0, 5), st.floats(0, 5))
def test_two_steps_towards_a_target_are_one_long_step(
    position: float, part: float, target: float, velocity: float, acceleration: float, first: float, second: float
) -> None:
    once = advance(position, part * velocity, target, velocity, acceleration, first + second)
    halfway = advance(position, part * velocity, target, velocity, acceleration, first)
    assert advance(*halfway, target, velocity, acceleration, second) == pytest.approx(once, abs=1e-4, rel=1e-4)


@given(st.floats(-1, 1), limits, limits, st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 0.5)), max_size=50))
def test_no_series_of_targets_drives_a_joint_over_any_limit(
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
def test_a_joint_arrives_and_stands_still(
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
def test_a_value_becomes_a_position_as_computed_by_hand(keys: dict, value: float, expected: float) -> None:
    assert joint(**keys).target(value, position=0.3) == pytest.approx(expected)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_value_becomes_a_position_within_the_limits(value: float, gain: float) -> None:
    assume(math.isfinite(gain))
    assert -1 <= joint(gain=gain, offset=0.5).target(value, 0.0) <= 1


BAD_ROWS = {
    "misspelled key": ({"gian": 1}, "neck has no key 'gian', did you mean gain?"),
    "misspelled source": (
        {"source": "jawOpn"},
        "neck.source must be a quantity of a face, 'jawOpn' was given, did you",
    ),
    "no source": ({"source": {}}, "must be the name of a quantity or a table of names and weights, {} was given"),
    "weight": ({"source": {"yaw": "much"}}, "neck.source.yaw must be a number, 'much' was given"),
    "text": ({"gain": "1"}, "neck.gain must be a number, '1' was given"),
    "truth": ({"gain": True}, "neck.gain must be a number, True was given"),
    "nan": ({"offset": math.nan}, "neck.offset must be a number, nan was given"),
    "limits": ({"minimum": 2}, "neck must have minimum <= rest <= maximum, 2, 0 and 1 were given"),
    "rest": ({"rest": 1.5}, "neck must have minimum <= rest <= maximum, -1, 1.5 and 1 were given"),
    "velocity": ({"velocity": 0}, "neck.velocity must be above 0, 0 was given"),
    "acceleration": ({"acceleration": -8}, "neck.acceleration must be above 0, -8 was given"),
    "dead band": ({"dead_band": -0.1}, "neck.dead_band must be 0 or more, -0.1 was given"),
    "one point": ({"curve": [[0, 1]]}, "neck.curve must be a list of two or more [value, value]"),
    "curve": ({"curve": [[0, 1], [0, 2]]}, "neck.curve must ascend in its first numbers"),
    "relative": ({"relative": "yes"}, "neck.relative must be true or false, 'yes' was given"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_row_that_cannot_be_used_is_refused_in_words(case: str) -> None:
    keys, words = BAD_ROWS[case]
    with pytest.raises(ConfigError) as refused:
        joint(**keys)
    assert words in str(refused.value)


@pytest.mark.parametrize("key", ROW)
def test_a_row_needs_a_source_and_all_limits(key: str) -> None:
    row = {name: value for name, value in ROW.items() if name != key}
    with pytest.raises(ConfigError, match=f"neck must have {key}"):
        joints_from({"joints": {"neck": row}})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has one key, joints"),
        ("joint: {}", "has one key, joints"),
        ("joints: []", "has one key, joints"),
        ("joints: {}", "at least one joint"),
        ("joints: {neck: 3}", "neck must be a table of source, "),
        ("joints:\n  jaw: {gain: 1}\n  jaw: {gain: 2}", "jaw is there more than once, again in line 3"),
        ("joints: {jaw: {gain: 1, gain: 2}}", "gain is there more than once"),
        ("joints: {", "a YAML file that can be read"),
        ("joints: {neck: {source: \xe4", "a YAML file that can be read"),
    ],
)
def test_a_file_that_is_no_joint_table_is_refused_with_its_name(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=words) as refused:
        load_joints(str(file))
    assert "mine.yaml" in str(refused.value)


def test_a_table_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"table must be neck or pan_tilt, or a YAML file .*'neckk' was given"):
        load_joints("neckk")


@pytest.mark.parametrize("name", SHIPPED)
def test_the_tables_that_come_with_the_package_can_be_used(name: str) -> None:
    assert load_joints(name) == load_joints(str(HEADS / f"{name}.yaml"))


def test_the_joints_of_the_neck_are_those_of_its_urdf_within_its_limits() -> None:
    robot = ElementTree.parse(HEADS / "neck.urdf").getroot()
    moving = {element.get("name"): element for element in robot.findall("joint") if element.get("type") != "fixed"}
    rows = load_joints("neck")
    assert {row.name for row in rows} == set(moving)
    for row in rows:
        limit = moving[row.name].find("limit")
        assert limit is not None
        bounds = {key: float(value) for key, value in limit.attrib.items()}
        assert (bounds["lower"], bounds["upper"]) == (row.minimum, row.maximum)
        assert bounds["velocity"] >= row.velocity


def test_every_shipped_table_says_what_its_units_are() -> None:
    for name in SHIPPED:
        text = (HEADS / f"{name}.yaml").read_text(encoding="utf-8")
        assert "radians" in text
        assert list(yaml.safe_load(text)) == ["joints"]
