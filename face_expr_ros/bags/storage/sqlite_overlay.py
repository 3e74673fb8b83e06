"""Opening of a SQLite database that a crash left with a log or journal, without writing to its files.

SQLite itself applies the write-ahead log or rolls the journal back. Its writes go to memory, by a virtual file system
(https://sqlite.org/vfs.html); the files may be on a read-only disk.
"""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import Any

import apsw

_BLOCK = 4096  # bytes
_SUFFIXES = ("-wal", "-journal")
_NUMBERS = count()


def needs_recovery(path: Path) -> bool:
    """Whether a database has a log or journal that is not empty."""
    companions = [path.with_name(path.name + suffix) for suffix in _SUFFIXES]
    return any(file.is_file() and file.stat().st_size > 0 for file in companions)


class RecoveredDatabase:
    """A database with all committed transactions of its log, and without those that were not committed.

    Attributes:
        connection: to the database; writes are kept in memory.

    Raises:
        apsw.Error: it is not a database, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._system = _OverlaySystem(f"overlay_{os.getpid()}_{next(_NUMBERS)}")
        if not path.stat().st_size:
            self._system.add_page(str(path.resolve()))
        self.connection = apsw.Connection(str(path.resolve()), apsw.SQLITE_OPEN_READWRITE, vfs=self._system.name)
        self.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self.connection.pragma("locking_mode", "exclusive")  # the index of the log is in memory, not in a file -shm
        self.connection.pragma("wal_autocheckpoint", 0)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
        self._system.unregister()


class _OverlaySystem(apsw.VFS):
    """Files whose changes are kept in memory."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._files: dict[str, _OverlayFile] = {}
        self._deleted: set[str] = set()
        super().__init__(name, "")

    def add_page(self, path: str) -> None:
        """Let an empty database begin with a page of zeros: SQLite deletes the log of one without pages."""
        self._files[path] = _OverlayFile(path)
        self._files[path].xWrite(bytes(_BLOCK), 0)

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        path = "" if name is None else name if isinstance(name, str) else name.filename()
        if path not in self._files or not path:
            self._files[path] = _OverlayFile(None if path in self._deleted or not path else path)
        self._deleted.discard(path)
        return self._files[path]

    def xDelete(self, name: str, sync_folder: bool) -> None:
        self._deleted.add(name)
        self._files.pop(name, None)

    def xAccess(self, name: str, flags: int) -> bool:
        return name not in self._deleted and (name in self._files or os.path.exists(name))


class _OverlayFile:
    """A file, or an empty one, with its changes in memory. The methods are those of apsw.VFSFile."""

    def __init__(self, path: str | None) -> None:
        self._file = os.open(path, os.O_RDONLY) if path and os.path.exists(path) else None
        self._size = self._original_size = 0 if self._file is None else os.fstat(self._file).st_size
        self._blocks: dict[int, bytearray] = {}  # number of a changed block -> content

    def xRead(self, amount: int, offset: int) -> bytes:
        end = min(offset + amount, self._size)
        numbers = range(offset // _BLOCK, -(-end // _BLOCK))
        if not any(number in self._blocks for number in numbers):
            return self._original(offset, end)
        first = offset // _BLOCK * _BLOCK
        joined = b"".join(self._block(number) for number in numbers)
        return joined[offset - first : end - first]

    def xWrite(self, data: bytes, offset: int) -> None:
        self._size = max(self._size, offset + len(data))
        while data:
            number, start = divmod(offset, _BLOCK)
            part = data[: _BLOCK - start]
            block = self._blocks.setdefault(number, bytearray(self._block(number)))
            block[start : start + len(part)] = part
            data, offset = data[len(part) :], offset + len(part)

    def xTruncate(self, size: int) -> None:
        self._size, self._original_size = size, min(size, self._original_size)
        for number in [number for number in self._blocks if number * _BLOCK >= size]:
            del self._blocks[number]

    def xFileSize(self) -> int:
        return self._size

    def xClose(self) -> None:
        pass  # SQLite may open the file again

    def xSync(self, flags: int) -> None:
        pass

    def xLock(self, level: int) -> None:
        pass

    def xUnlock(self, level: int) -> None:
        pass

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, operation: int, pointer: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return _BLOCK

    def xDeviceCharacteristics(self) -> int:
        return 0

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)

    def _original(self, start: int, end: int) -> bytes:
        """Bytes of the file, and zeros where it was extended."""
        kept = min(end, self._original_size)
        data = os.pread(self._file, kept - start, start) if self._file is not None and kept > start else b""
        return data + bytes(max(end - start - len(data), 0))

    def _block(self, number: int) -> bytes:
        return bytes(self._blocks.get(number) or self._original(number * _BLOCK, (number + 1) * _BLOCK))
