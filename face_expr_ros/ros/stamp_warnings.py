"""Warnings about irregular image stamps."""

from __future__ import annotations

from collections.abc import Callable

from face_expr_ros.perception.frame_clock import FrameClock, StampKind

_STANDING_IMAGES = 10  # so many equal stamps in a row are not just an image that was sent twice
_TEXTS = {
    StampKind.LATE: "image stamps are out of order: one is {jump:.3f} s before the latest; such images are processed "
    "as if they came next. Check the driver's clock if there are many",
    StampKind.STANDING: "image stamps do not change: times of arrival are used instead. Let the driver stamp each "
    "image, or start the clock of the simulation",
    StampKind.MISSING: "some image stamps are zero or negative: their times of arrival are used instead",
    StampKind.AHEAD: "an image stamp is {jump:.3f} s after the one before, but the image arrived earlier than that: "
    "its time of arrival is used instead, unless the next stamps follow it. Check the driver's clock",
    StampKind.RESTART: "image stamps jumped back by {jump:.3f} s: all tracks are reset",
}


class StampWarnings:
    """Warns once about each kind of irregular stamp, and after each restart of the stream.

    Args:
        warn: called with a text.
        warn_repeatedly: the same for texts that may be frequent; should limit their rate.
    """

    def __init__(self, warn: Callable[[str], object], warn_repeatedly: Callable[[str], object]) -> None:
        self._warn, self._warn_repeatedly = warn, warn_repeatedly
        self._reported: set[StampKind] = set()
        self._standing = 0  # equal stamps in a row

    def __call__(self, clock: FrameClock) -> None:
        """Examine the latest stamp; call after each image."""
        kind = clock.kind
        self._standing = self._standing + 1 if kind is StampKind.STANDING else 0
        if kind is StampKind.RESTART:
            self._warn_repeatedly(_TEXTS[kind].format(jump=clock.jump_ns * 1e-9))
        elif kind in _TEXTS and kind not in self._reported and self._is_certain(kind):
            self._reported.add(kind)
            self._warn(_TEXTS[kind].format(jump=clock.jump_ns * 1e-9))

    def _is_certain(self, kind: StampKind) -> bool:
        return kind is not StampKind.STANDING or self._standing >= _STANDING_IMAGES
