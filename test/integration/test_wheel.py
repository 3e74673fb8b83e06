"""`pip install .` on a machine without ROS: the wheel is complete, and the command line runs from it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.bag_files import of_topic, record
from support.paths import ROOT

pytestmark = pytest.mark.slow

# Imported by Python at start: no module of ROS can be imported afterwards, whatever else is installed beside it.
WITHOUT_ROS = """
import sys
from face_expr_ros.cli import is_ros_module

class NoRos:
    def find_spec(self, name, path=None, target=None):
        if is_ros_module(name):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoRos())
"""
ROS_VARIABLES = ("AMENT_", "CMAKE_PREFIX_PATH", "COLCON_", "FASTDDS_", "FASTRTPS_", "PYTHONPATH", "RMW_", "ROS_")


def run(*command: str | Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command without the variables of ROS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ROS_VARIABLES)}
    done = subprocess.run(
        command, cwd=folder, env=kept | environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel; the processes of a parallel run share one, which takes minutes."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    with (shared / "wheel.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "wheel").exists():
            build_wheel(shared / "wheel.part")
            (shared / "wheel.part").rename(shared / "wheel")
    return next((shared / "wheel").glob("*.whl"))


def build_wheel(folder: Path) -> None:
    """As by `python -m build`: from the source distribution, by the setuptools installed here."""
    built = shutil.ignore_patterns("*.so", "*.c", "__pycache__")
    for name in ("face_expr_ros", "bfm", "config", "msg", "weights"):
        shutil.copytree(ROOT / name, folder / "sources" / name, ignore=built)
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, folder / "sources")
    build = f"from setuptools.build_meta import build_sdist; build_sdist({str(folder)!r})"
    run(sys.executable, "-c", build, folder=folder / "sources")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    run(*pip, "--wheel-dir", folder, next(folder.glob("*.tar.gz")), folder=folder)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the wheel is installed; its dependencies are those of this environment."""
    target = tmp_path_factory.mktemp("site")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile")
    run(*pip, "--target", target, wheel, folder=wheel.parent)
    (target / "sitecustomize.py").write_text(WITHOUT_ROS, encoding="utf-8")
    return target


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """The folder in which the command runs."""
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


def face_expr(installed: Path, folder: Path, *arguments: str | Path) -> str:
    """The output of the installed command."""
    command = (sys.executable, installed / "bin/face_expr", *arguments)
    return run(*command, folder=folder, PYTHONPATH=str(installed)).stdout


def test_wheel_contains_modules_kernels_and_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "face_expr_ros").rglob("*.py")}
    messages = {f"face_expr_ros/share/msg/{path.name}" for path in (ROOT / "msg").glob("*.msg")}
    data = {
        f"face_expr_ros/share/{name}"
        for name in (
            "bfm/open_face_model.npz",
            "bfm/open_face_masks.png",
            "config/camera.yaml",
            "config/heads/neck.yaml",
            "weights/manifest.yaml",
        )
    }
    kernels = {path.stem for path in (ROOT / "face_expr_ros/kernels").glob("_*.pyx")}
    page = {str(path.relative_to(ROOT)) for path in (ROOT / "face_expr_ros/web/static").rglob("*") if path.is_file()}
    assert modules | messages | data | page <= set(names)
    assert kernels == {Path(name).name.split(".")[0] for name in names if name.endswith(".so")}
    assert not [name for name in names if name.endswith(".c")]


def test_source_distribution_has_the_kernels_as_cython(wheel: Path) -> None:
    with tarfile.open(next(wheel.parent.glob("*.tar.gz"))) as archive:
        names = {Path(name) for name in archive.getnames()}
    kernels = {path.name for path in (ROOT / "face_expr_ros/kernels").glob("_*.pyx")}
    assert kernels <= {name.name for name in names}
    assert not [name for name in names if name.suffix in (".c", ".so")]


def test_source_distribution_has_every_file_of_the_repository(tmp_path: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is not a clone")
    files = {name for name in listed.stdout.split("\0") if name and not name.endswith(".gitignore")}
    for name in files:  # empty ones: only their names count
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    shutil.copy(ROOT / "MANIFEST.in", tmp_path)
    program = (
        "from setuptools.command.egg_info import FileList; files = FileList(); files.findall()\n"
        "lines = [line.split('#')[0].strip() for line in open('MANIFEST.in')]\n"
        "for line in filter(None, lines): files.process_template_line(line)\n"
        "print(*files.files, sep='\\n')"
    )
    included = set(run(sys.executable, "-c", program, folder=tmp_path).stdout.splitlines())
    by_setuptools = {"MANIFEST.in", "pyproject.toml", "setup.py"}
    assert files - included - by_setuptools == set()


def test_installed_package_is_used_and_has_no_ros(installed: Path, empty: Path) -> None:
    program = (
        "import face_expr_ros; print(face_expr_ros.__file__)\ntry: import rclpy\nexcept ImportError: print('no ROS')"
    )
    done = run(sys.executable, "-c", program, folder=empty, PYTHONPATH=str(installed))
    assert done.stdout.split("\n")[:2] == [str(installed / "face_expr_ros/__init__.py"), "no ROS"]


def test_image_is_read_without_ros(installed: Path, empty: Path, portrait: NDArray[np.uint8]) -> None:
    cv2.imwrite(str(empty / "face.png"), portrait)
    assert face_expr(installed, empty, "image", "face.png", "--out", "drawn.png", "--json", "face.json") == "faces: 1\n"
    assert len(json.loads((empty / "face.json").read_text())["faces"][0]["blendshapes"]) == 52


def test_bag_is_annotated_without_ros(installed: Path, empty: Path, portrait: NDArray[np.uint8]) -> None:
    record(empty / "talk", portrait, 3)
    assert "frames: 3\n" in face_expr(installed, empty, "annotate", "talk", "talk_faces")
    assert [len(message.faces) for message in of_topic(empty / "talk_faces", "/faces")] == [1, 1, 1]
    face_expr(installed, empty, "export", "talk_faces", "--csv", "faces.csv")
    assert len((empty / "faces.csv").read_text().splitlines()) == 4
