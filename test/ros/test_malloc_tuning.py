"""Memory of one image is that of the next."""

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

told = keep_freed_memory() if "keep" in sys.argv else None

def images(count):
    for _ in range(count):
        several = [np.full((720, 1280, 3), 120, np.uint8) for _ in range(4)]

images(3)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
images(20)
print(told, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*arguments: str, env: Mapping[str, str] | None = None) -> tuple[str, int]:
    """What the program was told, and how many new pages 80 images took."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    out = subprocess.run(command, env=own | dict(env or {}), capture_output=True, text=True, check=True).stdout.split()
    return out[0], int(out[1])


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="the C library is not glibc")
def test_images_reuse_the_memory_of_those_before_them() -> None:
    told, new = faults("keep")
    _, usual = faults()
    assert told == "True"
    assert new < 100 < usual  # pages; an image has 675


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_who_set_the_memory_of_the_process_is_not_overruled(name: str) -> None:
    assert faults("keep", env={name: "1000000"})[0] == "False"
