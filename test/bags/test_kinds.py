"""Recordings as they come from power cuts, mixed recorders and editors: what is read of each kind."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from support.broken_bags import FOLDER_KINDS
from support.broken_files import flipped_header, pointer, zeroed
from support.broken_sqlite import in_log, live_sqlite
from support.mcap_records import channel, ending, header, message, record, schema, statistics, string
from support.mixed_mcap import FOREIGN, MCAP_KINDS, OPENING, words
from support.split_bags import ALL, numbers, split_bag, storage_files, time_of

from face_expr_ros.bags import BagError
from face_expr_ros.bags.reading import Recording

KINDS = FOLDER_KINDS | MCAP_KINDS


def content(folder: Path) -> dict[str, str]:
    """The files of a folder and their hashes."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


@pytest.mark.parametrize("name", KINDS)
def test_intact_messages_are_read_and_the_damage_is_named(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    path = kind.make(tmp_path)
    folder = path if path.is_dir() else path.parent
    before = content(folder)
    with Recording(path) as recording:
        read = numbers(recording)
        assert numbers(recording) == read
        damage = recording.damage
    assert read == kind.numbers or (kind.at_least and set(kind.numbers) <= set(read) and read == sorted(read))
    assert bool(damage) == bool(kind.damage)
    assert re.search(kind.damage, damage)
    assert content(folder) == before, "a recording is never written to"


def test_messages_of_a_time_span_are_those_of_the_whole(tmp_path: Path) -> None:
    """The bounds are inclusive and exclusive, for indexed, unindexed and sqlite3 files."""
    for name in ("no chunks, no index, swapped messages", "chunks without index, backwards", "metadata: QoS, sqlite3"):
        folder = tmp_path / re.sub(r"\W", "_", name)
        folder.mkdir()
        with Recording(KINDS[name].make(folder)) as recording:
            times = [message.time_ns for message in recording.messages((), time_of(4), time_of(13))]
            assert times == [time_of(number) for number in range(4, 13)]
            assert (recording.start_ns, recording.end_ns) == (time_of(0), time_of(ALL[-1]))
            assert recording.message_count == len(ALL)


def test_equal_times_keep_the_order_of_writing(tmp_path: Path) -> None:
    data = b"".join(message(1, time_of(0), words([number])[31:]) for number in ALL)
    (tmp_path / "talk.mcap").write_bytes(header() + OPENING + data + ending(header() + OPENING + data))
    with Recording(tmp_path / "talk.mcap") as recording:
        assert numbers(recording) == ALL


def test_time_zero_does_not_count_for_the_start(tmp_path: Path) -> None:
    with Recording(MCAP_KINDS["before the first clock message"].make(tmp_path)) as recording:
        assert recording.start_ns == time_of(0)


def test_foreign_channels_are_left_out_by_name(tmp_path: Path) -> None:
    with Recording(MCAP_KINDS["JSON, Protobuf, ROS 1 and schemaless channels"].make(tmp_path)) as recording:
        assert recording.left_out.keys() == FOREIGN.keys()
        assert recording.left_out["/json"] == "expected ROS 2 messages (encoding 'cdr'), got 'json'"
        with pytest.raises(BagError, match=r"/json of .* cannot be read: expected ROS 2 messages"):
            recording.connection("/json")


def test_edited_qos_is_used(tmp_path: Path) -> None:
    with Recording(FOLDER_KINDS["metadata: QoS"].make(tmp_path)) as recording:
        assert [qos.depth for qos in recording.connection("/words").ext.offered_qos_profiles] == [7]


def test_damaged_log_is_read_up_to_the_damage_and_the_rest_is_counted(tmp_path: Path) -> None:
    with Recording(FOLDER_KINDS["sqlite3: log damaged"].make(tmp_path)) as recording:
        lost = re.search(r"(\d+) transactions are lost", recording.damage)
        assert lost is not None
        assert numbers(recording) == ALL[: len(ALL) - int(lost[1])]  # one message per transaction


@pytest.mark.parametrize(
    ("change", "suffix", "reason"),
    [
        (Path.unlink, "-wal", "expected the tables of a rosbag2 recording; .* in talk_0.db3-wal, which is missing"),
        (flipped_header, "-wal", "expected the tables of a rosbag2 recording; the header of its log talk_0.db3-wal is"),
    ],
)
def test_lost_log_is_named(change: Callable[[Path], object], suffix: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(BagError, match=reason):
        Recording(in_log(tmp_path, change, suffix))


def test_foreign_channel_on_a_topic_of_ros_is_named(tmp_path: Path) -> None:
    opening = OPENING + schema(2, "Note", "jsonschema", "{}") + channel(2, 2, "/words", "json")
    data = header() + opening + words(ALL) + message(2, time_of(0), b"{}")
    (tmp_path / "talk.mcap").write_bytes(data + ending(data))
    with Recording(tmp_path / "talk.mcap") as recording:
        assert numbers(recording) == ALL
        assert "talk.mcap: messages on /words beside those of ROS 2 are left out: expected" in recording.damage


@pytest.mark.parametrize("is_indexed", [True, False])
def test_attachments_are_left_out_by_name(is_indexed: bool, tmp_path: Path) -> None:
    attachment = record(0x09, bytes(16) + string("lens.txt") + string("text/plain") + bytes(8 + 4))
    summary = statistics(0, 1, 1, 0, 0, 0, attachments=1)
    data = header() + OPENING + attachment
    (tmp_path / "talk.mcap").write_bytes(data + ending(data, OPENING + summary if is_indexed else b""))
    with Recording(tmp_path / "talk.mcap") as recording:
        assert recording.left_out == {"attachments": "only messages are read, not the 1 attached files"}


def ros1_mcap(folder: Path) -> Path:
    data = schema(1, "std_msgs/String", "ros1msg", "string data\n") + channel(1, 1, "/words", "ros1")
    data = header("ros1") + data + message(1, time_of(0), b"\x01\0\0\0a")
    (folder / "talk.mcap").write_bytes(data + ending(data))
    return folder / "talk.mcap"


def ros1_bag(folder: Path) -> Path:
    (folder / "talk.bag").write_bytes(b"#ROSBAG V2.0\n" + bytes(4096))
    return folder / "talk.bag"


def all_lost(folder: Path) -> Path:
    bag = split_bag(folder)
    for file in storage_files(bag):
        zeroed(file)
    return bag


def only_pointer(folder: Path) -> Path:
    bag = split_bag(folder)
    for file in storage_files(bag):
        pointer(file)
    return bag


REFUSED = {
    "ROS 1 bag": (ros1_bag, r"convert it with `rosbags-convert --src talk\.bag --dst talk`"),
    "ROS 1 in mcap": (ros1_mcap, "has no topic of ROS 2: /words: .* got 'ros1'.*rosbags-convert --src"),
    "all files zeroed": (all_lost, "nothing of .*talk.* can be read: talk_0.mcap: expected the signature"),
    "all files are Git LFS pointers": (only_pointer, "run `git lfs pull`"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_recordings_without_ros_2_messages_are_refused(name: str, tmp_path: Path) -> None:
    make, reason = REFUSED[name]
    with pytest.raises(BagError, match=reason):
        Recording(make(tmp_path))


@pytest.mark.parametrize(("journal", "companion"), [("wal", "-wal"), ("delete", "-journal")])
def test_log_of_a_killed_recorder_is_not_empty(journal: str, companion: str, tmp_path: Path) -> None:
    """Otherwise the kinds above would test nothing."""
    bag = live_sqlite(tmp_path, journal, 15)
    assert (bag / f"talk_0.db3{companion}").stat().st_size > 4096
