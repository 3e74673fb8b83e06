"""Ids that stay: faces that move, cross, leave, come back, are found twice."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.config import TrackerConfig
from face_expr_ros.tracker import Tracker, overlap
from face_expr_ros.values import Landmarks, Roi

FRAME_NS = 33_000_000


def face_at(x: float, y: float = 300.0, size: float = 100.0) -> Landmarks:
    points = np.random.default_rng(1).uniform(-0.5, 0.5, (478, 3))
    points[:2] = [[-0.5, -0.5, 0], [0.5, 0.5, 0]]
    return Landmarks((points * size + [x, y, 0]).astype(np.float32), confidence=1.0)


@pytest.fixture
def tracker() -> Tracker:
    return Tracker(TrackerConfig(max_distance=0.75, keep_lost=1.0))


def ids_by_place(tracker: Tracker, faces: list[Landmarks], stamp_ns: int) -> dict[str, float]:
    return {track.id: track.crop.x + track.crop.width / 2 for track in tracker(faces, stamp_ns)}


def test_a_face_that_moves_keeps_its_id(tracker: Tracker) -> None:
    seen = {track.id for i in range(50) for track in tracker([face_at(100 + 15 * i)], i * FRAME_NS)}
    assert seen == {"f1"}


def test_the_order_of_the_detector_does_not_matter(tracker: Tracker) -> None:
    tracker([face_at(100), face_at(500)], 0)
    assert ids_by_place(tracker, [face_at(500), face_at(100)], FRAME_NS) == pytest.approx({"f1": 100, "f2": 500})


def test_two_faces_that_cross_keep_their_ids(tracker: Tracker) -> None:
    for i in range(41):
        left, right = 100 + 20 * i, 900 - 20 * i
        tracker([face_at(left, y=290), face_at(right, y=400)], i * FRAME_NS)
    assert ids_by_place(tracker, [face_at(920, 290), face_at(80, 400)], 41 * FRAME_NS) == pytest.approx(
        {"f1": 920, "f2": 80}
    )


def test_a_face_hidden_while_two_cross_gets_its_id_back(tracker: Tracker) -> None:
    for i in range(41):
        left, right = 100 + 20 * i, 900 - 20 * i
        hidden = abs(left - right) < 110
        faces = [face_at(right)] if hidden else [face_at(left), face_at(right)]
        tracker(faces, i * FRAME_NS)
    assert ids_by_place(tracker, [face_at(920), face_at(80)], 41 * FRAME_NS) == pytest.approx({"f1": 920, "f2": 80})


def test_a_face_that_comes_back_soon_keeps_its_id_and_later_gets_a_new_one(tracker: Tracker) -> None:
    tracker([face_at(100)], 0)
    tracker([], FRAME_NS)
    assert [track.id for track in tracker([face_at(105)], int(0.5e9))] == ["f1"]
    tracker([], int(0.6e9))
    assert [track.id for track in tracker([face_at(105)], int(1.6e9))] == ["f2"]


def test_a_face_keeps_its_id_while_images_are_left_out_and_not_after_a_long_pause(tracker: Tracker) -> None:
    for stamp in (0.0, 0.9, 2.4):  # seconds; no frame between them shows that it has gone
        assert [track.id for track in tracker([face_at(100)], int(stamp * 1e9))] == ["f1"]
    assert [track.id for track in tracker([face_at(100)], int(6e9))] == ["f2"]


@pytest.mark.parametrize("gap", [0.4, 0.8, 1.5])
def test_a_face_that_moved_fast_and_stopped_is_found_after_a_gap(tracker: Tracker, gap: float) -> None:
    for i in range(10):  # 450 pixels, more than four face widths, per second
        tracker([face_at(100 + 15 * i)], i * FRAME_NS)
    assert [track.id for track in tracker([face_at(250)], 9 * FRAME_NS + int(gap * 1e9))] == ["f1"]


def test_without_keep_lost_an_id_lives_as_long_as_every_frame_shows_its_face() -> None:
    tracker = Tracker(TrackerConfig(keep_lost=0.0))
    assert {track.id for i in range(5) for track in tracker([face_at(100)], i * FRAME_NS)} == {"f1"}
    tracker([], 5 * FRAME_NS)
    assert [track.id for track in tracker([face_at(100)], 6 * FRAME_NS)] == ["f2"]


def test_a_face_that_appears_elsewhere_is_another_face(tracker: Tracker) -> None:
    tracker([face_at(100)], 0)
    assert [track.id for track in tracker([face_at(600)], FRAME_NS)] == ["f2"]


def test_a_face_found_twice_is_one_face(tracker: Tracker) -> None:
    assert len(tracker([face_at(100), face_at(104)], 0)) == 1


def test_ids_are_never_used_again_after_a_reset(tracker: Tracker) -> None:
    tracker([face_at(100)], 10**9)
    tracker.reset()
    assert [track.id for track in tracker([face_at(100)], 0)] == ["f2"]


@pytest.mark.parametrize("elapsed_ns", [0, -FRAME_NS])
def test_stamps_that_stand_still_or_go_back_do_no_harm(tracker: Tracker, elapsed_ns: int) -> None:
    tracker([face_at(100)], 10**9)
    assert [track.id for track in tracker([face_at(102)], 10**9 + elapsed_ns)] == ["f1"]


def test_nobody_is_a_good_answer(tracker: Tracker) -> None:
    assert tracker([], 0) == []


@pytest.mark.parametrize(
    ("other", "expected"),
    [(Roi(0, 0, 10, 10), 1.0), (Roi(5, 0, 10, 10), 1 / 3), (Roi(20, 0, 10, 10), 0.0), (Roi(0, 0, 0, 0), 0.0)],
)
def test_overlap_is_intersection_over_union(other: Roi, expected: float) -> None:
    assert overlap(Roi(0, 0, 10, 10), other) == pytest.approx(expected)
