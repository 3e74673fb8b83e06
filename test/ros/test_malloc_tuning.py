"""keep_freed_memory lets images reuse the memory of earlier ones."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

PROGRAM = """
import resource, sys
import numpy as np
from face_expr_ros.ros.malloc_tuning import keep_freed_memory

accepted = keep_freed_memory() if "keep" in sys.argv else None

def images(count):
    for _ in range(count):
        several = [np.full((720, 1280, 3), 120, np.uint8) for _ in range(4)]

images(3)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
images(20)
print(accepted, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*arguments: str, env: Mapping[str, str] | None = None) -> tuple[str, int]:
    """The result of keep_freed_memory, and the number of page faults of 80 images."""
    base = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, env=base | dict(env or {}), capture_output=True, text=True, check=True)
    accepted, count = done.stdout.split()
    return accepted, int(count)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="the C library is not glibc")
def test_images_reuse_the_memory_of_earlier_images() -> None:
    accepted, tuned = faults("keep")
    _, default = faults()
    assert accepted == "True"
    assert tuned < 100 < default  # pages; an image has 675


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_malloc_settings_of_the_user_take_precedence(name: str) -> None:
    assert faults("keep", env={name: "1000000"})[0] == "False"
