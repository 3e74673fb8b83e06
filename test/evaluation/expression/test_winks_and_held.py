"""Winks composed from two images, and expressions that are held."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.types import FloatArray
from face_expr_ros.evaluation.expression.held import held_changes
from face_expr_ros.evaluation.expression.winks import frame_pairs, wink


def face_points(shift: float) -> FloatArray:
    points = np.zeros((478, 2))
    places = {
        33: (60, 80),
        133: (90, 80),
        362: (110, 80),
        263: (140, 80),
        168: (100, 80),
        6: (100, 90),
        197: (100, 100),
    }
    for index, place in places.items():
        points[index] = np.array(place) + shift
    return points


@pytest.mark.parametrize(("side", "replaced", "kept"), [("Left", (80, 125), (80, 75)), ("Right", (80, 75), (80, 125))])
def test_only_the_eye_of_one_side_is_replaced(side: str, replaced: tuple[int, int], kept: tuple[int, int]) -> None:
    opened = np.full((200, 200, 3), 100, np.uint8)
    closed = opened.copy()
    for x in (75, 125):
        closed[80 + 5 - 4 : 80 + 5 + 4, x + 5 - 8 : x + 5 + 8] = 20  # the same face, 5 pixels lower and to the right
    result = wink(opened, face_points(0.0), closed, face_points(5.0), side)
    assert result[replaced][0] < 40
    assert result[kept][0] == 100
    assert result[20, 20, 0] == 100


@pytest.mark.parametrize(
    ("blinks", "pairs"),
    [
        ([(20, 24)], [(22, 14)]),
        ([(2, 5)], [(3, 11)]),
        ([(20, 24), (30, 34)], [(22, 14), (32, 40)]),
        ([], []),
    ],
)
def test_open_eyes_are_taken_outside_all_blinks(blinks: list[tuple[int, int]], pairs: list[tuple[int, int]]) -> None:
    assert frame_pairs(blinks) == pairs


def test_a_face_must_be_found_to_be_held() -> None:
    with pytest.raises(ValueError, match="found it in 0 frames"):
        held_changes(PerceptionConfig(), np.zeros((48, 64, 3), np.uint8), np.random.default_rng(1), seconds=0.5)
