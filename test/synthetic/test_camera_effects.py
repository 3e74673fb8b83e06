"""What a camera adds to an image."""

from __future__ import annotations

import numpy as np

from face_expr_ros.kernels.rasterizer import ENCODED, LINEAR, tone_curve
from face_expr_ros.synthetic.camera_effects import CameraEffects, defocused, video_frame, with_depth_of_field


def test_defocus_spreads_light_and_not_gray_levels() -> None:
    image = np.zeros((41, 41, 3), np.uint8)
    image[20, 20] = 255
    blurred = defocused(image, 2.0)
    np.testing.assert_allclose(LINEAR[blurred].sum(axis=(0, 1)), 1.0, rtol=0.05)
    assert blurred[20, 22].min() > 50
    assert blurred[20, 24].max() == 0


def test_only_what_is_out_of_focus_is_blurred() -> None:
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    depth = np.full((64, 64), 1.0, np.float32)
    depth[:, 32:] = 2.0
    seen = with_depth_of_field(image, depth, focus=1.0, aperture=8.0)
    np.testing.assert_array_equal(seen[:, :20], image[:, :20])
    assert seen[:, 44:].std() < 0.5 * image[:, 44:].std()


def test_video_loses_detail_but_neither_brightness_nor_edges() -> None:
    noise = np.random.default_rng(1).normal(0, 6, (60, 90, 3))
    image = np.clip(noise + np.where(np.arange(90) < 45, 60, 180)[:, None], 0, 255).astype(np.uint8)
    frame = video_frame(image, 12.0)
    assert frame.shape == image.shape
    np.testing.assert_allclose(frame.mean(axis=(0, 1)), image.mean(axis=(0, 1)), atol=3)
    assert frame[:, :40].std() < 0.6 * image[:, :40].std()
    assert frame[:, 50:].mean() - frame[:, :40].mean() > 110


def test_random_cameras_repeat_for_the_same_seed() -> None:
    image = np.full((32, 32, 3), 120, np.uint8)
    first, second = (
        CameraEffects.random(rng := np.random.default_rng(4)).apply(image, rng) for _ in range(2)
    )  # fmt: skip
    np.testing.assert_array_equal(first, second)
    assert 0.2 < first.std() < 20


def test_a_tone_curve_keeps_dark_tones_and_compresses_bright_ones() -> None:
    linear, encoded = tone_curve(3.0)
    assert (np.diff(encoded.astype(int)) >= 0).all()
    assert encoded[-1] == 255
    for light, shown in ((0.1, ENCODED[int(0.1 * 8191)]), (0.5, ENCODED[int(0.5 * 8191)])):
        assert abs(int(encoded[round(light / 3 * 16383)]) - int(shown)) <= 1
    assert 200 < encoded[round(1.0 / 3 * 16383)] < 250
    np.testing.assert_allclose(encoded[np.round(linear * 16383).astype(int)], np.arange(256), atol=1)
