"""The launch file of a robot head, executed with replacements of the launch classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from support.launch_stand_ins import CONFIG, LAUNCH, defaults, parameter, without_packages
from support.launch_stand_ins import started as actions_of

from face_expr_ros.ros.launch_parameters import LaunchError

FILE = "head.launch.py"
pytestmark = pytest.mark.usefixtures("launch_stand_ins")


def started(**arguments: str) -> dict[str, Any]:
    """The actions that the launch file returns for these arguments: nodes by executable, others by class name."""
    made = actions_of(FILE, **arguments)
    return {action.named.get("executable", type(action).__name__): action.named for action in made}


def test_head_control_robot_model_and_perception_are_started() -> None:
    nodes = started()
    assert list(nodes) == ["head_control", "robot_state_publisher", "IncludeLaunchDescription"]
    assert nodes["head_control"]["parameters"][0] == str(CONFIG / "head_control.yaml")
    assert nodes["robot_state_publisher"]["remappings"] == [("joint_states", "joint_targets")]
    (description,) = nodes["robot_state_publisher"]["parameters"]
    assert '<robot name="neck">' in description["robot_description"].positional[0]


def test_arguments_are_forwarded_to_the_demo_without_views() -> None:
    forwarded = dict(started(source="device:0", namespace="robot")["IncludeLaunchDescription"]["launch_arguments"])
    assert (forwarded["source"], forwarded["namespace"]) == ("device:0", "robot")
    assert forwarded["rviz"] == "false"
    assert forwarded.keys() <= defaults("demo.launch.py").keys()


def test_arguments_are_passed_to_head_control() -> None:
    mine = str(CONFIG / "perception.yaml")
    head = started(table="pan_tilt", use_sim_time="true", namespace="robot", params_file=mine)["head_control"]
    assert parameter(head, "table").positional == ("pan_tilt",)
    assert parameter(head, "use_sim_time") is True
    assert head["namespace"] == "robot"
    assert mine in head["parameters"]


def test_the_robot_model_and_perception_are_optional() -> None:
    assert list(started(urdf="none", perception="false")) == ["head_control"]


def test_another_urdf_is_used(tmp_path: Path) -> None:
    (tmp_path / "mine.urdf").write_text("<robot name='mine'/>")
    (description,) = started(urdf=str(tmp_path / "mine.urdf"))["robot_state_publisher"]["parameters"]
    assert description["robot_description"].positional == ("<robot name='mine'/>",)


def test_a_missing_urdf_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=r"urdf .*/none\.urdf: No such file or directory"):
        started(urdf=str(tmp_path / "none.urdf"))


def test_a_missing_robot_state_publisher_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    without_packages(monkeypatch)
    nodes = started(perception="false")
    assert list(nodes) == ["head_control", "LogInfo"]
    assert "robot_state_publisher is not installed" in nodes["LogInfo"]["msg"]


def test_rviz_displays_the_robot_and_the_image() -> None:
    rviz = started(rviz="true", namespace="robot")["rviz2"]
    assert rviz["arguments"] == ["-d", str(CONFIG / "head.rviz")]
    assert rviz["namespace"] == "robot"
    view = yaml.safe_load((CONFIG / "head.rviz").read_text(encoding="utf-8"))["Visualization Manager"]
    robot, image, _ = view["Displays"]
    assert robot["Description Topic"]["Value"] == "robot_description"
    assert image["Topic"]["Value"] == "annotated"
    assert view["Global Options"]["Fixed Frame"] == "base_link"


def test_the_launch_file_compiles() -> None:
    compile((LAUNCH / FILE).read_text(encoding="utf-8"), FILE, "exec")
