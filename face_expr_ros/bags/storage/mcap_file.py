"""Reading of an mcap file by its index, or record by record where the index is missing or incomplete."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Sequence
from operator import itemgetter
from pathlib import Path

from face_expr_ros.bags.storage.byte_source import FileBytes
from face_expr_ros.bags.storage.mcap_chunks import ChunkContent, ChunkEntry, report
from face_expr_ros.bags.storage.mcap_records import MESSAGE, MESSAGE_HEAD
from face_expr_ros.bags.storage.mcap_scan import MESSAGE_FIELDS, LooseMessages, Scan
from face_expr_ros.bags.storage.mcap_summary import read_summary
from face_expr_ros.bags.storage.stored_file import TIME_LIMIT, StorageError, Stored

_Placed = tuple[int, int, int, Stored]  # time, offset of the chunk or message, offset in the chunk, message


class McapFile:
    """An mcap file; see `StoredFile`. All messages are read that are not in a damaged chunk.

    Raises:
        StorageError: no channel can be found.
    """

    def __init__(self, path: Path, damage: Sequence[str] = ()) -> None:
        self._source = FileBytes(path)
        self.damage = list(damage)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        found = read_summary(self._source) or Scan(self._source)
        self._channels, self._chunks = found.channels, found.chunks
        self._loose = found.loose if isinstance(found, Scan) else LooseMessages()
        self.damage += found.damage if isinstance(found, Scan) else []
        if not self._channels.known:
            raise StorageError("it has no topics" + "".join(f"; {sentence}" for sentence in self.damage))
        counts = found.counts
        self.left_out = dict(self._channels.left_out)
        if found.attachments:
            self.left_out["attachments"] = f"only messages are read, not the {found.attachments} attached files"
        self.connections = [
            connection._replace(msgcount=counts[number]) for number, connection in self._channels.connections.items()
        ]
        self.message_count = sum(connection.msgcount for connection in self.connections)
        self.start_ns, self.end_ns = (found.start_ns, found.end_ns) if self.message_count else (None, None)

    def close(self) -> None:
        """See `StoredFile`."""
        self._source.close()

    def messages(
        self, channels: Collection[int], start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[Stored]:
        """See `StoredFile`."""
        chosen = set(channels)
        parts = self._from_chunks(chosen, start_ns, stop_ns), self._from_loose(chosen)
        for time_ns, _, _, stored in heapq.merge(*parts, key=itemgetter(0, 1, 2)):
            if (start_ns is None or start_ns <= time_ns) and (stop_ns is None or time_ns < stop_ns):
                yield stored

    def _from_chunks(self, channels: set[int], start_ns: int | None, stop_ns: int | None) -> Iterator[_Placed]:
        """Messages of all chunks; a chunk is read when the messages before it have been used."""
        pending: list[_Placed] = []
        for chunk in sorted(self._chunks, key=itemgetter(0, 2)):
            outside = (start_ns is not None and chunk.end_ns < start_ns) or (
                stop_ns is not None and chunk.start_ns >= stop_ns
            )
            if outside or not channels & chunk.counts.keys():
                continue
            while pending and pending[0][0] < chunk.start_ns:
                yield heapq.heappop(pending)
            for placed in self._chunk_messages(chunk, channels):
                heapq.heappush(pending, placed)
        while pending:
            yield heapq.heappop(pending)

    def _chunk_messages(self, chunk: ChunkEntry, channels: set[int]) -> Iterator[_Placed]:
        try:
            content = ChunkContent(self._source, chunk.offset, chunk.size, chunk.is_cut)
        except (StorageError, OSError) as error:
            after = (chunk.start_ns - (self.start_ns or 0)) * 1e-9
            count = sum(chunk.counts.values())
            report(
                self.damage, f"the chunk at byte {chunk.offset} is lost, {count} messages after {after:.3f} s: {error}"
            )
            return
        for record in content.records(self._channels.known, self.damage):
            if record.opcode == MESSAGE:
                channel, _, time_ns, _ = MESSAGE_FIELDS.unpack(content.source.read(record.offset, MESSAGE_HEAD))
                if channel in channels and time_ns < TIME_LIMIT:
                    data = content.source.read(record.offset + MESSAGE_HEAD, record.size - MESSAGE_HEAD)
                    yield time_ns, chunk.offset, record.offset, Stored(time_ns, channel, data)

    def _from_loose(self, channels: set[int]) -> Iterator[_Placed]:
        for time_ns, offset, size, channel in self._loose.in_time_order():
            if channel in channels:
                try:
                    data = self._source.read(offset + MESSAGE_HEAD, size - MESSAGE_HEAD)
                except OSError as error:
                    report(self.damage, f"the message at byte {offset} cannot be read: {error.strerror}")
                    continue
                yield time_ns, offset, 0, Stored(time_ns, channel, data)
