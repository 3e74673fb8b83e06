"""Description of the machine, which is part of every benchmark result."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("ai-edge-litert", "mediapipe", "onnxruntime", "numpy", "rclpy")


def machine() -> dict[str, Any]:
    """The CPU, the number of cores available to this process, the load average of the last minute, and versions."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{package: _version(package) for package in _PACKAGES},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _version(package: str) -> str:
    for name in (package, f"ros-{package}"):  # the name of ROS wheels
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "none"
