"""Random access to the bytes of a file or of a chunk in memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol


class ByteSource(Protocol):
    """Bytes at offsets.

    Attributes:
        size: number of bytes.
    """

    size: int

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; fewer at the end."""


class MemoryBytes:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data, self.size = data, len(data)

    def read(self, offset: int, size: int) -> bytes:
        """See `ByteSource`."""
        return self._data[offset : offset + size]


class FileBytes:
    """The bytes of a file. A sector that the disk cannot read raises OSError."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self._file).st_size

    def read(self, offset: int, size: int) -> bytes:
        """See `ByteSource`."""
        parts = []
        while size > 0 and (part := os.pread(self._file, size, offset)):  # one call reads at most 2 GiB
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return b"".join(parts) if len(parts) != 1 else parts[0]

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
