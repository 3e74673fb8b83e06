"""Writing of mcap records one by one, also in combinations that no recorder of ROS writes; see mcap.dev/spec."""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Iterable

from lz4 import frame

from face_expr_ros.bags.storage.stored_file import zstd

MAGIC = b"\x89MCAP0\r\n"
COMPRESS = {"": bytes, "zstd": zstd.compress, "lz4": frame.compress}


def string(text: str) -> bytes:
    return struct.pack("<I", len(text.encode())) + text.encode()


def record(opcode: int, content: bytes) -> bytes:
    return struct.pack("<BQ", opcode, len(content)) + content


def header(profile: str = "ros2", library: str = "test") -> bytes:
    return MAGIC + record(0x01, string(profile) + string(library))


def schema(number: int, name: str, encoding: str, text: str) -> bytes:
    return record(0x03, struct.pack("<H", number) + string(name) + string(encoding) + string(text))


def channel(number: int, schema_number: int, topic: str, encoding: str = "cdr", metadata: str = "") -> bytes:
    """A channel; ``metadata`` is a YAML text of QoS profiles."""
    entries = string("offered_qos_profiles") + string(metadata) if metadata else b""
    head = struct.pack("<HH", number, schema_number) + string(topic) + string(encoding)
    return record(0x04, head + struct.pack("<I", len(entries)) + entries)


def message(channel_number: int, time_ns: int, data: bytes) -> bytes:
    return record(0x05, struct.pack("<HIQQ", channel_number, 0, time_ns, time_ns) + data)


def chunk(records: bytes, times: Iterable[int], compression: str = "", checksum: bool = True) -> bytes:
    """A chunk of records, of which messages have these times."""
    times = list(times)
    packed = COMPRESS[compression](records)
    head = struct.pack("<QQQI", min(times, default=0), max(times, default=0), len(records), crc32(records) * checksum)
    return record(0x06, head + string(compression) + struct.pack("<Q", len(packed)) + packed)


def chunk_index(offset: int, written: bytes, times: Iterable[int]) -> bytes:
    """The index of a `chunk` at an offset of the file, without message index."""
    times = list(times)
    _, _, size, _ = struct.unpack_from("<QQQI", written, 9)
    (length,) = struct.unpack_from("<I", written, 37)
    compression = written[41 : 41 + length].decode()
    head = struct.pack("<QQQQ", min(times, default=0), max(times, default=0), offset, len(written))
    sizes = struct.pack("<QQ", len(written) - 49 - length, size)
    return record(0x08, head + struct.pack("<IQ", 0, 0) + string(compression) + sizes)


def statistics(
    messages: int, schemas: int, channels: int, chunks: int, first_ns: int, last_ns: int, attachments: int = 0
) -> bytes:
    """Statistics without the counts of the channels."""
    content = struct.pack("<QHIIIIQQI", messages, schemas, channels, attachments, 0, chunks, first_ns, last_ns, 0)
    return record(0x0B, content)


def ending(data: bytes, summary: bytes = b"") -> bytes:
    """The end of a file that starts with ``data``."""
    close = record(0x0F, struct.pack("<I", 0))
    start = len(data) + len(close) if summary else 0
    return close + summary + record(0x02, struct.pack("<QQI", start, 0, 0)) + MAGIC
