"""A robot head that follows a face: camera, perception, head_control, and optionally the robot model in RViz.

ros2 launch face_expr_ros head.launch.py source:=device:0 rviz:=true
"""

from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import LogInfo, OpaqueFunction
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from face_expr_ros.ros.launch_files import (
    BUNDLE,
    CAMERA,
    COMMON,
    CONFIG,
    IMAGE,
    RESPAWN,
    checked,
    declare,
    how_to_install,
    include,
    is_installed,
    package_node,
    rviz,
)
from face_expr_ros.ros.launch_parameters import LaunchError

FORWARDED = {**CAMERA, **IMAGE, **BUNDLE, **RESPAWN, **COMMON}
ARGUMENTS = {
    "table": ("", "joint table: neck, pan_tilt or the path of a YAML file; empty: as in the parameter files"),
    "urdf": ("", "URDF of the robot; empty: config/heads/neck.urdf; none: the robot publishes its own model"),
    "perception": ("true", "start camera and perception"),
    "rviz": ("false", "start RViz with config/head.rviz"),
    **FORWARDED,
}


def robot_state_publisher(arguments: dict[str, Any]) -> Node | LogInfo:
    """The node that publishes the frames of the robot's links at the joint targets; a message if not installed.

    Raises:
        LaunchError: the URDF cannot be read.
    """
    name = "robot_state_publisher"
    if not is_installed(name):
        return LogInfo(msg=f"{name} is not installed: its frames are not published ({how_to_install(name)})")
    path = Path(arguments["urdf"] or CONFIG / "heads" / "neck.urdf")
    try:
        urdf = path.read_text(encoding="utf-8")
    except OSError as error:
        raise LaunchError(f"urdf {path}: {error.strerror or error}") from error
    return Node(
        package=name,
        executable=name,
        namespace=arguments["namespace"],
        parameters=[
            {
                "robot_description": ParameterValue(urdf, value_type=str),
                "use_sim_time": arguments["use_sim_time"],
            }
        ],
        remappings=[("joint_states", "joint_targets")],
    )


def start_nodes(context: LaunchContext) -> list[Any]:
    """The selected nodes."""
    arguments = checked(context, ARGUMENTS)
    nodes: list[Any] = [package_node("head_control", arguments, {"table": arguments["table"]})]
    if arguments["urdf"] != "none":
        nodes.append(robot_state_publisher(arguments))
    if arguments["rviz"]:
        nodes.append(rviz("head.rviz", arguments))
    if arguments["perception"]:
        forwarded = {name: arguments[name] for name in FORWARDED}
        # Their defaults would not apply: this launch file has an argument of the same name.
        nodes.append(include("demo.launch.py", forwarded | {"rviz": False}))
    return nodes


def generate_launch_description() -> LaunchDescription:
    """The launch description for ros2 launch."""
    return LaunchDescription([*declare(ARGUMENTS), OpaqueFunction(function=start_nodes)])
