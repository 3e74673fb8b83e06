"""Image stamps and clocks that stop, jump or run backwards."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from support.robot_head import PERIOD, SECOND, START, YAW, Head, assert_within_limits, face, times


@pytest.mark.parametrize(
    "stamps", [itertools.count(START + 10**6 * SECOND, -PERIOD), itertools.repeat(5), itertools.repeat(2**62)]
)
def test_decreasing_constant_and_future_stamps_have_no_effect(stamps: itertools.count) -> None:
    head, other = (Head(YAW.model_copy(update={"relative": True})) for _ in range(2))
    for step, stamp_ns in zip(range(100), stamps, strict=False):
        yaw = 0.5 * math.sin(step / 20)
        head.run(0.02, face(yaw=yaw, stamp_ns=stamp_ns))
        other.run(0.02, face(yaw=yaw))
    np.testing.assert_allclose([t.positions for t in head.targets], [t.positions for t in other.targets], atol=0.05)
    assert head.warnings == []


@pytest.mark.parametrize("jump", [-3600.0, -0.05, 0.6, 3600.0, -1e9])
def test_a_time_jump_is_reported_once_and_keeps_the_position(jump: float) -> None:
    head = Head()
    head.run(0.3, face(yaw=1.0))
    before = head.targets[-1]
    head.now_ns += round(jump * SECOND)
    head.run(1.5, face(yaw=1.0))
    assert len(head.warnings) == 1
    assert "time jumped by" in head.warnings[0]
    assert abs(head.targets[15].positions[0] - before.positions[0]) <= YAW.velocity * PERIOD / SECOND
    assert head.position == pytest.approx(1.0)
    if jump < 0:  # only the clock has changed: the motion is smooth
        assert_within_limits(head.targets, (YAW,), times(len(head.targets)))
    else:  # the joint has stopped meanwhile
        assert head.targets[15].velocities == (0.0,)
        assert_within_limits(head.targets[15:], (YAW,), times(len(head.targets) - 15))


def test_a_lost_face_times_out_after_a_jump_backwards() -> None:
    head = Head(hold=0.5)
    head.run(1.0, face(yaw=1.0))
    head.run(0.2)
    head.now_ns -= 3600 * SECOND
    assert head.run(4.0).positions == (0.0,)


def test_the_same_time_twice_changes_nothing() -> None:
    head = Head()
    head.run(0.3, face(yaw=1.0))
    assert head.controller((face(yaw=-1.0),), head.now_ns) == head.targets[-1]
    assert head.warnings == []
