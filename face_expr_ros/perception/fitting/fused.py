"""Combines the landmark fit and the network, weighted by the yaw of the head.

FaceMesh locates eyelids, lips and irises better than the network's small crop shows them, but at large yaw its points
on the far side are wrong, and in profile it fails. There the network's fit predicts FaceMesh's points. Both observe the
same points of the model, so they are averaged point by point, and one least-squares fit is made to the average.

At small yaw only FaceMesh is used. The network still runs, in every frame once the head starts to turn and at intervals
otherwise, because FaceMesh may miss the start of a turn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from face_expr_ros.core.config import FittingConfig
from face_expr_ros.core.geometry import weak_perspective_pixels
from face_expr_ros.core.types import FaceFit, FloatArray, Frame, Landmarks, Track
from face_expr_ros.models.bundle import Bundle
from face_expr_ros.perception.fitting.least_squares import LeastSquaresFitter
from face_expr_ros.perception.fitting.tddfa import TddfaFitter

# Yaw up to which only FaceMesh is used, and from which only the network is used: FaceMesh's far side becomes less
# accurate than the network's beyond 20 degrees, and it finds only half of the faces beyond 60. Chosen, from seven pairs
# whose errors differ by 1.5 percent, on the 400 development images of docs/evaluation.md.
_FACEMESH_ONLY, _NETWORK_ONLY = math.radians(20), math.radians(70)
_TURNING = math.radians(15)  # yaw from which the network runs in every frame: a fast head turns 15 degrees per frame
_NETWORK_INTERVAL_NS = 200_000_000  # between runs of the network for a frontal face
_MIN_CONFIDENCE = 0.5  # of the network; below it FaceMesh's landmarks, if any, are used alone
_MAX_ROLL = math.radians(50)  # beyond it FaceMesh's landmarks, if any, are used alone: the network is trained up to 45
_MAX_RESIDUAL = 0.008  # meters; with a larger one FaceMesh and the network do not agree on a face


@dataclass(frozen=True)
class _LastRun:
    """The network's last run for a face.

    Attributes:
        stamp_ns: of the frame.
        network_yaw, fit_yaw: apparent yaw by the network, and by the last fit, radians.
    """

    stamp_ns: int
    network_yaw: float
    fit_yaw: float = 0.0

    def is_current(self, stamp_ns: int) -> bool:
        """Whether the network need not run for the frame at ``stamp_ns``."""
        frontal = max(self.network_yaw, self.fit_yaw) < _TURNING
        return frontal and 0 <= stamp_ns - self.stamp_ns < _NETWORK_INTERVAL_NS


class FusedFitter:
    """Fits every track to the combined landmarks of FaceMesh and the network."""

    def __init__(self, config: FittingConfig, bundle: Bundle) -> None:
        """Loads the network.

        Raises:
            ConfigError: the bundle has no network, its model has no FaceMesh points, or the provider is not available.
            BundleError: the network's file is missing or damaged.
        """
        self._network = TddfaFitter(config, bundle)
        self._landmarks = LeastSquaresFitter(config, bundle)
        model = bundle.model
        self._mean = model.facemesh_points(model.mean).astype(np.float32)
        bases = model.facemesh_points(model.bases)
        self._basis = np.ascontiguousarray(bases.reshape(len(bases), -1), dtype=np.float32)
        self._last_runs: dict[str, _LastRun] = {}

    def reset(self) -> None:
        """Delete the state."""
        self._last_runs.clear()
        self._landmarks.reset()

    def state_dict(self) -> dict[str, Any]:
        """The last runs of the network, and the landmark fit's state."""
        last_runs = {id: dict(vars(last)) for id, last in self._last_runs.items()}
        return {"last_runs": last_runs, "landmarks": self._landmarks.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._last_runs = {id: _LastRun(**last) for id, last in state["last_runs"].items()}
        self._landmarks.load_state_dict(state["landmarks"])

    def expression_gain(self) -> FloatArray:
        """(expression_count,) the landmark fit's."""
        return self._landmarks.expression_gain()

    def __call__(self, frame: Frame, tracks: list[Track]) -> list[FaceFit]:
        """One fit for each track, in the same order; without FaceMesh's landmarks, to those of the network's fit."""
        selected = [track for track in tracks if self._needs_network(track, frame.stamp_ns)]
        network_fits = {track.id: fit for track, fit in zip(selected, self._network(frame, selected), strict=True)}
        combined = [self._combined(track, network_fits.get(track.id), frame.camera.height) for track in tracks]
        fits = [
            confirmed(fit, track.landmarks, network_fits.get(track.id))
            for track, fit in zip(tracks, self._landmarks(frame, combined), strict=True)
        ]
        self._update_last_runs(tracks, network_fits, fits, frame.stamp_ns)
        return fits

    def _needs_network(self, track: Track, stamp_ns: int) -> bool:
        last = self._last_runs.get(track.id)
        return track.landmarks is None or track.fresh or last is None or not last.is_current(stamp_ns)

    def _update_last_runs(
        self, tracks: list[Track], network_fits: dict[str, FaceFit], fits: list[FaceFit], stamp_ns: int
    ) -> None:
        """Keep the last runs of the faces in this frame, except runs in which the network found no face."""
        new = {
            id: _LastRun(stamp_ns, apparent_yaw(fit))
            for id, fit in network_fits.items()
            if fit.confidence >= _MIN_CONFIDENCE
        }
        kept = {id: last for id, last in self._last_runs.items() if id not in network_fits} | new
        self._last_runs = {
            track.id: _LastRun(kept[track.id].stamp_ns, kept[track.id].network_yaw, apparent_yaw(fit))
            for track, fit in zip(tracks, fits, strict=True)
            if track.id in kept
        }

    def _combined(self, track: Track, network_fit: FaceFit | None, height: int) -> Track:
        """The track with the weighted mean of FaceMesh's landmarks and the network's."""
        if network_fit is None:
            return track
        weight = facemesh_weight(track, network_fit)
        if network_fit.confidence == 0.0 or weight == 1.0:
            return track
        points = self._facemesh_points(network_fit, height)
        confidence = network_fit.confidence
        if track.landmarks is not None:
            given = track.landmarks.points - [0.0, 0.0, (track.landmarks.points - points)[:, 2].mean()]
            points = points + weight * (given - points)
            confidence += weight * (track.landmarks.confidence - confidence)
        return replace(track, landmarks=Landmarks(points.astype(np.float32), confidence))

    def _facemesh_points(self, network_fit: FaceFit, height: int) -> FloatArray:
        """(478, 3) FaceMesh's points on the network's fit, in pixels."""
        coefficients = np.concatenate([network_fit.shape, network_fit.expression]).astype(np.float32)
        points = self._mean + (coefficients @ self._basis).reshape(-1, 3)
        return weak_perspective_pixels(network_fit.weak_perspective, points, height)


def confirmed(fit: FaceFit, landmarks: Landmarks | None, network_fit: FaceFit | None) -> FaceFit:
    """The fit with the confidence of two independent networks that found the same face, if that is higher.

    A rotated face has a large residual, and so a low confidence, because FaceMesh's far side is wrong.
    """
    if landmarks is None or network_fit is None or not 0.0 < fit.residual < _MAX_RESIDUAL:
        return fit
    return replace(fit, confidence=max(fit.confidence, landmarks.confidence * network_fit.confidence))


def facemesh_weight(track: Track, network_fit: FaceFit) -> float:
    """The weight of FaceMesh's landmarks against the network's, 0..1, by the apparent yaw of the head."""
    if track.landmarks is None:
        return 0.0
    if network_fit.confidence < _MIN_CONFIDENCE or abs(track.roll) > _MAX_ROLL:
        return 1.0
    return float(np.clip((_NETWORK_ONLY - apparent_yaw(network_fit)) / (_NETWORK_ONLY - _FACEMESH_ONLY), 0.0, 1.0))


def apparent_yaw(fit: FaceFit) -> float:
    """The absolute yaw of the head relative to the ray to it, as a crop shows it, radians."""
    x, y, z, _ = fit.weak_perspective[0].tolist()
    return math.asin(min(abs(z) / math.sqrt(x * x + y * y + z * z), 1.0))
