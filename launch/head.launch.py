"""A robot head that follows a face: camera, perception, head_control, and optionally the robot model in RViz.

ros2 launch face_expr_ros head.launch.py source:=device:0 rviz:=true
"""

from pathlib import Path

from ament_index_python.packages import get_package_prefix
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, LogInfo, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

LAUNCH = Path(__file__).parent
CONFIG = LAUNCH.parent / "config"
ARGUMENTS = {
    "table": ("", "joint table: neck, pan_tilt or the path of a YAML file; empty: as in the parameter files"),
    "urdf": ("", "URDF of the robot; empty: config/heads/neck.urdf; none: the robot publishes its own model"),
    "perception": ("true", "start camera and perception"),
    "source": ("", "synthetic, device:N, a video file, a folder of images, or none; empty: as in the parameter files"),
    "bundle": ("", "face model and networks; empty: as in the parameter files"),
    "rviz": ("false", "start RViz with config/head.rviz"),
    "namespace": ("", "namespace of all nodes and topics"),
    "use_sim_time": ("false", "use the time of /clock"),
    "params_file": ("", "YAML file that overrides the values of config/*.yaml"),
}
FORWARDED = ("source", "bundle", "namespace", "use_sim_time", "params_file")


def head_control(arguments: dict[str, str]) -> Node:
    """The node that computes joint targets from faces."""
    parameters = [str(CONFIG / "head_control.yaml"), *filter(None, [arguments["params_file"]])]
    parameters.append({"use_sim_time": arguments["use_sim_time"] == "true"})
    if arguments["table"]:
        parameters.append({"table": ParameterValue(arguments["table"], value_type=str)})
    return Node(
        package="face_expr_ros",
        executable="head_control",
        name="head_control",
        namespace=arguments["namespace"],
        parameters=parameters,
        output="screen",
    )


def robot_state_publisher(arguments: dict[str, str]) -> Node | LogInfo:
    """The node that publishes the frames of the robot's links at the joint targets; a hint if it is not installed."""
    try:
        get_package_prefix("robot_state_publisher")
    except LookupError:
        return LogInfo(msg="robot_state_publisher is not installed: the frames of the robot's links are not published")
    urdf = Path(arguments["urdf"] or CONFIG / "heads" / "neck.urdf").read_text(encoding="utf-8")
    return Node(
        package="robot_state_publisher",
        executable="robot_state_publisher",
        namespace=arguments["namespace"],
        parameters=[
            {
                "robot_description": ParameterValue(urdf, value_type=str),
                "use_sim_time": arguments["use_sim_time"] == "true",
            }
        ],
        remappings=[("joint_states", "joint_targets")],
    )


def rviz(namespace: str) -> Node:
    """RViz in the namespace of the nodes, because the topics in its configuration are relative."""
    arguments = ["-d", str(CONFIG / "head.rviz")]
    return Node(package="rviz2", executable="rviz2", namespace=namespace, arguments=arguments)


def demo(arguments: dict[str, str]) -> IncludeLaunchDescription:
    """Camera and perception."""
    forwarded = [(name, arguments[name]) for name in FORWARDED]
    source = PythonLaunchDescriptionSource(str(LAUNCH / "demo.launch.py"))
    return IncludeLaunchDescription(source, launch_arguments=[*forwarded, ("rviz", "false"), ("web", "false")])


def start_nodes(context: LaunchContext) -> list[Node | LogInfo | IncludeLaunchDescription]:
    """The selected nodes."""
    arguments = dict(context.launch_configurations)
    nodes = [head_control(arguments)]
    if arguments["urdf"] != "none":
        nodes.append(robot_state_publisher(arguments))
    if arguments["rviz"] == "true":
        nodes.append(rviz(arguments["namespace"]))
    if arguments["perception"] == "true":
        nodes.append(demo(arguments))
    return nodes


def declare(name: str, default: str, description: str) -> DeclareLaunchArgument:
    """A launch argument; boolean arguments accept only true and false."""
    choices = ["true", "false"] if default in ("true", "false") else None
    return DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)


def generate_launch_description() -> LaunchDescription:
    """The launch description for ros2 launch."""
    arguments = [declare(name, *rest) for name, rest in ARGUMENTS.items()]
    return LaunchDescription([*arguments, OpaqueFunction(function=start_nodes)])
