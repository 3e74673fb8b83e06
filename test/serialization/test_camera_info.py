"""Conversion of CameraInfo to a camera: regions of interest, binning, and invalid messages."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, RegionOfInterest
from std_msgs.msg import Header

from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.core.types import Camera
from face_expr_ros.ros.camera_info_messages import info_from_camera
from face_expr_ros.serialization.camera_info import (
    CameraInfoError,
    CameraKeeper,
    camera_from_info,
    image_size,
)

K = [600.0, 0.0, 319.5, 0.0, 610.0, 239.5, 0.0, 0.0, 1.0]
D = [0.1, -0.2, 0.001, -0.002, 0.05]


def info(**changes: Any) -> CameraInfo:
    fields: dict[str, Any] = {"width": 640, "height": 480, "distortion_model": "plumb_bob", "k": K, "d": D}
    return CameraInfo(**(fields | changes))


def test_k_and_d_define_the_camera() -> None:
    camera = camera_from_info(info(), 640, 480)
    assert camera is not None
    assert camera.metric
    np.testing.assert_array_equal(camera.matrix.ravel(), K)
    np.testing.assert_array_equal(camera.distortion, D)


@pytest.mark.parametrize(("model", "count"), [("plumb_bob", 0), ("plumb_bob", 4), ("rational_polynomial", 8), ("", 0)])
def test_a_lens_without_distortion_needs_no_coefficients(model: str, count: int) -> None:
    camera = camera_from_info(info(distortion_model=model, d=[0.0] * count), 640, 480)
    assert camera is not None
    assert len(camera.distortion) == 0


def test_all_zeros_mean_uncalibrated() -> None:
    assert camera_from_info(CameraInfo(width=640, height=480), 640, 480) is None


def test_roi_and_binning_change_the_camera_matrix() -> None:
    region = RegionOfInterest(x_offset=100, y_offset=40, width=400, height=300)
    camera = camera_from_info(info(roi=region, binning_x=2, binning_y=3), 200, 100)
    assert camera is not None
    expected = [[300.0, 0, (319.5 - 100) / 2], [0, 610 / 3, (239.5 - 40) / 3], [0, 0, 1]]
    np.testing.assert_allclose(camera.matrix, expected)


BAD = {
    "NaN in k": ({"k": [math.nan, *K[1:]]}, "with fx and fy above 0, got"),
    "infinite cx": ({"k": [600.0, 0.0, math.inf, *K[3:]]}, "with fx and fy above 0, got"),
    "zero fx": ({"k": [0.0, *K[1:]]}, "with fx and fy above 0, got"),
    "negative fy": ({"k": [*K[:4], -610.0, *K[5:]]}, "with fx and fy above 0, got"),
    "transposed k": ({"k": np.reshape(K, (3, 3)).T.ravel()}, "k = [fx 0 cx 0 fy cy 0 0 1]"),
    "NaN in d": ({"d": [math.nan, 0.0, 0.0, 0.0, 0.0]}, "expected finite distortion coefficients"),
    "wrong count": ({"d": D[:3]}, "expected 0 or 4 or 5 coefficients for plumb_bob, got 3"),
    "fisheye": ({"distortion_model": "equidistant", "d": D[:4]}, "got 'equidistant'; rectify the image first"),
    "other size": ({"width": 1280, "height": 960}, "expected a camera of 640 x 480 pixels, the size of the image, got"),
    "binned": ({"binning_x": 2, "binning_y": 2}, "binning 2 x 2"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_invalid_camera_info_is_rejected_with_the_reason(case: str) -> None:
    changes, words = BAD[case]
    with pytest.raises(CameraInfoError) as refused:
        camera_from_info(info(**changes), 640, 480)
    assert words in str(refused.value)


@pytest.mark.parametrize("case", BAD)
def test_the_keeper_uses_a_default_until_the_next_valid_message(case: str) -> None:
    keeper = CameraKeeper(field_of_view=63.0)
    keeper.update(info(**BAD[case][0]))
    assert not keeper.camera(640, 480).metric
    assert BAD[case][1] in keeper.problem
    keeper.update(info())
    assert keeper.camera(640, 480).metric
    assert not keeper.problem


def test_image_size_is_the_region_divided_by_the_binning() -> None:
    region = RegionOfInterest(x_offset=8, y_offset=4, width=320, height=240)
    assert image_size(CameraInfo(width=640, height=480)) == (640, 480)
    assert image_size(CameraInfo(width=640, height=480, binning_x=2, binning_y=3)) == (320, 160)
    assert image_size(CameraInfo(width=640, height=480, roi=region, binning_x=2, binning_y=1)) == (160, 240)
    assert image_size(CameraInfo()) == (0, 0)


def test_the_keeper_without_camera_info_assumes_a_vertical_field_of_view() -> None:
    camera = CameraKeeper(field_of_view=90.0).camera(640, 480)
    assert camera.matrix[1, 1] == pytest.approx(240)
    assert not camera.metric


def test_the_keeper_follows_changes_of_calibration_and_size() -> None:
    keeper = CameraKeeper(field_of_view=63.0)
    keeper.update(info())
    first = keeper.camera(640, 480)
    keeper.update(info(header=Header(frame_id="later")))
    assert keeper.camera(640, 480) is first
    keeper.update(info(k=[700.0, *K[1:]]))
    assert keeper.camera(640, 480).matrix[0, 0] == 700
    assert not keeper.camera(320, 240).metric
    assert keeper.problem
    keeper.update(CameraInfo(width=640, height=480))
    assert not keeper.camera(640, 480).metric
    assert not keeper.problem


@pytest.mark.parametrize("coefficients", [0, 4, 5, 8])
def test_a_camera_survives_conversion_to_camera_info_and_back(coefficients: int) -> None:
    pinhole = pinhole_camera(320, 200, 50.0)
    camera = Camera(320, 200, pinhole.matrix, np.linspace(0.01, 0.08, coefficients), metric=True)
    back = camera_from_info(info_from_camera(camera, 320, 200, Header(frame_id="c")), 320, 200)
    assert back is not None
    np.testing.assert_array_equal(back.matrix, camera.matrix)
    np.testing.assert_array_equal(back.distortion, camera.distortion)


def test_an_unknown_camera_is_published_as_uncalibrated() -> None:
    message = info_from_camera(None, 320, 200, Header(frame_id="c"))
    assert (message.width, message.height, message.header.frame_id) == (320, 200, "c")
    assert not np.any(message.k)
