"""Files that a library has mapped into memory."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_MADV_DONTNEED = 4  # of sys/mman.h


def drop_mapped_pages(path: Path) -> None:
    """Remove a file's pages from this process's memory, where they are mapped only for reading.

    The mapping stays valid: a page that is read again comes from the page cache, or else from the file. For files of
    which a library needs little after loading. Nothing happens where the system does not list its mappings.
    """
    try:
        maps = Path("/proc/self/maps").read_text(errors="surrogateescape")
        advise = ctypes.CDLL(None).madvise
    except (AttributeError, OSError, TypeError):
        return
    advise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    name = os.path.realpath(path)
    for line in maps.splitlines():
        if not line.endswith(name):
            continue
        columns = line.split(maxsplit=5)  # addresses, permissions, offset, device, inode, name
        if columns[-1] == name and "w" not in columns[1]:
            start, end = (int(address, 16) for address in columns[0].split("-"))
            advise(start, end - start, _MADV_DONTNEED)
