"""The node `perception` alone, for a camera that is already there.

ros2 launch face_expr_ros perception.launch.py image:=/camera/image_raw
"""

import os
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

CONFIG = Path(__file__).parent.parent / "config"
ARGUMENTS = {
    "image": ("image", "image topic; camera_info is taken from beside it"),
    "bundle": ("", "face model and weights; empty: as the parameter files say"),
    "namespace": ("", "namespace of the node and its topics"),
    "use_sim_time": ("false", "take the time from /clock"),
    "params_file": ("", "YAML file whose values replace those of config/perception.yaml"),
}
# Up to Jazzy Fast DDS reads the first of these, later the second; a user's own profile is left alone.
OLD_DISTROS = ("humble", "iron", "jazzy")
PROFILE = f"{'FASTRTPS' if os.environ.get('ROS_DISTRO') in OLD_DISTROS else 'FASTDDS'}_DEFAULT_PROFILES_FILE"


def start_nodes(context: LaunchContext) -> list[Node]:
    """The node, with the arguments as they were given."""
    given = context.launch_configurations
    parameters = [str(CONFIG / "perception.yaml"), *filter(None, [given["params_file"]])]
    parameters.append({"use_sim_time": given["use_sim_time"] == "true"})
    if given["bundle"]:
        parameters.append({"bundle": ParameterValue(given["bundle"], value_type=str)})
    remappings = [("image", given["image"])] if given["image"] != "image" else []
    return [
        Node(
            package="face_expr_ros",
            executable="perception",
            name="perception",
            namespace=given["namespace"],
            parameters=parameters,
            remappings=remappings,
            output="screen",
        )
    ]


def declare(name: str, default: str, text: str) -> DeclareLaunchArgument:
    """A launch argument; the switches take true and false only."""
    choices = ["true", "false"] if default in ("true", "false") else None
    return DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)


def generate_launch_description() -> LaunchDescription:
    """Called by ros2 launch."""
    return LaunchDescription(
        [
            *(declare(name, *rest) for name, rest in ARGUMENTS.items()),
            SetEnvironmentVariable(PROFILE, os.environ.get(PROFILE) or str(CONFIG / "fastdds.xml")),
            OpaqueFunction(function=start_nodes),
        ]
    )
