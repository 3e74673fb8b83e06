"""The engagement of a person follows attention with delays."""

from __future__ import annotations

from itertools import groupby

import pytest

from face_expr_ros.retargeting.engagement import Engagement, EngagementLevel

DISENGAGED, ENGAGING = EngagementLevel.DISENGAGED, EngagementLevel.ENGAGING
ENGAGED, DISENGAGING = EngagementLevel.ENGAGED, EngagementLevel.DISENGAGING


def levels(looks: list[tuple[float, float]], seconds: float = 10.0) -> list[EngagementLevel]:
    """The sequence of levels of a person who looks at the camera in these intervals."""
    engagement = Engagement(engage_after=1.0, disengage_after=2.0)
    times = [n / 10 for n in range(round(seconds * 10))]
    values = [1.0 if any(begin <= t < end for begin, end in looks) else 0.2 for t in times]
    return [level for level, _ in groupby(engagement(value, t) for value, t in zip(values, times, strict=True))]


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([], [DISENGAGED]),
        ([(1.0, 1.5)], [DISENGAGED, ENGAGING, DISENGAGED]),
        ([(1.0, 9.9)], [DISENGAGED, ENGAGING, ENGAGED, DISENGAGING]),
        ([(1.0, 4.0), (5.0, 9.9)], [DISENGAGED, ENGAGING, ENGAGED, DISENGAGING, ENGAGED, DISENGAGING]),
        ([(1.0, 4.0)], [DISENGAGED, ENGAGING, ENGAGED, DISENGAGING, DISENGAGED]),
    ],
)
def test_levels_follow_attention(looks: list[tuple[float, float]], expected: list[EngagementLevel]) -> None:
    assert levels(looks) == expected


@pytest.mark.parametrize("again", [10.0, 0.0])
def test_gap_or_time_jump_starts_disengaged(again: float) -> None:
    engagement = Engagement(0.5, 2.0)
    assert [engagement(1.0, t) for t in (5.0, 5.6)] == [ENGAGING, ENGAGED]
    assert engagement(1.0, again) == ENGAGING
