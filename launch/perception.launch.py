"""The node `perception` for an image topic that is already published.

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
    "image": ("image", "image topic; camera_info is expected next to it"),
    "bundle": ("", "face model and networks; empty: as in the parameter files"),
    "namespace": ("", "namespace of the node and its topics"),
    "use_sim_time": ("false", "use the time of /clock"),
    "params_file": ("", "YAML file that overrides the values of config/perception.yaml"),
}
# The Fast DDS of these distributions reads another variable than later versions; a user's own profile is kept.
FASTRTPS_DISTROS = ("humble", "iron", "jazzy")
PROFILE = f"{'FASTRTPS' if os.environ.get('ROS_DISTRO') in FASTRTPS_DISTROS else 'FASTDDS'}_DEFAULT_PROFILES_FILE"


def start_nodes(context: LaunchContext) -> list[Node]:
    """The node with its parameters and remappings."""
    arguments = context.launch_configurations
    parameters = [str(CONFIG / "perception.yaml"), *filter(None, [arguments["params_file"]])]
    parameters.append({"use_sim_time": arguments["use_sim_time"] == "true"})
    if arguments["bundle"]:
        parameters.append({"bundle": ParameterValue(arguments["bundle"], value_type=str)})
    remappings = [("image", arguments["image"])] if arguments["image"] != "image" else []
    return [
        Node(
            package="face_expr_ros",
            executable="perception",
            name="perception",
            namespace=arguments["namespace"],
            parameters=parameters,
            remappings=remappings,
            output="screen",
        )
    ]


def declare(name: str, default: str, description: str) -> DeclareLaunchArgument:
    """A launch argument; boolean arguments accept only true and false."""
    choices = ["true", "false"] if default in ("true", "false") else None
    return DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)


def generate_launch_description() -> LaunchDescription:
    """The launch description for ros2 launch."""
    return LaunchDescription(
        [
            *(declare(name, *rest) for name, rest in ARGUMENTS.items()),
            SetEnvironmentVariable(PROFILE, os.environ.get(PROFILE) or str(CONFIG / "fastdds.xml")),
            OpaqueFunction(function=start_nodes),
        ]
    )
