"""Configuration of glibc's malloc for large images.

By default glibc returns the memory of a freed image to the kernel at once. The next image then gets fresh pages, each
of which is cleared and mapped at the first write. For images of 1280x720 this takes longer than copying them: receiving
one took 5 ms of CPU time instead of 1.3 ms.
"""

from __future__ import annotations

import ctypes
import gc
import os

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of malloc.h
_MMAP_THRESHOLD = 32 << 20  # bytes, glibc's maximum: larger blocks, such as an 8K image, are still returned at once
_TRIM_THRESHOLD = 64 << 20  # bytes of freed memory that each heap keeps
# Heaps that all threads share. glibc allows eight for each core, and a node whose threads are started and ended with
# each activation leaves freed memory in more and more of them: 410 MB became 550 MB within 100 configurations.
_ARENAS = 2
_USER_SETTINGS = ("GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_ARENA_MAX")


def release_freed_memory() -> None:
    """Delete unreachable objects and return all freed memory to the kernel; takes some ten milliseconds.

    rclpy's publishers are parts of reference cycles, which keep the models that their callbacks use until Python's
    garbage collector runs. Each thread that has ended leaves a heap with freed memory.
    """
    gc.collect()
    trim_heaps()


def trim_heaps() -> None:
    """Return all freed memory to the kernel; takes some milliseconds."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # another C library
        return


def keep_freed_memory() -> bool:
    """Keep freed memory for later images of this process; returns whether glibc accepted the settings.

    Environment variables with which the user configures malloc take precedence.
    """
    if any(name in os.environ for name in _USER_SETTINGS):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    settings = {
        _M_MMAP_THRESHOLD: _MMAP_THRESHOLD,
        _M_TRIM_THRESHOLD: _TRIM_THRESHOLD,
        _M_ARENA_MAX: _ARENAS,
    }
    return all(mallopt(*setting) for setting in settings.items())
