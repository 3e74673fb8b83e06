"""Engagement and gaze of persons (REP-155), for the persons that a person manager has matched to a face.

REP-155 defines both for persons, not for faces. Persons are identified by other nodes, such as hri_person_manager: here
their ids and faces are read from ``/humans/persons``, and nothing is published without them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.subscription import Subscription
from std_msgs.msg import Header, String

from face_expr_ros.core.types import FaceState
from face_expr_ros.perception.frame_clock import FrameClock
from face_expr_ros.retargeting.engagement import LOOKING, Engagement
from face_expr_ros.ros.hri_messages import HriTypes
from face_expr_ros.ros.stamps import stamp_ns

PERSONS = "/humans/persons"
GAZING = "/humans/interactions/gazing"
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class _Person:
    """One tracked person: the face that is matched to it, its engagement and the topics of both."""

    def __init__(self, node: Node, types: HriTypes, name: str, engagement: Engagement) -> None:
        self._node = node
        self.face_id = ""
        self.engagement = engagement
        self._matches: Subscription[Any] = node.create_subscription(
            String, f"{PERSONS}/{name}/face_id", self._on_match, _LATCHED
        )
        self.status: Publisher[Any] = node.create_publisher(types.engagement, f"{PERSONS}/{name}/engagement_status", 10)

    def _on_match(self, message: String) -> None:
        self.face_id = message.data

    def close(self) -> None:
        self._node.destroy_subscription(self._matches)
        self._node.destroy_publisher(self.status)


class PersonPublisher:
    """Publishes the engagement status of each person, and the gaze of each person at the robot.

    Args:
        node: creates the topics.
        types: of hri_msgs.
        engage_after, disengage_after: as in `Engagement`.
    """

    def __init__(self, node: Node, types: HriTypes, engage_after: float, disengage_after: float) -> None:
        self._node, self._types = node, types
        self._engagement = partial(Engagement, engage_after, disengage_after)
        self._persons: dict[str, _Person] = {}
        self._clock = FrameClock()  # stamps may be out of order or stand still
        self._gazing: Publisher[Any] = node.create_publisher(types.gaze, GAZING, 10)
        node.create_subscription(types.ids, f"{PERSONS}/tracked", self._on_tracked, 10)

    def __call__(self, faces: Mapping[str, FaceState], header: Header) -> None:
        """Publish the persons whose face, by its REP-155 id, is in the image of this header."""
        if not faces:  # the header of faces that are removed has the stamp of another clock
            return
        t = self._clock(stamp_ns(header.stamp), time.monotonic_ns()) * 1e-9
        for name, person in self._persons.items():
            face = faces.get(person.face_id)
            if face is None:
                continue
            looking = face.readouts.looking_at_camera
            level = person.engagement(looking, t)
            person.status.publish(self._types.engagement(header=header, level=int(level)))
            if looking >= LOOKING:  # an empty receiver is the robot
                self._gazing.publish(self._types.gaze(header=header, sender=name, receiver=""))

    def _on_tracked(self, message: Any) -> None:
        present = set(message.ids)
        for name in self._persons.keys() - present:
            self._persons.pop(name).close()
        for name in present - self._persons.keys():
            self._persons[name] = _Person(self._node, self._types, name, self._engagement())
