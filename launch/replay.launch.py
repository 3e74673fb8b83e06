"""Replay of a bag through the node `perception`, with the recorded time.

ros2 launch face_expr_ros replay.launch.py bag:=/data/talk image:=/camera/image_raw
"""

from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import ExecuteProcess, OpaqueFunction, Shutdown, TimerAction

from face_expr_ros.ros.launch_files import (
    BRIDGES,
    BUNDLE,
    COMMON,
    IMAGE,
    checked,
    declare,
    end_if_failed,
    how_to_install,
    include,
    is_installed,
    rviz,
    to_float,
)
from face_expr_ros.ros.launch_parameters import LaunchError

FORWARDED = {**IMAGE, **BUNDLE, **BRIDGES, **{name: COMMON[name] for name in ("namespace", "params_file")}}
ARGUMENTS = {
    "bag": (None, "the bag: a folder, or an .mcap file"),
    "topics": ("", "topics of the bag to publish, separated by spaces; empty: all"),
    "rate": ("1.0", "speed relative to real time"),
    "loop": ("false", "restart the bag at its end"),
    "delay": ("5.0", "seconds before the bag starts, in which perception loads its models"),
    "rviz": ("false", "start RViz with config/face_expr.rviz"),
    **FORWARDED,
}


def play(arguments: dict[str, Any]) -> TimerAction:
    """``ros2 bag play`` with /clock after the delay; the launch ends with the bag.

    The player's own option --delay applies to each round of --loop, too.

    Raises:
        LaunchError: the bag does not exist, ``ros2 bag`` is not installed, or a number is not valid.
    """
    if not Path(arguments["bag"]).exists():
        raise LaunchError(f"bag: {arguments['bag']} does not exist")
    if not is_installed("ros2bag"):
        raise LaunchError(f"ros2bag is not installed: {how_to_install('ros2bag')}, or use face_expr replay")
    command = ["ros2", "bag", "play", arguments["bag"], "--clock", "--rate", str(to_float("rate", arguments["rate"]))]
    if arguments["loop"]:
        command.append("--loop")
    if arguments["topics"]:
        command += ["--topics", *arguments["topics"].split()]
    player = ExecuteProcess(cmd=command, output="screen", on_exit=end)
    return TimerAction(period=to_float("delay", arguments["delay"]), actions=[player])


def end(event: Any, context: LaunchContext) -> Shutdown:
    """End the launch with the bag, with the player's failure as its own."""
    end_if_failed(event, context)
    return Shutdown(reason="the bag has ended")


def start(context: LaunchContext) -> list[Any]:
    """Perception, the player, and RViz if selected."""
    arguments = checked(context, ARGUMENTS) | {"use_sim_time": True}
    player = play(arguments)
    forwarded = {name: arguments[name] for name in (*FORWARDED, "use_sim_time")}
    viewer = [rviz("face_expr.rviz", arguments)] if arguments["rviz"] else []
    return [include("perception.launch.py", forwarded), player, *viewer]


def generate_launch_description() -> LaunchDescription:
    """The launch description for ros2 launch."""
    return LaunchDescription([*declare(ARGUMENTS), OpaqueFunction(function=start)])
