"""The camera's picture as the page gets it: small, with its stamp, and not too often."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from face_expr_ros.web.picture import PicturePace, camera_picture


def test_the_camera_picture_is_small_and_has_its_stamp() -> None:
    picture = camera_picture(np.full((720, 1280, 3), 100, np.uint8), 2_500_000_000)
    assert struct.unpack("<d", picture[:8]) == (2.5,)
    image = cv2.imdecode(np.frombuffer(picture[8:], np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (360, 640, 3)
    small = camera_picture(np.full((48, 64, 3), 100, np.uint8), 0)
    assert cv2.imdecode(np.frombuffer(small[8:], np.uint8), cv2.IMREAD_COLOR).shape == (48, 64, 3)


@pytest.mark.parametrize(("rate", "least", "most"), [(60, 14, 16), (30, 14, 16), (20, 13, 16), (10, 10, 10)])
def test_pictures_are_made_at_most_fifteen_times_a_second(rate: int, least: int, most: int) -> None:
    pace = PicturePace()
    count = sum(pace.due(number / rate) for number in range(10 * rate))
    assert 10 * least <= count <= 10 * most + 1
