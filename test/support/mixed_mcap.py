"""Mixed and broken mcap files, one function per kind, and what can be read of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from face_expr_ros.bags.storage.stored_file import zstd
from support.bag_files import STRING
from support.broken_files import Kind
from support.mcap_records import (
    channel,
    chunk,
    chunk_index,
    ending,
    header,
    message,
    record,
    schema,
    statistics,
)
from support.split_bags import ALL, PER_FILE, TOPIC, split_bag, storage_files, time_of, word

TEXT = "string data\n"
OPENING = schema(1, STRING, "ros2msg", TEXT) + channel(1, 1, TOPIC)
SWAPPED = [number ^ 1 for number in ALL]  # pairs in reverse order
FOREIGN = {
    "/json": (schema(2, "Note", "jsonschema", "{}"), "json", b'{"a": 1}'),
    "/protobuf": (schema(3, "foxglove.Note", "protobuf", "\x0a\x01"), "protobuf", b"\x08\x01"),
    "/ros1": (schema(4, "std_msgs/String", "ros1msg", TEXT), "ros1", b"\x01\0\0\0a"),
    "/bare": (b"", "cdr", b"\0\1\0\0\1\0\0\0\0"),
}


def words(numbers: Iterable[int], channel_number: int = 1) -> bytes:
    return b"".join(message(channel_number, time_of(number), word(number)) for number in numbers)


def chunk_of(numbers: Iterable[int], compression: str = "", checksum: bool = True, before: bytes = b"") -> bytes:
    numbers = list(numbers)
    return chunk(before + words(numbers), map(time_of, numbers), compression, checksum)


def file(folder: Path, data: bytes, summary: bytes = b"") -> Path:
    """A file of these records after its header."""
    path = folder / "talk.mcap"
    path.write_bytes(header() + data + ending(header() + data, summary))
    return path


def loose(numbers: Iterable[int]) -> Callable[[Path], Path]:
    """As of the profile "fastwrite": messages without chunks or index."""
    return lambda folder: file(folder, OPENING + words(numbers))


def unindexed_chunks(numbers: list[int], compression: str = "") -> Callable[[Path], Path]:
    """As of a killed recorder after `mcap recover` without index."""
    parts = [numbers[start : start + PER_FILE] for start in range(0, len(numbers), PER_FILE)]
    return lambda folder: file(folder, OPENING + b"".join(chunk_of(part, compression) for part in parts))


def indexed(folder: Path, extra: bytes = b"", with_statistics: bool = True, first: bytes = b"") -> Path:
    """Chunks with an index, but without message indexes; ``extra`` follows the chunks."""
    data, summary = OPENING + first, OPENING
    for start in ALL[::PER_FILE]:
        part = range(start, start + PER_FILE)
        written = chunk_of(part, "zstd")
        summary += chunk_index(len(header() + data), written, map(time_of, part))
        data += written
    if with_statistics:
        summary += statistics(len(ALL), 1, 1, 4, time_of(0), time_of(ALL[-1]))
    return file(folder, data + extra, summary)


def foreign_channels(folder: Path) -> Path:
    data, opening = b"", OPENING
    for index, (topic, (own_schema, encoding, content)) in enumerate(FOREIGN.items(), 2):
        opening += own_schema + channel(index, index if own_schema else 0, topic, encoding)
        data += message(index, time_of(0), content)
    return file(folder, chunk(opening + data + words(ALL), map(time_of, ALL)))


def beside_a_message(number: int, extra: bytes) -> Callable[[Path], Path]:
    """Loose messages with other bytes before one of them."""
    return lambda folder: file(folder, OPENING + words(ALL[:number]) + extra + words(ALL[number:]))


def replaced(change: Callable[[bytearray], None], compression: str = "") -> Callable[[Path], Path]:
    """Unindexed chunks of which the second is changed."""

    def make(folder: Path) -> Path:
        parts = [chunk_of(ALL[start : start + PER_FILE], compression) for start in ALL[::PER_FILE]]
        second = bytearray(parts[1])
        change(second)
        return file(folder, OPENING + parts[0] + bytes(second) + b"".join(parts[2:]))

    return make


def flip(data: bytearray) -> None:
    data[len(data) // 2] ^= 0xFF


def wipe_start(data: bytearray) -> None:
    """The length of the record is lost: the next one must be searched for."""
    data[:200] = bytes(200)


def without_end(count: int) -> Callable[[Path], Path]:
    """A file of rosbag2 without its last bytes."""

    def make(folder: Path) -> Path:
        path = storage_files(split_bag(folder))[0]
        path.write_bytes(path.read_bytes()[:-count])
        return path

    return make


def cut_in_chunk(compression: str) -> Callable[[Path], Path]:
    """One chunk, cut after three quarters."""

    def make(folder: Path) -> Path:
        path = file(folder, OPENING + chunk_of(ALL, compression))
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.75)])
        return path

    return make


def frames_without_size(folder: Path) -> Path:
    """Zstandard frames that do not state the size of their content."""
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.content_size_flag: 0})
    plain = chunk_of(ALL)
    packed = packer.compress(words(ALL)) + packer.flush()
    head = plain[9:37] + (4).to_bytes(4, "little") + b"zstd" + len(packed).to_bytes(8, "little")
    return file(folder, OPENING + record(0x06, head + packed))


def several_channels(folder: Path) -> Path:
    """A channel per publisher."""
    data = OPENING + channel(2, 1, TOPIC, metadata="- broken: [") + words(ALL[::2]) + words(ALL[1::2], 2)
    return file(folder, data)


def named(topic: str, name: str) -> Callable[[Path], Path]:
    return lambda folder: file(folder, schema(1, name, "ros2msg", TEXT) + channel(1, 1, topic) + words(ALL))


def undefined(folder: Path) -> Path:
    return file(folder, schema(1, STRING, "", "") + channel(1, 1, TOPIC) + words(ALL))


def other_profile(folder: Path) -> Path:
    path = folder / "talk.mcap"
    data = header("", "another recorder") + OPENING + words(ALL)
    path.write_bytes(data + ending(data))
    return path


def two_definitions(text: str) -> Callable[[Path], Path]:
    """A bag whose second file was recorded after an update of the message package."""

    def make(folder: Path) -> Path:
        bag = folder / "talk"
        bag.mkdir()
        for index, definition in enumerate((TEXT, text)):
            opening = schema(1, STRING, "ros2msg", definition) + channel(1, 1, TOPIC)
            path = file(bag, opening + words(ALL[index * 10 : index * 10 + 10]))
            path.rename(bag / f"talk_{index}.mcap")
        return bag

    return make


TEN = ALL[:10] + ALL[15:]
MCAP_KINDS: dict[str, Kind] = {
    "no chunks, no index": Kind(loose(ALL), ALL),
    "no chunks, no index, swapped messages": Kind(loose(SWAPPED), ALL),
    "chunks without index, swapped messages": Kind(unindexed_chunks(SWAPPED), ALL),
    "chunks without index, backwards": Kind(unindexed_chunks(ALL[::-1], "zstd"), ALL),
    "chunks of lz4": Kind(unindexed_chunks(ALL, "lz4"), ALL),
    "zstd frames without size": Kind(frames_without_size, ALL),
    "chunk index, no message index": Kind(indexed, ALL),
    "chunk index, no statistics": Kind(lambda f: indexed(f, with_statistics=False), ALL),
    "empty chunk first": Kind(lambda f: indexed(f, first=chunk(b"", [])), ALL),
    "unknown records": Kind(beside_a_message(7, record(0x90, bytes(100))), ALL),
    "message of an undefined channel": Kind(beside_a_message(7, message(9, time_of(1), b"")), ALL, "channel"),
    "JSON, Protobuf, ROS 1 and schemaless channels": Kind(foreign_channels, ALL),
    "a channel per publisher": Kind(several_channels, ALL),
    "type name without /msg/": Kind(named(TOPIC, "std_msgs/String"), ALL),
    "names of a DDS recorder": Kind(named("rt" + TOPIC, "std_msgs::msg::dds_::String_"), ALL),
    "undefined type of ROS": Kind(undefined, ALL),
    "profile of another recorder": Kind(other_profile, ALL),
    "chunk with wrong checksum": Kind(replaced(flip), ALL[:5] + ALL[10:], "checksum"),
    "chunk that cannot be decompressed": Kind(replaced(flip, "zstd"), ALL[:5] + ALL[10:], "chunk"),
    "zeros over the start of a chunk": Kind(replaced(wipe_start), ALL[:5] + ALL[10:], "bytes", True),
    "zeros between messages": Kind(beside_a_message(7, bytes(5000)), ALL, "bytes"),
    "noise between messages": Kind(beside_a_message(7, bytes(range(256)) * 9), ALL, "bytes"),
    "cut in the footer": Kind(without_end(10), ALL[:PER_FILE]),
    "cut in the index": Kind(without_end(200), ALL[:PER_FILE]),
    "cut in a chunk": Kind(cut_in_chunk(""), ALL[:14], "end", True),
    "cut in a chunk of zstd": Kind(cut_in_chunk("zstd"), [], "end", True),
    "definition with another comment": Kind(two_definitions("# words\n" + TEXT), ALL),
    "definition changed": Kind(two_definitions(TEXT + "int32 more\n"), ALL[:10], "definition"),
    "time beyond ROS": Kind(
        beside_a_message(7, message(1, 2**64 - 1, word(99)) + message(1, 2**63 - 1, word(98))), ALL, "time"
    ),
    "before the first clock message": Kind(beside_a_message(0, message(1, 0, word(99))), [99, *ALL]),
}
