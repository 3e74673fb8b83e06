"""The pipeline from an image to faces; `Pipeline.measure` and `Pipeline.finish` show all of its stages."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Any

import numpy as np

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.facemesh_regions import IBUG68
from face_expr_ros.core.geometry import bounding_box, crop_from_landmarks
from face_expr_ros.core.types import Blendshapes, Camera, Face, FaceFit, Frame, Landmarks, Roi, Track
from face_expr_ros.models.bundle import open_bundle
from face_expr_ros.perception.depth_scale import DepthScale
from face_expr_ros.perception.detection import open_detector
from face_expr_ros.perception.detection.boxes import overlap
from face_expr_ros.perception.detection_scheduler import DetectionScheduler
from face_expr_ros.perception.expression import open_expression
from face_expr_ros.perception.expression.readouts import ReadoutReader
from face_expr_ros.perception.fitting import open_fitter
from face_expr_ros.perception.frame_clock import FrameClock, StampKind
from face_expr_ros.perception.image_rotation import ImageRotation
from face_expr_ros.perception.landmarks import open_landmarks
from face_expr_ros.perception.smoothing import Smoother
from face_expr_ros.perception.tracker import Tracker

# Intersection over union of two crops: a network reads a face that is off by 0.2 crops nearly as well as a centered
# one, but not a face that is off by 0.3.
_MIN_CROP_OVERLAP = 0.6
_IBUG68 = np.array(IBUG68, np.intp)
_STILL_FRAMES, _STILL_STEP_NS = 3, 33_333_333  # how often a still image is processed, and the nanoseconds between


@dataclass(frozen=True)
class Measurement:
    """The faces of a frame after the first half of the pipeline, for the second half.

    Attributes:
        frame: with the time of the pipeline's clock as its stamp, and rotated.
        camera: that of the given frame.
        is_restart: the stages that follow are reset before this frame.
        ids: of all tracks, also those that are not in view.
        tracks, fits: of the faces in view.
        stage_seconds: seconds of each stage.
    """

    frame: Frame
    camera: Camera
    is_restart: bool
    ids: tuple[str, ...]
    tracks: list[Track]
    fits: list[FaceFit]
    stage_seconds: dict[str, float] = field(default_factory=dict)


class Pipeline:
    """Detects and tracks faces in a sequence of images.

    It has state. One thread may call it, or one thread `measure` and another one `finish`, each in the order of the
    frames; all other methods are called when neither runs.

    Attributes:
        model: the face model that shape and expression refer to.
        stage_seconds: seconds that each stage took for the last frame.
        clock: the times of the frames, from their stamps.
        resumable: whether `state_dict` is available; landmarks.backend mediapipe_tasks keeps its state in MediaPipe.
    """

    def __init__(self, config: PerceptionConfig, timer: Callable[[], float] = time.perf_counter) -> None:
        """Loads models and networks.

        Args:
            config: the settings.
            timer: the clock of ``stage_seconds``, seconds.

        Raises:
            BundleError: a file of the bundle is missing or damaged.
            ConfigError: a file that the configuration names is missing or damaged, or settings contradict each other.
        """
        bundle = open_bundle(config.bundle, config.fitting.network)
        self.model = bundle.model
        self.stage_seconds: dict[str, float] = {}
        self._timer = timer
        self._is_restart = False  # the stages of `finish` are to be reset before the next frame
        self._rotation = ImageRotation(config.image_rotation)
        self._detector = open_detector(config.detection, bundle.detector_path)
        self._tracker = Tracker(config.tracker, config.landmarks.max_faces, config.id_prefix, config.first_id)
        intervals = config.detection.interval, config.detection.idle_interval
        self._scheduler = DetectionScheduler(self._detector, self._tracker, *intervals)
        self._landmarks = open_landmarks(config.landmarks)
        self._fitter = open_fitter(config.fitting, bundle)
        self._depth = DepthScale(self.model)
        self._expression = open_expression(config.expression, self.model, self._fitter)
        self._smoother = Smoother(config.smoothing)
        self._readouts = ReadoutReader(config.expression)
        self.clock = FrameClock()
        self.resumable = self._landmarks.resumable

    def __call__(self, frame: Frame, thorough: bool = False) -> tuple[Face, ...]:
        """The faces in the frame, in the order of their ids; may be empty.

        A stamp at least a second before the latest one, as when a bag is played again, or several old ones in a row
        reset the pipeline; ids are never reused. See `FrameClock` for other irregular stamps.

        Args:
            frame: its image must not change until the next call.
            thorough: search longer and for smaller faces, for a single image.
        """
        return self.finish(self.measure(frame, thorough))

    def measure(self, frame: Frame, thorough: bool = False) -> Measurement:
        """The first half of the pipeline: tracks with landmarks and fits. Arguments as in a call."""
        frame = self._timed(frame)
        camera, frame, seconds = frame.camera, self._rotation.frame(frame), dict[str, float]()
        lap = _Lap(self._timer, seconds)
        detections = self._scheduler(frame, self._landmarks.untracked_detections, thorough)
        lap("detector")
        tracks = self._tracker(detections, frame.stamp_ns)
        lap("tracker")
        tracks = [_with_landmarks(*pair) for pair in zip(tracks, self._landmarks(frame, tracks), strict=True)]
        lap("landmarks")
        fits = self._fitter(frame, tracks)
        lap("fitter")
        tracks, fits = self._accepted(tracks, fits, frame.stamp_ns)
        fits = self._depth(frame, [track.id for track in tracks], fits)
        self._scheduler.defer(frame)
        is_restart, self._is_restart = self._is_restart, False
        return Measurement(frame, camera, is_restart, tuple(self._tracker.ids), tracks, fits, seconds)

    def finish(self, measured: Measurement) -> tuple[Face, ...]:
        """The second half of the pipeline: blendshapes, smoothing and read-outs of the measured faces."""
        frame, seconds = measured.frame, measured.stage_seconds
        if measured.is_restart:
            _reset(self._finishing_stages())
        lap = _Lap(self._timer, seconds)
        self._expression.keep(measured.ids)
        blendshapes = self._expression(frame, measured.tracks, measured.fits)
        lap("expression")
        raw = _faces(measured.tracks, measured.fits, blendshapes)
        faces = self._smoother(raw, frame.stamp_ns)
        lap("smoother")
        faces = self._readouts(faces, frame.stamp_ns, raw)
        lap("readouts")
        self.stage_seconds = seconds
        return self._rotation.faces(faces, measured.camera)

    @property
    def track_count(self) -> int:
        """Number of tracks: in view, or lost and not yet deleted."""
        return len(self._tracker.ids)

    def run_deferred_detection(self) -> None:
        """Run a deferred detection pass now; call after publishing, so that faces do not wait for the detector.

        Without this call it runs at the start of the next frame, with the same result.
        """
        self._scheduler.run_deferred()

    def still(self, frame: Frame) -> tuple[Face, ...]:
        """The faces in a single image, unrelated to earlier frames. It is processed three times, without smoothing.

        The landmark network needs one or two frames to converge from the detector's approximate box.
        """
        self.reset()
        for step in range(_STILL_FRAMES):
            self._smoother.reset()
            faces = self(replace(frame, stamp_ns=frame.stamp_ns + step * _STILL_STEP_NS), thorough=step == 0)
        return faces

    def calibrate_neutral(self) -> int:
        """Store the last second of each face in view as its neutral expression; returns the number of faces."""
        return self._expression.calibrate()

    def reset(self) -> None:
        """Delete all tracks and neutral expressions; ids continue, and the next stamp is the first of a stream."""
        self.clock.reset()
        self._is_restart = False
        _reset(self._stages())

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames: nested dicts and lists of arrays, numbers and strings.

        A pipeline with the same settings that loads it continues with the same output. See `resumable`.
        """
        return self.whole_state(self.measuring_state())

    def measuring_state(self) -> dict[str, Any]:
        """The part of `state_dict` that `measure` changes, for a thread that only measures."""
        stages = _states(self._measuring_stages())
        return {"clock": self.clock.state_dict(), "is_restart": self._is_restart, "stages": stages}

    def whole_state(self, measuring: Mapping[str, Any]) -> dict[str, Any]:
        """The `state_dict` after a frame, from the `measuring_state` after it; call when the frame is finished."""
        return {**measuring, "stages": {**measuring["stages"], **_states(self._finishing_stages())}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for name, stage in self._stages().items():
            stage.load_state_dict(state["stages"][name])
        self.clock.load_state_dict(state["clock"])
        self._is_restart = state["is_restart"]

    def close(self) -> None:
        """Free the networks."""
        self._detector.close()
        self._landmarks.close()

    def _stages(self) -> dict[str, Any]:
        return {**self._measuring_stages(), **self._finishing_stages()}

    def _measuring_stages(self) -> dict[str, Any]:
        return {
            "scheduler": self._scheduler,  # first: its deferred detection changes the detector's state
            "detector": self._detector,
            "tracker": self._tracker,
            "landmarks": self._landmarks,
            "fitter": self._fitter,
            "depth": self._depth,
        }

    def _finishing_stages(self) -> dict[str, Any]:
        return {"expression": self._expression, "smoother": self._smoother, "readouts": self._readouts}

    def _accepted(self, tracks: list[Track], fits: list[FaceFit], stamp_ns: int) -> tuple[list[Track], list[FaceFit]]:
        """The tracks that the tracker keeps after it has seen their fits."""
        accepted = self._tracker.update(tracks, fits, stamp_ns)
        return list(compress(tracks, accepted)), list(compress(fits, accepted))

    def _timed(self, frame: Frame) -> Frame:
        """The frame with the clock's time as its stamp; resets all stages where the stream restarts."""
        time_ns = self.clock(frame.stamp_ns, frame.arrival_ns)
        if self.clock.kind is StampKind.RESTART:
            _reset(self._measuring_stages())
            self._is_restart = True
        depth = frame.depth
        if depth is not None:  # without a stamp it is taken for that of the image
            stamp_ns = depth.stamp_ns if depth.stamp_ns > 0 else frame.stamp_ns
            depth = replace(depth, stamp_ns=stamp_ns + time_ns - frame.stamp_ns)
        return replace(frame, stamp_ns=time_ns, depth=depth)


class _Lap:
    """Measures successive stages; a call ends one and begins the next."""

    def __init__(self, timer: Callable[[], float], seconds: dict[str, float]) -> None:
        self._timer, self._seconds = timer, seconds
        self._started = timer()

    def __call__(self, stage: str) -> None:
        now = self._timer()
        self._seconds[stage], self._started = now - self._started, now


def _reset(stages: Mapping[str, Any]) -> None:
    for stage in stages.values():
        stage.reset()


def _states(stages: Mapping[str, Any]) -> dict[str, Any]:
    return {name: stage.state_dict() for name, stage in stages.items()}


def _with_landmarks(track: Track, landmarks: Landmarks | None) -> Track:
    """The track with its landmarks of this frame.

    Its crop comes from them only where the face has left the crop of the last fit, which is more reliable in profile.
    """
    if landmarks is None:
        return track
    if not track.fresh:
        crop = crop_from_landmarks(landmarks.points, _IBUG68)
        if overlap(crop, track.crop) < _MIN_CROP_OVERLAP:
            return Track(track.id, crop, landmarks, fresh=True, roll=track.roll)
    return Track(track.id, track.crop, landmarks, track.fresh, track.roll)


def _faces(tracks: list[Track], fits: list[FaceFit], blendshapes: list[Blendshapes]) -> tuple[Face, ...]:
    rows = zip(tracks, fits, blendshapes, strict=True)
    return tuple(
        Face(track.id, fit.confidence, _box(track, fit), track.landmarks, fit, values) for track, fit, values in rows
    )


def _box(track: Track, fit: FaceFit) -> Roi:
    return bounding_box(fit.landmarks68 if track.landmarks is None else track.landmarks.points)
