"""The launch files, executed with replacements of the launch classes (ROS 2 wheels do not contain launch)."""

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


def test_the_demo_has_the_documented_arguments() -> None:
    expected = {"source", "bundle", "rviz", "web", "namespace", "use_sim_time", "params_file"}
    assert defaults("demo.launch.py").keys() == expected


def test_arguments_have_descriptions_and_boolean_ones_have_choices() -> None:
    for file in ("demo.launch.py", "perception.launch.py"):
        for argument in actions(file, "DeclareLaunchArgument"):
            assert argument.named["description"]
            is_boolean = argument.named["default_value"] == "false"
            assert argument.named["choices"] == (["true", "false"] if is_boolean else None)


def test_the_demo_starts_the_camera_and_includes_perception() -> None:
    assert nodes("demo.launch.py").keys() == {"camera"}
    (include,) = actions("demo.launch.py", "IncludeLaunchDescription")
    assert Path(include.positional[0].positional[0]) == LAUNCH / "perception.launch.py"
    forwarded = {name for name, _ in include.named["launch_arguments"]}
    assert forwarded <= defaults("perception.launch.py").keys()


def test_no_camera_is_started_for_the_source_none() -> None:
    assert nodes("demo.launch.py", source="none") == {}


@pytest.mark.parametrize(
    ("file", "executable", "argument"),
    [("demo.launch.py", "camera", "source"), ("perception.launch.py", "perception", "bundle")],
)
def test_an_empty_argument_does_not_override_the_parameter_files(file: str, executable: str, argument: str) -> None:
    assert parameter(nodes(file)[executable], argument) is None
    given = parameter(nodes(file, **{argument: "7"})[executable], argument)
    assert given.positional == ("7",)
    assert given.named == {"value_type": str}  # not converted to a number


@pytest.mark.parametrize(("file", "executable"), [("demo.launch.py", "camera"), ("perception.launch.py", "perception")])
def test_the_users_parameter_file_overrides_the_default_one(file: str, executable: str) -> None:
    node = nodes(file, params_file="/mine.yaml", use_sim_time="true", namespace="head")[executable]
    assert node["parameters"][:2] == [str(CONFIG / f"{executable}.yaml"), "/mine.yaml"]
    assert parameter(node, "use_sim_time") is True
    assert (node["name"], node["namespace"]) == (executable, "head")


@pytest.mark.parametrize("name", ["camera", "perception", "web_bridge"])
def test_default_parameter_files_apply_in_any_namespace(name: str) -> None:
    assert list(yaml.safe_load((CONFIG / f"{name}.yaml").read_text(encoding="utf-8"))) == [f"/**/{name}"]


def test_the_image_topic_of_perception_is_remapped() -> None:
    assert nodes("perception.launch.py")["perception"]["remappings"] == []
    other = nodes("perception.launch.py", image="/front/image_raw")["perception"]
    assert other["remappings"] == [("image", "/front/image_raw")]


def test_rviz_is_started_in_the_same_namespace() -> None:
    rviz = nodes("demo.launch.py", rviz="true", namespace="head")["rviz2"]
    assert rviz["arguments"] == ["-d", str(CONFIG / "face_expr.rviz")]
    assert rviz["namespace"] == "head"


def test_the_web_page_is_optional() -> None:
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
def test_the_fast_dds_profile_is_set_unless_the_user_has_one(
    distro: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_DISTRO", distro)
    monkeypatch.delenv(variable, raising=False)
    (setting,) = actions("perception.launch.py", "SetEnvironmentVariable")
    assert setting.positional == (variable, str(CONFIG / "fastdds.xml"))
    monkeypatch.setenv(variable, "/mine.xml")
    (setting,) = actions("perception.launch.py", "SetEnvironmentVariable")
    assert setting.positional == (variable, "/mine.xml")


def test_rviz_displays_image_meshes_and_frames() -> None:
    view = yaml.safe_load((CONFIG / "face_expr.rviz").read_text(encoding="utf-8"))["Visualization Manager"]
    topics = {display["Class"].split("/")[1]: display.get("Topic", {}).get("Value") for display in view["Displays"]}
    assert topics == {"Image": "annotated", "Marker": "mesh_markers", "PointCloud2": "mesh_cloud", "TF": None}
    assert view["Global Options"]["Fixed Frame"] == "camera_optical_frame"
