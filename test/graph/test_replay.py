"""Replay of bags: messages, order, times and errors; live results equal those of the annotated bag."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from face_expr_ros.msg import FaceArray
from numpy.typing import NDArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.time import Time
from rosbags.rosbag2 import StoragePlugin, Writer
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String
from support.bag_files import RATE, START_NS, STRING, BagFile, header, record
from support.broken_bags import two_types
from support.lockstep import SECOND, Lockstep
from support.mixed_mcap import foreign_channels
from support.split_bags import ALL, TOPIC

from face_expr_ros.bags import BagError
from face_expr_ros.bags.annotate import annotate
from face_expr_ros.bags.job import Job
from face_expr_ros.bags.messages import FACE_ARRAY, UNKNOWN_HASH, cdr, package_types
from face_expr_ros.bags.reading import Recording
from face_expr_ros.nodes.replay import Player, ReplayOptions

SENSOR_DATA = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)  # more than are published
Picture = NDArray[np.uint8]
STRING_HASH = package_types().hash_rihs01(STRING)
OTHER_HASH = "RIHS01_" + 64 * "7"
TOLERANCE = 1e-5  # of float32 values of the same computation
COMMAND = "import sys; from face_expr_ros.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def bag(portrait: Picture, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("replay") / "talk", portrait, 8, info_at=-0.5)


def replay(bag: Path, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", COMMAND, "replay", str(bag), *options], stdout=subprocess.DEVNULL)


def test_all_messages_of_a_bag_are_published(graph: Any, bag: Path, tmp_path: Path) -> None:
    words: list[String] = graph.listen(String, "/chatter", SENSOR_DATA)
    images: list[Image] = graph.listen(Image, "/camera/image", SENSOR_DATA)
    infos: list[CameraInfo] = graph.listen(CameraInfo, "/camera/camera_info", SENSOR_DATA)
    clock: list[Clock] = graph.listen(Clock, "/clock", 100)
    result = tmp_path / "result.json"
    waits = [part for topic in ("/chatter", "/camera/image", "/camera/camera_info") for part in ("--wait-for", topic)]

    def complete() -> bool:
        return len(words) == len(images) == len(infos) == 8

    for _ in range(3):  # the first best-effort messages may be lost although the publisher has a subscription
        for received in (words, images, infos, clock):
            received.clear()
        process = replay(bag, "--clock", "--rate", "1", *waits, "--json", str(result))
        graph.until(lambda process=process: complete() or process.poll() is not None, "the whole bag")
        if complete():
            break
    assert process.wait(60) == 0
    assert [word.data for word in words] == [f"word {number}" for number in range(8)]
    stamps = [Time.from_msg(image.header.stamp).nanoseconds for image in images]
    assert stamps == [START_NS + number * 10**9 // RATE for number in range(8)]
    times = [Time.from_msg(message.clock).nanoseconds for message in clock]
    assert times == sorted(times)
    assert len(times) > 24, "the clock advances between messages"
    answer = json.loads(result.read_text())
    assert (answer["messages_in"], answer["frames"], answer["faces"]) == (24, 8, 0)
    assert answer["realtime_factor"] <= 1.0


def test_a_loop_is_stopped_by_ctrl_c(graph: Any, bag: Path, tmp_path: Path) -> None:
    words: list[String] = graph.listen(String, "/chatter", SENSOR_DATA)
    result = tmp_path / "result.json"
    options = ("--loop", "--rate", "4", "--topics", "/chatter", "--wait-for", "/chatter", "--json", str(result))
    process = replay(bag, *options)
    graph.until(lambda: len(words) > 20, "the third repetition")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert json.loads(result.read_text())["frames"] == 0
    assert [word.data for word in words[:10]] == [f"word {number % 8}" for number in range(10)]


def test_unknown_topics_are_rejected(graph: Any, bag: Path) -> None:
    with Recording(bag) as recording, pytest.raises(BagError, match="has no topic '/nobody'; it has /camera"):
        Player(graph.node, recording, ReplayOptions(topics=("/nobody",)))
    with Recording(bag) as recording:
        player = Player(graph.node, recording, ReplayOptions(topics=("/chatter",), wait_for=("/camera/image",)))
        with pytest.raises(BagError, match="expected one of the published topics /chatter, got /camera/image"):
            player.play()


def test_faces_with_another_message_definition_are_skipped(graph: Any, tmp_path: Path) -> None:
    with Writer(tmp_path / "old", version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        faces = writer.add_connection("/faces", FACE_ARRAY, msgdef="string face\n", rihs01=UNKNOWN_HASH)
        writer.write(faces, START_NS, bytes(8))
    words = "face_expr_ros/msg/FaceArray was recorded with a definition that differs from the installed one"
    with Recording(tmp_path / "old") as recording:
        assert words in Player(graph.node, recording, ReplayOptions()).left_out["/faces"]
        with pytest.raises(BagError, match=f"/faces cannot be published: .*{words}"):
            Player(graph.node, recording, ReplayOptions(topics=("/faces",)))


DEFINITIONS: dict[str, tuple[str, str, bool]] = {  # definition and hash in the bag -> whether it is published
    "same": ("string data\n", STRING_HASH, True),
    "same, another comment": ("# a word\nstring data\n", UNKNOWN_HASH, True),
    "same, another hash": ("string data\n", OTHER_HASH, True),
    "unknown, as of Humble": ("", UNKNOWN_HASH, True),
    "unknown, same hash": ("", STRING_HASH, True),
    "unknown, another hash": ("", OTHER_HASH, False),
    "a field more": ("string data\nint32 count\n", UNKNOWN_HASH, False),
    "a field more, another hash": ("string data\nint32 count\n", OTHER_HASH, False),
    "another name": ("string text\n", OTHER_HASH, False),
}


@pytest.mark.parametrize("case", DEFINITIONS)
def test_topics_whose_definition_changed_are_skipped(graph: Any, tmp_path: Path, case: str) -> None:
    text, digest, is_published = DEFINITIONS[case]
    with Writer(tmp_path / "a", version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        writer.write(writer.add_connection("/words", STRING, msgdef=text, rihs01=digest), START_NS, bytes(8))
    with Recording(tmp_path / "a") as recording:
        left_out = Player(graph.node, recording, ReplayOptions()).left_out
    assert bool(left_out) == (not is_published)
    if left_out:
        assert f"{STRING} was recorded with a definition that differs from the installed one" in left_out["/words"]


def test_bag_recorded_before_the_first_clock_message_is_replayed_at_once(graph: Any, tmp_path: Path) -> None:
    """Messages at time 0 precede those of the simulated clock by decades."""
    words: list[String] = graph.listen(String, "/early_words", 10)
    with Writer(tmp_path / "a", version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        topic = writer.add_connection("/early_words", STRING, typestore=package_types())
        for time_ns in (0, START_NS, START_NS + 1_000_000):
            writer.write(topic, time_ns, cdr(STRING, {"data": str(time_ns)}))
    with Recording(tmp_path / "a") as recording:
        player = Player(graph.node, recording, ReplayOptions(clock=True, wait_for=("/early_words",)))
        player.play()
    graph.until(lambda: len(words) == 3, "all words")
    assert player.counts.recorded_ns == 1_000_000


def test_foreign_channels_are_skipped_by_name(graph: Any, tmp_path: Path) -> None:
    with Recording(foreign_channels(tmp_path)) as recording:
        player = Player(graph.node, recording, ReplayOptions(rate=0.0))
        assert player.left_out["/protobuf"] == "expected ROS 2 messages (encoding 'cdr'), got 'protobuf'"
        player.play()
        assert player.counts.messages == len(ALL)


def test_one_of_two_types_of_a_topic_is_published(graph: Any, tmp_path: Path) -> None:
    with Recording(two_types(tmp_path)) as recording:
        player = Player(graph.node, recording, ReplayOptions(rate=0.0, topics=(TOPIC,)))
        assert "Empty is left out, the topic is published with std_msgs/msg/String" in player.left_out[TOPIC]
        player.play()
        assert player.counts.messages == len(ALL)


ODD_TOPICS = {
    "no such package": ("/t", "my_pkg/msg/Weird", "my_pkg/msg/Weird is not installed"),
    "a service": ("/t", "std_srvs/srv/Trigger", "std_srvs/srv/Trigger is not installed"),
    "no class": ("/t", "std_msgs/msg/__doc__", "std_msgs/msg/__doc__ is not installed"),
    "nothing": ("/t", "//", "// is not installed"),
    "a name with a space": ("/a b", "std_msgs/msg/String", "expected a valid topic name, got '/a b'"),
}


@pytest.mark.parametrize("case", ODD_TOPICS)
def test_topics_without_an_installed_type_or_valid_name_are_skipped(graph: Any, tmp_path: Path, case: str) -> None:
    topic, kind, words = ODD_TOPICS[case]
    with Writer(tmp_path / "a", version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        odd = writer.add_connection(topic, kind, msgdef="", rihs01=UNKNOWN_HASH)
        writer.write(odd, START_NS, bytes(8))
    with Recording(tmp_path / "a") as recording:
        assert words in Player(graph.node, recording, ReplayOptions()).left_out[topic]


def test_truncated_faces_are_published_unchanged_and_not_counted(graph: Any, tmp_path: Path) -> None:
    with BagFile(tmp_path / "a") as file:
        file.write("/faces", FACE_ARRAY, 0, b"\0\1\0\0")
        file.write("/faces", FACE_ARRAY, 1, cdr(FACE_ARRAY, {"header": header(1), "faces": []}))
    with Recording(tmp_path / "a") as recording:
        player = Player(graph.node, recording, ReplayOptions(rate=0.0))
        player.play()
    assert (player.counts.messages, player.counts.faces) == (2, 0)
    assert "the faces of a message cannot be counted" in player.counts.problem


def test_a_time_outside_the_range_of_the_clock_is_left_out(graph: Any, tmp_path: Path) -> None:
    with Writer(tmp_path / "a", version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        words = writer.add_connection("/chatter", STRING, typestore=package_types())
        writer.write(words, 2**63, cdr(STRING, {"data": "late"}))
        writer.write(words, START_NS, cdr(STRING, {"data": "in time"}))
    with Recording(tmp_path / "a") as recording:
        player = Player(graph.node, recording, ReplayOptions(rate=0.0, clock=True))
        player.play()
        assert player.counts.messages == 1
        assert "1 messages have invalid times (expected 1970 to 2038) and are left out" in recording.damage


@pytest.mark.slow
def test_live_results_equal_those_of_the_annotated_bag(graph: Any, start: Any, bag: Path, tmp_path: Path) -> None:
    """Each image is published after the result of the previous one, so that no frame is dropped."""
    annotate(Job(bag, tmp_path / "faces"), bar=False)
    with Recording(tmp_path / "faces") as recording:
        offline = [
            deserialize_message(message.data, FaceArray)
            for message in recording.messages([recording.connection("/faces")])
        ]
    live: list[FaceArray] = []
    with Recording(bag) as recording:
        # Created before the node subscribes, because CameraInfo may be lost otherwise.
        player = Player(graph.node, recording, ReplayOptions(topics=("/camera/image", "/camera/camera_info")))
        start("perception", "-r", "__ns:=/camera", "-p", "first_id:=1", "-p", "id_prefix:=none")
        lockstep = Lockstep(graph, "/camera")
        info = next(recording.messages([recording.connection("/camera/camera_info")]))
        # Seconds; there is no event for the receipt of CameraInfo. Jumping back resets the tracks.
        for later in (3, 4, 5):
            player.publish(info)
            assert not lockstep.show(np.zeros((480, 640, 3), np.uint8), START_NS + later * SECOND).faces
        for message in recording.messages():
            if message.connection.topic == "/camera/camera_info":
                player.publish(message)
            elif message.connection.topic == "/camera/image":
                stamp_ns = START_NS + len(live) * 10**9 // RATE
                live.append(lockstep.ask(partial(player.publish, message), stamp_ns))
    assert len(live) == len(offline) == 8
    for one, other in zip(live, offline, strict=True):
        assert one.header == other.header
        (face,), (twin,) = one.faces, other.faces
        assert (face.face_id, face.pose.metric, face.roi) == (twin.face_id, twin.pose.metric, twin.roi)
        for name in ("landmarks", "confidence"):
            np.testing.assert_allclose(getattr(face, name), getattr(twin, name), rtol=TOLERANCE, atol=TOLERANCE)
        np.testing.assert_allclose(face.expression.blendshapes, twin.expression.blendshapes, atol=TOLERANCE)
        np.testing.assert_allclose(face.shape.coefficients, twin.shape.coefficients, atol=TOLERANCE)
        np.testing.assert_allclose(
            face.pose.weak_perspective, twin.pose.weak_perspective, rtol=TOLERANCE, atol=TOLERANCE
        )
