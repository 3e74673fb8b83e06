"""Contents of an annotated bag."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from support.bag_files import (
    CAMERA_INFO,
    COUNT,
    IMAGE,
    LATCHED,
    RATE,
    START_NS,
    STRING,
    BagFile,
    camera_info,
    header,
    of_topic,
    raw,
    record,
    rows,
)  # fmt: skip

from face_expr_ros.bags import BagError
from face_expr_ros.bags.annotate import annotate
from face_expr_ros.bags.drawings import DrawingOptions
from face_expr_ros.bags.job import Job
from face_expr_ros.bags.messages import FACE_ARRAY, FACE_MODEL, TF, cdr, package_types
from face_expr_ros.bags.reading import Recording
from face_expr_ros.bags.writing import SplitWriter
from face_expr_ros.cli import face_expr
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.settings import from_mapping

Image = NDArray[np.uint8]


def test_images_have_faces_and_recorded_messages_are_copied(bag: Path, annotated: tuple[Path, dict[str, Any]]) -> None:
    out, result = annotated
    assert (result["messages_in"], result["frames"], result["faces"]) == (3 * COUNT, COUNT, COUNT)
    assert result["ids"] == ["f1"]
    copied = [row for row in rows(out) if row[0] in ("/camera/image", "/camera/camera_info", "/chatter")]
    assert copied == rows(bag)
    arrays = of_topic(out, "/faces")
    stamps = [(array.header.stamp.sec * 10**9 + array.header.stamp.nanosec) for array in arrays]
    assert stamps == [START_NS + number * 10**9 // RATE for number in range(COUNT)]
    assert {array.header.frame_id for array in arrays} == {"lens"}
    assert all(array.faces[0].pose.metric for array in arrays), "the first CameraInfo is used from the first image on"
    assert [face.face_id for face in of_topic(out, "/pose")] == ["f1"] * COUNT
    assert len(of_topic(out, "/shape")) == len(of_topic(out, "/expression")) == len(of_topic(out, "/tf")) == COUNT


def test_annotated_bag_defines_its_message_types(annotated: tuple[Path, dict[str, Any]]) -> None:
    with Recording(annotated[0]) as recording:
        faces, model = recording.connection("/faces"), recording.connection("/face_model")
        assert "MSG: face_expr_ros/Face" in faces.msgdef.data
        assert faces.digest == package_types().hash_rihs01(FACE_ARRAY)
        assert model.ext.offered_qos_profiles[0].durability.name == "TRANSIENT_LOCAL"
        assert (model.msgtype, model.msgcount) == (FACE_MODEL, 1)
        assert recording.connection("/chatter").msgcount == COUNT
        images = recording.connection("/camera/image")
        assert images.ext.offered_qos_profiles[0].reliability.name == "BEST_EFFORT"


def test_ros_deserializes_the_faces_of_the_bag(annotated: tuple[Path, dict[str, Any]]) -> None:
    from face_expr_ros.msg import FaceArray
    from rclpy.serialization import deserialize_message

    from face_expr_ros.ros.face_states import face_states

    with Recording(annotated[0]) as recording:
        data = [m.data for m in recording.messages([recording.connection("/faces")])]
    states = [face_states(deserialize_message(part, FaceArray)) for part in data]
    assert 0.4 < states[-1][0].pose.position[2] < 0.8  # meters; the portrait was 0.6 m away
    assert len(states[-1][0].blendshapes.names) == 52


@pytest.mark.parametrize(
    ("storage", "compression", "transport"),
    [("sqlite3", "none", "raw"), ("sqlite3", "message", "compressed"), ("mcap", "storage", "raw"),
     ("sqlite3", "file", "compressed")],
)  # fmt: skip
def test_storage_and_compression_formats_are_read(
    portrait: Image, fresh: None, tmp_path: Path, storage: str, compression: str, transport: str
) -> None:
    source = record(tmp_path / "a", portrait, 3, transport, storage=storage, compression=compression)
    result = annotate(Job(source, tmp_path / "b", storage="sqlite3", drawings=DrawingOptions(rate=0.0)), bar=False)
    assert (result["messages_in"], result["frames"], result["faces"], result["damage"]) == (9, 3, 3, "")
    assert len(rows(tmp_path / "b")) == 9 + 1 + 3 * 6


def test_part_of_a_bag_is_annotated(bag: Path, fresh: None, tmp_path: Path) -> None:
    result = annotate(Job(bag, tmp_path / "part", start=0.2, stop=0.4), bar=False)
    times = [time_ns for _, time_ns, _ in rows(tmp_path / "part")]
    assert result["frames"] == 3
    assert min(times) - START_NS >= 0.2e9
    assert max(times) - START_NS < 0.4e9
    assert result["recorded_seconds"] == pytest.approx(0.2, abs=1e-6)


def static_transform(child: str, x: float) -> bytes:
    transform = {"translation": {"x": x, "y": 0.0, "z": 0.0}, "rotation": {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0}}
    return cdr(TF, {"transforms": [{"header": header(0), "child_frame_id": child, "transform": transform}]})


def test_latched_messages_are_repeated_at_the_start_of_a_part(portrait: Image, fresh: None, tmp_path: Path) -> None:
    """All transforms, the last message of other latched topics, and none of topics that are not latched."""
    transforms = [static_transform(*given) for given in (("arm", 1.0), ("arm", 1.0), ("leg", 2.0))]
    maps = [cdr(STRING, {"data": text}) for text in ("old map", "map")]
    with BagFile(tmp_path / "a") as file:
        for number, data in enumerate(transforms):
            file.write("/tf_static", TF, number, data, LATCHED)
        for number, data in enumerate(maps):
            file.write("/map", STRING, number + 0.5, data, LATCHED)
        for number in range(6):
            file.write("/chatter", STRING, number + 0.2, maps[0])
            file.write("/image", IMAGE, number, raw(portrait, header(number)), LATCHED)
    result = annotate(Job(tmp_path / "a", tmp_path / "b", start=3.9 / RATE), bar=False)
    assert result["frames"] == 2
    with Recording(tmp_path / "b") as recording:
        topics = ("/tf_static", "/map", "/chatter")
        copied = [(m.connection.topic, m.time_ns, m.data) for m in recording.messages() if m.connection.topic in topics]
    start_ns = START_NS + round(3.9e9 / RATE)
    assert copied[:3] == [
        ("/tf_static", start_ns, transforms[1]), ("/map", start_ns, maps[1]), ("/tf_static", start_ns, transforms[2])
    ]  # fmt: skip
    assert [topic for topic, _, _ in copied[3:]] == ["/chatter", "/chatter"]


def test_changed_camera_info_is_used_from_its_time_on(portrait: Image, fresh: None, tmp_path: Path) -> None:
    """Twice the focal length: the face is twice as far away."""
    with BagFile(tmp_path / "a") as file:
        for number in range(6):
            file.write("/image", IMAGE, number, raw(portrait, header(number)))
            focal = 1160.0 if number >= 2 else 580.0
            file.write("/camera_info", CAMERA_INFO, number + 0.1, camera_info(header(number), focal))
    config = from_mapping(PerceptionConfig, {})
    annotate(Job(tmp_path / "a", tmp_path / "b", config), bar=False)
    distances = [array.faces[0].pose.pose.position.z for array in of_topic(tmp_path / "b", "/faces")]
    assert distances[2] < 1.1 * distances[0]
    assert distances[-1] > 1.3 * distances[0]


def test_one_of_several_image_topics_must_be_selected(portrait: Image, tmp_path: Path) -> None:
    with BagFile(tmp_path / "a") as file:
        for topic in ("/left/image", "/right/image"):
            file.write(topic, IMAGE, 0, raw(portrait, header(0)))
        file.write("/chatter", STRING, 1, cdr(STRING, {"data": "hello"}))
    expected: dict[str | None, str] = {
        None: "several image topics, select one with --topic: /left/image, /right/image",
        "/up/image": "has no topic '/up/image'; it has /chatter, /left/image, /right/image",
        "/chatter": r"expected an image topic \(/left/image, /right/image\), got /chatter with std_msgs/msg/String",
    }
    for given, words in expected.items():
        with pytest.raises(BagError, match=words):
            annotate(Job(tmp_path / "a", tmp_path / "b", topic=given), bar=False)


def test_existing_face_topics_are_not_mixed_with_new_ones(
    annotated: tuple[Path, dict[str, Any]], fresh: None, tmp_path: Path
) -> None:
    with pytest.raises(BagError, match="already has a topic '/faces': give --namespace"):
        annotate(Job(annotated[0], tmp_path / "b"), bar=False)
    result = annotate(Job(annotated[0], tmp_path / "b", namespace="/again"), bar=False)
    once, twice = of_topic(tmp_path / "b", "/faces"), of_topic(tmp_path / "b", "/again/faces")
    assert result["frames"] == len(once) == len(twice)
    assert of_topic(tmp_path / "b", "/tf") != []


def test_command_writes_its_result_as_json(bag: Path, fresh: None, tmp_path: Path) -> None:
    arguments = ["annotate", str(bag), str(tmp_path / "out"), "--to", "0.2", "--json", str(tmp_path / "result.json")]
    answer = CliRunner().invoke(face_expr, arguments)
    assert answer.exit_code == 0, answer.output
    result = json.loads((tmp_path / "result.json").read_text())
    assert result.keys() >= {"messages_in", "frames", "faces", "seconds", "realtime_factor"}
    assert result["frames"] == 3
    wrong = CliRunner().invoke(face_expr, [*arguments[:3], "--from", "2", "--to", "1"])
    assert wrong.exit_code == 2
    assert "expected --to after --from (2 s), got 1 s" in wrong.output


def test_a_full_disk_ends_the_run_with_its_error(
    portrait: Image, fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More images follow than may be in work at once: no thread waits for another one."""
    write, remaining = SplitWriter.write, iter(range(12))

    def full(writer: SplitWriter, *given: Any) -> None:
        if next(remaining, None) is None:
            raise OSError("the disk is full")
        write(writer, *given)

    monkeypatch.setattr(SplitWriter, "write", full)
    source = record(tmp_path / "a", portrait, 20, "compressed")
    with pytest.raises(OSError, match="the disk is full"):
        annotate(Job(source, tmp_path / "b"), bar=False)
    assert not (tmp_path / "b").exists()
