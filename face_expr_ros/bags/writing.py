"""Writing of a rosbag2 bag in files that are each complete, so that an interrupted run can be resumed."""

from __future__ import annotations

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rosbags.interfaces import Connection, Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer

from face_expr_ros.bags import BagError
from face_expr_ros.bags.messages import definition, package_types

STORAGES = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}
UNFINISHED = ".partial"  # suffix of the folder of an incomplete bag
VERSION = 8  # of the metadata; readable by Humble and later distributions
_INFORMATION = "rosbag2_bagfile_information"
_INFINITE = QosTime(0, 0)


@dataclass(frozen=True)
class Topic:
    """A topic of a bag.

    Attributes:
        name, kind: "/faces", "face_expr_ros/msg/FaceArray".
        text, digest: definition and hash of the type.
        qos: QoS profiles offered by the publishers.
    """

    name: str
    kind: str
    text: str
    digest: str
    qos: tuple[Qos, ...]


def copied_topic(connection: Connection) -> Topic:
    """A topic of another bag, for copying."""
    text, digest = definition(connection)
    return Topic(connection.topic, connection.msgtype, text, digest, tuple(connection.ext.offered_qos_profiles))


def new_topic(name: str, kind: str, depth: int = 10, latched: bool = False) -> Topic:
    """A topic of a known message type; reliable, as the node publishes it."""
    text, _ = package_types().generate_msgdef(kind, ros_version=2)
    durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
    qos = Qos(
        QosHistory.KEEP_LAST, depth, QosReliability.RELIABLE, durability, _INFINITE, _INFINITE,
        QosLiveliness.AUTOMATIC, _INFINITE, False,
    )  # fmt: skip
    return Topic(name, kind, text, package_types().hash_rihs01(kind), (qos,))


class SplitWriter:
    """Writes a bag file by file in a folder beside ``out``, which is moved there when the bag is complete.

    Args:
        out: folder of the bag, which must not exist.
        storage: "mcap" or "sqlite3".
        topics: all topics of the bag.
        done: number of files completed by an earlier run; its later files are removed.

    Raises:
        BagError: another run is writing this bag, or the storage does not support the path.
    """

    def __init__(self, out: Path, storage: str, topics: list[Topic], done: int = 0) -> None:
        _check_path(out, storage)
        self._out, self._work = out, work_folder(out)
        self._storage = STORAGES[storage]
        self._topics = topics
        self.done = done
        self._writer: Writer | None = None
        self._connections: dict[tuple[str, str], Connection] = {}
        self._work.mkdir(parents=True, exist_ok=True)
        self._lock = (self._work / "lock").open("w")  # released when the process ends, even if killed
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise BagError(f"{str(out)!r} is being written by another run: wait for it, or stop it") from error
        for part in self._work.glob("part_*"):
            if int(part.name.removeprefix("part_")) >= done:
                shutil.rmtree(part)

    def write(self, topic: str, kind: str, time_ns: int, data: bytes) -> None:
        """Append a serialized message, recorded at ``time_ns``."""
        if self._writer is None:
            self._writer = self._open()
        self._writer.write(self._connections[topic, kind], time_ns, data)

    def split(self) -> None:
        """Complete the file; the next message starts a new one."""
        if self._writer is None:
            self._writer = self._open()
        self._writer.close()
        self._writer, self.done = None, self.done + 1

    def finish(self, notes: dict[str, str]) -> None:
        """Complete the bag, with ``notes`` as custom data of its metadata.

        Raises:
            BagError: ``out`` was created in the meantime.
        """
        if self._writer is not None or not self.done:
            self.split()
        parts = [self._part(number) for number in range(self.done)]
        metadata = _merged([_metadata(part) for part in parts])
        final = self._work / "complete"
        shutil.rmtree(final, ignore_errors=True)
        final.mkdir()
        for number, (part, file) in enumerate(zip(parts, metadata["files"], strict=True)):
            name = f"{self._out.name}_{number}{Path(file['path']).suffix}"
            _link_or_copy(part / file["path"], final / name)
            file["path"] = name
        metadata |= {"relative_file_paths": [file["path"] for file in metadata["files"]], "custom_data": notes}
        text = yaml.safe_dump({_INFORMATION: metadata}, sort_keys=False, default_flow_style=False)
        (final / "metadata.yaml").write_text(text, encoding="utf-8")
        if self._out.exists():
            raise BagError(f"{str(self._out)!r} was created in the meantime and is not overwritten")
        final.rename(self._out)
        shutil.rmtree(self._work)

    def abort(self) -> None:
        """Close the open file and release the lock; completed files are kept, an empty folder is removed."""
        if self._writer is not None:
            self._writer.abort()
            self._writer = None
        if not self.done:
            shutil.rmtree(self._work, ignore_errors=True)
        self._lock.close()

    def _open(self) -> Writer:
        writer = Writer(self._part(self.done), version=VERSION, storage_plugin=self._storage)
        writer.open()
        for topic in self._topics:
            self._connections[topic.name, topic.kind] = writer.add_connection(
                topic.name, topic.kind, msgdef=topic.text, rihs01=topic.digest, offered_qos_profiles=topic.qos
            )
        return writer

    def _part(self, number: int) -> Path:
        return self._work / f"part_{number:05d}"


def _check_path(out: Path, storage: str) -> None:
    """rosbags passes the path to SQLite as an unquoted URI: the database would be another file."""
    odd = sorted(set("?#%") & set(str(out.absolute())))
    if storage == "sqlite3" and odd:
        raise BagError(
            f"expected a path without {' '.join(odd)} for a sqlite3 bag, got {str(out.absolute())!r}: "
            "give another path, or --storage mcap"
        )


def _link_or_copy(source: Path, target: Path) -> None:
    """The source is kept, so that an interrupted run can be resumed."""
    try:
        os.link(source, target)
    except OSError:  # file systems of removable disks may not support hard links
        shutil.copyfile(source, target)


def work_folder(out: Path) -> Path:
    """The folder of a bag while it is incomplete."""
    return out.with_name(out.name + UNFINISHED)


def notes_of(bag: Path) -> dict[str, str]:
    """The custom data of a complete bag; empty if it was not written by this package."""
    try:
        return dict(_metadata(bag).get("custom_data") or {})
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError):
        return {}


def _metadata(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((folder / "metadata.yaml").read_text(encoding="utf-8"))[_INFORMATION]
    return content


def _merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The metadata of a bag of several files, from the metadata of each file."""
    files = [part["files"][0] for part in parts]
    full = [file for file in files if file["message_count"]] or files
    start = min(_start(file) for file in full)
    end = max(_start(file) + file["duration"]["nanoseconds"] for file in full)
    merged = dict(parts[0])
    merged["files"] = files
    merged["starting_time"] = {"nanoseconds_since_epoch": start}
    merged["duration"] = {"nanoseconds": end - start}
    merged["message_count"] = sum(part["message_count"] for part in parts)
    counts = [[topic["message_count"] for topic in part["topics_with_message_count"]] for part in parts]
    merged["topics_with_message_count"] = [
        {**topic, "message_count": sum(column)}
        for topic, column in zip(parts[0]["topics_with_message_count"], zip(*counts, strict=True), strict=True)
    ]
    return merged


def _start(file: dict[str, Any]) -> int:
    start: int = file["starting_time"]["nanoseconds_since_epoch"]
    return start
