"""The landmark fit and the network together: FaceMesh where it is strong, the network where it is not.

FaceMesh sees lids, lips and irises better than any small crop shows them, but it invents the far side of a head that is
turned away and gives up in profile. The network's face says where FaceMesh's points are then. Both are observations of
the same points of the model, so they are averaged point by point, and one least-squares fit explains the average.

Where FaceMesh is believed alone, the network's answer is not used. It is asked for all the same, in every frame, as
soon as the head turns away, and now and then while it does not: FaceMesh may be the one that has not noticed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from face_expr_ros.core.config import FittingConfig
from face_expr_ros.core.geometry import weak_perspective_pixels
from face_expr_ros.core.types import FaceFit, FloatArray, Frame, Landmarks, Track
from face_expr_ros.models.bundle import Bundle
from face_expr_ros.perception.fitting.least_squares import LeastSquaresFitter
from face_expr_ros.perception.fitting.tddfa import TddfaFitter

# Yaw up to which FaceMesh is believed alone, and from which on it is not believed at all: it finds nearly every face up
# to 30 degrees and half of those beyond 60.
_FACEMESH_ALONE, _NETWORK_ALONE = math.radians(45), math.radians(75)
_MAY_TURN = math.radians(30)  # yaw from which on the next frame may need the network: a fast head turns 15 in a frame
_LOOK_AGAIN_NS = 200_000_000  # between the network's looks at a face that needs none
_NO_FACE = 0.5  # the network's confidence below which FaceMesh, if it sees a face, knows better


@dataclass(frozen=True)
class _Look:
    """At a face: when the network last took one, and the yaw that it and the last fit saw, radians."""

    stamp_ns: int
    network_yaw: float
    fit_yaw: float = 0.0

    def serves(self, stamp_ns: int) -> bool:
        """Whether a frame taken at ``stamp_ns`` needs no other."""
        frontal = max(self.network_yaw, self.fit_yaw) < _MAY_TURN
        return frontal and 0 <= stamp_ns - self.stamp_ns < _LOOK_AGAIN_NS


class FusedFitter:
    """Fits every track by the landmarks that both networks give."""

    def __init__(self, config: FittingConfig, bundle: Bundle) -> None:
        """Loads the network.

        Raises:
            ConfigError: the bundle has no network, its model does not know FaceMesh's points, or the provider is not
                to be had here.
            BundleError: the network's file is missing or damaged.
        """
        self._network = TddfaFitter(config, bundle)
        self._landmarks = LeastSquaresFitter(config, bundle)
        model = bundle.model
        self._mean = model.facemesh_points(model.mean).astype(np.float32)
        bases = model.facemesh_points(np.concatenate([model.identity, model.expression]))
        self._basis = np.ascontiguousarray(bases.reshape(len(bases), -1), dtype=np.float32)
        self._looks: dict[str, _Look] = {}

    def reset(self) -> None:
        """Forget all faces."""
        self._looks.clear()
        self._landmarks.reset()

    def expression_gain(self) -> FloatArray:
        """(expression_count,) the landmark fit's."""
        return self._landmarks.expression_gain()

    def __call__(self, frame: Frame, tracks: list[Track]) -> list[FaceFit]:
        """One fit for each track, in the same order; where FaceMesh sees nothing, the network's face is fitted."""
        asked = [track for track in tracks if self._needs_network(track, frame.stamp_ns)]
        guesses = {track.id: guess for track, guess in zip(asked, self._network(frame, asked), strict=True)}
        seen = [self._seen(track, guesses.get(track.id), frame.camera.height) for track in tracks]
        fits = self._landmarks(frame, seen)
        self._remember(tracks, guesses, fits, frame.stamp_ns)
        return fits

    def _needs_network(self, track: Track, stamp_ns: int) -> bool:
        look = self._looks.get(track.id)
        return track.landmarks is None or track.fresh or look is None or not look.serves(stamp_ns)

    def _remember(self, tracks: list[Track], guesses: dict[str, FaceFit], fits: list[FaceFit], stamp_ns: int) -> None:
        """The looks at the faces of this frame. One at which the network saw no face counts as none."""
        new = {
            id: _Look(stamp_ns, apparent_yaw(guess)) for id, guess in guesses.items() if guess.confidence >= _NO_FACE
        }
        kept = {id: look for id, look in self._looks.items() if id not in guesses} | new
        self._looks = {
            track.id: replace(kept[track.id], fit_yaw=apparent_yaw(fit))
            for track, fit in zip(tracks, fits, strict=True)
            if track.id in kept
        }

    def _seen(self, track: Track, guess: FaceFit | None, height: int) -> Track:
        """The track with the landmarks that both networks agree on."""
        if guess is None:
            return track
        trust = trust_in_facemesh(track.landmarks, guess)
        if guess.confidence == 0.0 or trust == 1.0:
            return track
        points = self._facemesh_points(guess, height)
        confidence = guess.confidence
        if track.landmarks is not None:
            given = track.landmarks.points - [0.0, 0.0, (track.landmarks.points - points)[:, 2].mean()]
            points = points + trust * (given - points)
            confidence += trust * (track.landmarks.confidence - confidence)
        return replace(track, landmarks=Landmarks(points.astype(np.float32), confidence))

    def _facemesh_points(self, guess: FaceFit, height: int) -> FloatArray:
        """(478, 3) where the network's face has FaceMesh's points, in pixels."""
        coefficients = np.concatenate([guess.shape, guess.expression]).astype(np.float32)
        points = self._mean + (coefficients @ self._basis).reshape(-1, 3)
        return weak_perspective_pixels(guess.weak_perspective, points, height)


def trust_in_facemesh(landmarks: Landmarks | None, guess: FaceFit) -> float:
    """1 where FaceMesh is believed alone, 0 where the network is: by the yaw of the head as the crop shows it."""
    if landmarks is None:
        return 0.0
    if guess.confidence < _NO_FACE:
        return 1.0
    return float(np.clip((_NETWORK_ALONE - apparent_yaw(guess)) / (_NETWORK_ALONE - _FACEMESH_ALONE), 0.0, 1.0))


def apparent_yaw(fit: FaceFit) -> float:
    """Of the head as its crop shows it, to either side, radians."""
    right = fit.weak_perspective[0, :3]
    return math.asin(min(abs(float(right[2])) / math.sqrt(float(right @ right)), 1.0))


create = FusedFitter
