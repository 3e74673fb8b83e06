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
    camera_from_info,
    image_size,
    implausible,
)
from face_expr_ros.serialization.camera_keeper import CameraKeeper, is_rectified

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


ZEROS = [("plumb_bob", 0), ("plumb_bob", 4), ("rational_polynomial", 8), ("", 0), ("", 5), ("none", 5), ("pinhole", 4)]


@pytest.mark.parametrize(("model", "count"), [*ZEROS, ("equidistant", 4), ("Plumb Bob", 5), ("unknown to us", 5)])
def test_a_lens_without_distortion_needs_no_coefficients(model: str, count: int) -> None:
    camera = camera_from_info(info(distortion_model=model, d=[0.0] * count), 640, 480)
    assert camera is not None
    assert len(camera.distortion) == 0


@pytest.mark.parametrize(("model", "count"), [("plumb_bob", 8), ("none", 5), ("", 5), ("rational_polynomial", 5)])
def test_the_number_of_coefficients_decides_in_polynomial_models(model: str, count: int) -> None:
    coefficients = np.linspace(0.01, 0.08, count)
    camera = camera_from_info(info(distortion_model=model, d=coefficients), 640, 480)
    assert camera is not None
    assert camera.lens == "pinhole"
    np.testing.assert_array_equal(camera.distortion, coefficients)


def test_equidistant_is_opencvs_fisheye_model() -> None:
    camera = camera_from_info(info(distortion_model="equidistant", d=D[:4]), 640, 480)
    assert camera is not None
    assert camera.lens == "fisheye"
    np.testing.assert_array_equal(camera.distortion, D[:4])


@pytest.mark.parametrize(("model", "count", "zeros"), [("equidistant", 4, 1), ("plumb_bob", 5, 1), ("radtan", 4, 2)])
def test_zeros_after_the_coefficients_are_ignored(model: str, count: int, zeros: int) -> None:
    coefficients = np.linspace(0.01, 0.08, count)
    camera = camera_from_info(info(distortion_model=model, d=[*coefficients, *[0.0] * zeros]), 640, 480)
    assert camera is not None
    np.testing.assert_array_equal(camera.distortion[:count], coefficients)
    assert not camera.distortion[count:].any()


def test_p_is_used_for_a_rectified_image_and_d_is_not() -> None:
    p = [500.0, 0.0, 300.0, -50.0, 0.0, 500.0, 230.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    for message in (info(p=p), info(p=p, distortion_model="double_sphere"), info(p=p, k=[0.0] * 9)):
        camera = camera_from_info(message, 640, 480, rectified=True)
        assert camera is not None
        np.testing.assert_array_equal(camera.matrix, np.reshape(p, (3, 4))[:, :3])
        assert not len(camera.distortion)
    without_p = camera_from_info(info(), 640, 480, rectified=True)
    assert without_p is not None
    np.testing.assert_array_equal(without_p.matrix.ravel(), K)


@pytest.mark.parametrize(
    ("topic", "rectified"),
    [
        ("/cam/image_rect", True),
        ("/cam/image_rect_color/compressed", True),
        ("/zed/left/color/rect/image", True),
        ("/cam/image_rectified", True),
        ("/cam/image_raw", False),
        ("/cam/image_unrectified", False),
        ("/rectangle/image", False),
    ],
)
def test_the_topic_name_tells_whether_images_are_rectified(topic: str, rectified: bool) -> None:
    assert is_rectified("auto", topic) == rectified
    assert is_rectified("true", topic)
    assert not is_rectified("false", topic)


def test_missing_width_and_height_are_those_of_the_image() -> None:
    camera = camera_from_info(info(width=0, height=0), 640, 480)
    assert camera is not None
    np.testing.assert_array_equal(camera.matrix.ravel(), K)


@pytest.mark.parametrize(("width", "height"), [(320, 240), (1280, 960), (640, 484)])
def test_k_is_scaled_to_an_image_of_the_same_aspect(width: int, height: int) -> None:
    camera = camera_from_info(info(), width, height)
    assert camera is not None
    across, down = width / 640, height / 480
    assert np.diag(camera.matrix)[:2] == pytest.approx([600 * across, 610 * down])
    assert camera.matrix[:2, 2] == pytest.approx([(width - 1) / 2, (height - 1) / 2])  # still the image's center


def test_binning_that_is_already_applied_is_not_applied_again() -> None:
    camera = camera_from_info(info(binning_x=2, binning_y=2), 640, 480)
    assert camera is not None
    np.testing.assert_array_equal(camera.matrix.ravel(), K)


@pytest.mark.parametrize("focal", [100.0, 7000.0])
def test_an_implausible_focal_length_is_used_with_a_warning(focal: float) -> None:
    keeper = CameraKeeper(field_of_view=63.0)
    keeper.update(info(k=[focal, 0.0, 319.5, 0.0, focal, 239.5, 0.0, 0.0, 1.0]))
    assert keeper.camera(640, 480).metric
    assert "implausible focal length" in keeper.problem


def test_unequal_focal_lengths_are_implausible() -> None:
    camera = camera_from_info(info(k=[600.0, 0.0, 319.5, 0.0, 200.0, 239.5, 0.0, 0.0, 1.0]), 640, 480)
    assert camera is not None
    assert "600 x 200 pixels" in implausible(camera)


def test_all_zeros_mean_uncalibrated() -> None:
    assert camera_from_info(CameraInfo(width=640, height=480), 640, 480) is None


def test_roi_and_binning_change_the_camera_matrix() -> None:
    region = RegionOfInterest(x_offset=100, y_offset=40, width=400, height=300)
    camera = camera_from_info(info(roi=region, binning_x=2, binning_y=3), 200, 100)
    assert camera is not None
    expected = [[300.0, 0, (319.5 - 100) / 2], [0, 610 / 3, (239.5 - 40) / 3], [0, 0, 1]]
    np.testing.assert_allclose(camera.matrix, expected)


BAD = {
    "NaN in k": ({"k": [math.nan, *K[1:]]}, "with fx and fy of at least 1 pixel, got"),
    "infinite cx": ({"k": [600.0, 0.0, math.inf, *K[3:]]}, "with fx and fy of at least 1 pixel, got"),
    "zero fx": ({"k": [0.0, *K[1:]]}, "with fx and fy of at least 1 pixel, got"),
    "negative fy": ({"k": [*K[:4], -610.0, *K[5:]]}, "with fx and fy of at least 1 pixel, got"),
    "transposed k": ({"k": np.reshape(K, (3, 3)).T.ravel()}, "k = [fx 0 cx 0 fy cy 0 0 1]"),
    "NaN in d": ({"d": [math.nan, 0.0, 0.0, 0.0, 0.0]}, "expected finite distortion coefficients"),
    "wrong count": ({"d": D[:3]}, "expected 0, 4, 5, 8, 12 or 14 coefficients for plumb_bob, got 3"),
    "fisheye with 5": ({"distortion_model": "equidistant", "d": D}, "expected 0 or 4 coefficients for equidistant"),
    "unknown lens": ({"distortion_model": "double_sphere", "d": D}, "got 'double_sphere'; rectify the image first"),
    "identity": ({"k": np.eye(3).ravel()}, "a focal length of at least 64 pixels for an image of 640 x 480, got 1"),
    "other aspect": ({"width": 1280, "height": 720}, "640 x 480 pixels, the size of the image, or of the same aspect"),
    "binned across only": ({"width": 1280, "height": 960, "binning_x": 2}, "binning 2 x 1"),
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
    assert not keeper.camera(320, 200).metric
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
    assert back.lens == "pinhole"


def test_a_fisheye_comes_back_from_its_own_camera_info() -> None:
    pinhole = pinhole_camera(320, 200, 50.0)
    camera = Camera(320, 200, pinhole.matrix, np.array([0.1, -0.02, 0.01, -0.001]), metric=True, lens="fisheye")
    back = camera_from_info(info_from_camera(camera, 320, 200, Header(frame_id="c")), 320, 200)
    assert back is not None
    assert back.lens == "fisheye"
    np.testing.assert_array_equal(back.distortion, camera.distortion)


def test_an_unknown_camera_is_published_as_uncalibrated() -> None:
    message = info_from_camera(None, 320, 200, Header(frame_id="c"))
    assert (message.width, message.height, message.header.frame_id) == (320, 200, "c")
    assert not np.any(message.k)
