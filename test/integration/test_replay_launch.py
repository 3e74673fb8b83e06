"""The launch file that replays a bag, executed with replacements of the launch classes."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest
from support.launch_stand_ins import LAUNCH, actions, defaults

pytestmark = pytest.mark.usefixtures("launch_stand_ins")


def started(**arguments: str) -> list[Any]:
    """The actions that the launch file returns for these arguments."""
    assert arguments.keys() <= defaults("replay.launch.py").keys()
    context = types.SimpleNamespace(launch_configurations=defaults("replay.launch.py") | arguments)
    (start,) = actions("replay.launch.py", "OpaqueFunction")
    return start.named["function"](context)


def test_the_bag_is_played_with_clock_and_options() -> None:
    (player,) = started(bag="/data/talk")
    expected = "ros2 bag play /data/talk --clock --rate 1.0 --delay 5.0"
    assert player.named["cmd"] == expected.split()
    (again,) = started(bag="/data/talk", loop="true", topics="/a /b")
    assert again.named["cmd"] == [*expected.split(), "--loop", "--topics", "/a", "/b"]


def test_perception_uses_simulated_time_and_the_image_topic() -> None:
    (include,) = actions("replay.launch.py", "IncludeLaunchDescription")
    assert Path(include.positional[0].positional[0]) == LAUNCH / "perception.launch.py"
    given = dict(include.named["launch_arguments"])
    assert given.keys() <= defaults("perception.launch.py").keys()
    assert given["use_sim_time"] == "true"
    assert given["image"].positional == ("image",)


def test_the_bag_is_required_and_rviz_is_optional() -> None:
    assert defaults("replay.launch.py")["bag"] is None
    assert [type(action).__name__ for action in started(bag="/a", rviz="true")] == ["ExecuteProcess", "Node"]
