"""The memory mappings of this process, and advice to the kernel about them."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MemoryMapping:
    """A range of addresses.

    Attributes:
        begin, end: addresses; end is not included.
        permissions: such as ``rw-p``.
        name: path of the mapped file, a name such as ``[heap]``, or empty.
    """

    begin: int
    end: int
    permissions: str
    name: str


def memory_mappings() -> list[MemoryMapping]:
    """All mappings of this process; none where the operating system does not list them."""
    try:
        return list(parse_mappings(Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape")))
    except OSError:
        return []


def parse_mappings(text: str) -> Iterator[MemoryMapping]:
    """The lines of /proc/self/maps: addresses, permissions, offset, device, inode, name."""
    for line in text.splitlines():
        addresses, permissions, _, _, _, *name = line.split(maxsplit=5)
        begin, end = (int(address, 16) for address in addresses.split("-"))
        yield MemoryMapping(begin, end, permissions, name[0] if name else "")


def advise(begin: int, end: int, advice: int) -> bool:
    """Call madvise(2) for a range; whether the kernel has followed the advice."""
    try:
        madvise = ctypes.CDLL(None).madvise
    except (AttributeError, OSError, TypeError):  # another C library or operating system
        return False
    madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    return bool(madvise(begin, end - begin, advice) == 0)
