"""The chunks of an mcap file: their records, validated, or as far as they are present."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from face_expr_ros.bags.storage.byte_source import ByteSource, MemoryBytes
from face_expr_ros.bags.storage.mcap_records import (
    CHUNK,
    HEAD_SIZE,
    Record,
    chunk_head,
    chunk_records,
    partial_chunk_records,
    records,
)
from face_expr_ros.bags.storage.stored_file import StorageError


class ChunkEntry(NamedTuple):
    """A chunk of a file.

    Attributes:
        start_ns, end_ns: times of its first and its last message.
        offset: start of the content of its record.
        size: length of the content, bytes.
        counts: channel -> number of messages.
        is_cut: whether the file ends in the chunk.
    """

    start_ns: int
    end_ns: int
    offset: int
    size: int
    counts: dict[int, int]
    is_cut: bool = False


class ChunkContent:
    """The records of a chunk.

    Attributes:
        source: the decompressed bytes.

    Raises:
        StorageError: the chunk cannot be decompressed, or its checksum is wrong.
        OSError: the disk cannot read it.
    """

    def __init__(self, file: ByteSource, offset: int, size: int, is_cut: bool = False) -> None:
        if file.read(offset - HEAD_SIZE, 1) != bytes([CHUNK]):
            raise StorageError("there is another record at its place")
        content = file.read(offset, size)
        if len(content) < size:
            raise StorageError(f"expected {size} bytes, got {len(content)}")
        head = chunk_head(content)
        self._offset, self._is_cut = offset, is_cut
        self.source = MemoryBytes(partial_chunk_records(head) if is_cut else chunk_records(head))

    def records(self, channels: Collection[int], damage: list[str]) -> Iterator[Record]:
        """The records, without gaps, which are described in ``damage``; see `mcap_records.records`."""
        for record in records(self.source, 0, self.source.size, channels):
            if not record.is_gap:
                yield record
            elif not self._is_cut:
                end = record.offset + record.size
                report(damage, f"bytes {record.offset} to {end} of the chunk at byte {self._offset} are damaged")


def report(damage: list[str], sentence: str) -> None:
    """Add a sentence that is not present yet: a file may be read several times."""
    if sentence not in damage:
        damage.append(sentence)
