"""Damaged bags: what can still be read, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rosbags.rosbag2 import StoragePlugin, Writer
from support.bag_files import (
    CAMERA_INFO,
    IMAGE,
    START_NS,
    STRING,
    BagFile,
    camera_info,
    header,
    moving,
    of_topic,
    raw,
    record,
)

from face_expr_ros.bags import BagError
from face_expr_ros.bags.annotate import annotate
from face_expr_ros.bags.export import export
from face_expr_ros.bags.job import Job
from face_expr_ros.bags.messages import FACE_ARRAY, UNKNOWN_HASH, cdr
from face_expr_ros.bags.reading import Recording
from face_expr_ros.bags.writing import work_folder

Image = NDArray[np.uint8]


@pytest.mark.parametrize(("storage", "share"), [("mcap", 0.55), ("sqlite3", 0.55)])
@pytest.mark.parametrize("metadata", [True, False], ids=["metadata", "no metadata"])
def test_truncated_bag_is_annotated_up_to_the_damage(
    portrait: Image, fresh: None, tmp_path: Path, storage: str, share: float, metadata: bool
) -> None:
    source = record(tmp_path / "a", portrait, 6, storage=storage).rename(tmp_path / "talk #1 ?")
    file = next(file for file in source.iterdir() if file.suffix != ".yaml")
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    if not metadata:
        (source / "metadata.yaml").unlink()
    result = annotate(Job(source, tmp_path / "b"), bar=False)
    assert 2 <= result["frames"] <= 4
    assert "is damaged: a." in result["damage"]
    assert "its end is missing" in result["damage"]
    assert len(of_topic(tmp_path / "b", "/faces")) == result["frames"]


def test_file_that_is_not_a_bag_is_refused(tmp_path: Path) -> None:
    for name in ("noise.mcap", "noise.db3"):
        (tmp_path / name).write_bytes(b"not a bag at all" * 100)
        with pytest.raises(BagError, match=r"nothing of .*noise.* can be read"):
            Recording(tmp_path / name)
    with pytest.raises(BagError, match=r"expected a rosbag2 folder or a \.mcap or \.db3 file, got '.*nowhere'"):
        Recording(tmp_path / "nowhere")


@pytest.mark.parametrize(("storage", "compression"), [("mcap", "none"), ("mcap", "storage"), ("sqlite3", "none")])
def test_corrupted_bytes_end_reading_or_raise_bag_error(tmp_path: Path, storage: str, compression: str) -> None:
    """Wherever they are: no other error than BagError, and no more messages than there were."""
    with BagFile(tmp_path / "good", storage, compression) as file:
        for number in range(20):
            file.write("/chatter", STRING, number, cdr(STRING, {"data": f"word {number}"}))
    good = next(path for path in (tmp_path / "good").iterdir() if path.suffix != ".yaml").read_bytes()
    random, read = np.random.default_rng(3), []
    for number in range(60):
        data = np.frombuffer(good, np.uint8).copy()
        data[random.integers(len(data), size=random.choice([1, 10]))] = random.integers(256)
        path = tmp_path / f"{number}.{'mcap' if storage == 'mcap' else 'db3'}"
        path.write_bytes(data[: None if number % 3 else random.integers(len(data))].tobytes())
        try:
            with Recording(path) as recording:
                read.append(len(list(recording.messages())))
        except BagError:
            read.append(-1)
    assert max(read) == 20
    assert min(read) == -1


def test_bad_images_are_counted_and_the_next_ones_are_processed(portrait: Image, fresh: None, tmp_path: Path) -> None:
    images = list(moving(portrait, 4))
    with BagFile(tmp_path / "a") as file:
        for number, image in enumerate(images):
            data = raw(image, header(number), "rgb7" if number == 1 else "bgr8")
            file.write("/image", IMAGE, number, data[:1000] if number == 2 else data)
    result = annotate(Job(tmp_path / "a", tmp_path / "b"), bar=False)
    assert (result["frames"], result["images_left_out"]) == (2, 2)
    assert "got 'rgb7'" in result["problem"]


def test_truncated_camera_info_is_reported_and_the_previous_one_kept(
    portrait: Image, fresh: None, tmp_path: Path
) -> None:
    with BagFile(tmp_path / "a") as file:
        for number in range(3):
            file.write("/image", IMAGE, number, raw(portrait, header(number)))
            info = camera_info(header(number))
            file.write("/camera_info", CAMERA_INFO, number + 0.1, info[:40] if number == 1 else info)
    result = annotate(Job(tmp_path / "a", tmp_path / "b"), bar=False)
    assert (result["frames"], result["images_left_out"]) == (3, 0)
    assert "a CameraInfo on /camera_info cannot be decoded and is ignored" in result["problem"]
    assert [array.faces[0].pose.metric for array in of_topic(tmp_path / "b", "/faces")] == [True] * 3


def only(path: Path, image: bytes, definition: str, storage: str = "mcap", time_ns: int = START_NS) -> Path:
    """A bag of one message on an image topic with this type definition."""
    with Writer(path, version=8, storage_plugin=StoragePlugin[storage.upper()]) as writer:
        images = writer.add_connection("/image", IMAGE, msgdef=definition, rihs01=UNKNOWN_HASH)
        writer.write(images, time_ns, image)
    return path


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_undefined_image_type_is_the_one_of_ros(portrait: Image, fresh: None, tmp_path: Path, storage: str) -> None:
    bag = only(tmp_path / "a", raw(portrait, header(0)), "", storage)
    assert annotate(Job(bag, tmp_path / "b"), bar=False)["faces"] == 1


@pytest.mark.parametrize("definition", ["string other\n", "this is { no definition", "uint32[ width\n"])
def test_bag_whose_images_have_another_type_is_refused(
    portrait: Image, fresh: None, tmp_path: Path, definition: str
) -> None:
    bag = only(tmp_path / "a", raw(portrait, header(0)), definition)
    with pytest.raises(BagError, match=r"no image of .* can be processed|the definition of .* cannot be parsed"):
        annotate(Job(bag, tmp_path / "b"), bar=False)
    assert not (tmp_path / "b").exists()
    assert not work_folder(tmp_path / "b").exists()


def test_part_without_images_and_unrepresentable_time_are_refused(portrait: Image, fresh: None, tmp_path: Path) -> None:
    bag = only(tmp_path / "a", raw(portrait, header(0)), "")
    with pytest.raises(BagError, match="can be processed: no message on /image in the selected part"):
        annotate(Job(bag, tmp_path / "b", start=5.0), bar=False)
    late = only(tmp_path / "late", raw(portrait, header(0)), "", time_ns=2**63)
    with pytest.raises(BagError, match=r"1 messages have invalid times \(expected 1970 to 2038\) and are left out"):
        annotate(Job(late, tmp_path / "b"), bar=False)


@pytest.mark.parametrize("note", ["[1]", "no JSON", "{}", '{"made_of": 1}'])
def test_bag_of_another_program_is_not_overwritten(portrait: Image, tmp_path: Path, note: str) -> None:
    bag = only(tmp_path / "a", raw(portrait, header(0)), "")
    (tmp_path / "b").mkdir()
    text = f"rosbag2_bagfile_information: {{custom_data: {{face_expr_ros: '{note}'}}}}"
    (tmp_path / "b/metadata.yaml").write_text(text)
    with pytest.raises(BagError, match="already exists and is not overwritten"):
        annotate(Job(bag, tmp_path / "b"), bar=False)


def test_truncated_face_message_is_counted_and_skipped(annotated: tuple[Path, dict[str, int]], tmp_path: Path) -> None:
    with Recording(annotated[0]) as recording, BagFile(tmp_path / "a") as file:
        for number, message in enumerate(recording.messages([recording.connection("/faces")])):
            file.write("/faces", FACE_ARRAY, number, bytes(message.data)[: 500 if number == 2 else None])
    result = export(tmp_path / "a", table=tmp_path / "a.csv", keys=tmp_path / "a.json")
    count = annotated[1]["frames"]
    assert (result["frames"], result["faces"], result["messages_left_out"]) == (count - 1, count - 1, 1)
    assert "Invalid sequence length" in result["problem"]
    assert len((tmp_path / "a.csv").read_text().splitlines()) == count


def test_file_system_without_hard_links_is_supported(
    portrait: Image, fresh: None, tmp_path: Path, monkeypatch: Any
) -> None:
    def link(*_: Any) -> None:
        raise PermissionError("no links")

    monkeypatch.setattr("os.link", link)
    bag = only(tmp_path / "a", raw(portrait, header(0)), "")
    annotate(Job(bag, tmp_path / "b"), bar=False)
    assert len(of_topic(tmp_path / "b", "/faces")) == 1


def test_sqlite_refuses_paths_that_it_would_misread(portrait: Image, fresh: None, tmp_path: Path) -> None:
    bag = only(tmp_path / "a", raw(portrait, header(0)), "")
    with pytest.raises(BagError, match=r"expected a path without # for a sqlite3 bag, got .* or --storage mcap"):
        annotate(Job(bag, tmp_path / "talk #1", storage="sqlite3"), bar=False)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert annotate(Job(bag, tmp_path / "talk #1"), bar=False)["frames"] == 1
