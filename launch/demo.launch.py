"""Camera and perception, optionally with RViz, the web page and bridges.

ros2 launch face_expr_ros demo.launch.py source:=device:0 rviz:=true
"""

from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.actions import Node

from face_expr_ros.ros.launch_files import (
    BRIDGES,
    BUNDLE,
    CAMERA,
    COMMON,
    IMAGE,
    RESPAWN,
    checked,
    declare,
    image_remappings,
    include,
    package_node,
    rviz,
    to_float,
)

FORWARDED = {**IMAGE, **BUNDLE, **BRIDGES, **RESPAWN, **COMMON}
ARGUMENTS = {
    **CAMERA,
    **FORWARDED,
    "rviz": ("false", "start RViz with config/face_expr.rviz"),
    "web": ("false", "serve the web page"),
}


def camera(arguments: dict[str, Any]) -> Node:
    """The camera node."""
    rate = arguments["camera_rate"]
    overrides = {
        "source": arguments["source"],
        "rate": to_float("camera_rate", rate) if rate else None,
        "frame_id": arguments["frame_id"],
    }
    return package_node("camera", arguments, overrides, image_remappings(arguments, camera_info=True))


def start_nodes(context: LaunchContext) -> list[Any]:
    """The selected nodes; perception first, because it also sets the Fast DDS profile of the others."""
    arguments = checked(context, ARGUMENTS)
    nodes: list[Any] = [] if arguments["source"] == "none" else [camera(arguments)]
    if arguments["rviz"]:
        nodes.append(rviz("face_expr.rviz", arguments))
    if arguments["web"]:
        nodes.append(package_node("web_bridge", arguments, {"bundle": arguments["bundle"]}))
    return [include("perception.launch.py", {name: arguments[name] for name in FORWARDED}), *nodes]


def generate_launch_description() -> LaunchDescription:
    """The launch description for ros2 launch."""
    return LaunchDescription([*declare(ARGUMENTS), OpaqueFunction(function=start_nodes)])
