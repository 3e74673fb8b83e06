"""Publishes the serialized messages of a bag at their recorded times, without ``ros2 bag``."""

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
from face_expr_ros.bags.messages import COMPRESSED_IMAGE, FACE_ARRAY, IMAGE, types_of
from face_expr_ros.bags.reading import Message, Recording
from face_expr_ros.core.signals import terminate_as_interrupt
from face_expr_ros.ros.installed_types import is_as_installed
from face_expr_ros.ros.message_fields import message_class, message_fields

CLOCK = "/clock"
CLOCK_INTERVAL = 0.01  # seconds between two messages of /clock
DISCOVERY_INTERVAL = 0.02  # seconds between two checks for subscribers
MIN_DEPTH, MAX_DEPTH = 10, 1000  # queue depths; larger recorded depths, such as "keep all", are replaced by the minimum
FLUSH_TIMEOUT = 1.0  # seconds at the end for the acknowledgments of the subscribers


@dataclass(frozen=True)
class ReplayOptions:
    """Options of a replay.

    Attributes:
        rate: speed relative to real time; 0 is as fast as possible.
        loop: repeat until Ctrl-C.
        clock: publish /clock, for nodes with use_sim_time.
        topics: topics to publish; empty means all.
        wait_for: topics that must have a subscriber before the replay starts.
        loops: number of repetitions if ``loop`` is false.
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
    recorded_ns: int = 0  # published duration in recorded time
    seconds: float = 0.0  # published duration in real time


def replay(bag: Path, options: ReplayOptions) -> dict[str, Any]:
    """Publish a bag until its end or Ctrl-C; returns the counts under the keys of the command line's JSON.

    Raises:
        BagError: the bag cannot be read, or a requested topic cannot be published.
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
        counts: numbers of published messages, frames and faces.
        left_out: topic -> reason why it is not published.
    """

    def __init__(self, node: Node, recording: Recording, options: ReplayOptions) -> None:
        self._node, self._recording, self._options = node, recording, options
        self.counts = _Counts()
        self.left_out: dict[str, str] = dict(recording.left_out)
        self._published: dict[str, str] = {}  # topic -> type
        self._publishers = dict(self._publish_topics())
        self._clock = node.create_publisher(Clock, CLOCK, 10) if options.clock else None

    def play(self) -> None:
        """Publish all messages, repeatedly if configured."""
        self._wait_for_subscribers()
        started = time.perf_counter()
        try:
            self._play_loops()
        finally:
            self.counts.seconds = time.perf_counter() - started
        for publisher in self._publishers.values():
            publisher.wait_for_all_acked(Duration(seconds=FLUSH_TIMEOUT))

    def _play_loops(self) -> None:
        loops = 0
        while self._options.loop or loops < self._options.loops:
            before = self.counts.messages
            self._play_once()
            loops += 1
            if self.counts.messages == before:  # an empty bag would loop without pause
                return

    def publish(self, message: Message) -> None:
        """Publish one message now, after its time on /clock if configured."""
        self._publish_clock(message.time_ns)
        self._publishers[message.connection.topic].publish(bytes(message.data))
        self._count(message)

    def _play_once(self) -> None:
        connections = [
            entry for entry in self._recording.connections if self._published.get(entry.topic) == entry.msgtype
        ]
        started, first_ns, before_ns = time.monotonic(), None, self.counts.recorded_ns
        for message in self._recording.messages(connections) if connections else ():
            if first_ns is None and message.time_ns:  # time 0 is before the first message of a simulated clock
                first_ns = message.time_ns
            if first_ns is None:
                self.publish(message)
                continue
            self._wait(started, first_ns, message.time_ns)
            self.publish(message)
            self.counts.recorded_ns = before_ns + message.time_ns - first_ns

    def _wait(self, started: float, first_ns: int, time_ns: int) -> None:
        """Wait until a recorded time is due, and publish /clock in the meantime."""
        rate = self._options.rate
        if rate == 0.0:
            return
        due = started + (time_ns - first_ns) * 1e-9 / rate
        while (left := due - time.monotonic()) > 0:
            if self._clock is not None and left > CLOCK_INTERVAL:
                self._publish_clock(time_ns - round(left * rate * 1e9))
                left = CLOCK_INTERVAL
            time.sleep(left)

    def _publish_clock(self, time_ns: int) -> None:
        if self._clock is not None:
            self._clock.publish(Clock(clock=Time(nanoseconds=time_ns).to_msg()))

    def _count(self, message: Message) -> None:
        message_type = message.connection.msgtype
        self.counts.messages += 1
        self.counts.frames += message_type in (IMAGE, COMPRESSED_IMAGE)
        if message_type == FACE_ARRAY:
            try:
                array: Any = types_of(message.connection).deserialize_cdr(message.data, message_type)
                self.counts.faces += len(array.faces)
            except Exception as error:  # a truncated message, which has been published unchanged
                self.counts.problem = self.counts.problem or f"the faces of a message cannot be counted: {error}"

    def _wait_for_subscribers(self) -> None:
        for topic in self._options.wait_for:
            if topic not in self._publishers:
                raise BagError(f"expected one of the published topics {', '.join(self._publishers)}, got {topic}")
            while not self._publishers[topic].get_subscription_count():
                time.sleep(DISCOVERY_INTERVAL)

    def _publish_topics(self) -> Iterator[tuple[str, Publisher]]:
        for topic in self._options.topics:
            self._recording.connection(topic)
        for connection in self._recording.connections:
            is_selected = not self._options.topics or connection.topic in self._options.topics
            if not is_selected or (connection.topic == CLOCK and self._options.clock):
                continue
            try:
                publisher = self._publisher(connection)
                self._published[connection.topic] = connection.msgtype
                yield connection.topic, publisher
            except BagError as error:
                if self._options.topics and connection.topic not in self._published:
                    raise BagError(f"{connection.topic} cannot be published: {error}") from error
                self.left_out[connection.topic] = str(error)

    def _publisher(self, connection: Any) -> Publisher:
        """Raises BagError if subscribers cannot deserialize the messages."""
        if other := self._published.get(connection.topic):
            raise BagError(f"{connection.msgtype} is left out, the topic is published with {other}")
        message_type = installed_type(connection.msgtype)
        _check_definition(connection)
        try:
            return self._node.create_publisher(message_type, connection.topic, offered_qos(connection))
        except InvalidTopicNameException as error:
            reason = str(error).splitlines()[0].rstrip(":")
            raise BagError(f"expected a valid topic name, got {connection.topic!r}: {reason}") from error


def installed_type(name: str) -> type[Any]:
    """The class of "std_msgs/msg/String".

    Raises:
        BagError: it is not installed, or is not a message type.
    """
    package, _, message = name.partition("/msg/")
    try:
        message_type: type[Any] = message_class(f"{package}/{message}")
        message_fields(message_type)
    except (AttributeError, ImportError, TypeError, ValueError) as error:
        raise BagError(f"the message type {name} is not installed") from error
    return message_type


def _check_definition(connection: Any) -> None:
    """Reject messages that were recorded with another definition of their type, which subscribers would misread.

    Raises:
        BagError: the bag's definition differs from the installed one.
    """
    name = connection.msgtype
    if not is_as_installed(connection):
        own = name.startswith("face_expr_ros/")
        advice = "annotate again" if own else "install the version of its package that was recorded"
        raise BagError(f"{name} was recorded with a definition that differs from the installed one; {advice}")


def offered_qos(connection: Any) -> QoSProfile:
    """A QoS that is compatible with the subscribers of all recorded publishers of a topic."""
    profiles = connection.ext.offered_qos_profiles
    if not profiles:
        return QoSProfile(depth=MIN_DEPTH)
    reliable = all(profile.reliability.name != "BEST_EFFORT" for profile in profiles)
    latched = any(profile.durability.name == "TRANSIENT_LOCAL" for profile in profiles)
    return QoSProfile(
        depth=max([MIN_DEPTH, *(profile.depth for profile in profiles if profile.depth < MAX_DEPTH)]),
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )
