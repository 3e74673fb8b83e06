"""Damage of the write-ahead log of a SQLite database, which SQLite itself reads only up to it, without an error.

The format is that of https://sqlite.org/fileformat2.html#walformat: a header, and frames with one page each. The
checksum of a frame continues that of the frame before it, so that each can be compared on its own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_HEADER = struct.Struct(">8I")  # magic number, version, page size, sequence number, two salts, two checksums
_HEADER_SIZE, _FRAME_HEAD = _HEADER.size, 24
_MAGIC = 0x377F0682  # the lowest bit selects big-endian checksums
_BLOCK = 4 << 20  # bytes read at once

Words = NDArray[np.uint32]


class _Header(NamedTuple):
    page: int
    salts: tuple[int, int]
    sums: Words
    words: str  # NumPy type of the words that are summed


def log_of(path: Path) -> Path:
    """The write-ahead log beside a database."""
    return path.with_name(path.name + "-wal")


def log_damage(log: Path) -> str:
    """What of a log is lost because of damage; empty if nothing is known to be.

    A transaction without its end is not lost: it was not committed.
    """
    if not log.is_file() or log.stat().st_size <= _HEADER_SIZE:
        return ""
    with log.open("rb") as file:
        header = _header(file.read(_HEADER_SIZE))
    if header is None:
        return f"the header of its log {log.name} is damaged: the messages in the log are lost"
    valid = lost = 0
    is_intact = True
    for is_valid, is_commit in _frames(log, header):
        first = len(is_valid) if is_valid.all() else int(is_valid.argmin())
        valid += first if is_intact else 0
        lost += int(is_commit[first if is_intact else 0 :].sum())
        is_intact = is_intact and first == len(is_valid)
    return f"its log {log.name} is damaged at frame {valid + 1}: {lost} transactions are lost" if lost else ""


def _header(data: bytes) -> _Header | None:
    """The header of a log; None if it is damaged."""
    magic, _, page, _, *salts, first, second = _HEADER.unpack(data)
    words = ">u4" if magic & 1 else "<u4"
    if magic & ~1 != _MAGIC or not 512 <= page <= 65536 or page & (page - 1):
        return None
    sums = np.array([first, second], np.uint32)
    weights, _ = _weights(6)
    content = np.frombuffer(data[:24], words).astype(np.uint32)
    return _Header(page, (salts[0], salts[1]), sums, words) if ((weights @ content) == sums).all() else None


def _frames(log: Path, header: _Header) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """For blocks of frames: which have the right checksum, and which end a transaction. Ends at older frames."""
    size = _FRAME_HEAD + header.page
    weights, power = _weights(2 + header.page // 4)
    before = header.sums
    with log.open("rb") as file:
        file.seek(_HEADER_SIZE)
        while len(data := file.read(max(_BLOCK // size, 1) * size)) >= size:
            frames = np.frombuffer(data, np.uint8)[: len(data) // size * size].reshape(-1, size)
            heads = np.ascontiguousarray(frames[:, :_FRAME_HEAD]).view(">u4").astype(np.uint32)
            older = (heads[:, 2:4] != header.salts).any(axis=1)
            count = int(older.argmax()) if older.any() else len(older)
            content = np.delete(frames[:count], np.s_[8:_FRAME_HEAD], axis=1).view(header.words).astype(np.uint32)
            previous = np.vstack([before, heads[: count - 1, 4:6]]) if count else heads[:0, 4:6]
            sums = content @ weights.T + previous @ power.T
            yield (sums == heads[:count, 4:6]).all(axis=1), heads[:count, 1] != 0
            if count < len(heads):
                return
            before = heads[-1, 4:6]


def _weights(count: int) -> tuple[Words, Words]:
    """The checksum of ``count`` words as a linear function, modulo 2^32: of the words, and of the checksum before.

    For each pair of words, s0 += w0 + s1, then s1 += w1 + s0.
    """
    step, entry = np.array([[1, 1], [1, 2]], np.uint32), np.array([[1, 0], [1, 1]], np.uint32)
    power, parts = np.eye(2, dtype=np.uint32), []
    for _ in range(count // 2):
        parts.append(power @ entry)
        power = power @ step
    return np.hstack(parts[::-1]), power
