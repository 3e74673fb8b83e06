"""The colcon installation is complete without the source tree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.paths import ROOT

import face_expr_ros
from face_expr_ros.core import resources
from face_expr_ros.core.resources import resource_path

PREFIXES = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)]
INSTALLED = [prefix for prefix in PREFIXES if (prefix / "share/face_expr_ros/package.xml").exists()]
PREFIX = INSTALLED[0] if INSTALLED else ROOT
pytestmark = pytest.mark.skipif(not INSTALLED, reason="no colcon build is sourced: ./run test does it")


def installed(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command that imports the installed package and not the source tree."""
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and Path(path) != ROOT]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)


def run_python(program: str) -> str:
    done = installed(sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_installed_package_is_imported_instead_of_the_sources() -> None:
    assert Path(run_python("import face_expr_ros; print(face_expr_ros.__file__)")).is_relative_to(PREFIX)


def test_messages_and_modules_share_the_package() -> None:
    run_python(
        "from face_expr_ros.msg import FaceArray, FaceModel; from face_expr_ros.core.types import Face; FaceArray()"
    )


@pytest.mark.parametrize("kernel", [path.stem for path in (ROOT / "face_expr_ros/kernels").glob("_*.pyx")])
def test_every_kernel_is_compiled_and_installed(kernel: str) -> None:
    file = run_python(f"import face_expr_ros.kernels.{kernel} as kernel; print(kernel.__file__)")
    assert Path(file).is_relative_to(PREFIX)


def test_every_message_is_built() -> None:
    names = run_python("import face_expr_ros.msg as msg; print(*vars(msg))").split()
    assert {path.stem for path in (ROOT / "msg").glob("*.msg")} <= set(names)


@pytest.mark.parametrize(
    "executable",
    ["avatar_bridge", "camera", "face_expr", "head_control", "hri_bridge", "perception", "web_bridge"],
)
def test_every_executable_is_installed(executable: str) -> None:
    file = PREFIX / "lib/face_expr_ros" / executable
    assert os.access(file, os.X_OK)
    assert file.read_text(encoding="utf-8").startswith("#!/usr/bin/env python3\n")


def test_importing_the_executable_in_a_worker_starts_nothing() -> None:
    """multiprocessing imports the file that started the parent process: annotate --jobs."""
    file = PREFIX / "lib/face_expr_ros/face_expr"
    assert run_python(f"import runpy; runpy.run_path({str(file)!r}, run_name='__mp_main__')") == ""


def test_installed_command_prints_its_help() -> None:
    done = installed(PREFIX / "lib/face_expr_ros/face_expr", "--help")
    assert done.returncode == 0, done.stderr
    assert "doctor" in done.stdout


@pytest.mark.parametrize(
    "name",
    [
        "bfm/open_face_model.npz",
        "bfm/open_face_masks.png",
        "weights/manifest.yaml",
        "config/perception.yaml",
        "config/camera.yaml",
        "config/fastdds.xml",
        "config/fastdds_small.xml",
        "config/fastdds_udp.xml",
        "config/face_expr.rviz",
        "launch/demo.launch.py",
        "launch/perception.launch.py",
        "msg/FaceArray.msg",
    ],
)
def test_data_files_are_found_in_the_sources_and_when_installed(name: str) -> None:
    assert resource_path(name) == ROOT / name
    found = run_python(f"from face_expr_ros.core.resources import resource_path; print(resource_path({name!r}))")
    assert Path(found) == PREFIX / "share/face_expr_ros" / name


def test_without_ros_data_files_are_found_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "__file__", str(tmp_path / "face_expr_ros/core/resources.py"))
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    (tmp_path / "face_expr_ros/share/config").mkdir(parents=True)
    (tmp_path / "face_expr_ros/share/config/camera.yaml").touch()
    assert resource_path("config/camera.yaml") == tmp_path / "face_expr_ros/share/config/camera.yaml"


def test_missing_data_file_is_named_with_the_searched_folders() -> None:
    with pytest.raises(FileNotFoundError, match=r"'bfm/nothing\.npz' of face_expr_ros was not found in") as error:
        resource_path("bfm/nothing.npz")
    assert str(ROOT) in str(error.value)
    assert str(PREFIX / "share/face_expr_ros") in str(error.value)


def test_package_xml_has_the_version_of_the_package() -> None:
    version = ElementTree.parse(ROOT / "package.xml").findtext("version")
    assert version == face_expr_ros.__version__
