"""Settings from a ROS parameter file, without ROS."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.paths import ROOT

from face_expr_ros.bags.parameters import parameters_of, perception_config_of
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.settings import ConfigError

PARAMETERS = {
    "file of the package": ("/**/perception:\n  ros__parameters: {smoothing: {method: none}}", "none"),
    "namespace in the key": ("/robot/perception:\n  ros__parameters:\n    smoothing.method: window", "window"),
    "namespace as a level": ("robot:\n  perception:\n    ros__parameters: {smoothing.method: window}", "window"),
    "all nodes": ("/**:\n  ros__parameters: {use_sim_time: true, smoothing.method: none}", "none"),
}


@pytest.mark.parametrize("case", PARAMETERS)
def test_parameter_file_is_applied(case: str, tmp_path: Path) -> None:
    text, method = PARAMETERS[case]
    (tmp_path / "robot.yaml").write_text(text)
    assert perception_config_of(tmp_path / "robot.yaml", {}).smoothing.method == method


BAD_PARAMETERS = {
    "unknown": ("perception: {ros__parameters: {smooothing.method: none}}", "unknown setting 'smooothing.method'"),
    "value": ("perception: {ros__parameters: {smoothing.beta: -1.0}}", "smoothing.beta: expected a number from 0 to"),
    "other node": ("camera: {ros__parameters: {rate: 3.0}}", "expected parameters of a node perception"),
    "several": (
        "a/perception: {ros__parameters: {}}\nb/perception: {ros__parameters: {}}",
        "has several: /a/perception, /b/perception",
    ),
    "a list": ("perception: {ros__parameters: [1, 2]}", "expected a mapping of parameters for /perception, got .1, 2."),
    "not YAML": ("perception: [", "cannot be read as YAML"),
}


@pytest.mark.parametrize("case", BAD_PARAMETERS)
def test_invalid_parameter_file_is_refused(case: str, tmp_path: Path) -> None:
    text, words = BAD_PARAMETERS[case]
    (tmp_path / "robot.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        perception_config_of(tmp_path / "robot.yaml", {})


def test_packaged_parameter_file_has_the_defaults() -> None:
    file = ROOT / "config/perception.yaml"
    assert perception_config_of(file, {}) == PerceptionConfig()
    assert parameters_of(file)["bundle"] == "open"
