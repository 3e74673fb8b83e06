"""Records of an mcap file: their structure, and the search for the next one after a damaged part.

The format is specified at https://mcap.dev/spec. A record is an opcode, the length of its content and the content.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterator
from typing import NamedTuple

from rosbags.rosbag2.storage_mcap import decompress

from face_expr_ros.bags.storage.byte_source import ByteSource
from face_expr_ros.bags.storage.stored_file import StorageError, zstd

MAGIC = b"\x89MCAP0\r\n"
FOOTER_SIZE = 9 + 20 + len(MAGIC)
HEAD_SIZE = 9
MESSAGE_HEAD = 22  # bytes before the data of a message
HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
CHUNK_INDEX, ATTACHMENT, STATISTICS, DATA_END = 0x08, 0x09, 0x0B, 0x0F
_CHUNK_HEAD = struct.Struct("<QQQI")
_WINDOW = 1 << 20  # bytes searched at once
_CANDIDATE = re.compile(rb"[\x03-\x06].{4}\x00{4}|\x0f\x04\x00{7}", re.DOTALL)


class Record(NamedTuple):
    """A record; ``opcode`` 0 is a part without records.

    Attributes:
        opcode: its kind.
        offset: start of the content.
        size: length of the content, bytes.
    """

    opcode: int
    offset: int
    size: int

    @property
    def is_gap(self) -> bool:
        """Whether this part cannot be parsed."""
        return self.opcode == 0


class ChunkHead(NamedTuple):
    """The fields of a chunk before its records."""

    start_ns: int
    end_ns: int
    size: int
    checksum: int
    compression: str
    data: bytes


def records(source: ByteSource, start: int, end: int, channels: Collection[int]) -> Iterator[Record]:
    """The records between two offsets, with the gaps between them.

    Args:
        channels: numbers of the channels known so far, which may grow; the search for the next message after a gap
            uses them.
    """
    offset = start
    while offset < end:
        record = _record_at(source, offset, end)
        if record is None and _is_cut_chunk(source.read(offset, 64), end - offset):
            yield Record(0, offset, end - offset)
            return
        if record is None:
            following = _next_record(source, offset + 1, end, channels)
            yield Record(0, offset, following - offset)
            offset = following
        else:
            yield record
            offset = record.offset + record.size


def _record_at(source: ByteSource, offset: int, end: int) -> Record | None:
    """The record that starts at an offset; None if there is none that fits."""
    head = source.read(offset, HEAD_SIZE)
    if len(head) < HEAD_SIZE or head[0] == 0:
        return None
    size = int.from_bytes(head[1:], "little")
    if offset + HEAD_SIZE + size > end or (head[0] == MESSAGE and size < MESSAGE_HEAD):
        return None
    return Record(head[0], offset + HEAD_SIZE, size)


def _next_record(source: ByteSource, start: int, end: int, channels: Collection[int]) -> int:
    """The offset of the next record that is followed by another one or by the end; ``end`` if there is none."""
    for window in range(start, end, _WINDOW):
        data = source.read(window, min(_WINDOW + HEAD_SIZE, end - window))
        position = 0
        while (found := _CANDIDATE.search(data, position)) and found.start() < _WINDOW:
            offset, position = window + found.start(), found.start() + 1
            if _is_plausible(source, offset, end, channels):
                return offset
    return end


def _is_plausible(source: ByteSource, offset: int, end: int, channels: Collection[int]) -> bool:
    record = _record_at(source, offset, end)
    if record is None:
        return False
    if record.opcode == MESSAGE and int.from_bytes(source.read(record.offset, 2), "little") not in channels:
        return False
    if record.opcode == CHUNK and not _is_chunk(source.read(record.offset, 40)):
        return False
    following = record.offset + record.size
    return following == end or _record_at(source, following, end) is not None


def _is_chunk(head: bytes) -> bool:
    compression = head[28:]
    return compression.startswith((bytes(4), b"\x03\0\0\0lz4", b"\x04\0\0\0zstd"))


def _is_cut_chunk(head: bytes, present: int) -> bool:
    """Whether a chunk with a consistent head starts here, of which fewer bytes are present than it has."""
    if head[:1] != bytes([CHUNK]) or not _is_chunk(head[HEAD_SIZE:49]):
        return False
    size, name = int.from_bytes(head[1:HEAD_SIZE], "little"), int.from_bytes(head[37:41], "little")
    length = int.from_bytes(head[41 + name : 49 + name], "little")
    return size == 40 + name + length and HEAD_SIZE + size > present


def chunk_head(content: bytes) -> ChunkHead:
    """The fields of a chunk.

    Raises:
        StorageError: the content is too short.
    """
    try:
        start_ns, end_ns, size, checksum = _CHUNK_HEAD.unpack_from(content)
        compression, offset = string_at(content, _CHUNK_HEAD.size)
        (length,) = struct.unpack_from("<Q", content, offset)
    except (struct.error, UnicodeDecodeError) as error:
        raise StorageError(f"the head of the chunk is invalid: {error}") from error
    return ChunkHead(start_ns, end_ns, size, checksum, compression, content[offset + 8 : offset + 8 + length])


def chunk_records(head: ChunkHead) -> bytes:
    """The decompressed records of a chunk, validated.

    Raises:
        StorageError: the data cannot be decompressed, or their length or checksum is wrong.
    """
    try:
        return decompress(head.data, head.compression, head.size, head.checksum)
    except Exception as error:  # decompressors raise errors of their own
        raise StorageError(str(error).rstrip(".").lower() or repr(error)) from error


def partial_chunk_records(head: ChunkHead) -> bytes:
    """The records of a chunk that is cut, as far as they can be decompressed."""
    if head.compression == "":
        return head.data
    if head.compression != "zstd":
        return b""
    try:
        return zstd.ZstdDecompressor().decompress(head.data)
    except (zstd.ZstdError, ValueError):
        return b""


def string_at(content: bytes, offset: int) -> tuple[str, int]:
    """A string and the offset after it.

    Raises:
        struct.error, UnicodeDecodeError: it is cut or invalid.
    """
    (length,) = struct.unpack_from("<I", content, offset)
    if offset + 4 + length > len(content):
        raise struct.error(f"expected a string of {length} bytes, got {len(content) - offset - 4}")
    return content[offset + 4 : offset + 4 + length].decode(), offset + 4 + length
