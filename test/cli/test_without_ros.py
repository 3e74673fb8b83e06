"""The command line on a machine without ROS 2: what needs it says so, the rest works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import ROOT

from face_expr_ros.cli import is_of_ros

WITHOUT_ROS = """
import sys
from face_expr_ros.cli import is_of_ros, main

class NoRos:
    def find_spec(self, name, path=None, target=None):
        if is_of_ros(name):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoRos())
sys.exit(main())
"""


def face_expr(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_ROS, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("verb", ["demo", "calibrate", "bench"])
def test_a_verb_that_needs_ros_says_so_in_one_sentence(verb: str) -> None:
    done = face_expr(verb)
    assert done.returncode == 2
    assert done.stderr.startswith("face_expr: this verb wants ROS 2, which is not here (No module named ")
    assert done.stderr.count("\n") == 1


def test_an_image_is_read_without_ros(tmp_path: Path) -> None:
    done = face_expr("image", ROOT / "docs/pictures/demo.jpg", "--json", tmp_path / "faces.json")
    assert done.returncode == 0, done.stderr
    assert "faces: 2" in done.stdout


def test_any_other_module_that_is_missing_is_no_matter_of_ros() -> None:
    assert not is_of_ros("torch")
    assert not is_of_ros("face_expr_ros.msgs")
    assert not is_of_ros(None)
