"""Replay of a bag through the node `perception`, with the recorded time.

ros2 launch face_expr_ros replay.launch.py bag:=/data/talk image:=/camera/image_raw
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, IncludeLaunchDescription, OpaqueFunction, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

LAUNCH = Path(__file__).parent
CONFIG = LAUNCH.parent / "config"
ARGUMENTS = {
    "bag": (None, "the bag: a folder, or an .mcap file"),
    "image": ("image", "image topic in the bag; camera_info is expected next to it"),
    "topics": ("", "topics of the bag to publish, separated by spaces; empty: all"),
    "rate": ("1.0", "speed relative to real time"),
    "loop": ("false", "restart the bag at its end"),
    "delay": ("5.0", "seconds before the bag starts, in which perception loads its models"),
    "rviz": ("false", "start RViz with config/face_expr.rviz"),
    "bundle": ("", "face model and networks; empty: as in the parameter files"),
    "namespace": ("", "namespace of the node and its topics"),
    "params_file": ("", "YAML file that overrides the values of config/perception.yaml"),
}
FORWARDED = ("image", "bundle", "namespace", "params_file")


def play(arguments: dict[str, str]) -> ExecuteProcess:
    """``ros2 bag play`` with /clock; the launch is shut down at the end of the bag."""
    command = ["ros2", "bag", "play", arguments["bag"], "--clock"]
    command += ["--rate", arguments["rate"], "--delay", arguments["delay"]]
    if arguments["loop"] == "true":
        command.append("--loop")
    if arguments["topics"]:
        command += ["--topics", *arguments["topics"].split()]
    return ExecuteProcess(cmd=command, output="screen", on_exit=Shutdown(reason="the bag has ended"))


def rviz(namespace: str) -> Node:
    """RViz in the namespace of the nodes, because the topics in its configuration are relative."""
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=namespace,
        arguments=["-d", str(CONFIG / "face_expr.rviz")],
        parameters=[{"use_sim_time": True}],
    )


def start(context: LaunchContext) -> list[ExecuteProcess | Node]:
    """The player, and RViz if selected."""
    arguments = context.launch_configurations
    return [play(arguments), *([rviz(arguments["namespace"])] if arguments["rviz"] == "true" else [])]


def declare(name: str, default: str | None, description: str) -> DeclareLaunchArgument:
    """A launch argument; it is required without a default, and boolean arguments accept only true and false."""
    choices = ["true", "false"] if default in ("true", "false") else None
    return DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)


def generate_launch_description() -> LaunchDescription:
    """The launch description for ros2 launch."""
    perception = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(LAUNCH / "perception.launch.py")),
        launch_arguments=[*((name, LaunchConfiguration(name)) for name in FORWARDED), ("use_sim_time", "true")],
    )
    return LaunchDescription(
        [*(declare(name, *rest) for name, rest in ARGUMENTS.items()), perception, OpaqueFunction(function=start)]
    )
