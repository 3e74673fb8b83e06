"""Files that a library has mapped into memory."""

from __future__ import annotations

import os
from pathlib import Path

from face_expr_ros.core.memory_mappings import advise, memory_mappings

_MADV_DONTNEED = 4  # of sys/mman.h


def drop_mapped_pages(path: Path) -> None:
    """Remove a file's pages from this process's memory, where they are mapped only for reading.

    The mapping stays valid: a page that is read again comes from the page cache, or else from the file. For files of
    which a library needs little after loading. Nothing happens where the system does not list its mappings.
    """
    name = os.path.realpath(path)
    for mapping in memory_mappings():
        if mapping.name == name and "w" not in mapping.permissions:
            advise(mapping.begin, mapping.end, _MADV_DONTNEED)
