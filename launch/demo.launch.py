"""Camera and perception, optionally with RViz and the web page.

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
    "source": ("", "synthetic, device:N, a video file, a folder of images, or none; empty: as in the parameter files"),
    "bundle": ("", "face model and networks; empty: as in the parameter files"),
    "rviz": ("false", "start RViz with config/face_expr.rviz"),
    "web": ("false", "serve the web page"),
    "namespace": ("", "namespace of all nodes and topics"),
    "use_sim_time": ("false", "use the time of /clock"),
    "params_file": ("", "YAML file that overrides the values of config/*.yaml"),
}
FORWARDED = ("bundle", "namespace", "use_sim_time", "params_file")


def package_node(name: str, argument: str, arguments: dict[str, str]) -> Node:
    """A node of this package with its parameter file; a launch argument that is not empty overrides a parameter."""
    parameters = [str(CONFIG / f"{name}.yaml"), *filter(None, [arguments["params_file"]])]
    parameters.append({"use_sim_time": arguments["use_sim_time"] == "true"})
    if arguments[argument]:
        parameters.append({argument: ParameterValue(arguments[argument], value_type=str)})
    return Node(
        package="face_expr_ros",
        executable=name,
        name=name,
        namespace=arguments["namespace"],
        parameters=parameters,
        output="screen",
    )


def rviz(namespace: str) -> Node:
    """RViz in the namespace of the nodes, because the topics in its configuration are relative."""
    arguments = ["-d", str(CONFIG / "face_expr.rviz")]
    return Node(package="rviz2", executable="rviz2", namespace=namespace, arguments=arguments)


def start_nodes(context: LaunchContext) -> list[Node]:
    """The selected nodes except perception."""
    arguments = context.launch_configurations
    nodes = [] if arguments["source"] == "none" else [package_node("camera", "source", arguments)]
    if arguments["rviz"] == "true":
        nodes.append(rviz(arguments["namespace"]))
    if arguments["web"] == "true":
        nodes.append(package_node("web_bridge", "bundle", arguments))
    return nodes


def declare(name: str, default: str, description: str) -> DeclareLaunchArgument:
    """A launch argument; boolean arguments accept only true and false."""
    choices = ["true", "false"] if default in ("true", "false") else None
    return DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)


def generate_launch_description() -> LaunchDescription:
    """The launch description for ros2 launch."""
    forwarded = [(name, LaunchConfiguration(name)) for name in FORWARDED]
    perception = PythonLaunchDescriptionSource(str(LAUNCH / "perception.launch.py"))
    return LaunchDescription(
        [
            *(declare(name, *rest) for name, rest in ARGUMENTS.items()),
            # Included first, because it also sets the Fast DDS profile of the other nodes.
            IncludeLaunchDescription(perception, launch_arguments=forwarded),
            OpaqueFunction(function=start_nodes),
        ]
    )
