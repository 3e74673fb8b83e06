"""The landmark fit and the network together: FaceMesh where it is strong, the network where it is not.

FaceMesh sees lids, lips and irises better than any small crop shows them, but it invents the far side of a head that is
turned away and gives up in profile. The network's face says where FaceMesh's points are then. Both are observations of
the same points of the model, so they are averaged point by point, and one least-squares fit explains the average.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from face_expr_ros.bundle import Bundle
from face_expr_ros.config import FittingConfig
from face_expr_ros.fitting.least_squares import LeastSquaresFitter
from face_expr_ros.fitting.tddfa import TddfaFitter
from face_expr_ros.geometry import weak_perspective_pixels
from face_expr_ros.values import FaceFit, FloatArray, Frame, Landmarks, Track

# Yaw up to which FaceMesh is believed alone, and from which on it is not believed at all: it finds nearly every face up
# to 30 degrees and half of those beyond 60.
_FACEMESH_ALONE, _NETWORK_ALONE = math.radians(45), math.radians(75)
_NO_FACE = 0.5  # the network's confidence below which FaceMesh, if it sees a face, knows better


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

    def reset(self) -> None:
        """Forget all faces."""
        self._landmarks.reset()

    def expression_gain(self) -> FloatArray:
        """(expression_count,) the landmark fit's."""
        return self._landmarks.expression_gain()

    def __call__(self, frame: Frame, tracks: list[Track]) -> list[FaceFit]:
        """One fit for each track, in the same order; where FaceMesh sees nothing, the network's face is fitted."""
        guesses = self._network(frame, tracks)
        seen = [self._seen(track, guess, frame.camera.height) for track, guess in zip(tracks, guesses, strict=True)]
        return self._landmarks(frame, seen)

    def _seen(self, track: Track, guess: FaceFit, height: int) -> Track:
        """The track with the landmarks that both networks agree on."""
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
    matrix = guess.weak_perspective[:, :3]
    yaw = math.asin(float(np.clip(abs(matrix[0, 2]) / np.linalg.norm(matrix[0]), 0.0, 1.0)))
    return float(np.clip((_NETWORK_ALONE - yaw) / (_NETWORK_ALONE - _FACEMESH_ALONE), 0.0, 1.0))


create = FusedFitter
