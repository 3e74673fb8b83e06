"""The measured loss of images between driver and node, for drivers with and without CameraInfo."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.ros.image_loss import ImageLoss

MS = 1_000_000
Stamps = list[int]


def stamps_at(rate: float, count: int = 4000, jitter: float = 0.0, seed: int = 0) -> Stamps:
    """Stamps in nanoseconds with a jitter (standard deviation) relative to the interval."""
    noise = np.random.default_rng(seed).normal(0.0, jitter, count).clip(-0.4, 0.4)
    return [int((number + shift) * 1e9 / rate) for number, shift in enumerate(noise)]


def measured(sent: Stamps, lost: float, infos: bool, seed: int = 1) -> ImageLoss:
    """After a driver sent these images, of which a random share was lost."""
    arrives = np.random.default_rng(seed).random(len(sent)) >= lost
    result = ImageLoss()
    for stamp, arrived in zip(sent, arrives, strict=True):
        if infos:
            result.info_received(stamp)
        if arrived:
            result.image_received(stamp)
    return result


@pytest.mark.parametrize("rate", [5.0, 30.0, 200.0])
@pytest.mark.parametrize("lost", [0.0, 0.3, 0.63, 0.8, 0.97])
def test_the_share_is_exact_with_camera_info(rate: float, lost: float) -> None:
    loss = measured(stamps_at(rate), lost, infos=True)
    assert loss.share() == pytest.approx(lost, abs=0.12)
    assert loss.is_excessive() == (lost > 0.2)


@pytest.mark.parametrize("rate", [5.0, 30.0, 200.0])
@pytest.mark.parametrize("lost", [0.0, 0.05, 0.63, 0.8, 0.97])
def test_a_large_loss_is_reported_without_camera_info(rate: float, lost: float) -> None:
    loss = measured(stamps_at(rate), lost, infos=False)
    assert loss.is_excessive() == (lost > 0.5)
    assert loss.share() == pytest.approx(lost, abs=0.15)


COURSES: dict[str, Stamps] = {
    "stamps with jitter": stamps_at(30.0, jitter=0.15),
    "15 Hz in the dark": [*stamps_at(30.0, 60), *(60 * 33 * MS + stamp for stamp in stamps_at(15.0, 50))],
    "a pause": [*stamps_at(30.0, 60), *(5_000 * MS + stamp for stamp in stamps_at(30.0, 60))],
    "a looping bag": stamps_at(30.0, 60) * 5,
    "images sent twice": [stamp for stamp in stamps_at(30.0, 100) for _ in range(2)],
}


@pytest.mark.parametrize("course", COURSES)
@pytest.mark.parametrize("infos", [True, False])
def test_irregular_stamps_are_not_reported_as_loss(course: str, infos: bool) -> None:
    assert not measured(COURSES[course], 0.0, infos).is_excessive()


def test_throttled_images_beside_every_camera_info_are_not_reported() -> None:
    loss = ImageLoss()
    for number, stamp in enumerate(stamps_at(30.0, 500)):
        loss.info_received(stamp)
        if number % 6 == 0:
            loss.image_received(stamp)
    assert not loss.is_excessive()


def test_a_single_camera_info_does_not_hide_a_loss() -> None:
    loss = ImageLoss()
    loss.info_received(0)
    for stamp, kept in zip(stamps_at(30.0), np.random.default_rng(2).random(4000) > 0.8, strict=True):
        if kept:
            loss.image_received(stamp)
    assert loss.is_excessive()


@pytest.mark.parametrize("stamps", [[], [5], [7] * 500, stamps_at(30.0, 20)])
def test_too_few_stamps_have_no_share(stamps: Stamps) -> None:
    loss = measured(stamps, 0.0, infos=False)
    assert (loss.share(), loss.is_excessive()) == (None, False)


def test_the_share_recovers_when_the_driver_is_restarted() -> None:
    loss = measured(stamps_at(30.0), 0.9, infos=True)
    assert loss.is_excessive()
    for stamp in stamps_at(30.0, 150):
        loss.info_received(stamp + 200_000 * MS)
        loss.image_received(stamp + 200_000 * MS)
    assert not loss.is_excessive()
