"""The calibration of a person: values, file and errors."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.calibration import (
    CalibratedResponse,
    Calibration,
    Response,
    calibration_yaml,
    load_calibration,
    open_calibration,
    parse_calibration,
)
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import Blendshapes

# Setting of jawOpen, measured value, expected value.
CASES: dict[str, tuple[dict[str, float], float, float, float]] = {
    "nothing": ({}, 0.0, 0.4, 0.4),
    "the neutral value becomes 0": ({}, 0.2, 0.2, 0.0),
    "below neutral is 0": ({}, 0.2, 0.1, 0.0),
    "1 stays 1": ({}, 0.2, 1.0, 1.0),
    "neutral scales what is above": ({}, 0.2, 0.6, 0.5),
    "gain": ({"gain": 2.0}, 0.0, 0.3, 0.6),
    "gain is limited to 1": ({"gain": 2.0}, 0.0, 0.7, 1.0),
    "within the dead zone": ({"dead_zone": 0.1}, 0.0, 0.1, 0.0),
    "above the dead zone": ({"dead_zone": 0.1}, 0.0, 0.55, 0.5),
    "a gentle curve": ({"curve": 2.0}, 0.0, 0.5, 0.25),
    "a steep curve": ({"curve": 0.5}, 0.0, 0.25, 0.5),
    "all together": ({"gain": 2.0, "dead_zone": 0.2, "curve": 2.0}, 0.5, 0.7, 0.25),
}


@pytest.mark.parametrize("case", CASES)
def test_a_measured_value_is_mapped(case: str) -> None:
    settings, neutral, measured, expected = CASES[case]
    calibration = Calibration(neutral={"jawOpen": neutral}, blendshapes={"jawOpen": Response(**settings)})
    values = np.full(len(ARKIT_NAMES), 0.3)
    index = ARKIT_NAMES.index("jawOpen")
    values[index] = measured
    mapped = CalibratedResponse(calibration)(Blendshapes(ARKIT_NAMES, values))
    assert mapped.values[index] == pytest.approx(expected)
    assert np.delete(mapped.values, index) == pytest.approx(0.3)


def test_values_that_are_relative_to_neutral_keep_it() -> None:
    response = CalibratedResponse(Calibration(neutral={"jawOpen": 0.5}, blendshapes={"jawOpen": Response(gain=2.0)}))
    shown = Blendshapes(("other", "jawOpen"), np.array([0.7, 0.25]))
    assert response(shown, neutral=False).values == pytest.approx([0.7, 0.5])
    assert shown.values == pytest.approx([0.7, 0.25])


def test_names_of_another_model_are_not_changed() -> None:
    shown = Blendshapes(("bfm_0", "bfm_1"), np.array([2.0, -1.0]))
    assert CalibratedResponse(Calibration(neutral={"jawOpen": 0.5}))(shown) is shown


def test_a_file_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    calibration = Calibration(
        name="Zoë: 'the second'",
        neutral={"browInnerUp": 0.08},
        blendshapes={name: Response(gain=1.25, dead_zone=0.03, curve=1.5) for name in ARKIT_NAMES},
    )
    (tmp_path / "calibration.yaml").write_text(calibration_yaml(calibration), encoding="utf-8")
    assert load_calibration(tmp_path / "calibration.yaml") == calibration


def test_an_empty_path_is_no_calibration() -> None:
    assert open_calibration("") is None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("version: 2\n", "version: expected 1, got 2"),
        ("a: 1\nb: 2\n", "calibration, line 1: unknown key 'a'"),
        (
            "version: 1\nneutral: {jawopen: 0.1}",
            "line 2: neutral: expected a blendshape of ARKit, got 'jawopen', did you",
        ),
        ("neutral: {jawOpen: 0.95}", "neutral.jawOpen: expected less than or equal to 0.9, got 0.95"),
        ("blendshapes: {jawOpen: {gian: 1}}", "unknown key 'blendshapes.jawOpen.gian', did you mean 'gain'?"),
        ("blendshapes: {jawOpen: {curve: 0}}", "expected greater than or equal to 0.2, got 0"),
        ("neutral: &x {jawOpen: 0.1}", "without anchors"),
    ],
)
def test_errors_say_what_was_expected(text: str, error: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(error)):
        parse_calibration(text)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make one with face_expr calibrate"):
        load_calibration(tmp_path / "none.yaml")
