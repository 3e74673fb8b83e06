"""Broken and mixed recordings, one function per kind, and what can be read of each.

The functions make a bag of numbered texts in a folder (see `split_bags`) and return its path.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from face_expr_ros.bags.messages import package_types
from support.bag_files import BEST_EFFORT, STRING, BagFile
from support.split_bags import (
    ALL,
    PER_FILE,
    TOPIC,
    read_metadata,
    split_bag,
    storage_files,
    time_of,
    word,
    write_metadata,
)

LFS_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32\nsize 1234\n"
)
SECOND = list(range(PER_FILE, 2 * PER_FILE))  # numbers of the second file
OTHERS = [number for number in ALL if number not in SECOND]


class Kind(NamedTuple):
    """A kind of recording.

    Attributes:
        make: creates it in a folder.
        numbers: the messages that are read; more are allowed if ``at_least``.
        damage: words of the damage that is reported; empty if none is.
        at_least: whether a part of the damaged file may be read as well.
    """

    make: Callable[[Path], Path]
    numbers: list[int]
    damage: str = ""
    at_least: bool = False


def edited(edit: Callable[[Any], None], storage: str = "mcap") -> Callable[[Path], Path]:
    """A split bag whose metadata is changed."""

    def make(folder: Path) -> Path:
        bag = split_bag(folder, storage)
        content = read_metadata(bag)
        edit(content)
        write_metadata(bag, content)
        return bag

    return make


def changed(
    change: Callable[[Path], object],
    index: int = 1,
    storage: str = "mcap",
    compression: str = "none",
    metadata: bool = True,
) -> Callable[[Path], Path]:
    """A split bag of which one file is changed."""

    def make(folder: Path) -> Path:
        bag = split_bag(folder, storage, compression, metadata)
        change(storage_files(bag)[index])
        return bag

    return make


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def zeroed(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def cut(file: Path) -> None:
    os.truncate(file, int(file.stat().st_size * 0.8))


def foreign(file: Path) -> None:
    file.write_bytes(b"\xff\xd8\xff\xe0 a picture, not a bag " * 500)


def pointer(file: Path) -> None:
    file.write_bytes(LFS_POINTER)


def zeroed_inside(file: Path) -> None:
    """Zero a quarter of the file, as lost sectors are."""
    data = bytearray(file.read_bytes())
    start, length = int(len(data) * 0.45), len(data) // 4
    data[start : start + length] = bytes(length)
    file.write_bytes(data)


def flipped(file: Path) -> None:
    """Change one byte of the content."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x55
    file.write_bytes(data)


FILE_DAMAGE: dict[str, tuple[Callable[[Path], None], bool, str]] = {
    "empty": (emptied, False, "0 bytes"),
    "zeroed": (zeroed, False, "zeros|signature"),
    "cut": (cut, True, ""),
    "foreign": (foreign, False, "signature"),
    "Git LFS pointer": (pointer, False, "git lfs pull"),
}


def live_sqlite(folder: Path, journal: str, rows: int = len(ALL), in_log: bool = False) -> Path:
    """A sqlite3 bag as a killed recorder leaves it: the copy of a database that is open for writing.

    Args:
        journal: journal mode, "wal" or "delete".
        rows: number of committed messages; the others are in an open transaction.
        in_log: whether all committed messages are still in the log.
    """
    live = folder / "live" / "talk_0.db3"
    live.parent.mkdir(parents=True)
    bag = folder / "talk"
    bag.mkdir()
    with closing(sqlite3.connect(live, isolation_level=None)) as database:
        database.execute(f"PRAGMA journal_mode={journal}")
        database.execute("PRAGMA cache_size=5")  # an open transaction reaches the disk
        if in_log:
            database.execute("PRAGMA wal_autocheckpoint=0")
        _create_tables(database)
        for number in ALL[:rows]:
            _insert(database, number)
        database.execute("BEGIN")
        for number in ALL[rows:]:
            _insert(database, number)
        for file in live.parent.iterdir():
            shutil.copy(file, bag / file.name)
    return bag


def _create_tables(database: sqlite3.Connection) -> None:
    database.executescript("""
        CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
            serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);
        CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL,
            data BLOB NOT NULL);
        CREATE INDEX timestamp_idx ON messages (timestamp ASC);""")
    database.execute("INSERT INTO topics VALUES(1, ?, ?, 'cdr', '')", (TOPIC, STRING))


def _insert(database: sqlite3.Connection, number: int) -> None:
    database.execute("INSERT INTO messages(topic_id, timestamp, data) VALUES(1, ?, ?)", (time_of(number), word(number)))


def stale_log(folder: Path) -> Path:
    """A complete bag with an empty log and a stale index of it."""
    bag = split_bag(folder, "sqlite3")
    file = storage_files(bag)[1]
    file.with_name(file.name + "-wal").write_bytes(b"")
    file.with_name(file.name + "-shm").write_bytes(bytes(32768))
    return bag


def zstd_messages(folder: Path, storage: str) -> Path:
    """A bag with messages compressed one by one and without metadata."""
    path = folder / "talk"
    with BagFile(path, storage, "message") as file:
        for number in ALL:
            file.write(TOPIC, STRING, number, word(number))
    (path / "metadata.yaml").unlink()
    return path


def unpacked_beside(folder: Path, keep: str) -> Path:
    """Compressed files, one of which is present unpacked as well, and one of the two is cut."""
    bag = split_bag(folder, "mcap", "file")
    packed = storage_files(bag)[1]
    from backports import zstd

    unpacked = packed.with_suffix("")
    unpacked.write_bytes(zstd.decompress(packed.read_bytes()))
    cut({"packed": unpacked, "unpacked": packed}[keep])
    return bag


def single_file(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
    """Only the first file of a bag, without its folder."""

    def made(folder: Path) -> Path:
        return storage_files(make(folder))[0]

    return made


def renamed_files(folder: Path) -> Path:
    bag = split_bag(folder)
    for index, file in enumerate(storage_files(bag)):
        file.rename(bag / f"drive_{index}.mcap")
    return bag


def unlisted(content: Any) -> None:
    """As after a crash: the metadata was written at the last split."""
    content["relative_file_paths"] = content["relative_file_paths"][:2]
    content["files"] = content["files"][:2]


def no_counts(content: Any) -> None:
    content["message_count"] = 0
    content["topics_with_message_count"][0]["message_count"] = 0
    content["duration"] = {"nanoseconds": -1}
    content["starting_time"] = {"nanoseconds_since_epoch": 0}


def other_qos(content: Any) -> None:
    topic = content["topics_with_message_count"][0]["topic_metadata"]
    topic["offered_qos_profiles"] = topic["offered_qos_profiles"].replace("depth: 5", "depth: 7")


def qos_mapping(content: Any) -> None:
    """The form of the override file, which users paste here."""
    profile = {"history": "keep_last", "depth": 10, "reliability": "reliable", "durability": "volatile"}
    content["topics_with_message_count"][0]["topic_metadata"]["offered_qos_profiles"] = {TOPIC: profile}


def no_topics(content: Any) -> None:
    content["topics_with_message_count"] = []


def version_99(content: Any) -> None:
    content["version"] = 99


def no_identifier(content: Any) -> None:
    content["storage_identifier"] = ""


def wrong_compression(content: Any) -> None:
    content["compression_mode"], content["compression_format"] = "FILE", "zstd"


def text_numbers(content: Any) -> None:
    """As of a recorder with another word size."""
    content["duration"] = {"nanoseconds": "0x12"}


def broken_yaml(folder: Path) -> Path:
    bag = split_bag(folder)
    text = (bag / "metadata.yaml").read_bytes()
    (bag / "metadata.yaml").write_bytes(text[:200] + b"\x00\xff{[")
    return bag


def two_types(folder: Path) -> Path:
    """One topic with messages of two types, and publishers with two QoS profiles."""
    path = folder / "talk"
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        writes = [
            writer.add_connection(TOPIC, STRING, typestore=package_types(), offered_qos_profiles=profiles)
            for profiles in ([BEST_EFFORT], [])
        ]
        other = writer.add_connection(TOPIC, "std_msgs/msg/Empty", typestore=package_types())
        for number in ALL:
            writer.write(writes[number % 2], time_of(number), word(number))
            writer.write(other, time_of(number) + 1, b"\0\1\0\0\0")
    return path


def chunk_compressed(folder: Path) -> Path:
    path = folder / "talk"
    writer = Writer(path, version=8, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with writer:
        topic = writer.add_connection(TOPIC, STRING, typestore=package_types())
        for number in ALL:
            writer.write(topic, time_of(number), word(number))
    return path


FOLDER_KINDS: dict[str, Kind] = {
    "sqlite3: killed in WAL mode": Kind(lambda f: live_sqlite(f, "wal", 15), ALL[:15]),
    "sqlite3: everything in the log": Kind(lambda f: live_sqlite(f, "wal", in_log=True), ALL),
    "sqlite3: killed, hot rollback journal": Kind(lambda f: live_sqlite(f, "delete", 15), ALL[:15]),
    "sqlite3: empty log, stale index": Kind(stale_log, ALL),
    "metadata: file names": Kind(renamed_files, ALL),
    "metadata: older than the last files": Kind(edited(unlisted), ALL),
    "metadata: counts and durations": Kind(edited(no_counts), ALL),
    "metadata: counts and durations, sqlite3": Kind(edited(no_counts, "sqlite3"), ALL),
    "metadata: QoS": Kind(edited(other_qos), ALL),
    "metadata: QoS, sqlite3": Kind(edited(other_qos, "sqlite3"), ALL),
    "metadata: QoS as an override file": Kind(edited(qos_mapping), ALL),
    "metadata: no topics": Kind(edited(no_topics), ALL),
    "metadata: future version": Kind(edited(version_99), ALL),
    "metadata: no storage identifier": Kind(edited(no_identifier), ALL),
    "metadata: says compressed": Kind(edited(wrong_compression), ALL),
    "metadata: numbers as text": Kind(edited(text_numbers), ALL),
    "metadata: no YAML": Kind(broken_yaml, ALL, ""),
    "zstd by file, no metadata": Kind(lambda f: split_bag(f, "mcap", "file", False), ALL),
    "zstd by file, no metadata, sqlite3": Kind(lambda f: split_bag(f, "sqlite3", "file", False), ALL),
    "zstd by file, single file": Kind(single_file(lambda f: split_bag(f, "mcap", "file", False)), ALL[:PER_FILE]),
    "zstd by message, no metadata": Kind(lambda f: zstd_messages(f, "mcap"), ALL),
    "zstd by message, no metadata, sqlite3": Kind(lambda f: zstd_messages(f, "sqlite3"), ALL),
    "zstd, cut": Kind(changed(cut, compression="file"), OTHERS, "talk_1.mcap.zstd", True),
    "zstd, cut, sqlite3": Kind(changed(cut, storage="sqlite3", compression="file"), OTHERS, "talk_1.db3.zstd", True),
    "zstd, unpacked file incomplete": Kind(lambda f: unpacked_beside(f, "packed"), ALL),
    "zstd, packed file incomplete": Kind(lambda f: unpacked_beside(f, "unpacked"), ALL),
    "mcap: zeros inside": Kind(changed(zeroed_inside), OTHERS, "talk_1.mcap", True),
    "sqlite3: zeros inside": Kind(changed(zeroed_inside, storage="sqlite3"), OTHERS, "talk_1.db3", True),
    "one topic with two types and two QoS profiles": Kind(two_types, ALL),
    "mcap: chunks compressed": Kind(chunk_compressed, ALL),
}
for _name, (_change, _at_least, _words) in FILE_DAMAGE.items():
    for _storage in ("mcap", "sqlite3"):
        for _place, _index in (("first", 0), ("middle", 1), ("last", 3)):
            for _metadata in (True, False):
                _kept = [number for number in ALL if number // PER_FILE != _index]
                FOLDER_KINDS[f"{_storage}: {_place} file {_name}{'' if _metadata else ', no metadata'}"] = Kind(
                    changed(_change, _index, _storage, metadata=_metadata),
                    _kept,
                    f"talk_{_index}.*{_words}" if "|" not in _words else f"talk_{_index}.*({_words})",
                    _at_least,
                )
