"""The node `perception` for an image topic that is already published.

ros2 launch face_expr_ros perception.launch.py image:=/camera/image_raw
"""

import os

from launch import LaunchContext, LaunchDescription
from launch.actions import LogInfo, OpaqueFunction, SetEnvironmentVariable
from launch_ros.actions import Node

from face_expr_ros.ros.launch_files import (
    BRIDGES,
    BUNDLE,
    COMMON,
    CONFIG,
    IMAGE,
    RESPAWN,
    checked,
    declare,
    hri_bridge,
    image_remappings,
    package_node,
)

ARGUMENTS = {
    **IMAGE,
    "camera_info": ("", "camera_info topic; empty: next to the image topic"),
    **BUNDLE,
    **BRIDGES,
    **RESPAWN,
    **COMMON,
}
# The Fast DDS of these distributions reads another variable than later versions; a user's own profile is kept.
FASTRTPS_DISTROS = ("humble", "iron", "jazzy")
PROFILE = f"{'FASTRTPS' if os.environ.get('ROS_DISTRO') in FASTRTPS_DISTROS else 'FASTDDS'}_DEFAULT_PROFILES_FILE"


def start_nodes(context: LaunchContext) -> list[Node | LogInfo]:
    """Perception and the selected bridges."""
    arguments = checked(context, ARGUMENTS)
    remappings = image_remappings(arguments)
    if arguments["camera_info"]:
        remappings.append(("camera_info", arguments["camera_info"]))
    transport = {"image_transport": arguments["image_transport"]}
    nodes: list[Node | LogInfo] = [
        package_node("perception", arguments, {"bundle": arguments["bundle"]} | transport, remappings)
    ]
    if arguments["hri"]:
        nodes.append(hri_bridge(arguments, transport, remappings))
    if arguments["avatars"]:
        nodes.append(package_node("avatar_bridge", arguments))
    return nodes


def generate_launch_description() -> LaunchDescription:
    """The launch description for ros2 launch."""
    return LaunchDescription(
        [
            *declare(ARGUMENTS),
            SetEnvironmentVariable(PROFILE, os.environ.get(PROFILE) or str(CONFIG / "fastdds.xml")),
            OpaqueFunction(function=start_nodes),
        ]
    )
