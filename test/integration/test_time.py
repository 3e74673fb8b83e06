"""Stamps of bags and simulations (decreasing, constant, zero, far ahead) in the node and the pipeline."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from face_expr_ros.msg import FaceArray
from numpy.typing import NDArray
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from support.bag_files import CAMERA, moving, record
from support.lockstep import SECOND, Lockstep

from face_expr_ros.bags.reading import Recording
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.types import Frame
from face_expr_ros.nodes.replay import Player, ReplayOptions
from face_expr_ros.perception.pipeline import Pipeline

FAR = 4_000_000_000 * SECOND  # the year 2096
MAX_STAMP = 2**31 - 1  # seconds
Picture = NDArray[np.uint8]

# Stamps in tenths of a second, and the number of resets of the pipeline; test_frame_clock.py has the exact times.
SEQUENCES = {
    "forward": ([10, 11, 12, 13], 0),
    "a loop": ([10, 11, 22, 10, 11, 22], 1),
    "several old images": ([10, 11, 19, 10, 11, 12, 13, 14, 15], 1),
    "twice the same": ([10, 10, 10, 11], 0),
    "always zero": ([0, 0, 0, 0], 0),
    "far ahead and back": ([10, 11, FAR // (SECOND // 10), 12, 13], 1),
    "far ahead and on from there": ([10, 11, 10**9, 10**9 + 1], 0),
    "swapped pairs": ([10, 12, 11, 14, 13, 16, 15], 0),
    "zeros in between": ([10, 11, 0, 13, 0, 15], 0),
    "to and fro": ([10, 30, 10, 30, 10], 2),
}


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    result = Pipeline(PerceptionConfig())
    yield result
    result.close()


@pytest.mark.parametrize("case", SEQUENCES)
def test_the_pipeline_tracks_the_face_for_all_stamp_sequences(pipeline: Pipeline, portrait: Picture, case: str) -> None:
    """Only a jump back that can be a restart, or one ahead beyond the lost-track timeout, starts a new track."""
    tenths, resets = SEQUENCES[case]
    pipeline.reset()
    faces = [pipeline(Frame(portrait, tenth * SECOND // 10, "lens", CAMERA)) for tenth in tenths]
    assert [len(found) for found in faces] == [1] * len(tenths)
    assert all(np.isfinite(found[0].fit.pose.position).all() for found in faces)
    assert all(np.isfinite(found[0].blendshapes.values).all() for found in faces)
    ids = [key for key, _ in itertools.groupby(found[0].id for found in faces)]
    assert len(set(ids)) == len(ids), "ids are not reused"
    ahead = sum(later - before > 100 for before, later in itertools.pairwise(tenths))
    assert len(ids) == 1 + resets + ahead


@pytest.mark.slow
def test_a_node_resets_and_logs_once_when_simulated_time_jumps_back(graph: Any, start: Any, portrait: Picture) -> None:
    node = start("perception", "-r", "__ns:=/jumps", "-p", "use_sim_time:=true", "-p", "first_id:=1")
    lockstep = Lockstep(graph, "/jumps")
    clock = graph.node.create_publisher(Clock, "/clock", 10)

    def show(seconds: float) -> FaceArray:
        clock.publish(Clock(clock=Time(nanoseconds=int(seconds * SECOND)).to_msg()))
        return lockstep.show(portrait, int(seconds * SECOND))

    before = [show(seconds) for seconds in (100.0, 100.1, 100.2)]
    after = [show(seconds) for seconds in (3.0, 3.1, 3.1, 3.2)]
    assert {answer.faces[0].face_id for answer in before} == {"jumps_f1"}
    assert {answer.faces[0].face_id for answer in after} == {"jumps_f2"}
    assert node.output.count("image stamps jumped back by 97.200 s: all tracks are reset") == 1
    assert [len(show(seconds).faces) for seconds in (MAX_STAMP, 0.0, 0.0)] == [1, 1, 1]
    assert node.output.count("jumped back") == 1, "repeated jumps are not logged"
    assert node.stop() == 0, node.output


def resident_megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


@pytest.mark.slow
def test_a_looping_bag_gets_a_new_id_each_time_in_constant_memory(
    graph: Any, start: Any, portrait: Picture, tmp_path: Path
) -> None:
    node = start("perception", "-r", "__ns:=/camera", "-p", "first_id:=1", "-p", "id_prefix:=none")
    lockstep = Lockstep(graph, "/camera")
    memory = []
    with Recording(record(tmp_path / "a", portrait, 20)) as recording:
        player = Player(graph.node, recording, ReplayOptions(topics=("/camera/image",)))
        images = list(recording.messages([recording.connection("/camera/image")]))
        for loop in range(20):
            answers = [lockstep.ask(partial(player.publish, message), message.time_ns) for message in images]
            assert [[face.face_id for face in answer.faces] for answer in answers] == [[f"f{loop + 1}"]] * len(images)
            memory.append(resident_megabytes(node._process.pid))
    assert memory[-1] - memory[4] < 10.0, f"megabytes after each loop: {memory}"
    assert "Traceback" not in node.output
    assert "image skipped" not in node.output
    assert node.stop() == 0, node.output


def test_results_depend_on_stamps_and_not_on_the_wall_clock(pipeline: Pipeline, portrait: Picture) -> None:
    """The same images with the same stamps have the same results in a later run."""

    def run() -> list[Any]:
        pipeline.reset()
        frames = [Frame(image, n * SECOND // 15, "lens", CAMERA) for n, image in enumerate(moving(portrait, 6))]
        return [pipeline(frame)[0].fit.pose.position for frame in frames]

    np.testing.assert_array_equal(run(), run())
