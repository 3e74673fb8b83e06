"""The square region of the image that a FaceMesh network processes, and FaceMesh on a region around each track."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import Detection, Frame, Landmarks, Track
from face_expr_ros.kernels.regions import cut_region, followed_region, points_in_image, region_around, region_transform

_EYES = 33, 263  # outer corners, right and left
_MARGIN = 1.5  # of the long side of the points' box: MediaPipe's own margin
# The region relative to a crop, medians over rendered faces: its side, and the shift of its center towards the
# forehead. A crop from a detector is larger than one from landmarks.
_CROP_SIDE, _FRESH_CROP_SIDE, _CROP_UP = 1.2, 1.0, 0.08
# A region follows the landmarks with this play, relative to its side and in radians. Without it, noise would move the
# region, the moved region the next landmarks, and so on: a still face would wander. With twice this play, the region
# lags so far behind a person who passes in front of another that one of them gets a new id.
_PLAY, _ROTATION_PLAY = 0.005, math.radians(1.0)


class Region(NamedTuple):
    """The square of the image that the network processes: center and side in pixels, rotation in radians, clockwise."""

    x: float
    y: float
    side: float
    rotation: float


RegionWriter = Callable[[NDArray[np.float32]], object]


class RegionNetwork(Protocol):
    """A FaceMesh network.

    Attributes:
        side: of its square input, pixels.
    """

    side: int

    def __call__(self, write: RegionWriter) -> tuple[NDArray[np.float32], float, NDArray[np.float32] | None]:
        """The landmarks, the presence and the appearance of a face in a region.

        Args:
            write: fills (side, side, 3) float32 with the region, RGB in 0..1; it must not keep that memory.

        Returns:
            (478, 3) x, y and z, relative to the region's corner and side; the presence confidence, 0..1; and the
            appearance features, see `Landmarks`, or None.
        """

    def close(self) -> None:
        """Free the network."""


class RegionLandmarks:
    """FaceMesh with irises. The region of a face comes from its landmarks in the previous frame, if there are any.

    Args:
        network: finds the landmarks in a region.
        min_presence: minimum presence confidence of a face.
    """

    resumable = True

    def __init__(self, network: RegionNetwork, min_presence: float) -> None:
        self._network = network
        self._last: dict[str, Landmarks] = {}
        self._regions: dict[str, Region] = {}  # of the tracks in `_last`
        self._min_presence = min_presence

    def __call__(self, frame: Frame, tracks: list[Track]) -> list[Landmarks | None]:
        """The landmarks of each track; None where FaceMesh finds no face."""
        found = [self._track(frame, track) for track in tracks]
        self._last = {track.id: points for track, points in zip(tracks, found, strict=True) if points is not None}
        self._regions = {id: region for id, region in self._regions.items() if id in self._last}
        return found

    @property
    def untracked_detections(self) -> list[Detection]:
        """Always empty: it searches only the regions of the tracks."""
        return []

    def reset(self) -> None:
        """Delete the state: the next frame is unrelated to the previous one."""
        self._last, self._regions = {}, {}

    def state_dict(self) -> dict[str, Any]:
        """The landmarks of the previous frame, and the regions they were found in."""
        return {
            id: {"points": last.points, "confidence": float(last.confidence), "region": list(self._regions[id])}
            for id, last in self._last.items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._last = {id: Landmarks(last["points"], last["confidence"]) for id, last in state.items()}
        self._regions = {id: Region(*last["region"]) for id, last in state.items()}

    def close(self) -> None:
        """Free the network."""
        self._network.close()

    def _track(self, frame: Frame, track: Track) -> Landmarks | None:
        if not track.fresh and track.id in self._last:
            region = followed(self._regions[track.id], region_of_points(self._last[track.id].points))
        else:
            approximate = self._detect(frame, region_of_crop(track))
            if approximate is None:
                return None
            region = region_of_points(approximate.points)
        self._regions[track.id] = region
        return self._detect(frame, region)

    def _detect(self, frame: Frame, region: Region) -> Landmarks | None:
        """The landmarks in a region; None if there is no face or the region is outside the image."""
        if not _touches(region, frame.image.shape[1], frame.image.shape[0]):
            return None
        points, presence, appearance = self._network(partial(write_region, frame.image, region))
        if presence < self._min_presence:
            return None
        return Landmarks(to_image(points, region), presence, appearance)


def region_of_points(points: NDArray[np.float32]) -> Region:
    """MediaPipe's region for a face with landmarks (478, >= 2), rotated with the line through the eyes."""
    return Region(*region_around(np.asarray(points, np.float32), _EYES, _MARGIN))


def followed(last: Region, region: Region) -> Region:
    """The region nearest to ``last`` that differs from ``region`` by no more than the play."""
    return Region(*followed_region(last, region, _PLAY, _ROTATION_PLAY))


def region_of_crop(track: Track) -> Region:
    """The region for a face of which only the crop and the roll are known."""
    crop, side = track.crop, _FRESH_CROP_SIDE if track.fresh else _CROP_SIDE
    x = crop.x + crop.width / 2 + math.sin(track.roll) * _CROP_UP * crop.height
    y = crop.y + crop.height / 2 - math.cos(track.roll) * _CROP_UP * crop.height
    return Region(x, y, side * crop.width, track.roll)


def _touches(region: Region, width: int, height: int) -> bool:
    """Whether the rotated region may overlap an image of this size."""
    reach = region.side * math.sqrt(0.5) + 1.0
    return -reach < region.x < width + reach and -reach < region.y < height + reach


def write_region(image: NDArray[np.uint8], region: Region, out: NDArray[np.float32]) -> None:
    """Fill ``out`` (side, side, 3) with the region, RGB in 0..1, as MediaPipe cuts it out."""
    cut_region(image, region_transform(region, len(out)), len(out), out)


def to_image(points: NDArray[np.float32], region: Region) -> NDArray[np.float32]:
    """Points (478, 3), relative to the region's corner and side, in image pixels."""
    return points_in_image(points, region)
