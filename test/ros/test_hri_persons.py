"""Engagement of persons on courses of stamps as drivers send them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from builtin_interfaces.msg import Time
from std_msgs.msg import Header, String
from support.avatar_faces import make_state

from face_expr_ros.retargeting.engagement import EngagementLevel
from face_expr_ros.ros import hri_persons
from face_expr_ros.ros.hri_persons import PERSONS, PersonPublisher

MS = 1_000_000
LOOKING = 0.9


class Graph:
    """A node whose publishers record the messages, and whose subscriptions are called by hand."""

    def __init__(self) -> None:
        self.sent: dict[str, list[Any]] = {}
        self.receive: dict[str, Any] = {}

    def create_publisher(self, message_type: Any, topic: str, qos: Any) -> Any:
        return SimpleNamespace(publish=self.sent.setdefault(topic, []).append)

    def create_subscription(self, message_type: Any, topic: str, callback: Any, qos: Any) -> None:
        self.receive[topic] = callback


def levels(stamps: list[int], monkeypatch: pytest.MonkeyPatch) -> list[EngagementLevel]:
    """The levels of a person who looks at the camera, for images at 10 Hz with these stamps in ms."""
    graph, types = Graph(), SimpleNamespace(engagement=SimpleNamespace, gaze=SimpleNamespace, ids=SimpleNamespace)
    publish: Any = PersonPublisher(graph, types, engage_after=1.0, disengage_after=2.0)
    graph.receive[f"{PERSONS}/tracked"](SimpleNamespace(ids=["anna"]))
    graph.receive[f"{PERSONS}/anna/face_id"](String(data="f1"))
    face = make_state()
    face = replace(face, readouts=replace(face.readouts, looking_at_camera=LOOKING))
    for number, stamp in enumerate(stamps):
        monkeypatch.setattr(hri_persons.time, "monotonic_ns", lambda number=number: number * 100 * MS)
        sec, ms = divmod(stamp, 1000)
        publish({"f1": face}, Header(stamp=Time(sec=sec, nanosec=ms * MS)))
        publish({}, Header(stamp=Time(sec=1_800_000_000)))  # faces are removed with a stamp of the node's clock
    return [EngagementLevel(message.level) for message in graph.sent[f"{PERSONS}/anna/engagement_status"]]


STEADY = [5000 + 100 * n for n in range(16)]
COURSES = {
    "steady": STEADY,
    "swapped pairs": [STEADY[n + (1, -1)[n % 2]] for n in range(16)],
    "now and then late": [stamp - 133 * (n % 4 == 2) for n, stamp in enumerate(STEADY)],
    "zeros": [stamp * (n % 5 > 0) for n, stamp in enumerate(STEADY)],
    "negative": [stamp if n % 5 > 0 else -1000 for n, stamp in enumerate(STEADY)],
    "standing": [5000] * 16,
}


@pytest.mark.parametrize("course", COURSES)
def test_a_person_who_looks_for_a_second_is_engaged(course: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = levels(COURSES[course], monkeypatch)
    assert found[:5] == [EngagementLevel.ENGAGING] * 5
    assert found[-1] == EngagementLevel.ENGAGED
    assert found == sorted(found)


def test_a_bag_that_starts_again_starts_the_engagement_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    found = levels(STEADY + STEADY, monkeypatch)
    assert found[15:17] == [EngagementLevel.ENGAGED, EngagementLevel.ENGAGING]
