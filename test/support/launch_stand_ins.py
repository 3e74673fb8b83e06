"""Replacements of the launch classes, which ROS 2 wheels do not contain, with which launch files are executed."""

from __future__ import annotations

import logging
import runpy
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.paths import ROOT

LAUNCH = ROOT / "launch"
CONFIG = ROOT / "config"
CLASSES = {
    "launch": ("LaunchContext", "LaunchDescription"),
    "launch.actions": (
        "DeclareLaunchArgument",
        "ExecuteProcess",
        "IncludeLaunchDescription",
        "LogInfo",
        "OpaqueFunction",
        "SetEnvironmentVariable",
        "Shutdown",
        "TimerAction",
    ),
    "launch.launch_description_sources": ("PythonLaunchDescriptionSource",),
    "launch.logging": (),
    "launch_ros": (),
    "launch_ros.actions": ("Node",),
    "launch_ros.parameter_descriptions": ("ParameterValue",),
    "ament_index_python": (),
    "ament_index_python.packages": (),
}


HELPERS = "face_expr_ros.ros.launch_files"  # imports the replacements


class StandIn:
    """Stores its arguments."""

    def __init__(self, *positional: Any, **named: Any) -> None:
        self.positional, self.named = positional, named


@pytest.fixture
def launch_stand_ins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for module_name, classes in CLASSES.items():
        module = types.ModuleType(module_name)
        for name in classes:
            setattr(module, name, type(name, (StandIn,), {}))
        monkeypatch.setitem(sys.modules, module_name, module)
    monkeypatch.setattr(sys.modules["launch.logging"], "get_logger", logging.getLogger, raising=False)
    monkeypatch.delitem(sys.modules, HELPERS, raising=False)
    packages = sys.modules["ament_index_python.packages"]
    monkeypatch.setattr(packages, "get_package_prefix", lambda name: str(tmp_path / name), raising=False)
    yield
    sys.modules.pop(HELPERS, None)


def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on ROS finds no package."""

    def missing(name: str) -> str:
        raise KeyError(name)

    for name in ("ament_index_python.packages", HELPERS):
        if name in sys.modules:
            monkeypatch.setattr(sys.modules[name], "get_package_prefix", missing)


def started(file: str, **arguments: str) -> list[Any]:
    """The actions that a launch file starts with these arguments."""
    context = types.SimpleNamespace(launch_configurations=defaults(file) | arguments)
    (start,) = actions(file, "OpaqueFunction")
    return start.named["function"](context)


def actions(file: str, kind: str) -> list[Any]:
    """The actions of one class in the description of a launch file."""
    description = runpy.run_path(str(LAUNCH / file))["generate_launch_description"]()
    return [action for action in description.positional[0] if type(action).__name__ == kind]


def defaults(file: str) -> dict[str, str]:
    declared = actions(file, "DeclareLaunchArgument")
    return {argument.positional[0]: argument.named["default_value"] for argument in declared}


def parameter(node: dict[str, Any], name: str) -> Any:
    """The value that overrides the parameter files."""
    values = [entry[name] for entry in node["parameters"] if isinstance(entry, dict) and name in entry]
    return values[-1] if values else None
