"""Interface packages that are not on PyPI, built with colcon for the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.paths import ROOT

# Message definitions of REP-155, as far as the package uses them.
HRI_MSGS = {
    "IdsList": "std_msgs/Header header\nstring[] ids\n",
    "NormalizedRegionOfInterest2D": (
        "std_msgs/Header header\nfloat32 xmin\nfloat32 ymin\nfloat32 xmax\nfloat32 ymax\nfloat32 c\n"
    ),
    "NormalizedPointOfInterest2D": "float32 x\nfloat32 y\nfloat32 c\n",
    "FacialLandmarks": (
        "std_msgs/Header header\nNormalizedPointOfInterest2D[70] landmarks\nuint32 height\nuint32 width\n"
    ),
    "FacialActionUnits": "std_msgs/Header header\nfloat32[99] intensity\nfloat32[99] confidence\n",
    "Expression": ("std_msgs/Header header\nstring expression\nfloat32 valence\nfloat32 arousal\nfloat32 confidence\n"),
}
TF2_MSGS = {"TFMessage": "geometry_msgs/TransformStamped[] transforms\n"}

_CMAKE = """cmake_minimum_required(VERSION 3.21)
project({name} C CXX)
include({wheels})
find_package(ament_cmake REQUIRED)
find_package(rosidl_default_generators REQUIRED)
find_package({dependency} REQUIRED)
file(GLOB messages RELATIVE ${{CMAKE_CURRENT_SOURCE_DIR}} msg/*.msg)
rosidl_generate_interfaces({name} ${{messages}} DEPENDENCIES {dependency})
ament_package()
"""
_PACKAGE = """<package format="3">
  <name>{name}</name>
  <version>0.0.0</version>
  <description>for the tests</description>
  <maintainer email="maintainers@example.org">maintainers</maintainer>
  <license>Apache-2.0</license>
  <buildtool_depend>ament_cmake</buildtool_depend>
  <build_depend>rosidl_default_generators</build_depend>
  <depend>{dependency}</depend>
  <member_of_group>rosidl_interface_packages</member_of_group>
</package>
"""


def write_package(folder: Path, name: str, dependency: str, messages: dict[str, str]) -> None:
    """Write the sources of an interface package."""
    (folder / name / "msg").mkdir(parents=True)
    for message, text in messages.items():
        (folder / name / f"msg/{message}.msg").write_text(text, encoding="utf-8")
    words = {"name": name, "dependency": dependency, "wheels": ROOT / "cmake/ros_wheels.cmake"}
    (folder / name / "CMakeLists.txt").write_text(_CMAKE.format(**words), encoding="utf-8")
    (folder / name / "package.xml").write_text(_PACKAGE.format(**words), encoding="utf-8")


def build(workspace: Path) -> None:
    """Build all packages of a workspace."""
    command = ["colcon", "build", "--cmake-args", "-DBUILD_TESTING=OFF", f"-DPython3_EXECUTABLE={sys.executable}"]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def run_in(workspace: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the environment of a workspace."""
    script = f'source "{workspace}/install/local_setup.bash" && exec "$@"'
    return subprocess.run(["bash", "-c", script, "bash", *command], capture_output=True, text=True, check=False)
