"""The camera picture for the page: size, stamp and rate."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from face_expr_ros.web.picture import PicturePace, camera_picture


def test_a_camera_picture_is_resized_and_has_its_stamp() -> None:
    picture = camera_picture(np.full((720, 1280, 3), 100, np.uint8), 2_500_000_000)
    assert struct.unpack("<d", picture[:8]) == (2.5,)
    image = cv2.imdecode(np.frombuffer(picture[8:], np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (360, 640, 3)
    small = camera_picture(np.full((48, 64, 3), 100, np.uint8), 0)
    assert cv2.imdecode(np.frombuffer(small[8:], np.uint8), cv2.IMREAD_COLOR).shape == (48, 64, 3)


@pytest.mark.parametrize(("rate", "minimum", "maximum"), [(60, 14, 16), (30, 14, 16), (20, 13, 16), (10, 10, 10)])
def test_the_picture_rate_is_at_most_15_hz(rate: int, minimum: int, maximum: int) -> None:
    pace = PicturePace()
    count = sum(pace.due(number / rate) for number in range(10 * rate))
    assert 10 * minimum <= count <= 10 * maximum + 1


@pytest.mark.parametrize(("clients", "rate"), [(1, 15), (32, 15), (64, 7.5), (200, 2.4)])
def test_many_clients_get_fewer_pictures(clients: int, rate: float) -> None:
    """At most 480 pictures per second are sent to all of them together."""
    pace = PicturePace()
    count = sum(pace.due(number / 60, clients) for number in range(60 * 60))
    assert count / 60 == pytest.approx(rate, rel=0.05)
