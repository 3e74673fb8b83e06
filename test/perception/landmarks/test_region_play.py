"""The region of a still face does not move with the noise of its landmarks."""

from __future__ import annotations

import numpy as np

from face_expr_ros.perception.landmarks.regions import Region, followed

FACE = Region(100.0, 120.0, 200.0, 0.1)


def test_a_region_does_not_follow_noise() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        x, y, side = rng.uniform(-0.95, 0.95, 3)
        moved = Region(FACE.x + x, FACE.y + y, FACE.side + side, FACE.rotation + rng.uniform(-0.008, 0.008))
        assert followed(FACE, moved) == FACE


def test_a_region_follows_a_movement_without_lag() -> None:
    for moved in (Region(103.0, 120.0, 200.0, 0.1), Region(100.0, 120.0, 200.0, 0.13), Region(150.0, 60.0, 300.0, 1.0)):
        assert followed(FACE, moved) == moved


def test_rotation_takes_the_short_way_around() -> None:
    last, region = Region(0.0, 0.0, 100.0, 3.14), Region(0.0, 0.0, 100.0, -3.14)
    assert followed(last, region) == last
