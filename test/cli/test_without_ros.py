"""The command line without ROS 2: verbs that require it say so, the others work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import ROOT

from face_expr_ros.cli import is_ros_module

WITHOUT_ROS = """
import sys
from face_expr_ros.cli import is_ros_module, main

class NoRos:
    def find_spec(self, name, path=None, target=None):
        if is_ros_module(name):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoRos())
sys.exit(main())
"""


def face_expr(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_ROS, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("verb", ["demo", "calibrate --node /perception", "bench"])
def test_verb_that_requires_ros_fails_with_one_sentence(verb: str) -> None:
    done = face_expr(*verb.split())
    assert done.returncode == 2
    assert done.stderr.startswith("face_expr: this verb requires ROS 2 (No module named ")
    assert done.stderr.count("\n") == 1


def test_image_is_processed_without_ros(tmp_path: Path) -> None:
    done = face_expr("image", ROOT / "docs/pictures/demo.jpg", "--json", tmp_path / "faces.json")
    assert done.returncode == 0, done.stderr
    assert "faces: 2" in done.stdout


@pytest.mark.parametrize("name", ["rclpy", "geometry_msgs.msg", "std_srvs", "rcl_interfaces", "face_expr_ros.msg"])
def test_modules_of_ros_are_known(name: str) -> None:
    assert is_ros_module(name)


def test_other_missing_modules_are_not_ros_modules() -> None:
    assert not is_ros_module("torch")
    assert not is_ros_module("face_expr_ros.msgs")
    assert not is_ros_module(None)
