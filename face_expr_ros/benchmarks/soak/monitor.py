"""The node of the soak test that receives all outputs, checks them, and calls services."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription
from rclpy.time import Time
from visualization_msgs.msg import Marker

from face_expr_ros.benchmarks.soak.identities import FaceSighting, Identities
from face_expr_ros.benchmarks.soak.message_rules import violations
from face_expr_ros.benchmarks.soak.people import PLACES, WIDTH
from face_expr_ros.msg import FaceArray
from face_expr_ros.ros.node_runner import create_events_executor

# Seconds for which a result waits for the persons of its image: topics arrive in any order, and with a delay while the
# machine is busy.
_PATIENCE = 60.0
# Messages that nothing but the rules reads are not decoded while the node is this many seconds behind, so that it
# catches up on a loaded machine; of the types that take a tenth of a second to decode in Python, one a second is.
_BEHIND = 0.5
_SLOW = (Marker,)
_SLOW_INTERVAL = 1.0  # seconds
_INDEX = re.compile(r"\[\d+\]")
_PERIOD = 0.02  # seconds between two executions of the queued calls


class Monitor:
    """Runs a node in a thread of its own. All methods may be called from other threads.

    Attributes:
        counts: messages received, by label.
        unchecked: number of these that were not compared with the rules, by label.
        last: time of the last message, seconds of the monotonic clock, by label.
        violations: number of violations, by label and rule.
        examples: a sentence for each of them.
        identities: ids of the faces, by namespace.
    """

    def __init__(self) -> None:
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self.node = Node("soak_monitor")
        self.counts: Counter[str] = Counter()
        self.unchecked: Counter[str] = Counter()
        self.last: dict[str, float] = {}
        self.violations: Counter[tuple[str, str]] = Counter()
        self.examples: dict[tuple[str, str], str] = {}
        self.identities: dict[str, Identities] = {}
        self._subscriptions: dict[tuple[str, str], Subscription[Any]] = {}
        self._calls: deque[Callable[[], Any]] = deque()
        self._results: dict[str, deque[tuple[float, FaceArray]]] = {}  # by namespace
        self._clients: dict[str, Any] = {}
        self._done = threading.Event()
        self._worked = time.monotonic()  # time of the last execution of the timer
        self.node.create_timer(_PERIOD, self._work)
        self._thread = threading.Thread(target=self._spin, name="monitor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and destroy the node."""
        self._done.set()
        self._thread.join()
        self.node.destroy_node()
        rclpy.try_shutdown()

    def run(self, function: Callable[[], Any]) -> Any:
        """The result of a function that is called in the node's thread: subscriptions are created there."""
        if threading.current_thread() is self._thread:
            return function()
        done, results = threading.Event(), []

        def call() -> None:
            try:
                results.append(function())
            finally:
                done.set()

        self._calls.append(call)
        done.wait()
        return results[0]

    def watch(
        self,
        label: str,
        kind: type[Any],
        topic: str,
        qos: QoSProfile | int = 10,
        each: Callable[[Any], Any] | None = None,
        key: str = "",
        is_output: bool = True,
    ) -> None:
        """Subscribe to a topic, count and check its messages.

        Args:
            label: of the counts; several topics may share it if their keys differ.
            kind, topic, qos: of the subscription.
            each: called with every message.
            key: identifies the subscription among those with the same label.
            is_output: of the tested nodes; inputs are only counted.
        """

        is_raw = is_output and each is None
        wait, due = _SLOW_INTERVAL if kind in _SLOW else 0.0, 0.0

        def receive(message: Any) -> None:
            nonlocal due
            self.counts[label] += 1
            now = self.last[label] = time.monotonic()
            if is_raw:
                if now < due or now - self._worked > _BEHIND:
                    self.unchecked[label] += 1
                    return
                due, message = now + wait, deserialize_message(message, kind)
            if is_output:
                self._count_violations(label, message)
            if each is not None:
                each(message)

        def subscribe() -> None:
            self._subscriptions[label, key] = self.node.create_subscription(kind, topic, receive, qos, raw=is_raw)

        self.run(subscribe)

    def unwatch(self, label: str, key: str = "") -> None:
        """Unsubscribe."""
        subscription = self._subscriptions.pop((label, key))
        self.run(lambda: self.node.destroy_subscription(subscription))

    def watch_camera(self, namespace: str) -> None:
        """Receive the faces of a camera and the persons of its images, and compare both."""
        identities = self.identities[namespace] = Identities(namespace.strip("/").replace("/", "_") + "_")
        results: deque[tuple[float, FaceArray]] = deque()
        self.run(lambda: self._results.setdefault(namespace, results))

        def on_truth(message: FaceArray) -> None:
            persons = {face.roi.x_offset // WIDTH: face.face_id for face in message.faces}
            identities.add_image(_nanoseconds(message), persons)

        self.watch(
            f"{namespace} images",
            FaceArray,
            f"{namespace}/ground_truth",
            QoSProfile(depth=200),
            on_truth,
            is_output=False,
        )

        def on_faces(message: FaceArray) -> None:
            results.append((time.monotonic(), message))

        self.watch(f"{namespace} faces", FaceArray, f"{namespace}/faces", 50, on_faces)

    def unwatch_camera(self, namespace: str) -> None:
        """Unsubscribe from a camera that has ended; results that wait for their images are not checked."""
        for topic in ("images", "faces"):
            self.unwatch(f"{namespace} {topic}")
        self.run(lambda: self._results.pop(namespace))

    def call_service(self, kind: type[Any], name: str, request: Any, timeout: float) -> Any:
        """The response of a service; None if it does not respond in time."""
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = self.run(lambda: self.node.create_client(kind, name))
        deadline = time.monotonic() + timeout
        while not client.service_is_ready():
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)
        answered = threading.Event()
        future = self.run(lambda: client.call_async(request))
        future.add_done_callback(lambda _: answered.set())
        if not answered.wait(max(0.0, deadline - time.monotonic())):
            self.run(lambda: client.remove_pending_request(future))
            return None
        return future.result()

    def until(self, done: Callable[[], bool], timeout: float) -> float | None:
        """Seconds until a condition holds; None if it does not in time."""
        started = time.monotonic()
        while not done():
            if time.monotonic() - started > timeout:
                return None
            time.sleep(0.02)
        return time.monotonic() - started

    def _count_violations(self, label: str, message: Any) -> None:
        for sentence in violations(message):
            rule = _INDEX.sub("[]", sentence.partition(", got")[0])
            self.violations[label, rule] += 1
            self.examples.setdefault((label, rule), sentence)

    def _check_results(self) -> None:
        """Compare the results of each camera, in their order, with the persons of their images."""
        for namespace, results in self._results.items():
            identities = self.identities[namespace]
            while results:
                received, message = results[0]
                stamp = _nanoseconds(message)
                if not identities.has_image(stamp):
                    if time.monotonic() - received < _PATIENCE:
                        break
                    self._count_unknown(namespace, stamp)
                results.popleft()
                identities.check(stamp, [_sighting(face) for face in message.faces], received)

    def _count_unknown(self, namespace: str, stamp: int) -> None:
        rule = f"{namespace} faces", "header.stamp: expected that of an image"
        self.violations[rule] += 1
        self.examples.setdefault(rule, f"{rule[1]}, got {stamp}; {self.identities[namespace].latest_images()}")

    def _spin(self) -> None:
        executor = create_events_executor()
        executor.add_node(self.node)
        while not self._done.is_set():
            executor.spin_once(timeout_sec=0.2)
        executor.shutdown()

    def _work(self) -> None:
        self._worked = time.monotonic()
        while self._calls:
            self._calls.popleft()()
        self._check_results()


def _nanoseconds(message: FaceArray) -> int:
    return Time.from_msg(message.header.stamp).nanoseconds


def _sighting(face: Any) -> FaceSighting:
    roi = face.roi
    center = roi.x_offset + roi.width / 2
    return FaceSighting(face.face_id, min(PLACES - 1, int(center // WIDTH)))
