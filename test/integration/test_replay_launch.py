"""The launch file that replays a bag, executed with replacements of the launch classes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.launch_stand_ins import defaults, started, without_packages

from face_expr_ros.ros.launch_parameters import LaunchError

pytestmark = pytest.mark.usefixtures("launch_stand_ins")
FILE = "replay.launch.py"


def player(bag: Path, **arguments: str) -> tuple[Any, float]:
    """The process that plays a bag, and the seconds after which it starts."""
    (timer,) = [action for action in started(FILE, bag=str(bag), **arguments) if "period" in action.named]
    (process,) = timer.named["actions"]
    return process.named, timer.named["period"]


def test_the_bag_is_played_with_clock_and_options(tmp_path: Path) -> None:
    expected = f"ros2 bag play {tmp_path} --clock --rate 1.0".split()
    assert player(tmp_path)[0]["cmd"] == expected
    again = player(tmp_path, loop="true", topics="/a /b")[0]
    assert again["cmd"] == [*expected, "--loop", "--topics", "/a", "/b"]


def test_only_the_first_round_is_delayed(tmp_path: Path) -> None:
    process, delay = player(tmp_path, loop="true", delay="7")
    assert delay == 7.0
    assert "--delay" not in process["cmd"], "the player applies it to each round"


def test_the_launch_ends_with_the_bag_and_its_status(tmp_path: Path) -> None:
    end, context = player(tmp_path)[0]["on_exit"], SimpleNamespace(is_shutdown=False)
    assert type(end(SimpleNamespace(returncode=0), context)).__name__ == "Shutdown"
    with pytest.raises(LaunchError, match="ros2-2 failed with status 1"):
        end(SimpleNamespace(returncode=1, process_name="ros2-2"), context)


def test_perception_uses_simulated_time_and_the_image_topic(tmp_path: Path) -> None:
    perception = started(FILE, bag=str(tmp_path), image="/cam/image_raw")[0]
    given = dict(perception.named["launch_arguments"])
    assert Path(perception.positional[0].positional[0]).name == "perception.launch.py"
    assert given["use_sim_time"] == "true"
    assert given["image"] == "/cam/image_raw"


def test_the_bag_is_required_and_rviz_is_optional(tmp_path: Path) -> None:
    assert defaults(FILE)["bag"] is None
    names = [type(action).__name__ for action in started(FILE, bag=str(tmp_path), rviz="true")]
    assert names == ["IncludeLaunchDescription", "TimerAction", "Node"]


def test_a_missing_bag_or_player_is_refused_before_nodes_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LaunchError, match=r"bag: .*/none does not exist"):
        started(FILE, bag=str(tmp_path / "none"))
    without_packages(monkeypatch)
    with pytest.raises(LaunchError, match=r"ros2bag is not installed: sudo apt install ros-.*-ros2bag, or use"):
        started(FILE, bag=str(tmp_path))
