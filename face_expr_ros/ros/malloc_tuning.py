"""What becomes of memory that was used: by default the C library gives that of an image back to the kernel at once.

The next image then gets fresh pages, each of which is cleared and mapped when it is first written. For images of
1280x720 that takes longer than copying them: receiving one cost 5 ms of processor time instead of 1.3.
"""

from __future__ import annotations

import ctypes
import os

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_LARGEST_BLOCK = 32 << 20  # bytes, the most that glibc takes: larger blocks are still given back, an image of 8K
_KEPT = 64 << 20  # bytes of freed memory that each of its heaps keeps
_OWN_SETTINGS = ("GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


def keep_freed_memory() -> bool:
    """Let images reuse the memory of those before them, in this process from now on; whether that could be said.

    It is glibc that is told. Somebody who set one of its own environment variables for this is not overruled.
    """
    if any(name in os.environ for name in _OWN_SETTINGS):
        return False
    try:
        tell = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    return bool(tell(_M_MMAP_THRESHOLD, _LARGEST_BLOCK) and tell(_M_TRIM_THRESHOLD, _KEPT))
