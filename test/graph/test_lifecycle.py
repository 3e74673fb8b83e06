"""Lifecycle transitions of the perception node while images arrive, and what remains of the faces afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from face_expr_ros.msg import FaceArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from numpy.typing import NDArray
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import PointCloud2
from std_srvs.srv import Trigger
from support.perception_client import FRAME_ID, PerceptionClient
from visualization_msgs.msg import Marker

from face_expr_ros.nodes.perception import create
from face_expr_ros.ros.node_runner import create_events_executor

INACTIVE = "the node is not active"
DEACTIVATE, ACTIVATE = Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE
CLEANUP, CONFIGURE = Transition.TRANSITION_CLEANUP, Transition.TRANSITION_CONFIGURE
Picture = NDArray[np.uint8]


class Node(PerceptionClient):
    """A perception process, its results and its transitions."""

    def __init__(self, graph: Any, start: Any, portrait: Picture, namespace: str, *arguments: str) -> None:
        self.process = start("perception", "-r", f"__ns:={namespace}", *arguments)
        super().__init__(graph, namespace, portrait)
        self.ask()

    def change(self, *transitions: int) -> None:
        for transition in transitions:
            request = ChangeState.Request(transition=Transition(id=transition))
            answer = self.graph.call(ChangeState, f"{self.namespace}/perception/change_state", request)
            assert answer.success, transition

    def call(self, service: str) -> Any:
        return self.graph.call(Trigger, f"{self.namespace}/perception/{service}")

    def until_removed(self, markers: list[Marker]) -> FaceArray:
        self.graph.until(lambda: not self.answers[-1].faces, "an empty result")
        self.graph.until(lambda: markers[-1].action == Marker.DELETEALL, "the deletion of all markers")
        return self.answers[-1]


@contextmanager
def images(client: PerceptionClient, rate: float) -> Iterator[None]:
    """Images are published by another thread."""
    done = threading.Event()
    message = client.image()

    def publish() -> None:
        while not done.wait(1 / rate):
            client.publish(message)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.fixture(scope="module")
def node(graph: Any, start: Any, portrait: Picture) -> Node:
    return Node(graph, start, portrait, "/cycle", "-p", "input_timeout:=0.5")


def test_faces_are_removed_when_no_images_arrive(node: Node) -> None:
    markers: list[Marker] = node.listen(Marker, "mesh_markers")
    clouds: list[PointCloud2] = node.listen(PointCloud2, "mesh_cloud")
    last = node.ask_until(lambda _: bool(markers and clouds), "with meshes")
    assert len(last.faces) == 1
    assert {marker.lifetime.sec for marker in markers if marker.action == Marker.ADD} == {2}
    assert node.until_removed(markers).header == last.header, "of the last image"
    assert last.header.frame_id == FRAME_ID
    node.graph.until(lambda: clouds[-1].width == 0, "an empty cloud")
    count = len(node.answers)
    time.sleep(0.7)
    node.graph.until(lambda: True, "nothing")
    assert len(node.answers) == count, "faces are removed once"
    assert len(node.ask().faces) == 1


def test_calibration_fails_when_the_images_have_stopped(node: Node) -> None:
    node.ask()
    node.graph.until(lambda: not node.answers[-1].faces, "an empty result")
    answer = node.call("calibrate_neutral")
    assert not answer.success
    assert answer.message == "no image was processed in the last 0.5 s; see /diagnostics"


def test_services_of_an_inactive_node_fail(node: Node) -> None:
    markers: list[Marker] = node.listen(Marker, "mesh_markers")
    with images(node, 20.0):
        node.graph.until(lambda: markers and node.answers[-1].faces, "a face")
        node.change(DEACTIVATE)
        node.until_removed(markers)
        for service in ("calibrate_neutral", "reset"):
            answer = node.call(service)
            assert not answer.success
            assert INACTIVE in answer.message
        node.change(CLEANUP)
        assert INACTIVE in node.call("reset").message
        node.change(CONFIGURE, ACTIVATE)
        node.graph.until(lambda: node.answers[-1].faces, "a face")
        assert node.call("reset").message == "deleted 1 track"


@pytest.mark.parametrize("pairs", [50, pytest.param(1000, marks=pytest.mark.slow)])
def test_queued_images_do_not_stop_a_deactivated_node(graph: Any, portrait: Picture, pairs: int) -> None:
    """An executor may deliver an image that it had queued before its subscription was destroyed."""
    picture = np.ascontiguousarray(portrait[::4, ::4])
    perception = create("/queued")
    try:
        executor = create_events_executor()
        executor.add_node(perception)
        client = PerceptionClient(graph, "/queued", picture)
        with images(client, 200.0):
            for _ in range(pairs):
                for trigger in (perception.trigger_deactivate, perception.trigger_activate):
                    for _ in range(3):
                        executor.spin_once(timeout_sec=0.004)
                    assert trigger() == TransitionCallbackReturn.SUCCESS
            graph.until(lambda: client.answers, "a result", each=lambda: executor.spin_once(timeout_sec=0.01))
    finally:
        perception.destroy_node()


def test_faces_are_removed_at_shutdown(graph: Any, start: Any, portrait: Picture) -> None:
    node = Node(graph, start, portrait, "/ends")
    assert node.ask().faces
    assert node.process.stop() == 0, node.process.output
    node.graph.until(lambda: not node.answers[-1].faces, "an empty result")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_memory_is_constant_over_200_configurations(graph: Any, start: Any, portrait: Picture) -> None:
    node, memory = Node(graph, start, portrait, "/memory"), []
    with images(node, 30.0):
        for _ in range(200):
            node.change(DEACTIVATE, CLEANUP, CONFIGURE, ACTIVATE)
            count = len(node.answers)
            node.graph.until(lambda count=count: len(node.answers) > count, "a result")
            memory.append(_resident_megabytes(node.process._process.pid))
    assert max(memory[-20:]) - max(memory[:20]) < 40.0, f"megabytes after each configuration: {memory}"


def _resident_megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
