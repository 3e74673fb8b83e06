"""The launch files, executed with small stand-ins for the launch classes (ROS 2 wheels have no launch)."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.launch_stand_ins import CONFIG, LAUNCH, actions, defaults, parameter

pytestmark = pytest.mark.usefixtures("launch_stand_ins")


def nodes(file: str, **arguments: str) -> dict[str, dict[str, Any]]:
    """The nodes that a launch file starts with these arguments, by executable."""
    assert arguments.keys() <= defaults(file).keys()
    context = types.SimpleNamespace(launch_configurations=defaults(file) | arguments)
    (start,) = actions(file, "OpaqueFunction")
    return {node.named["executable"]: node.named for node in start.named["function"](context)}


def test_the_demo_has_the_arguments_that_the_documentation_names() -> None:
    wanted = {"source", "bundle", "rviz", "web", "namespace", "use_sim_time", "params_file"}
    assert defaults("demo.launch.py").keys() == wanted


def test_every_argument_says_what_it_is_for_and_switches_take_true_and_false_only() -> None:
    for file in ("demo.launch.py", "perception.launch.py"):
        for argument in actions(file, "DeclareLaunchArgument"):
            assert argument.named["description"]
            is_switch = argument.named["default_value"] == "false"
            assert argument.named["choices"] == (["true", "false"] if is_switch else None)


def test_the_demo_starts_camera_and_includes_perception() -> None:
    assert nodes("demo.launch.py").keys() == {"camera"}
    (include,) = actions("demo.launch.py", "IncludeLaunchDescription")
    assert Path(include.positional[0].positional[0]) == LAUNCH / "perception.launch.py"
    passed_on = {name for name, _ in include.named["launch_arguments"]}
    assert passed_on <= defaults("perception.launch.py").keys()


def test_without_a_source_no_camera_is_started() -> None:
    assert nodes("demo.launch.py", source="none") == {}


@pytest.mark.parametrize(
    ("file", "executable", "argument"),
    [("demo.launch.py", "camera", "source"), ("perception.launch.py", "perception", "bundle")],
)
def test_an_argument_that_is_not_given_leaves_the_parameter_files_alone(
    file: str, executable: str, argument: str
) -> None:
    assert parameter(nodes(file)[executable], argument) is None
    given = parameter(nodes(file, **{argument: "7"})[executable], argument)
    assert given.positional == ("7",)
    assert given.named == {"value_type": str}  # a text stays a text, whatever it looks like


@pytest.mark.parametrize(("file", "executable"), [("demo.launch.py", "camera"), ("perception.launch.py", "perception")])
def test_the_users_parameters_come_after_the_shipped_ones(file: str, executable: str) -> None:
    node = nodes(file, params_file="/mine.yaml", use_sim_time="true", namespace="head")[executable]
    assert node["parameters"][:2] == [str(CONFIG / f"{executable}.yaml"), "/mine.yaml"]
    assert parameter(node, "use_sim_time") is True
    assert (node["name"], node["namespace"]) == (executable, "head")


@pytest.mark.parametrize("name", ["camera", "perception", "web_bridge"])
def test_the_shipped_parameters_reach_the_node_in_any_namespace(name: str) -> None:
    assert list(yaml.safe_load((CONFIG / f"{name}.yaml").read_text(encoding="utf-8"))) == [f"/**/{name}"]


def test_perception_takes_another_image_topic() -> None:
    assert nodes("perception.launch.py")["perception"]["remappings"] == []
    other = nodes("perception.launch.py", image="/front/image_raw")["perception"]
    assert other["remappings"] == [("image", "/front/image_raw")]


def test_rviz_gets_the_shipped_view_in_the_same_namespace() -> None:
    rviz = nodes("demo.launch.py", rviz="true", namespace="head")["rviz2"]
    assert rviz["arguments"] == ["-d", str(CONFIG / "face_expr.rviz")]
    assert rviz["namespace"] == "head"


def test_the_page_is_served_where_it_is_asked_for() -> None:
    given = {"web": "true", "namespace": "head", "params_file": "/mine.yaml", "bundle": "open"}
    assert nodes("demo.launch.py", **given).keys() == {"camera", "web_bridge"}
    bridge = nodes("demo.launch.py", **given)["web_bridge"]
    assert bridge["parameters"][:2] == [str(CONFIG / "web_bridge.yaml"), "/mine.yaml"]
    assert parameter(bridge, "bundle").positional == ("open",)
    assert (bridge["name"], bridge["namespace"]) == ("web_bridge", "head")


@pytest.mark.parametrize(
    ("distro", "variable"),
    [("jazzy", "FASTRTPS_DEFAULT_PROFILES_FILE"), ("kilted", "FASTDDS_DEFAULT_PROFILES_FILE")],
)
def test_the_nodes_get_the_fast_dds_profile_unless_the_user_has_one(
    distro: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_DISTRO", distro)
    monkeypatch.delenv(variable, raising=False)
    (setting,) = actions("perception.launch.py", "SetEnvironmentVariable")
    assert setting.positional == (variable, str(CONFIG / "fastdds.xml"))
    monkeypatch.setenv(variable, "/mine.xml")
    (setting,) = actions("perception.launch.py", "SetEnvironmentVariable")
    assert setting.positional == (variable, "/mine.xml")


def test_rviz_shows_image_meshes_and_frames() -> None:
    view = yaml.safe_load((CONFIG / "face_expr.rviz").read_text(encoding="utf-8"))["Visualization Manager"]
    topics = {display["Class"].split("/")[1]: display.get("Topic", {}).get("Value") for display in view["Displays"]}
    assert topics == {"Image": "annotated", "Marker": "mesh_markers", "PointCloud2": "mesh_cloud", "TF": None}
    assert view["Global Options"]["Fixed Frame"] == "camera_optical_frame"
