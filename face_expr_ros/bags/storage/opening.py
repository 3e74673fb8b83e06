"""Opening of storage files: by their content, whatever their names are, also compressed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from face_expr_ros.bags.storage.mcap_file import McapFile
from face_expr_ros.bags.storage.mcap_records import MAGIC
from face_expr_ros.bags.storage.sqlite_file import SIGNATURE, SqliteFile
from face_expr_ros.bags.storage.sqlite_overlay import needs_recovery
from face_expr_ros.bags.storage.stored_file import ZSTD_MAGIC, StorageError, StoredFile, zstd

_HEAD = 64  # bytes that identify a file
_LFS = b"version https://git-lfs"
ROS1 = b"#ROSBAG V"
_BLOCK = 1 << 20


def open_storage(path: Path, folder: Path) -> StoredFile:
    """A storage file open for reading.

    Args:
        path: the file.
        folder: receives its content if it is compressed.

    Raises:
        StorageError: nothing of it can be read.
    """
    try:
        if _head(path).startswith(ZSTD_MAGIC):
            return _open_compressed(path, folder)
        return _open_plain(path)
    except OSError as error:
        raise StorageError(f"it cannot be read: {error.strerror}") from error


def is_intact(path: Path) -> bool:
    """Whether a compressed file can be decompressed to its end."""
    try:
        for _ in _decompressed(path):
            pass
    except (OSError, EOFError, zstd.ZstdError):
        return False
    return True


def _open_plain(path: Path, damage: Sequence[str] = ()) -> StoredFile:
    head = _head(path)
    if head.startswith(SIGNATURE) or (not any(head) and needs_recovery(path)):  # all pages may be in the log
        return SqliteFile(path, damage)
    if head.startswith(MAGIC):
        return McapFile(path, damage)
    if problem := _foreign(head, path):
        raise StorageError(problem)
    try:
        return McapFile(path, damage)  # its start may be damaged
    except StorageError as error:
        raise StorageError("expected the signature of an mcap or sqlite3 file at its start") from error


def _foreign(head: bytes, path: Path) -> str:
    """Why a file without a known signature is not a storage file; empty if that is unclear."""
    if not head:
        return "it is empty (0 bytes)"
    if head.startswith(_LFS):
        return "it is a pointer of Git LFS: run `git lfs pull` in its repository"
    if head.startswith(ROS1):
        return ros1_hint(path)
    return ""


def ros1_hint(path: Path) -> str:
    """How to convert a bag of ROS 1."""
    return f"it is a bag of ROS 1: convert it with `rosbags-convert --src {path.name} --dst {path.stem}`"


def _open_compressed(path: Path, folder: Path) -> StoredFile:
    target = folder / path.name.removesuffix(path.suffix)
    damage = _decompress(path, target)
    try:
        return _open_plain(target, damage)
    except StorageError as error:
        raise StorageError("; ".join([*damage, str(error)])) from error


def _decompress(path: Path, target: Path) -> list[str]:
    """Decompress a file as far as possible; returns what is missing."""
    with target.open("wb") as out:
        try:
            for data in _decompressed(path):
                out.write(data)
        except (EOFError, zstd.ZstdError) as error:
            return [f"it can be decompressed only to byte {out.tell()} of its content: {error}"]
    return []


def _decompressed(path: Path) -> Iterator[bytes]:
    """The content of a compressed file, up to the damage.

    Raises:
        EOFError, zstd.ZstdError: the file is cut or damaged.
    """
    decompressor = zstd.ZstdDecompressor()
    with path.open("rb") as file:
        while data := file.read(_BLOCK):
            while data:
                if decompressor.eof:  # a file may consist of several frames
                    decompressor = zstd.ZstdDecompressor()
                yield decompressor.decompress(data)
                data = decompressor.unused_data if decompressor.eof else b""
    if not decompressor.eof:
        raise EOFError("its end is missing")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)
