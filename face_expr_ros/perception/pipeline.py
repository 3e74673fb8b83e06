"""The line from an image to faces. Reading ``Pipeline.__call__`` is knowing the system."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import compress

import numpy as np

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.facemesh_regions import IBUG68
from face_expr_ros.core.geometry import bounding_box, crop_from_landmarks
from face_expr_ros.core.types import Blendshapes, Detection, Face, FaceFit, Frame, Landmarks, Roi, Track
from face_expr_ros.models.bundle import open_bundle
from face_expr_ros.perception.detection import open_detector
from face_expr_ros.perception.detection.boxes import best_of, overlap
from face_expr_ros.perception.expression import open_expression
from face_expr_ros.perception.expression.readouts import ReadoutReader
from face_expr_ros.perception.fitting import open_fitter
from face_expr_ros.perception.landmarks import open_landmarks
from face_expr_ros.perception.smoothing import Smoother
from face_expr_ros.perception.tracker import Tracker

# Intersection over union of two crops: a network reads a face that is 0.2 crops aside nearly as well as one in the
# middle of its crop, and one that is 0.3 aside not.
_MOVED = 0.6
_IBUG68 = np.array(IBUG68)
_SAME = 0.5  # intersection over union from which on two detections are one face
_SOON_NS = 50_000_000  # nanoseconds: a face that somebody finds has hardly moved when the next frame is taken
_LOOKS, _LOOK_NS = 3, 33_333_333  # at a still picture, nanoseconds apart


class Pipeline:
    """Images in, faces out. It remembers faces from frame to frame and belongs to one thread.

    Attributes:
        model: the face model that shape and expression refer to.
        stage_seconds: what each stage took for the last frame.
    """

    def __init__(self, config: PerceptionConfig) -> None:
        """Loads models and networks.

        Raises:
            BundleError: a file of the bundle is missing or damaged.
            ConfigError: a file that the configuration names is missing or damaged, or settings contradict each other.
        """
        bundle = open_bundle(config.bundle, config.fitting.network)
        self.model = bundle.model
        self.stage_seconds: dict[str, float] = {}
        self._detector = open_detector(config.detection, bundle.detector_path)
        self._tracker = Tracker(config.tracker, config.landmarks.max_faces, config.detection.interval)
        self._landmarks = open_landmarks(config.landmarks)
        self._fitter = open_fitter(config.fitting, bundle)
        self._expression = open_expression(config.expression, self.model, self._fitter)
        self._smoother = Smoother(config.smoothing)
        self._readouts = ReadoutReader(config.expression)
        self._last_stamp_ns: int | None = None
        self._ahead: Frame | None = None  # the last frame, where the next one wants to know who else is in it
        self._early: list[Detection] | None = None  # the answer

    def __call__(self, frame: Frame, thorough: bool = False) -> tuple[Face, ...]:
        """The faces in the frame, in the order of their ids; none is a good answer. Its image must stay as it is until
        the next one.

        A stamp before the last one (a bag that starts again) resets the memory; ids are never used twice.
        ``thorough`` lets the detector take its time.
        """
        soon = self._notice_time(frame.stamp_ns)
        with self._stage("detector"):
            detections = self._detect(frame, thorough, soon)
        with self._stage("tracker"):
            tracks = self._tracker(detections, frame.stamp_ns)
        with self._stage("landmarks"):
            tracks = [_with_landmarks(*pair) for pair in zip(tracks, self._landmarks(frame, tracks), strict=True)]
        with self._stage("fitter"):
            fits = self._fitter(frame, tracks)
        tracks, fits = self._followed(tracks, fits, frame.stamp_ns)
        with self._stage("expression"):
            self._expression.keep(self._tracker.ids)
            blendshapes = self._expression(frame, tracks, fits)
        with self._stage("smoother"):
            faces = self._smoother(_faces(tracks, fits, blendshapes), frame.stamp_ns)
        with self._stage("readouts"):
            faces = self._readouts(faces)
        self._ahead = frame if soon and self._tracker.wants_detector(frame.stamp_ns) else None
        return faces

    def run_deferred_detection(self) -> None:
        """Do now what the next frame would begin with: where frames come fast, more faces are looked for in the last.

        The faces are the same without it. Whoever passes faces on at once calls it afterwards, so that they need not
        wait for the detector.
        """
        if self._ahead is not None:
            self._early, self._ahead = self._look(self._ahead, thorough=False), None

    def still(self, frame: Frame) -> tuple[Face, ...]:
        """The faces in a picture that has nothing to do with the last: seen for three frames, the third answer counts.

        The landmark network needs a frame or two to find its place after the detector's rough box. What it saw before
        it was there does not count: the answer is not smoothed.
        """
        self.reset()
        for look in range(_LOOKS):
            self._smoother.reset()
            faces = self(replace(frame, stamp_ns=frame.stamp_ns + look * _LOOK_NS), thorough=look == 0)
        return faces

    def calibrate_neutral(self) -> int:
        """Take what the last frame's faces showed for a second as their rest; the number of faces."""
        return self._expression.calibrate()

    def reset(self) -> None:
        """Forget all faces and their rest offsets; the next id is still a new one."""
        for stage in (
            self._detector, self._tracker, self._landmarks, self._fitter, self._expression, self._smoother,
            self._readouts,
        ):  # fmt: skip
            stage.reset()
        self._ahead = self._early = None

    def close(self) -> None:
        """Free the networks."""
        self._detector.close()
        self._landmarks.close()

    def _detect(self, frame: Frame, thorough: bool, soon: bool) -> list[Detection] | None:
        """What the detector finds, in the last frame where that is ``soon`` enough and somebody is followed, and what
        the landmark network finds by itself. None where nobody needs to look."""
        untracked_detections = self._landmarks.untracked_detections
        urgent = bool(untracked_detections) or self._tracker.needs_detector(frame.stamp_ns)
        found = None
        if urgent or (not soon and self._tracker.wants_detector(frame.stamp_ns)):
            found = self._look(frame, thorough)
        elif soon:
            self.run_deferred_detection()
            found = self._early
        self._ahead = self._early = None
        return None if found is None else best_of([*found, *untracked_detections], _SAME)

    def _look(self, frame: Frame, thorough: bool) -> list[Detection]:
        """What the detector finds in the image and, looking closer, at the faces that nobody vouches for."""
        found = self._detector(frame.image, thorough, self._tracker.followed())
        closer = [self._detector.closer(frame.image, roi) for roi in self._tracker.doubted()]
        return [*found, *(seen for seen in closer if seen is not None)]

    def _followed(self, tracks: list[Track], fits: list[FaceFit], stamp_ns: int) -> tuple[list[Track], list[FaceFit]]:
        """The tracks whose fits hold a face; the tracker follows those."""
        held = self._tracker.update(tracks, fits, stamp_ns)
        return list(compress(tracks, held)), list(compress(fits, held))

    def _notice_time(self, stamp_ns: int) -> bool:
        """Whether the last frame was taken shortly before; memory is reset where it was taken later."""
        last, self._last_stamp_ns = self._last_stamp_ns, stamp_ns
        if last is not None and stamp_ns < last:
            self.reset()
        return last is not None and 0 < stamp_ns - last <= _SOON_NS

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.stage_seconds[name] = time.perf_counter() - started


def _with_landmarks(track: Track, landmarks: Landmarks | None) -> Track:
    """The track with its points of this frame. Where the face has left its crop, they say where it is now; otherwise
    the crop of the last fit is better, for FaceMesh errs in profile."""
    if landmarks is None:
        return track
    crop = crop_from_landmarks(landmarks.points[_IBUG68])
    if overlap(crop, track.crop) < _MOVED and not track.fresh:
        return replace(track, landmarks=landmarks, crop=crop, fresh=True)
    return replace(track, landmarks=landmarks)


def _faces(tracks: list[Track], fits: list[FaceFit], blendshapes: list[Blendshapes]) -> tuple[Face, ...]:
    rows = zip(tracks, fits, blendshapes, strict=True)
    return tuple(
        Face(track.id, fit.confidence, _box(track, fit), track.landmarks, fit, values) for track, fit, values in rows
    )


def _box(track: Track, fit: FaceFit) -> Roi:
    return bounding_box(fit.landmarks68 if track.landmarks is None else track.landmarks.points)
