"""Common parts of the launch files: arguments, checks with one-line messages, and nodes whose failure ends the launch.

The launch files are executed by ``ros2 launch``, outside the processes of the nodes: only the standard library, PyYAML
and ROS's launch packages are imported here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_prefix
from launch import LaunchContext
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, LogInfo
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.logging import get_logger
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from face_expr_ros.core.resources import resource_path
from face_expr_ros.ros.launch_parameters import LaunchError, check_params_file

CONFIG = resource_path("config")
LAUNCH = resource_path("launch")
RESPAWN_DELAY = 2.0  # seconds

# Arguments of several launch files: name -> default and description; see `declare`.
NAMESPACE = {"namespace": ("", "namespace of all nodes and topics")}
COMMON = NAMESPACE | {
    "use_sim_time": ("false", "use the time of /clock"),
    "params_file": ("", "YAML file that overrides the values of config/*.yaml"),
}
RESPAWN = {"respawn": ("false", "restart a node that has ended; otherwise a node that fails ends the launch")}
IMAGE = {
    "image": ("image", "image topic; camera_info is expected next to it"),
    "image_transport": ("", "raw, or compressed to subscribe to <image>/compressed; empty: as in the parameter files"),
}
BUNDLE = {"bundle": ("", "face model and networks; empty: as in the parameter files")}
BRIDGES = {
    "hri": ("false", "start hri_bridge, which publishes ROS4HRI topics"),
    "avatars": ("false", "start avatar_bridge, which sends faces to avatar software"),
}
CAMERA = {
    "source": ("", "synthetic, device:N, a video file, a folder of images, or none; empty: as in the parameter files"),
    "camera_rate": ("", "maximum frame rate of the camera, Hz; empty: as in the parameter files"),
    "frame_id": ("", "optical frame of the camera; empty: as in the parameter files"),
}

_reported: set[str] = set()  # names that are almost those of arguments; an included launch file has them, too
Arguments = Mapping[str, tuple[str | None, str]]


def declare(arguments: Arguments) -> list[DeclareLaunchArgument]:
    """Launch arguments from name -> default and description; an argument is required if its default is None."""
    return [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in arguments.items()
    ]


def checked(context: LaunchContext, arguments: Arguments) -> dict[str, Any]:
    """The values of the arguments; those with a default of true or false are converted to bool.

    Names that are given and almost those of arguments are logged: launch ignores them without a message.

    Raises:
        LaunchError: a boolean argument has another value, or ``params_file`` is not valid.
    """
    values: dict[str, Any] = {name: context.launch_configurations[name] for name in arguments}
    for name, (default, _) in arguments.items():
        if default in ("true", "false"):
            values[name] = to_bool(name, values[name])
    if values.get("params_file"):
        check_params_file(Path(values["params_file"]), values.get("namespace", ""))
    for name in context.launch_configurations.keys() - arguments.keys() - _reported:
        _report_if_misspelt(name, arguments)
    return values


def _report_if_misspelt(name: str, arguments: Arguments) -> None:
    for nearest in get_close_matches(name, arguments, n=1, cutoff=0.85):  # ros_namespace is launch_ros's own
        _reported.add(name)
        get_logger("launch.user").warning(f"{name} is not an argument, did you mean {nearest}?")


def to_bool(name: str, value: str) -> bool:
    """The value of a boolean argument.

    Raises:
        LaunchError: it is neither true, yes, on, 1 nor false, no, off, 0, in any case.
    """
    if value.lower() in ("true", "yes", "on", "1"):
        return True
    if value.lower() in ("false", "no", "off", "0"):
        return False
    raise LaunchError(f"{name}: expected true or false, got {value!r}")


def to_float(name: str, value: str) -> float:
    """The value of a numeric argument.

    Raises:
        LaunchError: it is not a number.
    """
    try:
        return float(value)
    except ValueError as error:
        raise LaunchError(f"{name}: expected a number, got {value!r}") from error


def package_node(
    name: str,
    arguments: Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    remappings: Sequence[tuple[str, str]] = (),
) -> Node:
    """A node of this package with its parameter file, the user's, and overrides that are not empty.

    ``use_sim_time`` overrides the user's file only where it is true. A node that fails ends the launch with an exit
    status other than 0, unless ``respawn`` is true.
    """
    parameters: list[Any] = [str(CONFIG / f"{name}.yaml"), *filter(None, [arguments["params_file"]])]
    parameters += [{"use_sim_time": True}] if arguments["use_sim_time"] else []
    parameters += [
        {key: ParameterValue(value, value_type=type(value))}
        for key, value in (overrides or {}).items()
        if value not in ("", None)
    ]
    respawn = bool(arguments.get("respawn"))
    return Node(
        package="face_expr_ros",
        executable=name,
        name=name,
        namespace=arguments["namespace"],
        parameters=parameters,
        remappings=list(remappings),
        output="screen",
        respawn=respawn,
        respawn_delay=RESPAWN_DELAY,
        on_exit=None if respawn else end_if_failed,
    )


def end_if_failed(event: Any, context: LaunchContext) -> None:
    """Handler of a process's exit: end the launch with an exit status other than 0 if the process has failed.

    Raises:
        LaunchError: the process has failed; launch reports the text and stops the other processes.
    """
    if event.returncode and not context.is_shutdown:
        raise LaunchError(f"{event.process_name} failed with status {event.returncode}: see its messages above")


def image_remappings(arguments: Mapping[str, Any], camera_info: bool = False) -> list[tuple[str, str]]:
    """Remapping of the image topic; subscribers find camera_info next to it, publishers need its remapping, too."""
    image = arguments["image"]
    if image == "image":
        return []
    folder, slash, _ = image.rpartition("/")
    return [("image", image), *([("camera_info", f"{folder}{slash}camera_info")] if camera_info else [])]


def include(file: str, values: Mapping[str, Any]) -> IncludeLaunchDescription:
    """Another launch file of this package with these arguments."""
    texts = [(name, str(value).lower() if isinstance(value, bool) else value) for name, value in values.items()]
    return IncludeLaunchDescription(PythonLaunchDescriptionSource(str(LAUNCH / file)), launch_arguments=texts)


def rviz(config: str, arguments: Mapping[str, Any]) -> Node | LogInfo:
    """RViz in the namespace of the nodes, because the topics in its configuration are relative.

    A message if it is not installed.
    """
    if not is_installed("rviz2"):
        return LogInfo(msg=f"rviz2 is not installed: RViz is not started ({how_to_install('rviz2')})")
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=arguments["namespace"],
        arguments=["-d", str(CONFIG / config)],
        parameters=[{"use_sim_time": arguments["use_sim_time"]}],
    )


def hri_bridge(arguments: Mapping[str, Any], overrides: Mapping[str, Any], remappings: Any) -> Node | LogInfo:
    """The node hri_bridge; a message if hri_msgs is not installed."""
    if is_installed("hri_msgs"):
        return package_node("hri_bridge", arguments, overrides, remappings)
    return LogInfo(msg=f"hri_msgs is not installed: hri_bridge is not started ({how_to_install('hri_msgs')})")


def is_installed(package: str) -> bool:
    """Whether ROS finds a package."""
    try:
        get_package_prefix(package)
    except LookupError:
        return False
    return True


def how_to_install(package: str) -> str:
    """The command that installs the Debian package of a ROS package."""
    return f"sudo apt install ros-{os.environ.get('ROS_DISTRO', '$ROS_DISTRO')}-{package.replace('_', '-')}"
