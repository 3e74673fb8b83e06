"""Annotation of recordings whose images are packets of a video."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rosbags.rosbag2 import StoragePlugin, Writer
from support.bag_files import CAMERA_INFO, camera_info, header, moving, of_topic, rows
from support.split_bags import time_of
from support.video_messages import GROUP, packets, video_message

from face_expr_ros.bags import BagError
from face_expr_ros.bags import annotate as annotating
from face_expr_ros.bags.annotate import annotate
from face_expr_ros.bags.job import Job
from face_expr_ros.bags.messages import COMPRESSED_IMAGE, UNKNOWN_HASH, package_types
from face_expr_ros.serialization.video_decoding import COMPRESSED_VIDEO, FFMPEG_PACKET

Image = NDArray[np.uint8]
COUNT = 10


def film(
    path: Path, portrait: Image, kind: str, codec: str = "h264", first: int = 0, topic: str = "/cam/video"
) -> Path:
    """A bag with a video of the moving portrait, from packet ``first``, and its CameraInfo."""
    pytest.importorskip("av")
    encoded = packets(moving(portrait, COUNT), {"h264": "libx264", "hevc": "libx265"}[codec])
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        video = writer.add_connection(topic, kind, typestore=package_types())
        info = writer.add_connection("/cam/camera_info", CAMERA_INFO, typestore=package_types())
        for number in range(first, COUNT):
            writer.write(info, time_of(number), camera_info(header(number)))
            writer.write(video, time_of(number), video_message(kind, number, encoded[number], codec))
    return path


@pytest.mark.parametrize(
    ("kind", "codec", "topic"),
    [
        (COMPRESSED_VIDEO, "h264", "/cam/video"),
        (COMPRESSED_VIDEO, "hevc", "/cam/video"),
        (FFMPEG_PACKET, "h264", "/cam/image/ffmpeg"),
        (COMPRESSED_IMAGE, "h264", "/cam/image/compressed"),
    ],
)
def test_packets_of_a_video_are_annotated(
    kind: str, codec: str, topic: str, portrait: Image, fresh: None, tmp_path: Path
) -> None:
    result = annotate(Job(film(tmp_path / "a", portrait, kind, codec, topic=topic), tmp_path / "b"), bar=False)
    assert (result["frames"], result["frames_with_face"], result["problem"]) == (COUNT, COUNT, "")
    faces = of_topic(tmp_path / "b", "/faces")
    assert [array.header.stamp.nanosec for array in faces] == [header(n)["stamp"]["nanosec"] for n in range(COUNT)]
    assert all(array.faces[0].pose.metric for array in faces)


def test_packets_before_the_first_key_frame_are_left_out(portrait: Image, fresh: None, tmp_path: Path) -> None:
    result = annotate(Job(film(tmp_path / "a", portrait, COMPRESSED_VIDEO, first=1), tmp_path / "b"), bar=False)
    assert (result["frames"], result["images_left_out"]) == (COUNT - GROUP, GROUP - 1)


def test_part_of_a_video_uses_the_key_frame_before_it(portrait: Image, fresh: None, tmp_path: Path) -> None:
    bag = film(tmp_path / "a", portrait, COMPRESSED_VIDEO)
    result = annotate(Job(bag, tmp_path / "b", start=6 / 15 - 0.01), bar=False)
    assert (result["frames"], result["images_left_out"]) == (COUNT - 6, 0)


def test_resumed_video_gives_the_same_bag(
    portrait: Image, fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag = film(tmp_path / "a", portrait, FFMPEG_PACKET)
    annotate(Job(bag, tmp_path / "whole", split=0.2), bar=False)
    process, remaining = annotating._Run._process, iter(range(13))

    def interrupted(run: Any, *given: Any) -> None:
        if next(remaining, None) is None:
            raise KeyboardInterrupt
        process(run, *given)

    monkeypatch.setattr(annotating._Run, "_process", interrupted)
    with pytest.raises(KeyboardInterrupt):
        annotate(Job(bag, tmp_path / "b", split=0.2), bar=False)
    monkeypatch.setattr(annotating._Run, "_process", process)
    assert annotate(Job(bag, tmp_path / "b", split=0.2), bar=False)["resumed_at"] > 0
    assert rows(tmp_path / "b") == rows(tmp_path / "whole")


def without_av(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def imported(name: str, *given: Any, **options: Any) -> Any:
        if name == "av":
            raise ImportError("No module named 'av'")
        return real(name, *given, **options)

    monkeypatch.setattr(builtins, "__import__", imported)


def packet_bag(path: Path, kind: str, codec: str = "h264") -> Path:
    """A bag with one packet, which is not decoded."""
    data = video_message(kind, 0, b"\0\0\1\x65", codec)
    with Writer(path, version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        topic = writer.add_connection("/cam/video", kind, msgdef="", rihs01=UNKNOWN_HASH)  # as of Humble
        writer.write(topic, time_of(0), data)
    return path


@pytest.mark.parametrize("kind", [COMPRESSED_VIDEO, FFMPEG_PACKET, COMPRESSED_IMAGE])
def test_without_pyav_the_topic_and_the_way_out_are_named(
    kind: str, fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag = packet_bag(tmp_path / "a", kind)
    without_av(monkeypatch)
    with pytest.raises(BagError, match=r"/cam/video is a video, which requires PyAV: run `pip install av`, or"):
        annotate(Job(bag, tmp_path / "b"), bar=False)
    assert not (tmp_path / "b").exists()


def test_unknown_codec_is_named(fresh: None, tmp_path: Path) -> None:
    pytest.importorskip("av")
    bag = packet_bag(tmp_path / "a", COMPRESSED_VIDEO, "mpeg2")
    with pytest.raises(BagError, match=r"expected a video in H\.264, H\.265, VP9 or AV1 on /cam/video, got 'mpeg2'"):
        annotate(Job(bag, tmp_path / "b"), bar=False)


def test_theora_is_refused_with_a_way_out(fresh: None, tmp_path: Path) -> None:
    with Writer(tmp_path / "a", version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        topic = writer.add_connection(
            "/cam/theora", "theora_image_transport/msg/Packet", msgdef="uint8[] data\n", rihs01=UNKNOWN_HASH
        )
        writer.write(topic, time_of(0), bytes(8))
    with pytest.raises(BagError, match=r"no image topic.*/cam/theora is a video in Theora.*image_transport republish"):
        annotate(Job(tmp_path / "a", tmp_path / "b"), bar=False)
