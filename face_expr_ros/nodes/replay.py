"""A bag published into the graph, where ``ros2 bag`` is not installed: the recorded bytes, at the recorded times."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.time import Time
from rosgraph_msgs.msg import Clock

from face_expr_ros.bags import BagError
from face_expr_ros.bags.messages import COMPRESSED_IMAGE, FACE_ARRAY, IMAGE, check_time, package_types, types_of
from face_expr_ros.bags.reading import Message, Recording
from face_expr_ros.core.signals import terminate_as_interrupt
from face_expr_ros.ros.message_fields import message_class, message_fields

CLOCK = "/clock"
CLOCK_INTERVAL = 0.01  # seconds between two messages of /clock
DISCOVERY = 0.02  # seconds between two looks whether somebody subscribes
LEAST_DEPTH, MOST_DEPTH = 10, 1000  # of a queue; what was recorded with more, such as "keep all", gets the least
FLUSH = 1.0  # seconds that subscribers have at the end to acknowledge what they got


@dataclass(frozen=True)
class ReplayOptions:
    """How a bag is published.

    Attributes:
        rate: seconds of the recording a second; 0 is as fast as possible.
        loop: begin again at the end, until Ctrl-C.
        clock: publish /clock, for nodes with use_sim_time.
        topics: which; none means all.
        wait_for: topics to which somebody must subscribe before it begins.
        loops: how often, where it does not loop for ever.
    """

    rate: float = 1.0
    loop: bool = False
    clock: bool = False
    topics: Sequence[str] = ()
    wait_for: Sequence[str] = ()
    loops: int = 1


@dataclass
class _Counts:
    messages: int = 0
    frames: int = 0
    faces: int = 0
    problem: str = ""  # why the faces of a message could not be counted
    recorded_ns: int = 0
    seconds: float = 0.0  # from the first message on


def replay(bag: Path, options: ReplayOptions) -> dict[str, Any]:
    """Publish a bag; what was published, with the keys of the command line's JSON. Ctrl-C is a good end.

    Raises:
        BagError: the bag cannot be read, or has topics that cannot be published here and were asked for.
    """
    with Recording(bag) as recording:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        node = Node("replay", enable_rosout=False, start_parameter_services=False)
        try:
            player = Player(node, recording, options)
            with suppress(KeyboardInterrupt), terminate_as_interrupt():
                player.play()
        finally:
            node.destroy_node()
            rclpy.try_shutdown()
        counts = player.counts
        return {
            "source": str(bag),
            "messages_in": counts.messages,
            "frames": counts.frames,
            "faces": counts.faces,
            "seconds": counts.seconds,
            "realtime_factor": counts.recorded_ns * 1e-9 / max(counts.seconds, 1e-9),
            "left_out": player.left_out,
            "problem": counts.problem,
            "damage": recording.damage,
        }


class Player:
    """Publishes the messages of a recording from a node.

    Attributes:
        counts: what was published.
        left_out: topic -> why it is not published.
    """

    def __init__(self, node: Node, recording: Recording, options: ReplayOptions) -> None:
        self._node, self._recording, self._options = node, recording, options
        self.counts = _Counts()
        self.left_out: dict[str, str] = {}
        self._publishers = dict(self._publish_topics())
        self._clock = node.create_publisher(Clock, CLOCK, 10) if options.clock else None

    def play(self) -> None:
        """Until the end of the last loop."""
        self._wait_for_subscribers()
        started = time.perf_counter()
        try:
            self._play_loops()
        finally:
            self.counts.seconds = time.perf_counter() - started
        for publisher in self._publishers.values():
            publisher.wait_for_all_acked(Duration(seconds=FLUSH))

    def _play_loops(self) -> None:
        loops = 0
        while self._options.loop or loops < self._options.loops:
            before = self.counts.messages
            self._play_once()
            loops += 1
            if self.counts.messages == before:  # an empty bag would loop without a rest
                return

    def publish(self, message: Message) -> None:
        """One message, now; its time goes to /clock before.

        Raises:
            BagError: /clock is wanted and cannot say the message's time.
        """
        self._tell_time(message.time_ns)
        self._publishers[message.connection.topic].publish(bytes(message.data))
        self._count(message)

    def _play_once(self) -> None:
        wanted = [entry for entry in self._recording.connections if entry.topic in self._publishers]
        begun, first_ns, before_ns = time.monotonic(), None, self.counts.recorded_ns
        for message in self._recording.messages(wanted) if wanted else ():
            first_ns = message.time_ns if first_ns is None else first_ns
            self._wait(begun, first_ns, message.time_ns)
            self.publish(message)
            self.counts.recorded_ns = before_ns + message.time_ns - first_ns

    def _wait(self, begun: float, first_ns: int, time_ns: int) -> None:
        """Until a recorded moment is due; the clock goes on meanwhile."""
        rate = self._options.rate
        if rate == 0.0:
            return
        due = begun + (time_ns - first_ns) * 1e-9 / rate
        while (left := due - time.monotonic()) > 0:
            if self._clock is not None and left > CLOCK_INTERVAL:
                self._tell_time(time_ns - round(left * rate * 1e9))
                left = CLOCK_INTERVAL
            time.sleep(left)

    def _tell_time(self, time_ns: int) -> None:
        if self._clock is not None:
            check_time(time_ns)
            self._clock.publish(Clock(clock=Time(nanoseconds=time_ns).to_msg()))

    def _count(self, message: Message) -> None:
        kind = message.connection.msgtype
        self.counts.messages += 1
        self.counts.frames += kind in (IMAGE, COMPRESSED_IMAGE)
        if kind == FACE_ARRAY:
            try:
                array: Any = types_of(message.connection).deserialize_cdr(message.data, kind)
                self.counts.faces += len(array.faces)
            except Exception as error:  # of a message that is cut off; it was published as it is
                self.counts.problem = self.counts.problem or f"faces that cannot be counted: {error}"

    def _wait_for_subscribers(self) -> None:
        for topic in self._options.wait_for:
            if topic not in self._publishers:
                raise BagError(f"{topic} is waited for but not published; {', '.join(self._publishers)} are")
            while not self._publishers[topic].get_subscription_count():
                time.sleep(DISCOVERY)

    def _publish_topics(self) -> Iterator[tuple[str, Publisher]]:
        for topic in self._options.topics:
            self._recording.connection(topic)
        for connection in self._recording.connections:
            wanted = not self._options.topics or connection.topic in self._options.topics
            if not wanted or (connection.topic == CLOCK and self._options.clock):
                continue
            try:
                yield connection.topic, self._publisher(connection)
            except BagError as error:
                if self._options.topics:
                    raise BagError(f"{connection.topic} cannot be published: {error}") from error
                self.left_out[connection.topic] = str(error)

    def _publisher(self, connection: Any) -> Publisher:
        """Raises BagError where nobody could understand what it publishes."""
        kind = message_type(connection.msgtype)
        _check_definition(connection)
        try:
            return self._node.create_publisher(kind, connection.topic, offered_qos(connection))
        except InvalidTopicNameException as error:
            reason = str(error).splitlines()[0].rstrip(":")
            raise BagError(f"{connection.topic!r} is no name of a topic: {reason}") from error


def message_type(name: str) -> type[Any]:
    """The class of "std_msgs/msg/String".

    Raises:
        BagError: it is not installed, or is no message.
    """
    package, _, message = name.partition("/msg/")
    try:
        kind: type[Any] = message_class(f"{package}/{message}")
        message_fields(kind)
    except (AttributeError, ImportError, TypeError, ValueError) as error:
        raise BagError(f"{name} is not installed") from error
    return kind


def _check_definition(connection: Any) -> None:
    """Subscribers would misread messages of this package that were recorded with an older or newer version of it.

    Raises:
        BagError: the bag defines them in another way.
    """
    name = connection.msgtype
    known = name.startswith("face_expr_ros/") and name in package_types().fielddefs
    if known and connection.digest and connection.digest != package_types().hash_rihs01(name):
        raise BagError(f"{name} was recorded with another definition than the installed one; annotate the bag again")


def offered_qos(connection: Any) -> QoSProfile:
    """The QoS that the recorded publishers offered: of several, what any subscriber of theirs could have asked for."""
    profiles = connection.ext.offered_qos_profiles
    if not profiles:
        return QoSProfile(depth=LEAST_DEPTH)
    reliable = all(profile.reliability.name != "BEST_EFFORT" for profile in profiles)
    latched = any(profile.durability.name == "TRANSIENT_LOCAL" for profile in profiles)
    return QoSProfile(
        depth=max([LEAST_DEPTH, *(profile.depth for profile in profiles if profile.depth < MOST_DEPTH)]),
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )
