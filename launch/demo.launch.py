"""Camera and perception, and RViz where it is asked for.

ros2 launch face_expr_ros demo.launch.py source:=device:0 rviz:=true
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

LAUNCH = Path(__file__).parent
CONFIG = LAUNCH.parent / "config"
ARGUMENTS = {
    "source": ("", "synthetic, device:N, a video file, a folder of images, or none; empty: as the parameter files say"),
    "bundle": ("", "face model and weights; empty: as the parameter files say"),
    "rviz": ("false", "start RViz with config/face_expr.rviz"),
    "web": ("false", "start the browser page"),
    "namespace": ("", "namespace of all nodes and topics"),
    "use_sim_time": ("false", "take the time from /clock"),
    "params_file": ("", "YAML file whose values replace those of config/*.yaml"),
}
PASSED_ON = ("bundle", "namespace", "use_sim_time", "params_file")


def package_node(name: str, argument: str, given: dict[str, str]) -> Node:
    """A node of this package with its parameter file and, where it is given, the launch argument as a parameter."""
    parameters = [str(CONFIG / f"{name}.yaml"), *filter(None, [given["params_file"]])]
    parameters.append({"use_sim_time": given["use_sim_time"] == "true"})
    if given[argument]:
        parameters.append({argument: ParameterValue(given[argument], value_type=str)})
    return Node(
        package="face_expr_ros",
        executable=name,
        name=name,
        namespace=given["namespace"],
        parameters=parameters,
        output="screen",
    )


def rviz(given: dict[str, str]) -> Node:
    """RViz in the same namespace: the topics in its file are relative."""
    arguments = ["-d", str(CONFIG / "face_expr.rviz")]
    return Node(package="rviz2", executable="rviz2", namespace=given["namespace"], arguments=arguments)


def start_nodes(context: LaunchContext) -> list[Node]:
    """The nodes beside perception, as the arguments ask for them."""
    given = context.launch_configurations
    nodes = [] if given["source"] == "none" else [package_node("camera", "source", given)]
    if given["rviz"] == "true":
        nodes.append(rviz(given))
    if given["web"] == "true":
        nodes.append(package_node("web_bridge", "bundle", given))
    return nodes


def declare(name: str, default: str, text: str) -> DeclareLaunchArgument:
    """A launch argument; the switches take true and false only."""
    choices = ["true", "false"] if default in ("true", "false") else None
    return DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)


def generate_launch_description() -> LaunchDescription:
    """Called by ros2 launch."""
    passed_on = [(name, LaunchConfiguration(name)) for name in PASSED_ON]
    perception = PythonLaunchDescriptionSource(str(LAUNCH / "perception.launch.py"))
    return LaunchDescription(
        [
            *(declare(name, *rest) for name, rest in ARGUMENTS.items()),
            # First: it sets the Fast DDS profile for the nodes after it as well.
            IncludeLaunchDescription(perception, launch_arguments=passed_on),
            OpaqueFunction(function=start_nodes),
        ]
    )
