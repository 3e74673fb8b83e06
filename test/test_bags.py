"""Bags: annotated, read where they are damaged, taken up again after an interruption."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_files import (
    CAMERA_INFO,
    IMAGE,
    LATCHED,
    RATE,
    START_NS,
    STRING,
    BagFile,
    camera_info,
    header,
    moving,
    raw,
    record,
)  # fmt: skip
from click.testing import CliRunner
from numpy.typing import NDArray

from face_expr_ros.bags import BagError
from face_expr_ros.bags import annotate as annotating
from face_expr_ros.bags import job
from face_expr_ros.bags.annotate import annotate
from face_expr_ros.bags.checkpoint import CHECKPOINT
from face_expr_ros.bags.job import Job
from face_expr_ros.bags.many import jobs_of
from face_expr_ros.bags.memory import Memory
from face_expr_ros.bags.messages import FACE_ARRAY, FACE_MODEL, TF, cdr, package_types, types_of
from face_expr_ros.bags.parameters import parameters_of, perception_config_of
from face_expr_ros.bags.reading import Recording
from face_expr_ros.bags.writing import SplitWriter, work_folder
from face_expr_ros.cli import face_expr
from face_expr_ros.config import ConfigError, PerceptionConfig, from_mapping
from face_expr_ros.pipeline import Pipeline

COUNT = 10  # images
Picture = NDArray[np.uint8]
Rows = list[tuple[str, int, str]]


def rows(bag: Path) -> Rows:
    """Topic, time and hash of every message."""
    with Recording(bag) as recording:
        return [(m.connection.topic, m.time_ns, hashlib.sha256(m.data).hexdigest()) for m in recording.messages()]


def of_topic(bag: Path, topic: str) -> list[Any]:
    """The messages of a topic, as objects."""
    with Recording(bag) as recording:
        connection = recording.connection(topic)
        types = types_of(connection)
        return [types.deserialize_cdr(m.data, connection.msgtype) for m in recording.messages([connection])]


@pytest.fixture(scope="module")
def fresh() -> Iterator[Any]:
    """Makes pipelines that have seen nothing: always the same one, for its networks take long to load."""
    pipeline = Pipeline(PerceptionConfig())
    nothing = Memory(pipeline).save()

    class Borrowed:
        """Stays open when it is closed."""

        def __init__(self, config: PerceptionConfig) -> None:
            Memory(pipeline).load(nothing)

        def __getattr__(self, name: str) -> Any:
            return getattr(pipeline, name)

        def __call__(self, *given: Any) -> Any:
            return pipeline(*given)

        def close(self) -> None:
            pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(annotating, "Pipeline", Borrowed)
        patch.setattr(annotating, "Memory", lambda borrowed: Memory(pipeline))
        yield
    pipeline.close()


@pytest.fixture(scope="module")
def bag(portrait: Picture, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("bags") / "talk", portrait, COUNT)


@pytest.fixture(scope="module")
def annotated(bag: Path, fresh: None) -> tuple[Path, dict[str, Any]]:
    """The annotated bag and what the run said."""
    out = bag.with_name("talk_faces")
    return out, annotate(Job(bag, out), bar=False)


def test_every_image_has_its_faces_and_all_that_was_recorded_is_there(
    bag: Path, annotated: tuple[Path, dict[str, Any]]
) -> None:
    out, result = annotated
    assert (result["messages_in"], result["frames"], result["faces"]) == (3 * COUNT, COUNT, COUNT)
    assert result["ids"] == ["f1"]
    copied = [row for row in rows(out) if row[0] in ("/camera/image", "/camera/camera_info", "/chatter")]
    assert copied == rows(bag)
    arrays = of_topic(out, "/faces")
    stamps = [(array.header.stamp.sec * 10**9 + array.header.stamp.nanosec) for array in arrays]
    assert stamps == [START_NS + number * 10**9 // RATE for number in range(COUNT)]
    assert {array.header.frame_id for array in arrays} == {"lens"}
    assert all(array.faces[0].pose.metric for array in arrays), "the first CameraInfo counts from the first image on"
    assert [face.face_id for face in of_topic(out, "/pose")] == ["f1"] * COUNT
    assert len(of_topic(out, "/shape")) == len(of_topic(out, "/expression")) == len(of_topic(out, "/tf")) == COUNT


def test_the_annotated_bag_says_what_its_types_are(annotated: tuple[Path, dict[str, Any]]) -> None:
    with Recording(annotated[0]) as recording:
        faces, model = recording.connection("/faces"), recording.connection("/face_model")
        assert "MSG: face_expr_ros/Face" in faces.msgdef.data
        assert faces.digest == package_types().hash_rihs01(FACE_ARRAY)
        assert model.ext.offered_qos_profiles[0].durability.name == "TRANSIENT_LOCAL"
        assert (model.msgtype, model.msgcount) == (FACE_MODEL, 1)
        assert recording.connection("/chatter").msgcount == COUNT
        images = recording.connection("/camera/image")
        assert images.ext.offered_qos_profiles[0].reliability.name == "BEST_EFFORT"


def test_ros_reads_the_faces_of_the_bag(annotated: tuple[Path, dict[str, Any]]) -> None:
    from face_expr_ros.msg import FaceArray
    from rclpy.serialization import deserialize_message

    from face_expr_ros.ros.states import face_states

    with Recording(annotated[0]) as recording:
        data = [m.data for m in recording.messages([recording.connection("/faces")])]
    states = [face_states(deserialize_message(part, FaceArray)) for part in data]
    assert 0.4 < states[-1][0].pose.position[2] < 0.8  # meters; the portrait was 0.6 m away
    assert len(states[-1][0].blendshapes.names) == 52


def test_an_interrupted_run_goes_on_and_nobody_sees_it(
    bag: Path, annotated: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole bag in one file, and the same in files of 0.2 s with an interruption in the third."""
    job = Job(bag, bag.with_name("broken"), split=0.2)
    take, left = annotating._Run._take, iter(range(22))

    def interrupted(run: Any, *given: Any) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        take(run, *given)

    monkeypatch.setattr(annotating._Run, "_take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        annotate(job, bar=False)
    assert not job.out.exists()
    monkeypatch.setattr(annotating._Run, "_take", take)
    result = annotate(job, bar=False)
    assert 0 < result["resumed_at"] < 22
    assert rows(job.out) == rows(annotated[0])
    assert len(list(job.out.glob("*.mcap"))) == 4
    assert not list(bag.parent.glob("*.partial"))
    assert (result["frames"], result["messages_in"]) == (COUNT, 3 * COUNT)


class Harm:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("place", ["checkpoint", "memory"])
def test_a_checkpoint_of_somebody_else_calls_nothing(
    place: str, bag: Path, annotated: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    job, harm = Job(bag, tmp_path / "talk"), Harm(tmp_path / "harm")
    monkeypatch.setattr(annotating, "fingerprint_of", lambda *_: "the same")
    values = {"messages_in": 3, "memory": pickle.dumps(harm)} if place == "memory" else harm
    work_folder(job.out).mkdir()
    (work_folder(job.out) / CHECKPOINT).write_bytes(pickle.dumps(("the same", values)))
    assert annotate(job, bar=False)["resumed_at"] == 0
    assert not harm.folder.exists()
    assert rows(job.out) == rows(annotated[0])


def test_two_runs_do_not_write_one_bag(tmp_path: Path) -> None:
    first = SplitWriter(tmp_path / "talk", "mcap", [])
    with pytest.raises(BagError, match="talk' is being written by another run: wait for it, or stop it"):
        SplitWriter(tmp_path / "talk", "mcap", [])
    first.abort()
    SplitWriter(tmp_path / "talk", "mcap", []).abort()


def test_a_bag_made_with_other_weights_is_another_one(
    annotated: tuple[Path, dict[str, Any]], bag: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "sha256_of", lambda _: "another")
    with pytest.raises(BagError, match="is there already and is not overwritten"):
        annotate(Job(bag, annotated[0]), bar=False)


def test_what_is_done_is_not_done_again_and_nothing_is_overwritten(
    bag: Path, annotated: tuple[Path, dict[str, Any]]
) -> None:
    out, result = annotated
    again = annotate(Job(bag, out), bar=False)
    assert (again["done_before"], again["faces"]) == (True, result["faces"])
    with pytest.raises(BagError, match="is there already and is not overwritten"):
        annotate(Job(bag, out, namespace="/other"), bar=False)


@pytest.mark.parametrize(
    ("storage", "compression", "transport"),
    [("sqlite3", "none", "raw"), ("sqlite3", "message", "compressed"), ("mcap", "storage", "raw"),
     ("sqlite3", "file", "compressed")],
)  # fmt: skip
def test_every_kind_of_bag_is_read(
    portrait: Picture, fresh: None, tmp_path: Path, storage: str, compression: str, transport: str
) -> None:
    source = record(tmp_path / "a", portrait, 3, transport, storage=storage, compression=compression)
    result = annotate(Job(source, tmp_path / "b", storage="sqlite3"), bar=False)
    assert (result["messages_in"], result["frames"], result["faces"], result["damage"]) == (9, 3, 3, "")
    assert len(rows(tmp_path / "b")) == 9 + 1 + 3 * 5


@pytest.mark.parametrize(("storage", "share"), [("mcap", 0.55), ("sqlite3", 0.55)])
@pytest.mark.parametrize("metadata", [True, False], ids=["metadata", "no metadata"])
def test_a_truncated_bag_is_annotated_up_to_the_damage(
    portrait: Picture, fresh: None, tmp_path: Path, storage: str, share: float, metadata: bool
) -> None:
    source = record(tmp_path / "a", portrait, 6, storage=storage)
    file = next(file for file in source.iterdir() if file.suffix != ".yaml")
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    if not metadata:
        (source / "metadata.yaml").unlink()
    result = annotate(Job(source, tmp_path / "b"), bar=False)
    assert 2 <= result["frames"] <= 4
    assert "is damaged: it was read for 0." in result["damage"]
    assert len(of_topic(tmp_path / "b", "/faces")) == result["frames"]


def test_a_file_that_is_no_bag_is_refused(tmp_path: Path) -> None:
    for name in ("noise.mcap", "noise.db3"):
        (tmp_path / name).write_bytes(b"not a bag at all" * 100)
        with pytest.raises(BagError, match=r"nothing of .*noise.* can be read"):
            Recording(tmp_path / name)
    with pytest.raises(BagError, match=r"a rosbag2 folder with \.mcap or \.db3 files in it"):
        Recording(tmp_path / "nowhere")


def test_bad_images_are_counted_and_the_next_ones_work(portrait: Picture, fresh: None, tmp_path: Path) -> None:
    images = list(moving(portrait, 4))
    with BagFile(tmp_path / "a") as file:
        for number, image in enumerate(images):
            data = raw(image, header(number), "rgb7" if number == 1 else "bgr8")
            file.write("/image", IMAGE, number, data[:1000] if number == 2 else data)
    result = annotate(Job(tmp_path / "a", tmp_path / "b"), bar=False)
    assert (result["frames"], result["images_left_out"]) == (2, 2)
    assert "'rgb7' was given" in result["problem"]


def test_a_part_of_a_bag_is_annotated(bag: Path, fresh: None, tmp_path: Path) -> None:
    result = annotate(Job(bag, tmp_path / "part", start=0.2, stop=0.4), bar=False)
    times = [time_ns for _, time_ns, _ in rows(tmp_path / "part")]
    assert result["frames"] == 3
    assert min(times) - START_NS >= 0.2e9
    assert max(times) - START_NS < 0.4e9
    assert result["recorded_seconds"] == pytest.approx(0.2, abs=1e-6)


def static_transform(child: str, x: float) -> bytes:
    transform = {"translation": {"x": x, "y": 0.0, "z": 0.0}, "rotation": {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0}}
    return cdr(TF, {"transforms": [{"header": header(0), "child_frame_id": child, "transform": transform}]})


def test_what_was_latched_before_the_part_is_told_at_its_beginning(
    portrait: Picture, fresh: None, tmp_path: Path
) -> None:
    """Transforms add up; of other topics the last message counts, and what is not latched is not told."""
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
        told = [(m.connection.topic, m.time_ns, m.data) for m in recording.messages() if m.connection.topic in topics]
    start_ns = START_NS + round(3.9e9 / RATE)
    assert told[:3] == [
        ("/tf_static", start_ns, transforms[1]), ("/map", start_ns, maps[1]), ("/tf_static", start_ns, transforms[2])
    ]  # fmt: skip
    assert [topic for topic, _, _ in told[3:]] == ["/chatter", "/chatter"]


def test_camera_info_counts_from_when_it_changes(portrait: Picture, fresh: None, tmp_path: Path) -> None:
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


def test_one_of_several_image_topics_has_to_be_named(portrait: Picture, tmp_path: Path) -> None:
    with BagFile(tmp_path / "a") as file:
        for topic in ("/left/image", "/right/image"):
            file.write(topic, IMAGE, 0, raw(portrait, header(0)))
        file.write("/chatter", STRING, 1, cdr(STRING, {"data": "hello"}))
    wanted: dict[str | None, str] = {
        None: "several topics of images, name one with --topic: /left/image, /right/image",
        "/up/image": "has no topic '/up/image'; it has /chatter, /left/image, /right/image",
        "/chatter": "/chatter has std_msgs/msg/String, images were wanted: /left/image, /right/image",
    }
    for given, words in wanted.items():
        with pytest.raises(BagError, match=words):
            annotate(Job(tmp_path / "a", tmp_path / "b", topic=given), bar=False)


def test_faces_that_are_there_already_are_not_mixed_with_new_ones(
    annotated: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    with pytest.raises(BagError, match="has a topic '/faces' already: give --namespace"):
        annotate(Job(annotated[0], tmp_path / "b"), bar=False)
    result = annotate(Job(annotated[0], tmp_path / "b", namespace="/again"), bar=False)
    once, twice = of_topic(tmp_path / "b", "/faces"), of_topic(tmp_path / "b", "/again/faces")
    assert result["frames"] == len(once) == len(twice)
    assert of_topic(tmp_path / "b", "/tf") != []


PARAMETERS = {
    "as the package has it": ("/**/perception:\n  ros__parameters: {smoothing: {method: none}}", "none"),
    "a namespace": ("/robot/perception:\n  ros__parameters:\n    smoothing.method: window", "window"),
    "a level of its own": ("robot:\n  perception:\n    ros__parameters: {smoothing.method: window}", "window"),
    "for all nodes": ("/**:\n  ros__parameters: {use_sim_time: true, smoothing.method: none}", "none"),
}


@pytest.mark.parametrize("case", PARAMETERS)
def test_the_robots_parameter_file_counts(case: str, tmp_path: Path) -> None:
    text, method = PARAMETERS[case]
    (tmp_path / "robot.yaml").write_text(text)
    assert perception_config_of(tmp_path / "robot.yaml", {}).smoothing.method == method


BAD_PARAMETERS = {
    "unknown": ("perception: {ros__parameters: {smooothing.method: none}}", "there is no setting 'smooothing.method'"),
    "value": ("perception: {ros__parameters: {smoothing.beta: -1.0}}", "smoothing.beta must be a number from 0 to"),
    "nobody": ("camera: {ros__parameters: {rate: 3.0}}", "parameters of a node perception were wanted"),
    "several": (
        "a/perception: {ros__parameters: {}}\nb/perception: {ros__parameters: {}}",
        "has several: /a/perception, /b/perception",
    ),
    "no YAML": ("perception: [", "cannot be read as YAML"),
}


@pytest.mark.parametrize("case", BAD_PARAMETERS)
def test_a_parameter_file_that_the_node_would_refuse_is_refused(case: str, tmp_path: Path) -> None:
    text, words = BAD_PARAMETERS[case]
    (tmp_path / "robot.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        perception_config_of(tmp_path / "robot.yaml", {})


def test_the_packages_own_parameter_file_is_the_default() -> None:
    file = Path(__file__).parent.parent / "config/perception.yaml"
    assert perception_config_of(file, {}) == PerceptionConfig()
    assert parameters_of(file)["bundle"] == "open"


def test_a_folder_of_bags_has_a_job_for_each(portrait: Picture, tmp_path: Path) -> None:
    for name in ("day1/a", "day1/b.2", "c"):
        record(tmp_path / "in" / name, portrait, 1)
    record(tmp_path / "in/out/old", portrait, 1)
    jobs = jobs_of(Job(tmp_path / "in", tmp_path / "in/out"))
    assert [job.out.relative_to(tmp_path / "in/out") for job in jobs] == [Path("c"), Path("day1/a"), Path("day1/b.2")]
    (tmp_path / "empty").mkdir()
    (tmp_path / "in/c.mcap").touch()
    with pytest.raises(BagError, match=r"bags of different names were wanted, .*/c and .*/c\.mcap were given"):
        jobs_of(Job(tmp_path / "in", tmp_path / "in/out"))
    with pytest.raises(BagError, match="a bag, or a folder of bags, was wanted, none is in"):
        jobs_of(Job(tmp_path / "empty", tmp_path / "out"))


def test_the_command_writes_what_its_contract_says(bag: Path, fresh: None, tmp_path: Path) -> None:
    arguments = ["annotate", str(bag), str(tmp_path / "out"), "--to", "0.2", "--json", str(tmp_path / "result.json")]
    answer = CliRunner().invoke(face_expr, arguments)
    assert answer.exit_code == 0, answer.output
    result = json.loads((tmp_path / "result.json").read_text())
    assert result.keys() >= {"messages_in", "frames", "faces", "seconds", "realtime_factor"}
    assert result["frames"] == 3
    wrong = CliRunner().invoke(face_expr, [*arguments[:3], "--from", "2", "--to", "1"])
    assert wrong.exit_code == 2
    assert "--to must be after --from (2 s), 1 s was given" in wrong.output


MEMORIES: dict[str, dict[str, Any]] = {
    "default": {},
    "network": {"fitting.backend": "tddfa"},
    "landmarks": {"fitting.backend": "least_squares", "expression.backend": "coefficients"},
    "window": {"smoothing.method": "window", "expression.adapt_neutral": 5.0, "expression.backend": "head"},
}


@pytest.mark.slow
@pytest.mark.parametrize("case", MEMORIES)
def test_a_pipelines_memory_goes_into_another_one(portrait: Picture, case: str) -> None:
    """Two pipelines, the second of which takes over in the middle: both say the same to the last bit."""
    from bag_files import CAMERA

    from face_expr_ros.values import Frame

    config = from_mapping(PerceptionConfig, MEMORIES[case])
    first, second = Pipeline(config), Pipeline(config)
    memory, other = Memory(first), Memory(second)
    frames = [Frame(image, n * 10**9 // RATE, "lens", CAMERA) for n, image in enumerate(moving(portrait, 12))]
    for frame in frames[:6]:
        first(frame)
    other.load(memory.save())
    for frame in frames[6:]:
        one, two = first(frame), second(frame)
        assert len(one) == len(two) == 1
        np.testing.assert_equal(one[0].fit.pose.position, two[0].fit.pose.position)
        np.testing.assert_equal(one[0].fit.expression, two[0].fit.expression)
        np.testing.assert_equal(one[0].blendshapes.values, two[0].blendshapes.values)
        assert one[0].id == two[0].id
    first.close()
    second.close()


@pytest.mark.slow
def test_two_runs_of_two_pipelines_write_the_same_bytes(bag: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        annotate(Job(bag, tmp_path / name), bar=False)
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
