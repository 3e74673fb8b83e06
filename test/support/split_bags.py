"""Split bags of numbered texts for tests, without ROS."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from face_expr_ros.bags.messages import cdr, types_of
from face_expr_ros.bags.reading import Recording
from support.bag_files import LATCHED, RATE, START_NS, STRING, BagFile

FILES, PER_FILE = 4, 5  # files of a bag, messages of a file
TOPIC = "/words"
ALL = list(range(FILES * PER_FILE))
INFORMATION = "rosbag2_bagfile_information"


def word(number: int) -> bytes:
    """The serialized message of a number, of 40 kB that cannot be compressed to a few bytes."""
    return cdr(STRING, {"data": f"{number} {random.Random(number).randbytes(20_000).hex()}"})


def time_of(number: int) -> int:
    return START_NS + number * 1_000_000_000 // RATE


def split_bag(folder: Path, storage: str = "mcap", compression: str = "none", metadata: bool = True) -> Path:
    """A bag of `FILES` files with the messages `ALL`; its files are talk_0, talk_1, and so on."""
    bag = folder / "talk"
    bag.mkdir(parents=True)
    parts = []
    for index in range(FILES):
        part = folder / "parts" / f"talk_{index}"
        with BagFile(part, storage, compression) as file:
            for number in range(index * PER_FILE, (index + 1) * PER_FILE):
                file.write(TOPIC, STRING, number, word(number), LATCHED)
        parts.append(read_metadata(part))
        for entry in part.iterdir():
            if entry.name != "metadata.yaml":
                shutil.move(entry, bag / entry.name)
    merged = parts[0] | {
        "relative_file_paths": [name for part in parts for name in part["relative_file_paths"]],
        "files": [file for part in parts for file in part["files"]],
        "message_count": len(ALL),
        "duration": {"nanoseconds": time_of(ALL[-1]) - START_NS},
    }
    merged["topics_with_message_count"][0]["message_count"] = len(ALL)
    if metadata:
        write_metadata(bag, merged)
    shutil.rmtree(folder / "parts")
    return bag


def storage_files(bag: Path) -> list[Path]:
    return sorted(file for file in bag.iterdir() if file.name != "metadata.yaml")


def read_metadata(bag: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((bag / "metadata.yaml").read_text())[INFORMATION]
    return content


def write_metadata(bag: Path, content: Any) -> None:
    (bag / "metadata.yaml").write_text(yaml.safe_dump({INFORMATION: content}, sort_keys=False))


def numbers(recording: Recording, topics: Iterable[str] = (TOPIC,)) -> list[int]:
    """The numbers of all messages of these topics that can be read, in the order of reading."""
    selected = [entry for entry in recording.connections if entry.topic in topics and entry.msgtype == STRING]
    found = []
    for message in recording.messages(selected) if selected else ():
        value: Any = types_of(message.connection).deserialize_cdr(message.data, message.connection.msgtype)
        found.append(int(value.data.split()[0]))
    return found
