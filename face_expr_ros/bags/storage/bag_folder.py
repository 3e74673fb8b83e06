"""The storage files of a bag, and what metadata.yaml adds to them.

The files themselves state topics, times and counts; metadata.yaml may be missing, edited or outdated. It is used for
the QoS profiles, which users edit there, and for the hashes of the types, which old mcap files do not contain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import yaml
from rosbags.interfaces import Qos

from face_expr_ros.bags.storage.opening import is_intact
from face_expr_ros.bags.storage.stored_file import qos_of

SUFFIXES = (".mcap", ".db3")
COMPRESSED = (".zstd", ".zst")
_ROS1 = ".bag"


@dataclass
class Metadata:
    """The parts of a metadata.yaml that are used.

    Attributes:
        files: names of the storage files.
        qos: topic -> QoS profiles.
        digests: (topic, type) -> hash of the type.
    """

    files: list[str] = field(default_factory=list)
    qos: dict[str, list[Qos]] = field(default_factory=dict)
    digests: dict[tuple[str, str], str] = field(default_factory=dict)


def read_metadata(bag: Path) -> Metadata:
    """The metadata of a bag, as far as they can be read."""
    found = Metadata()
    try:
        content = yaml.safe_load((bag / "metadata.yaml").read_text(encoding="utf-8"))["rosbag2_bagfile_information"]
        found.files = [PurePath(str(name)).name for name in content.get("relative_file_paths") or []]
        for entry in content.get("topics_with_message_count") or []:
            _add_topic(found, entry["topic_metadata"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError):
        pass
    return found


def _add_topic(found: Metadata, topic: dict[str, Any]) -> None:
    if profiles := qos_of(topic.get("offered_qos_profiles")):
        found.qos[topic["name"]] = profiles
    if digest := topic.get("type_description_hash"):
        found.digests[topic["name"], topic["type"]] = str(digest)


def storage_files(path: Path) -> list[Path]:
    """The storage files at a path: the file itself, or those in a folder, in the order of their numbers."""
    if path.is_file():
        return [path] if _plain_name(path).endswith((*SUFFIXES, _ROS1)) else []
    if not path.is_dir():
        return []
    return sorted((file for file in path.iterdir() if _plain_name(file).endswith(SUFFIXES)), key=_number)


def is_bag(path: Path) -> bool:
    """Whether a path is a bag, complete or not: a folder with the storage files of one bag, or a storage file."""
    files = storage_files(path)
    if path.is_file() or (path / "metadata.yaml").is_file():
        return bool(files)
    return len({_number(file)[0] for file in files}) == 1 and not any(entry.is_dir() for entry in path.iterdir())


def selected_files(path: Path, metadata: Metadata) -> tuple[list[Path], list[str]]:
    """The files to read, and sentences on those that are missing.

    Files that metadata.yaml does not list are read if they are numbered as listed ones, or if listed ones are missing.
    Of a file that is also present decompressed, one is read.
    """
    files = _without_copies(storage_files(path))
    names = {_plain_name(file) for file in files}
    listed = [_plain_name(Path(name)) for name in metadata.files]
    missing = [name for name in listed if name not in names]
    if not path.is_dir():
        return files, []
    if not listed:
        return files, _gaps(files)
    if not missing:
        series = {_number(Path(name))[0] for name in listed}
        return [file for file in files if _number(file)[0] in series], []
    renamed = len(files) >= len(listed)
    return files, [] if renamed else [f"{name}: it is missing, but listed in metadata.yaml" for name in missing]


def _gaps(files: list[Path]) -> list[str]:
    """Sentences on numbers that are missing between those of the files; rosbag2 counts from 0."""
    numbers: dict[str, list[int]] = {}
    for file in files:
        name, number, _ = _number(file)
        numbers.setdefault(name, []).append(number)
    return [
        f"{name}_{number}: it is missing between the other files"
        for name, found in numbers.items()
        if 0 in found
        for number in range(max(found))
        if number not in found
    ]


def _without_copies(files: list[Path]) -> list[Path]:
    """The files, without one of each pair of a compressed file and its decompressed copy.

    The copy is incomplete if `ros2 bag play` was killed, the compressed file if the recorder was.
    """
    packed = {_plain_name(file): file for file in files if file.suffix in COMPRESSED}
    pairs = {file: packed[file.name] for file in files if file.name in packed}
    removed = {plain if is_intact(compressed) else compressed for plain, compressed in pairs.items()}
    return [file for file in files if file not in removed]


def _plain_name(file: Path) -> str:
    """The name without the suffix of a compression."""
    return file.name.removesuffix(file.suffix) if file.suffix in COMPRESSED else file.name


def plain_stem(file: Path) -> str:
    """The name without the suffixes of the storage and of a compression."""
    return Path(_plain_name(file)).stem


def _number(file: Path) -> tuple[str, int, str]:
    """Sort key: rosbag2 numbers the files of a bag, name_0.mcap ... name_10.mcap."""
    stem = plain_stem(file)
    name, _, number = stem.rpartition("_")
    return (name, int(number), file.name) if number.isdecimal() else (stem, -1, file.name)
