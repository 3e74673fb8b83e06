"""The launch files, executed with replacements of the launch classes (ROS 2 wheels do not contain launch)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from support.launch_stand_ins import CONFIG, actions, defaults, parameter, started, without_packages

from face_expr_ros.ros.launch_parameters import LaunchError

pytestmark = pytest.mark.usefixtures("launch_stand_ins")


FILES = ("demo.launch.py", "head.launch.py", "perception.launch.py", "replay.launch.py")


def nodes(file: str, **arguments: str) -> dict[str, dict[str, Any]]:
    """The nodes that a launch file starts with these arguments, by executable."""
    made = started(file, **arguments)
    return {node.named["executable"]: node.named for node in made if "executable" in node.named}


def included(file: str, **arguments: str) -> tuple[str, dict[str, str]]:
    """The launch file that another one includes, and the arguments that it gets."""
    (include,) = [node for node in started(file, **arguments) if type(node).__name__ == "IncludeLaunchDescription"]
    return Path(include.positional[0].positional[0]).name, dict(include.named["launch_arguments"])


def test_the_demo_has_the_documented_arguments() -> None:
    common = {"source", "image", "image_transport", "camera_rate", "frame_id", "bundle", "respawn", "namespace"}
    views = {"rviz", "web", "hri", "avatars"}
    assert defaults("demo.launch.py").keys() == common | views | {"use_sim_time", "params_file"}


@pytest.mark.parametrize("file", FILES)
def test_every_argument_has_a_description(file: str) -> None:
    assert all(argument.named["description"] for argument in actions(file, "DeclareLaunchArgument"))


@pytest.mark.parametrize("file", ["demo.launch.py", "head.launch.py", "replay.launch.py"])
def test_included_launch_files_have_the_arguments_that_they_get(file: str) -> None:
    name, given = included(file, bag=str(CONFIG)) if file == "replay.launch.py" else included(file)
    assert given.keys() <= defaults(name).keys()
    assert all(isinstance(value, str) for value in given.values())


def test_the_demo_starts_the_camera_and_includes_perception() -> None:
    assert nodes("demo.launch.py").keys() == {"camera"}
    assert included("demo.launch.py", hri="1")[0] == "perception.launch.py"
    assert included("demo.launch.py", hri="1")[1]["hri"] == "true"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", True), ("True", True), ("1", True), ("yes", True), ("ON", True), ("false", False), ("0", False)],
)
def test_boolean_arguments_accept_the_usual_words(value: str, expected: bool) -> None:
    assert ("web_bridge" in nodes("demo.launch.py", web=value)) == expected


def test_another_word_for_a_boolean_argument_is_refused() -> None:
    with pytest.raises(LaunchError, match="web: expected true or false, got 'maybe'"):
        nodes("demo.launch.py", web="maybe")


def test_a_misspelt_argument_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    started("demo.launch.py", sourc="device:0", ros_namespace="front", table="neck")
    assert caplog.messages == ["sourc is not an argument, did you mean source?"]
    started("perception.launch.py", sourc="device:0")
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("false", None)])
def test_simulated_time_of_the_users_parameter_file_is_kept(value: str, expected: bool | None) -> None:
    made = nodes("head.launch.py", use_sim_time=value, perception="false", urdf="none")
    assert parameter(made["head_control"], "use_sim_time") is expected


def test_a_rate_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(LaunchError, match="camera_rate: expected a number, got 'fast'"):
        nodes("demo.launch.py", camera_rate="fast")


def test_camera_rate_and_frame_are_arguments() -> None:
    camera = nodes("demo.launch.py", camera_rate="15", frame_id="lens")["camera"]
    assert parameter(camera, "rate").positional == (15.0,)
    assert parameter(camera, "frame_id").positional == ("lens",)
    assert parameter(nodes("demo.launch.py")["camera"], "rate") is None


def test_bridges_subscribe_to_the_topics_of_perception() -> None:
    given = {"image": "/cam/image_raw", "camera_info": "/info", "image_transport": "compressed"}
    made = nodes("perception.launch.py", **given, hri="true", avatars="true")
    assert made.keys() == {"perception", "hri_bridge", "avatar_bridge"}
    assert made["hri_bridge"]["remappings"] == made["perception"]["remappings"]
    assert parameter(made["hri_bridge"], "image_transport").positional == ("compressed",)


def test_a_failed_node_ends_the_launch_with_an_error() -> None:
    end = nodes("demo.launch.py")["camera"]["on_exit"]
    running, ending = SimpleNamespace(is_shutdown=False), SimpleNamespace(is_shutdown=True)
    with pytest.raises(LaunchError, match="camera-1 failed with status 2"):
        end(SimpleNamespace(returncode=2, process_name="camera-1"), running)
    end(SimpleNamespace(returncode=0, process_name="camera-1"), running)
    end(SimpleNamespace(returncode=-2, process_name="camera-1"), ending)


def test_respawn_restarts_failed_nodes_instead() -> None:
    camera = nodes("demo.launch.py", respawn="true")["camera"]
    assert (camera["respawn"], camera["on_exit"]) == (True, None)
    assert included("demo.launch.py", respawn="true")[1]["respawn"] == "true"


def test_a_missing_rviz_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    without_packages(monkeypatch)
    messages = [action.named["msg"] for action in started("demo.launch.py", rviz="true") if "msg" in action.named]
    assert messages[0].startswith("rviz2 is not installed: RViz is not started (sudo apt install ros-")


def test_missing_hri_msgs_are_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    without_packages(monkeypatch)
    messages = [action.named["msg"] for action in started("perception.launch.py", hri="true") if "msg" in action.named]
    assert messages[0].startswith("hri_msgs is not installed: hri_bridge is not started")


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
    assert given.named == {"value_type": str}, "not converted to a number"


@pytest.mark.parametrize(("file", "executable"), [("demo.launch.py", "camera"), ("perception.launch.py", "perception")])
def test_the_users_parameter_file_overrides_the_default_one(file: str, executable: str) -> None:
    mine = str(CONFIG / f"{executable}.yaml")
    node = nodes(file, params_file=mine, use_sim_time="true", namespace="head")[executable]
    assert node["parameters"][:2] == [str(CONFIG / f"{executable}.yaml"), mine]
    assert parameter(node, "use_sim_time") is True
    assert (node["name"], node["namespace"]) == (executable, "head")


@pytest.mark.parametrize("name", ["camera", "perception", "web_bridge"])
def test_default_parameter_files_apply_in_any_namespace(name: str) -> None:
    assert list(yaml.safe_load((CONFIG / f"{name}.yaml").read_text(encoding="utf-8"))) == [f"/**/{name}"]


def test_the_image_topic_of_perception_is_remapped() -> None:
    assert nodes("perception.launch.py")["perception"]["remappings"] == []
    other = nodes("perception.launch.py", image="/front/image_raw")["perception"]
    assert other["remappings"] == [("image", "/front/image_raw")], "camera_info is found next to it"
    camera = nodes("demo.launch.py", image="/front/image_raw")["camera"]
    assert camera["remappings"] == [("image", "/front/image_raw"), ("camera_info", "/front/camera_info")]
    assert nodes("demo.launch.py", image="image_raw")["camera"]["remappings"][1] == ("camera_info", "camera_info")


def test_rviz_is_started_in_the_same_namespace() -> None:
    rviz = nodes("demo.launch.py", rviz="true", namespace="head")["rviz2"]
    assert rviz["arguments"] == ["-d", str(CONFIG / "face_expr.rviz")]
    assert rviz["namespace"] == "head"


def test_the_web_page_is_optional() -> None:
    mine = str(CONFIG / "web_bridge.yaml")
    given = {"web": "true", "namespace": "head", "params_file": mine, "bundle": "open"}
    assert nodes("demo.launch.py", **given).keys() == {"camera", "web_bridge"}
    bridge = nodes("demo.launch.py", **given)["web_bridge"]
    assert bridge["parameters"][:2] == [mine, mine]
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
