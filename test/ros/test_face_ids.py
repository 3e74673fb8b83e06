"""Ids of faces differ between nodes and between starts."""

from __future__ import annotations

from itertools import pairwise

import pytest

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.ros import face_ids
from face_expr_ros.ros.face_ids import with_unique_ids


@pytest.mark.parametrize(
    ("namespace", "given", "expected"),
    [
        ("/", "", ""),
        ("/front", "", "front_"),
        ("/robot/front", "", "robot_front_"),
        ("/front", "none", ""),
        ("/front", "left_", "left_"),
        ("/", "left_", "left_"),
    ],
)
def test_the_prefix_is_made_from_the_namespace_unless_given(namespace: str, given: str, expected: str) -> None:
    assert with_unique_ids(PerceptionConfig(id_prefix=given), namespace).id_prefix == expected


@pytest.mark.parametrize("prefix", ["1st", "a-b", "a/b", "_a", "é"])
def test_an_invalid_prefix_is_refused_with_a_message(prefix: str) -> None:
    with pytest.raises(
        ConfigError, match="id_prefix: expected letters, digits and underscores, starting with a letter"
    ):
        with_unique_ids(PerceptionConfig(id_prefix=prefix), "/front")


def test_each_start_has_other_numbers_even_within_a_millisecond() -> None:
    starts = [with_unique_ids(PerceptionConfig(), "/").first_id for _ in range(20)]
    assert all(after > before for before, after in pairwise(starts))
    assert all(0 < start < 10**9 for start in starts)


def test_a_process_does_not_reuse_the_numbers_of_a_killed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nodes are configured anew every 50 ms, and each finds a new face in every image at 200 Hz."""
    now_ms = 1_700_000_000_000
    used: set[int] = set()
    monkeypatch.setattr(face_ids.time, "time_ns", lambda: now_ms * 1_000_000)
    for _process in range(3):
        monkeypatch.setattr(face_ids, "_last_start", 0)
        for _configuration in range(200):
            first = with_unique_ids(PerceptionConfig(), "/").first_id
            numbers = set(range(first, first + 10))
            assert not numbers & used
            used |= numbers
            now_ms += 50


def test_a_given_number_is_kept() -> None:
    assert with_unique_ids(PerceptionConfig(first_id=7), "/").first_id == 7
