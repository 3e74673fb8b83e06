"""When the detector runs: on the current frame where its result is needed, on the previous one where time is short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from face_expr_ros.core.types import Detection, Frame
from face_expr_ros.perception.detection import FaceDetector
from face_expr_ros.perception.detection.boxes import best_of, detection_from_list, detection_to_list
from face_expr_ros.perception.tracker import Tracker

_SAME_FACE = 0.5  # intersection over union above which two detections are one face
_SEARCH_NS = 1_000_000_000  # nanoseconds without a face during which every frame is searched
_TOLERANCE = 0.002  # seconds; stamps are not perfectly regular
_SHORT_STEP_NS = 50_000_000  # nanoseconds; a face hardly moves in this time


class DetectionScheduler:
    """Runs the detector at most once per frame.

    It runs on the frame itself when the tracker cannot predict any face there, or when the landmark backend found a
    face without a track; but while no face has been in view for a second, only every ``idle_interval`` seconds.
    With a face in view it runs every ``interval`` seconds, as long as the tracker can add tracks or has
    unconfirmed ones. Where frames follow each other quickly, these regular passes are deferred: they run on the
    previous frame, either in `run_deferred` or at the start of the next call, with the same result.

    Args:
        detector: finds faces in an image.
        tracker: the tracks of the frames so far.
        interval: detection interval in seconds while a face is in view.
        idle_interval: the same while none is; 0 is every frame.
    """

    def __init__(self, detector: FaceDetector, tracker: Tracker, interval: float, idle_interval: float = 0.0) -> None:
        self._detector = detector
        self._tracker = tracker
        self._interval = interval
        self._idle_interval = idle_interval
        self.reset()

    def reset(self) -> None:
        """Forget the previous frames: the next one is treated as the first of a stream."""
        self._last_stamp_ns: int | None = None
        self._in_view_ns: int | None = None  # stamp of the last frame with a face in view, or of the first frame
        self._last_run_ns: int | None = None  # stamp of the last frame whose tracks received detections
        self._is_short_step = False  # between the last two frames
        self._deferred: Frame | None = None  # a frame on which the detector has yet to run
        self._result: list[Detection] | None = None  # of the deferred detection

    def __call__(
        self, frame: Frame, untracked: Sequence[Detection] = (), thorough: bool = False
    ) -> list[Detection] | None:
        """The detections for a frame; None if the detector does not run for it.

        Args:
            frame: the next frame.
            untracked: faces without a track that the landmark backend found in the previous frame.
            thorough: search longer, for a single image.
        """
        self._update_time(frame.stamp_ns)
        found = None
        if untracked or not self._can_predict(frame.stamp_ns):
            if untracked or thorough or not self._is_idle(frame.stamp_ns):
                found = self._detect(frame, thorough)
        elif self._is_short_step:
            self.run_deferred()
            found = self._result
        elif self._is_due(frame.stamp_ns):
            found = self._detect(frame, thorough)
        self._deferred = self._result = None
        if found is None:
            return None
        self._last_run_ns = frame.stamp_ns
        return best_of([*found, *untracked], _SAME_FACE)

    def defer(self, frame: Frame) -> None:
        """Keep a frame with a face for a deferred pass if one is due.

        Call after the tracker is updated with the frame's fits. The image must not change until the next call.
        """
        is_tracking = self._is_short_step and self._tracker.has_faces()
        self._deferred = frame if is_tracking and self._is_due(frame.stamp_ns) else None

    def run_deferred(self) -> None:
        """Run the deferred pass, if any, now rather than at the start of the next call."""
        if self._deferred is not None:
            self._result, self._deferred = self._detect(self._deferred, thorough=False), None

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames; a deferred pass is run first, so that no image is part of it."""
        self.run_deferred()
        return {
            "last_stamp_ns": self._last_stamp_ns,
            "last_run_ns": self._last_run_ns,
            "in_view_ns": self._in_view_ns,
            "result": None if self._result is None else [detection_to_list(one) for one in self._result],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.reset()
        self._last_stamp_ns, self._last_run_ns = state["last_stamp_ns"], state["last_run_ns"]
        self._in_view_ns = state["in_view_ns"]
        if state["result"] is not None:
            self._result = [detection_from_list(one) for one in state["result"]]

    def _update_time(self, stamp_ns: int) -> None:
        last, self._last_stamp_ns = self._last_stamp_ns, stamp_ns
        self._is_short_step = last is not None and 0 < stamp_ns - last <= _SHORT_STEP_NS

    def _can_predict(self, stamp_ns: int) -> bool:
        can_predict = self._tracker.can_predict(stamp_ns)
        if can_predict or self._in_view_ns is None:
            self._in_view_ns = stamp_ns
        return can_predict

    def _is_idle(self, stamp_ns: int) -> bool:
        """Whether no face has been in view for a while, and the idle interval has not passed."""
        if self._last_run_ns is None or self._in_view_ns is None or self._tracker.has_faces():
            return False
        is_short = stamp_ns - self._in_view_ns <= _SEARCH_NS
        return not is_short and stamp_ns - self._last_run_ns < (self._idle_interval - _TOLERANCE) * 1e9

    def _is_due(self, stamp_ns: int) -> bool:
        """Whether the detection interval has passed and a pass could change the tracks."""
        if self._last_run_ns is not None and (stamp_ns - self._last_run_ns) * 1e-9 < self._interval:
            return False
        return self._tracker.can_add_tracks() or bool(self._tracker.unconfirmed_boxes())

    def _detect(self, frame: Frame, thorough: bool) -> list[Detection]:
        """The faces in the whole image, and those found in closer searches around the unconfirmed tracks."""
        found = self._detector(frame.image, thorough, self._tracker.boxes())
        closer = [self._detector.closer(frame.image, roi) for roi in self._tracker.unconfirmed_boxes()]
        return [*found, *(detection for detection in closer if detection is not None)]
