"""Broken and mixed recordings, one function per kind, and what can be read of each.

The functions make a bag of numbered texts in a folder (see `split_bags`) and return its path.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from face_expr_ros.bags.messages import package_types
from support.bag_files import BEST_EFFORT, STRING, BagFile
from support.broken_files import (
    FILE_DAMAGE,
    OTHERS,
    SECOND,
    Kind,
    changed,
    cut,
    edited,
    emptied,
    flipped_inside,
    zeroed,
    zeroed_inside,
)
from support.broken_sqlite import broken_topic, in_log, live_sqlite, stale_log, undefined_topic
from support.split_bags import (
    ALL,
    PER_FILE,
    TOPIC,
    split_bag,
    storage_files,
    time_of,
    word,
)


def zstd_messages(folder: Path, storage: str) -> Path:
    """A bag with messages compressed one by one and without metadata."""
    path = folder / "talk"
    with BagFile(path, storage, "message") as file:
        for number in ALL:
            file.write(TOPIC, STRING, number, word(number))
    (path / "metadata.yaml").unlink()
    return path


def damaged_zstd_messages(folder: Path) -> Path:
    """A bag with messages compressed one by one, of which the last is cut."""
    path = folder / "talk"
    with BagFile(path, "sqlite3", "message") as file:
        for number in ALL:
            file.write(TOPIC, STRING, number, word(number))
    with closing(sqlite3.connect(storage_files(path)[0])) as database:
        database.execute("UPDATE messages SET data = substr(data, 1, 12) WHERE id = ?", (len(ALL),))
        database.commit()
    return path


def unpacked_beside(folder: Path, keep: str) -> Path:
    """Compressed files, one of which is present unpacked as well, and one of the two is cut."""
    bag = split_bag(folder, "mcap", "file")
    packed = storage_files(bag)[1]
    from face_expr_ros.bags.storage.stored_file import zstd

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


def interleaved(folder: Path) -> Path:
    """Two files of one bag, recorded at the same time."""
    bag = folder / "talk"
    bag.mkdir()
    for index in range(2):
        with BagFile(folder / f"talk_{index}") as file:
            for number in ALL[index::2]:
                file.write(TOPIC, STRING, number, word(number))
        shutil.move(folder / f"talk_{index}/talk_{index}.mcap", bag)
    return bag


def file_of_another_bag(folder: Path) -> Path:
    """A file beside those that metadata.yaml lists; `ros2 bag` ignores it as well."""
    bag = split_bag(folder)
    shutil.copy(storage_files(bag)[0], bag / "backup.mcap")
    return bag


FOLDER_KINDS: dict[str, Kind] = {
    "listed file missing": Kind(changed(Path.unlink), OTHERS, "talk_1.mcap: it is missing"),
    "file missing, no metadata": Kind(changed(Path.unlink, metadata=False), OTHERS, "talk_1: it is missing between"),
    "files recorded at the same time": Kind(interleaved, ALL),
    "file of another bag": Kind(file_of_another_bag, ALL),
    "mcap named .db3": Kind(changed(lambda file: file.rename(file.with_suffix(".db3"))), ALL),
    "sqlite3 named .mcap": Kind(changed(lambda file: file.rename(file.with_suffix(".mcap")), storage="sqlite3"), ALL),
    "sqlite3: killed in WAL mode": Kind(lambda f: live_sqlite(f, "wal", 15), ALL[:15]),
    "sqlite3: everything in the log": Kind(lambda f: live_sqlite(f, "wal", in_log=True), ALL),
    "sqlite3: killed, hot rollback journal": Kind(lambda f: live_sqlite(f, "delete", 15), ALL[:15]),
    "sqlite3: everything in the log, database empty": Kind(lambda f: in_log(f, emptied), ALL),
    "sqlite3: everything in the log, database zeroed": Kind(lambda f: in_log(f, zeroed), ALL),
    "sqlite3: log damaged": Kind(
        lambda f: in_log(f, flipped_inside, "-wal"), ALL[:3], r"talk_0.db3-wal is damaged at frame \d+: \d+ trans", True
    ),
    "sqlite3: damaged entry of a topic": Kind(broken_topic, ALL, "talk_1.db3: the entry of topic 2 is damaged"),
    "sqlite3: messages of an undefined topic": Kind(
        undefined_topic, sorted([*OTHERS, *SECOND[:2]]), "talk_1.db3: 3 messages of undefined topics"
    ),
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
    "zstd by message, cut": Kind(damaged_zstd_messages, ALL[:-1], "1 messages on /words cannot be decompressed"),
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
