"""Annotation of recordings with images that are broken, mixed or have odd stamps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from support.bag_files import IMAGE, RATE, START_NS, STRING, BagFile, header, jpeg, moving, of_topic, raw, record, rows
from support.broken_files import cut, emptied
from support.damaged_recording import damaged_recording
from support.mcap_records import channel, ending, message, schema
from support.mcap_records import header as file_header
from support.split_bags import INFORMATION, read_metadata, storage_files

from face_expr_ros.bags import BagError
from face_expr_ros.bags.annotate import annotate
from face_expr_ros.bags.job import Job
from face_expr_ros.bags.many import jobs_of
from face_expr_ros.bags.messages import COMPRESSED_IMAGE, package_types
from face_expr_ros.bags.reading import Recording
from face_expr_ros.bags.writing import SplitWriter, copied_topic

Image = NDArray[np.uint8]
COUNT = 6


@pytest.mark.parametrize("damage", [emptied, cut])
def test_a_broken_file_of_a_split_bag_hides_no_other(
    damage: Callable[[Path], None], portrait: Image, fresh: None, tmp_path: Path
) -> None:
    """Three files of two images each, of which the second is broken."""
    with Recording(record(tmp_path / "whole", portrait, COUNT)) as recording:
        writer = SplitWriter(tmp_path / "talk", "mcap", [copied_topic(entry) for entry in recording.connections])
        for number, entry in enumerate(recording.messages()):
            writer.write(entry.connection.topic, entry.connection.msgtype, entry.time_ns, entry.data)
            if number in (5, 11):
                writer.split()
        writer.finish({})
        writer.abort()  # releases its lock
    damage(storage_files(tmp_path / "talk")[1])
    result = annotate(Job(tmp_path / "talk", tmp_path / "faces"), bar=False)
    assert result["frames"] in ((4,) if damage is emptied else (5,))
    assert "talk_1.mcap: " in result["damage"]
    stamps = [array.header.stamp.nanosec for array in of_topic(tmp_path / "faces", "/faces")]
    kept = [0, 1, *([2] if damage is cut else []), 4, 5]
    assert stamps == [number * 1_000_000_000 // RATE for number in kept]
    again = annotate(Job(tmp_path / "talk", tmp_path / "faces"), bar=False)
    assert (again["done_before"], again["damage"]) == (True, result["damage"])


def test_images_beside_foreign_channels_are_annotated(portrait: Image, fresh: None, tmp_path: Path) -> None:
    """As of a recorder that stores ROS 2 messages and its own JSON notes; `ros2 bag` refuses such a file."""
    definition, _ = package_types().generate_msgdef(IMAGE, ros_version=2)
    data = file_header("") + schema(1, IMAGE, "ros2msg", definition) + channel(1, 1, "/image")
    data += schema(2, "Note", "jsonschema", "{}") + channel(2, 2, "/notes", "json")
    for number, image in enumerate(moving(portrait, 3)):
        data += message(2, START_NS + number, b"{}") + message(1, START_NS + number, raw(image, header(number)))
    (tmp_path / "talk.mcap").write_bytes(data + ending(data))
    result = annotate(Job(tmp_path / "talk.mcap", tmp_path / "faces"), bar=False)
    assert (result["frames"], result["messages_in"], result["damage"]) == (3, 3, "")
    assert result["left_out"] == {"/notes": "expected ROS 2 messages (encoding 'cdr'), got 'json'"}
    topics = {row[0] for row in rows(tmp_path / "faces")}
    assert "/image" in topics
    assert "/notes" not in topics


SECOND = 1_000_000_000
STAMPS: dict[str, Callable[[int], int]] = {
    "swapped": lambda number: START_NS + (number ^ 1) * SECOND // RATE,
    "zero": lambda number: 0,
    "zero now and then": lambda number: START_NS + number * SECOND // RATE if number % 3 else 0,
    "standing still": lambda number: START_NS,
    "since the start of the camera": lambda number: number * SECOND // RATE,
    "before 1970": lambda number: -5 * SECOND + number * SECOND // RATE,
    "beyond 2038": lambda number: 2**31 * SECOND - SECOND + number * SECOND // RATE,
}


def at(stamp_ns: int) -> dict[str, Any]:
    seconds, nanoseconds = divmod(stamp_ns, SECOND)
    return {"stamp": {"sec": min(seconds, 2**31 - 1), "nanosec": nanoseconds}, "frame_id": "lens"}


@pytest.mark.parametrize("name", STAMPS)
@pytest.mark.parametrize("arrival", ["recorded when received", "recorded at one time"])
def test_stamps_of_drivers_give_one_track(
    name: str, arrival: str, portrait: Image, fresh: None, tmp_path: Path
) -> None:
    with BagFile(tmp_path / "talk") as file:
        for number, image in enumerate(moving(portrait, COUNT)):
            when = number if arrival == "recorded when received" else 0
            file.write("/image/compressed", COMPRESSED_IMAGE, when, jpeg(image, at(STAMPS[name](number))))
    result = annotate(Job(tmp_path / "talk", tmp_path / "faces"), bar=False)
    assert (result["frames"], result["images_left_out"], result["problem"]) == (COUNT, 0, "")
    assert len(result["ids"]) == 1
    assert len(of_topic(tmp_path / "faces", "/faces")) == COUNT


def test_image_whose_stamp_is_no_time_is_left_out(portrait: Image, fresh: None, tmp_path: Path) -> None:
    with BagFile(tmp_path / "talk") as file:
        for number, nanoseconds in enumerate((0, 4_000_000_000)):
            head = {"stamp": {"sec": 2**31 - 1, "nanosec": nanoseconds}, "frame_id": "lens"}
            file.write("/image/compressed", COMPRESSED_IMAGE, number, jpeg(portrait, head))
    result = annotate(Job(tmp_path / "talk", tmp_path / "faces"), bar=False)
    assert (result["frames"], result["images_left_out"]) == (1, 1)
    assert "expected a stamp before 2038" in result["problem"]


def test_every_second_image_missing_or_damaged_keeps_the_track(portrait: Image, fresh: None, tmp_path: Path) -> None:
    """Of 16 images a quarter each is missing, cut, swapped with its neighbor and intact."""
    with BagFile(tmp_path / "talk") as file:
        for number, image in enumerate(moving(portrait, 16)):
            data = jpeg(image, header(number))
            if number % 4 == 1:
                data = data[: len(data) // 2]
            if number % 4 != 0:
                file.write("/image/compressed", COMPRESSED_IMAGE, number ^ (number % 4 > 1), data)
    result = annotate(Job(tmp_path / "talk", tmp_path / "faces"), bar=False)
    assert (result["frames"], result["images_left_out"], len(result["ids"])) == (8, 4, 1)


@pytest.mark.slow
def test_half_of_a_long_recording_damaged_keeps_the_track(portrait: Image, fresh: None, tmp_path: Path) -> None:
    """720p images at 10 Hz, see `damaged_recording`; docs/recordings.md has the figures of ten minutes at 30 Hz."""
    truth = damaged_recording(tmp_path / "talk", portrait, seconds=20.0, rate=10)
    result = annotate(Job(tmp_path / "talk", tmp_path / "faces"), bar=False)
    assert result["messages_in"] == result["frames"] + result["images_left_out"] == 199 - truth.missing
    assert truth.intact <= result["frames"] <= truth.intact + truth.noisy
    assert truth.cut <= result["images_left_out"] <= truth.cut + truth.noisy
    assert "talk_9.mcap: its end is missing" in result["damage"]
    assert len(result["ids"]) == 1
    assert result["frames_with_face"] >= 0.98 * truth.intact


def test_ros1_bags_are_named_in_a_folder_of_recordings(portrait: Image, tmp_path: Path) -> None:
    record(tmp_path / "in/talk", portrait, 1)
    (tmp_path / "in/old.bag").write_bytes(b"#ROSBAG V2.0\n")
    jobs = jobs_of(Job(tmp_path / "in", tmp_path / "out"))
    assert [job.source.name for job in jobs] == ["old.bag", "talk"]
    with pytest.raises(BagError, match=r"rosbags-convert --src old\.bag --dst old"):
        annotate(jobs[0], bar=False)


def test_result_of_a_damaged_recording_is_in_the_new_bag(portrait: Image, fresh: None, tmp_path: Path) -> None:
    bag = record(tmp_path / "talk", portrait, 4)
    cut(storage_files(bag)[0])
    result = annotate(Job(bag, tmp_path / "faces"), bar=False)
    notes = read_metadata(tmp_path / "faces")["custom_data"]["face_expr_ros"]
    assert json.loads(notes)["result"]["damage"] == result["damage"] != ""
    assert yaml.safe_load((tmp_path / "faces/metadata.yaml").read_text())[INFORMATION]["version"] == 8
    assert STRING in {topic["topic_metadata"]["type"] for topic in read_metadata(bag)["topics_with_message_count"]}
