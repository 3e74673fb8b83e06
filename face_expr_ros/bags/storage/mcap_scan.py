"""Search of all records of an mcap file without its index: a killed recorder writes none, "fastwrite" neither."""

from __future__ import annotations

import struct
from array import array
from collections import Counter
from collections.abc import Iterator

import numpy as np

from face_expr_ros.bags.storage.byte_source import ByteSource
from face_expr_ros.bags.storage.mcap_channels import Channels
from face_expr_ros.bags.storage.mcap_chunks import ChunkContent, ChunkEntry, report
from face_expr_ros.bags.storage.mcap_records import (
    ATTACHMENT,
    CHANNEL,
    CHUNK,
    DATA_END,
    HEAD_SIZE,
    MAGIC,
    MESSAGE,
    MESSAGE_HEAD,
    SCHEMA,
    Record,
    records,
)
from face_expr_ros.bags.storage.stored_file import TIME_LIMIT, StorageError

MESSAGE_FIELDS = struct.Struct("<HIQQ")  # channel, sequence number, recording time, publishing time


class LooseMessages:
    """The places of messages outside of chunks."""

    def __init__(self) -> None:
        self.times, self._offsets, self._sizes, self.channels = array("Q"), array("Q"), array("Q"), array("H")

    def add(self, time_ns: int, offset: int, size: int, channel: int) -> None:
        """Add a message whose record has ``size`` bytes of content at ``offset``."""
        self.times.append(time_ns)
        self._offsets.append(offset)
        self._sizes.append(size)
        self.channels.append(channel)

    def in_time_order(self) -> Iterator[tuple[int, int, int, int]]:
        """Time, offset, size and channel of each message; equal times in the order of the file."""
        for index in np.argsort(np.frombuffer(self.times, np.uint64), kind="stable") if self.times else ():
            yield self.times[index], self._offsets[index], self._sizes[index], self.channels[index]


class Scan:
    """All intact records of a file.

    Attributes:
        channels: the channels.
        chunks: the chunks that can be read.
        loose: the messages outside of chunks.
        counts: channel -> number of messages.
        start_ns, end_ns: first and last time of a message, except 0, the time before the first message of a simulated
            clock; None if there are no messages.
        attachments: number of attached files.
        damage: sentences on what cannot be read.
    """

    def __init__(self, source: ByteSource) -> None:
        self.channels, self.loose = Channels(), LooseMessages()
        self.chunks: list[ChunkEntry] = []
        self.counts: Counter[int] = Counter()
        self.start_ns: int | None = None
        self.end_ns: int | None = None
        self.damage: list[str] = []
        self.attachments = 0
        self._source = source
        self._late = self._unknown = 0
        self._has_end = True
        self._read_all()
        if not self._has_end:
            seconds = ((self.end_ns or 0) - (self.start_ns or 0)) * 1e-9
            report(
                self.damage,
                f"its end is missing; its first {sum(self.counts.values())} messages are read, {seconds:.3f} s",
            )
        if self._late:
            report(self.damage, f"{self._late} messages have invalid times (expected 1970 to 2038) and are left out")
        if self._unknown:
            report(self.damage, f"{self._unknown} messages of undefined channels are left out")

    def _read_all(self) -> None:
        source = self._source
        start = len(MAGIC) if source.read(0, len(MAGIC)) == MAGIC else 0
        for record in records(source, start, source.size, self.channels.known):
            if record.opcode == DATA_END:
                return
            if record.is_gap:
                self._add_gap(record)
            elif record.opcode == CHUNK:
                self._add_chunk(record.offset, record.size)
            elif record.opcode == MESSAGE:
                if (head := self._message(source, record)) is not None:
                    self.loose.add(head[1], record.offset, record.size, head[0])
                    self._count(*head)
            else:
                self.attachments += record.opcode == ATTACHMENT
                self._add_definition(source, record)
        self._has_end = False

    def _add_gap(self, gap: Record) -> None:
        end = gap.offset + gap.size
        if end < self._source.size:
            report(self.damage, f"bytes {gap.offset} to {end} are damaged")
            return
        if self._source.read(gap.offset, 1) == bytes([CHUNK]) and gap.size > HEAD_SIZE:
            self._add_chunk(gap.offset + HEAD_SIZE, gap.size - HEAD_SIZE, is_cut=True)

    def _add_chunk(self, offset: int, size: int, is_cut: bool = False) -> None:
        try:
            content = ChunkContent(self._source, offset, size, is_cut)
        except (StorageError, OSError) as error:
            report(self.damage, f"the chunk at byte {offset} is lost: {error}")
            return
        times, counts = [], Counter[int]()
        for record in content.records(self.channels.known, self.damage):
            if record.opcode != MESSAGE:
                self._add_definition(content.source, record)
            elif (head := self._message(content.source, record)) is not None:
                counts[head[0]] += 1
                times.append(head[1])
                self._count(*head)
        if times:
            self.chunks.append(ChunkEntry(min(times), max(times), offset, size, dict(counts), is_cut))

    def _add_definition(self, source: ByteSource, record: Record) -> None:
        add = {SCHEMA: self.channels.add_schema, CHANNEL: self.channels.add_channel}.get(record.opcode)
        if add is None:
            return
        try:
            add(source.read(record.offset, record.size))
        except (struct.error, UnicodeDecodeError) as error:
            report(self.damage, f"the definition at byte {record.offset} cannot be read: {error}")

    def _message(self, source: ByteSource, record: Record) -> tuple[int, int] | None:
        """Channel and time of a message; None if it cannot be used."""
        channel, _, time_ns, _ = MESSAGE_FIELDS.unpack(source.read(record.offset, MESSAGE_HEAD))
        self._late += time_ns >= TIME_LIMIT
        self._unknown += channel not in self.channels.known
        return (channel, time_ns) if time_ns < TIME_LIMIT and channel in self.channels.known else None

    def _count(self, channel: int, time_ns: int) -> None:
        self.counts[channel] += 1
        if time_ns:
            self.start_ns = time_ns if self.start_ns is None else min(self.start_ns, time_ns)
        self.end_ns = time_ns if self.end_ns is None else max(self.end_ns, time_ns)
