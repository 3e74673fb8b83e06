"""A robot's head that follows a face: camera, perception, head_control, and the robot's model in RViz.

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
    "table": ("", "joint table: neck, pan_tilt or the path of a YAML file; empty: as the parameter files say"),
    "urdf": ("", "URDF of the robot; empty: config/heads/neck.urdf; none: the robot publishes its model itself"),
    "perception": ("true", "start camera and perception, too"),
    "source": ("", "synthetic, device:N, a video file, a folder of images, or none; empty: as the parameter files say"),
    "bundle": ("", "face model and weights; empty: as the parameter files say"),
    "rviz": ("false", "start RViz with config/head.rviz"),
    "namespace": ("", "namespace of all nodes and topics"),
    "use_sim_time": ("false", "take the time from /clock"),
    "params_file": ("", "YAML file whose values replace those of config/*.yaml"),
}
PASSED_ON = ("source", "bundle", "namespace", "use_sim_time", "params_file")


def head_control(given: dict[str, str]) -> Node:
    """The node that turns faces into joints."""
    parameters = [str(CONFIG / "head_control.yaml"), *filter(None, [given["params_file"]])]
    parameters.append({"use_sim_time": given["use_sim_time"] == "true"})
    if given["table"]:
        parameters.append({"table": ParameterValue(given["table"], value_type=str)})
    return Node(
        package="face_expr_ros",
        executable="head_control",
        name="head_control",
        namespace=given["namespace"],
        parameters=parameters,
        output="screen",
    )


def robot_state_publisher(given: dict[str, str]) -> Node | LogInfo:
    """The frames of the robot's links, as the targets of its joints say; a hint where it is not installed."""
    try:
        get_package_prefix("robot_state_publisher")
    except LookupError:
        return LogInfo(msg="robot_state_publisher is not installed: there are no frames of the robot's links")
    urdf = Path(given["urdf"] or CONFIG / "heads" / "neck.urdf").read_text(encoding="utf-8")
    return Node(
        package="robot_state_publisher",
        executable="robot_state_publisher",
        namespace=given["namespace"],
        parameters=[
            {
                "robot_description": ParameterValue(urdf, value_type=str),
                "use_sim_time": given["use_sim_time"] == "true",
            }
        ],
        remappings=[("joint_states", "joint_targets")],
    )


def demo(given: dict[str, str]) -> IncludeLaunchDescription:
    """Camera and perception."""
    passed_on = [(name, given[name]) for name in PASSED_ON]
    source = PythonLaunchDescriptionSource(str(LAUNCH / "demo.launch.py"))
    return IncludeLaunchDescription(source, launch_arguments=[*passed_on, ("rviz", "false"), ("web", "false")])


def start_nodes(context: LaunchContext) -> list[Node | LogInfo | IncludeLaunchDescription]:
    """Everything that the arguments ask for."""
    given = dict(context.launch_configurations)
    nodes = [head_control(given)]
    if given["urdf"] != "none":
        nodes.append(robot_state_publisher(given))
    if given["rviz"] == "true":
        arguments = ["-d", str(CONFIG / "head.rviz")]
        nodes.append(Node(package="rviz2", executable="rviz2", namespace=given["namespace"], arguments=arguments))
    if given["perception"] == "true":
        nodes.append(demo(given))
    return nodes


def declare(name: str, default: str, text: str) -> DeclareLaunchArgument:
    """A launch argument; the switches take true and false only."""
    choices = ["true", "false"] if default in ("true", "false") else None
    return DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)


def generate_launch_description() -> LaunchDescription:
    """Called by ros2 launch."""
    arguments = [declare(name, *rest) for name, rest in ARGUMENTS.items()]
    return LaunchDescription([*arguments, OpaqueFunction(function=start_nodes)])
