"""Interface packages that are not on PyPI: built with colcon and imported into the test process."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.paths import ROOT

# The fields of REP-155's messages that faces use.
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
    "EngagementLevel": "std_msgs/Header header\nuint8 level\n",
    "Gaze": "std_msgs/Header header\nstring sender\nstring receiver\n",
    "Expression": ("std_msgs/Header header\nstring expression\nfloat32 valence\nfloat32 arousal\nfloat32 confidence\n"),
}
TF2_MSGS = {"TFMessage": "geometry_msgs/TransformStamped[] transforms\n"}
BOND = {
    "Status": (
        "std_msgs/Header header\nstring id\nstring instance_id\nbool active\n"
        "float32 heartbeat_timeout\nfloat32 heartbeat_period\n"
    ),
    "Constants": (  # of bondpy
        "float32 DEAD_PUBLISH_PERIOD=0.05\nfloat32 DEFAULT_CONNECT_TIMEOUT=10.0\n"
        "float32 DEFAULT_HEARTBEAT_TIMEOUT=4.0\nfloat32 DEFAULT_DISCONNECT_TIMEOUT=2.0\n"
        "float32 DEFAULT_HEARTBEAT_PERIOD=1.0\n"
        'string DISABLE_HEARTBEAT_TIMEOUT_PARAM="/bond_disable_heartbeat_timeout"\n'
    ),
}

# In the order of their dependencies.
_LIBRARIES = (
    "generator_c", "typesupport_fastrtps_cpp", "typesupport_fastrtps_c", "typesupport_introspection_c",
    "typesupport_c", "generator_py",
)  # fmt: skip
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


def environment(workspace: Path) -> dict[str, str]:
    """The environment of a process that uses the packages of a workspace."""
    script = f'source "{workspace}/install/local_setup.bash" && env -0'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return dict(entry.split("=", 1) for entry in done.stdout.split("\0") if "=" in entry)


@contextmanager
def importable(workspace: Path, packages: Sequence[str]) -> Iterator[None]:
    """Within this context the built packages can be imported in this process.

    Their libraries depend on each other and are not in LD_LIBRARY_PATH, which is read only when a process starts: here
    they are loaded in the order of their dependencies.
    """
    folders = []
    for package in packages:
        prefix = workspace / "install" / package
        folders.append(str(next(prefix.glob("lib/python*/site-packages"))))
        for kind in _LIBRARIES:
            ctypes.CDLL(str(prefix / f"lib/lib{package}__rosidl_{kind}.so"), os.RTLD_GLOBAL)
    sys.path[:0] = folders
    yield
    sys.path[:] = [folder for folder in sys.path if folder not in folders]
    for module in [name for name in sys.modules if name.partition(".")[0] in packages]:
        del sys.modules[module]
