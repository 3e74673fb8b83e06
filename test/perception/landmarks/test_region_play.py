"""The region of a still face does not move with the noise of its landmarks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from face_expr_ros.perception.landmarks.regions import Region, followed

FACE = Region(100.0, 120.0, 200.0, 0.1)


def test_a_region_does_not_follow_noise() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        x, y, side = rng.uniform(-0.95, 0.95, 3)
        moved = Region(FACE.x + x, FACE.y + y, FACE.side + side, FACE.rotation + rng.uniform(-0.017, 0.017))
        assert followed(FACE, moved) == FACE


def test_a_region_follows_a_movement_within_the_play() -> None:
    moved = Region(150.0, 60.0, 300.0, 1.0)
    found = followed(FACE, moved)
    assert (found.x, found.y, found.side) == (148.5, 61.5, 298.5)
    assert found.rotation == pytest.approx(1.0 - math.radians(1.0))


def test_rotation_takes_the_short_way_around() -> None:
    last, region = Region(0.0, 0.0, 100.0, 3.14), Region(0.0, 0.0, 100.0, -3.14)
    found = followed(last, region)
    assert math.remainder(found.rotation - last.rotation, math.tau) == pytest.approx(0.0, abs=1e-9)
