"""Measures which share of a camera's images is lost between its driver and this process.

Fast DDS without a profile loses most best-effort images that are larger than its 512 KB of shared memory, and neither
side reports it. Sequence numbers would show the loss, but rclpy's EventsExecutor does not provide them.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise

_IMAGES = 101  # the share is that of the last so many images
_INFOS = 4000
_MIN_IMAGES = 21
_MAX_STEP_NS = 60_000_000_000  # a larger step of the stamps starts a new stream
_MIN_MATCHED = (
    0.5  # share of the images that have a CameraInfo with the same stamp where the driver sends both together
)
_GROUP = 10  # intervals; the shortest of so many is the driver's interval, even if most images are lost
# The largest shares that are not reported. A CameraInfo for each image is exact, but images that are throttled on
# purpose have fewer, at equal intervals; intervals alone may jitter.
_MAX_SHARE, _MAX_IRREGULARITY, _MAX_SHARE_OF_INTERVALS = 0.2, 0.1, 0.45


class ImageLoss:
    """The share of the images that did not arrive, from the stamps of those that did and of CameraInfo.

    CameraInfo is small and is not lost. Where it has the same stamps as the images, the stamps without an image are
    counted. Otherwise the intervals between the images' stamps are compared with the shortest of ten: steady images
    have equal intervals, at any rate.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all messages."""
        self._images: deque[int] = deque(maxlen=_IMAGES)
        self._infos: deque[int] = deque(maxlen=_INFOS)

    def image_received(self, stamp_ns: int) -> None:
        """Record an image with this stamp, nanoseconds."""
        if self._images and abs(stamp_ns - self._images[-1]) > _MAX_STEP_NS:
            self.reset()
        self._images.append(stamp_ns)

    def info_received(self, stamp_ns: int) -> None:
        """Record a CameraInfo with this stamp, nanoseconds."""
        self._infos.append(stamp_ns)

    def share(self) -> float | None:
        """The lost share of the last images, 0..1; None while there are too few."""
        shares = self._shares()
        return None if shares is None else shares[0] if shares[0] is not None else shares[1]

    def is_excessive(self) -> bool:
        """Whether so many images are lost that the transport must be the cause."""
        shares = self._shares()
        if shares is None:
            return False
        of_infos, of_intervals = shares
        if of_infos is None:
            return of_intervals > _MAX_SHARE_OF_INTERVALS
        return of_infos > _MAX_SHARE and of_intervals > _MAX_IRREGULARITY

    def _shares(self) -> tuple[float | None, float] | None:
        """The lost share by CameraInfo, if the driver sends it with each image, and that by the intervals."""
        images = sorted(set(self._images))
        if len(images) < _MIN_IMAGES:
            return None
        sent = {stamp for stamp in self._infos if images[0] <= stamp <= images[-1]}
        received = len(sent.intersection(images))
        of_infos = 1.0 - received / len(sent) if received >= _MIN_MATCHED * len(images) else None
        return of_infos, _lost_share_of_intervals(images)


def _lost_share_of_intervals(stamps: list[int]) -> float:
    intervals = [after - before for before, after in pairwise(stamps)]
    groups = [intervals[start : start + _GROUP] for start in range(0, len(intervals) - _GROUP + 1, _GROUP)]
    groups = [sorted(group)[:-1] for group in groups]  # without the longest, which may be a pause
    expected = sum(min(group) * len(group) for group in groups)
    return 1.0 - expected / sum(map(sum, groups))


def loss_problem(topic: str) -> str:
    """What to do when images of a topic are lost."""
    return (
        f"many images are lost between the driver of {topic} and this node: set reliable QoS with qos_overrides, or "
        "Fast DDS's profile for the driver's process; see \"Images do not arrive\" in docs/tuning.md"
    )
