"""A recorded bag through the node `perception`, in the time of the recording.

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
    "image": ("image", "image topic in the bag; camera_info is taken from beside it"),
    "topics": ("", "only these topics of the bag, with spaces between them; empty: all"),
    "rate": ("1.0", "times real time"),
    "loop": ("false", "begin again at the end"),
    "delay": ("5.0", "seconds that perception has to load its models before the bag begins"),
    "rviz": ("false", "start RViz with config/face_expr.rviz"),
    "bundle": ("", "face model and weights; empty: as the parameter files say"),
    "namespace": ("", "namespace of the node and its topics"),
    "params_file": ("", "YAML file whose values replace those of config/perception.yaml"),
}
PASSED_ON = ("image", "bundle", "namespace", "params_file")


def play(given: dict[str, str]) -> ExecuteProcess:
    """``ros2 bag play`` with /clock; its end ends the launch."""
    command = ["ros2", "bag", "play", given["bag"], "--clock", "--rate", given["rate"], "--delay", given["delay"]]
    if given["loop"] == "true":
        command.append("--loop")
    if given["topics"]:
        command += ["--topics", *given["topics"].split()]
    return ExecuteProcess(cmd=command, output="screen", on_exit=Shutdown(reason="the bag has ended"))


def start(context: LaunchContext) -> list[ExecuteProcess | Node]:
    """The bag, and RViz where it is asked for."""
    given = context.launch_configurations
    arguments = ["-d", str(CONFIG / "face_expr.rviz")]
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=given["namespace"],
        arguments=arguments,
        parameters=[{"use_sim_time": True}],
    )
    return [play(given), *([rviz] if given["rviz"] == "true" else [])]


def declare(name: str, default: str | None, text: str) -> DeclareLaunchArgument:
    """A launch argument; without a default it has to be given, and the switches take true and false only."""
    choices = ["true", "false"] if default in ("true", "false") else None
    return DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)


def generate_launch_description() -> LaunchDescription:
    """Called by ros2 launch."""
    perception = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(LAUNCH / "perception.launch.py")),
        launch_arguments=[*((name, LaunchConfiguration(name)) for name in PASSED_ON), ("use_sim_time", "true")],
    )
    return LaunchDescription(
        [*(declare(name, *rest) for name, rest in ARGUMENTS.items()), perception, OpaqueFunction(function=start)]
    )
