"""Blinks are detected online in the blendshapes of the eyelids."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.core.types import Blendshapes, FloatArray
from face_expr_ros.perception.expression.blinks import EYES, BlinkDetector
from face_expr_ros.synthetic import actor

NAMES = (*EYES, "eyeSquintLeft", "eyeSquintRight", "eyeLookDownLeft", "eyeLookDownRight")
NARROW = 0.15  # contribution of squinting or looking down to eyeBlink
NOISE = 0.01


def detect(left: FloatArray, right: FloatArray, rate: float) -> list[tuple[float, float]]:
    """Begin and end, seconds, of the blinks in two curves of eyeBlink with `rate` values per second."""
    detector = BlinkDetector()
    found = [
        (n / rate, detector(Blendshapes(EYES, np.array(pair)), n / rate))
        for n, pair in enumerate(zip(left, right, strict=True))
    ]
    return [(t - blink.duration, t) for t, blink in found if blink]


def open_eyes(seconds: float, rate: float = 30.0) -> FloatArray:
    return np.zeros(round(seconds * rate))


def closed_between(begin: float, end: float, seconds: float = 8.0, rate: float = 30.0) -> FloatArray:
    """Open eyes that are closed from `begin` to `end`, seconds."""
    times = np.arange(round(seconds * rate)) / rate
    return np.where((times >= begin - 1e-9) & (times < end - 1e-9), 0.9, 0.0)


@pytest.mark.parametrize("rate", [15.0, 30.0, 60.0])
@pytest.mark.parametrize(("closed", "opened"), [(1.0, 0.0), (0.45, 0.05), (0.9, 0.3)])
def test_blinks_of_the_actor_are_counted_but_not_glances_or_squints(rate: float, closed: float, opened: float) -> None:
    """A backend with the value `closed` for closed eyes, `opened` for open ones, and a little more for narrow ones."""
    rng = np.random.default_rng(1)
    times = np.arange(0, actor.LOOP, 1 / rate)
    truth = np.array([actor.state_at(t, NAMES).expression for t in times])
    left, right = (
        opened + (closed - opened) * np.clip(truth[:, eye] + NARROW * (truth[:, eye + 2] + truth[:, eye + 4]), 0, 1)
        for eye in (0, 1)
    )
    noise = NOISE * rng.standard_normal((2, len(times)))
    blinks = detect(left + noise[0], right + noise[1], rate)
    middles = np.array([(begin + end) / 2 for begin, end in blinks])
    expected = np.array(actor._BLINKS) + 0.12
    assert len(middles) == len(expected)
    assert np.abs(middles - expected).max() <= 1.5 / rate


@pytest.mark.parametrize(("seconds", "blinks"), [(0.03, 0), (0.07, 1), (0.3, 1), (0.9, 1), (1.2, 0), (5.0, 0)])
def test_single_frames_and_long_closures_are_not_blinks(seconds: float, blinks: int) -> None:
    curve = closed_between(2.0, 2.0 + seconds)
    assert len(detect(curve, curve, 30.0)) == blinks


def test_wink_is_not_a_blink() -> None:
    assert detect(closed_between(2.0, 2.2), open_eyes(8.0), 30.0) == []


def test_blink_has_begin_and_end_of_the_closure() -> None:
    curve = closed_between(2.0, 2.2)
    (blink,) = detect(curve, curve, 30.0)
    assert blink == pytest.approx((2.0, 2.2))


@pytest.mark.parametrize(("between", "blinks"), [(0.0, 2), (0.38, 2), (0.55, 1), (0.75, 1)])
def test_eyes_that_open_less_than_half_blink_once(between: float, blinks: int) -> None:
    """Two closures of 0.2 s, 0.15 s apart; values relative to closed eyes."""
    curve = np.maximum(closed_between(4.0, 4.2), closed_between(4.35, 4.55))
    curve += between * closed_between(4.2, 4.35)
    found = detect(curve, curve, 30.0)
    assert len(found) == blinks
    assert found[0][0] == pytest.approx(4.0)


def test_noise_at_half_closed_lids_is_one_blink() -> None:
    rng = np.random.default_rng(4)
    curve = np.maximum(closed_between(1.0, 1.2), 0.5 * closed_between(4.0, 4.6)) + 0.02 * rng.standard_normal(240)
    assert len(detect(curve, curve, 30.0)) <= 2


@pytest.mark.parametrize("again_after", [1.0, -3.0])
def test_gaps_and_time_jumps_do_not_end_a_blink(again_after: float) -> None:
    detector = BlinkDetector()
    shut, opened = (Blendshapes(EYES, np.full(2, value)) for value in (0.9, 0.0))
    for n in range(90):
        assert detector(opened, n / 30) is None
    assert detector(shut, 3.0) is None
    assert detector(shut, 3.1) is None
    assert detector(opened, 3.1 + again_after) is None


def test_blendshapes_without_eyelids_are_rejected() -> None:
    with pytest.raises(ValueError, match="without eyeBlinkLeft"):
        BlinkDetector()(Blendshapes(("bfm_exp_0",), np.zeros(1)), 0.0)


def test_a_detector_with_restored_state_continues() -> None:
    curve = closed_between(2.0, 2.2)
    first, second = BlinkDetector(), BlinkDetector()
    for n, value in enumerate(curve):
        if n == 62:  # in the middle of the blink
            second.load_state_dict(first.state_dict())
        now = Blendshapes(EYES, np.full(2, value)), n / 30
        found = first(*now)
        if n >= 62:
            assert second(*now) == found
