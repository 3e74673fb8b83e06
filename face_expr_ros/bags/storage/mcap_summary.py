"""The index at the end of an mcap file, which spares reading the whole file."""

from __future__ import annotations

import struct
from collections import Counter
from typing import NamedTuple

from face_expr_ros.bags.storage.byte_source import ByteSource
from face_expr_ros.bags.storage.mcap_channels import Channels
from face_expr_ros.bags.storage.mcap_chunks import ChunkEntry
from face_expr_ros.bags.storage.mcap_records import (
    CHANNEL,
    CHUNK_INDEX,
    FOOTER,
    FOOTER_SIZE,
    HEAD_SIZE,
    MAGIC,
    SCHEMA,
    STATISTICS,
    records,
)
from face_expr_ros.bags.storage.stored_file import TIME_LIMIT

_STATISTICS = struct.Struct("<QHIIIIQQ")
_MESSAGE_INDEX = 1 + 8 + 2 + 4  # bytes of a message index without its entries
_INDEX_ENTRY = 16  # bytes


class Summary(NamedTuple):
    """What the index of a file states.

    Attributes:
        channels: all channels.
        chunks: all chunks with messages, in the order of the file.
        counts: channel -> number of messages.
        start_ns, end_ns: times of the first and the last message.
        attachments: number of attached files.
    """

    channels: Channels
    chunks: list[ChunkEntry]
    counts: Counter[int]
    start_ns: int
    end_ns: int
    attachments: int


def read_summary(source: ByteSource) -> Summary | None:
    """The index of a file; None if there is none, or if it does not account for all messages."""
    footer = source.read(source.size - FOOTER_SIZE, FOOTER_SIZE) if source.size > FOOTER_SIZE else b""
    if footer[:HEAD_SIZE] != bytes([FOOTER, 20, *bytes(7)]) or footer[-len(MAGIC) :] != MAGIC:
        return None
    start, end = int.from_bytes(footer[9:17], "little"), source.size - FOOTER_SIZE
    if not 0 < start < end:
        return None
    try:
        return _parsed(source, start, end)
    except (struct.error, UnicodeDecodeError):
        return None


def _parsed(source: ByteSource, start: int, end: int) -> Summary | None:
    channels, chunks, statistics = Channels(), [], None
    for record in records(source, start, end, ()):
        content = source.read(record.offset, record.size)
        if record.is_gap:
            return None
        if record.opcode == SCHEMA:
            channels.add_schema(content)
        elif record.opcode == CHANNEL:
            channels.add_channel(content)
        elif record.opcode == CHUNK_INDEX:
            chunks.append(_chunk_entry(content))
        elif record.opcode == STATISTICS:
            statistics = _STATISTICS.unpack_from(content)
    if statistics is None:
        return None
    counts: Counter[int] = Counter()
    for chunk in chunks:
        counts.update(chunk.counts)
    used = [chunk for chunk in chunks if chunk.counts]
    summary = Summary(channels, used, counts, statistics[6], statistics[7], statistics[3])
    return summary if _is_complete(summary, statistics[0]) else None


def _is_complete(summary: Summary, message_count: int) -> bool:
    """Whether all messages are in indexed chunks of known channels, at times that ROS can represent."""
    counted = sum(summary.counts.values())
    known = summary.counts.keys() <= summary.channels.known
    missing_type = any("missing" in reason for reason in summary.channels.left_out.values())
    plausible = 0 < summary.start_ns <= summary.end_ns < TIME_LIMIT
    return counted == message_count and known and not missing_type and (plausible or not message_count)


def _chunk_entry(content: bytes) -> ChunkEntry:
    start_ns, end_ns, offset, length, entries = struct.unpack_from("<QQQQI", content)
    offsets = sorted((where, number) for number, where in struct.iter_unpack("<HQ", content[36 : 36 + entries]))
    (indexes_length,) = struct.unpack_from("<Q", content, 36 + entries)
    ends = [where for where, _ in offsets[1:]] + [offset + length + indexes_length] * bool(offsets)
    counts = {
        number: (end - where - _MESSAGE_INDEX) // _INDEX_ENTRY
        for (where, number), end in zip(offsets, ends, strict=True)
    }
    counts = {number: count for number, count in counts.items() if count > 0}
    return ChunkEntry(start_ns, end_ns, offset + HEAD_SIZE, length - HEAD_SIZE, counts)
