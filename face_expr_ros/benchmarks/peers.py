"""Run time of other face trackers relative to the pipeline, on the same frames in one process.

The order of the trackers is random in each frame, so that other load, and the caches that the previous tracker leaves,
affect all of them equally. All get the same (height, width, 3) BGR images; the conversion that a tracker needs is part
of its time. All search for the same number of faces, because a tracker that has found them all need not search.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from face_expr_ros.benchmarks.clips import CLIP_FRAMES, RATE, person, played
from face_expr_ros.benchmarks.clock import Times
from face_expr_ros.benchmarks.machine import machine
from face_expr_ros.benchmarks.peer_checkouts import OpenSeeFace, Tddfa
from face_expr_ros.core.config import CameraConfig, PerceptionConfig
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import Frame
from face_expr_ros.evaluation.expression.baselines import open_mediapipe
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.sources import open_source

OURS = "face_expr_ros"
FRAMES, QUICK_FRAMES = 600, 150
WARM_UP = 30  # frames


class Tracker(Protocol):
    """A face tracker with state, called with the frames of one video."""

    def __call__(self, frame: Frame) -> int:
        """Process a frame; returns the number of faces found."""

    def close(self) -> None:
        """Free what it holds."""


class _Ours:
    """The pipeline: pose, shape and blendshapes; no mesh is drawn or published."""

    def __init__(self, max_faces: int) -> None:
        default = PerceptionConfig()
        self._pipeline = Pipeline(replace(default, landmarks=replace(default.landmarks, max_faces=max_faces)))

    def __call__(self, frame: Frame) -> int:
        return len(self._pipeline(frame))

    def close(self) -> None:
        self._pipeline.close()


class _FaceLandmarker:
    """MediaPipe's FaceLandmarker in video mode: landmarks and blendshapes."""

    def __init__(self, task: Path, max_faces: int) -> None:
        self._landmarker = open_mediapipe(task, max_faces=max_faces)

    def __call__(self, frame: Frame) -> int:
        return int(self._landmarker(frame.image) is not None)

    def close(self) -> None:
        self._landmarker.close()


def openers(
    max_faces: int = 1, task: Path | None = None, openseeface: Path | None = None, tddfa: Path | None = None
) -> dict[str, Callable[[], Tracker]]:
    """What opens the pipeline, and each tracker whose file or checkout is given, by name.

    Args:
        max_faces: number of faces that each searches for; 3DDFA_V2 always tracks one.
        task: MediaPipe's face_landmarker.task.
        openseeface, tddfa: checkouts of OpenSeeFace and 3DDFA_V2.
    """
    found: dict[str, Callable[[], Tracker]] = {OURS: partial(_Ours, max_faces)}
    if task:
        found["MediaPipe FaceLandmarker"] = partial(_FaceLandmarker, task, max_faces)
    if openseeface:
        found["OpenSeeFace model 0"] = partial(OpenSeeFace, openseeface, max_faces)
    if tddfa:
        found["3DDFA_V2"] = partial(Tddfa, tddfa)
    return found


def measure_peers(
    source: str, opened: Mapping[str, Callable[[], Tracker]], frames: int = FRAMES, warm_up: int = WARM_UP
) -> dict[str, Any]:
    """Measure the trackers that `openers` names, the pipeline among them.

    Args:
        source: as in ``CameraConfig.source``; a file is played once, the synthetic person repeatedly.
        opened: name -> what opens the tracker.
        frames: number of frames measured; fewer if the source ends.
        warm_up: number of frames before them.

    Returns:
        over_face_expr_ros: for each tracker the ratio of its median, p95 and mean CPU time to those of the pipeline.
        frame_ms: milliseconds for each tracker (median, mean and p95 of the wall-clock time, mean CPU time of all
            threads of the process), and the number of measured frames with a face.
        source, frames; machine: see `machine`.

    Raises:
        ConfigError, ValueError: a tracker cannot be opened, or the source has too few frames.
        SourceError: the source cannot be read.
    """
    described = machine()
    with ExitStack() as stack:
        trackers = {name: stack.enter_context(closing(open_())) for name, open_ in opened.items()}
        total = warm_up + frames
        times, found, count = _alternate(
            trackers, progress(islice(_frames(source, total), total), "peers", total), warm_up
        )
    if count < 1:
        raise ValueError(
            f"--source: expected more than {warm_up} frames, which are the warm-up, got fewer in {source!r}"
        )
    rows = {name: {**times[name].summary(), "frames_with_face": found[name]} for name in trackers}
    return {
        "source": Path(source).name,
        "frames": count,
        "over_face_expr_ros": {name: _ratios(rows[name], rows[OURS]) for name in rows if name != OURS},
        "frame_ms": rows,
        "machine": {**described, "load_at_end": machine()["load"]},
    }


def _alternate(
    trackers: Mapping[str, Tracker], frames: Iterable[Frame], warm_up: int
) -> tuple[dict[str, Times], dict[str, int], int]:
    """Times and number of frames with a face by name, and the number of frames after the warm-up."""
    order = list(trackers.items())
    times, found = {name: Times() for name in trackers}, dict.fromkeys(trackers, 0)
    count, generator = -warm_up, random.Random(0)
    for frame in frames:
        if count == 0:
            times, found = {name: Times() for name in trackers}, dict.fromkeys(trackers, 0)
        generator.shuffle(order)
        for name, tracker in order:
            found[name] += times[name].run(partial(tracker, frame)) > 0
        count += 1
    return times, found, count


def _frames(source: str, count: int) -> Iterator[Frame]:
    if source == "synthetic":
        yield from played(person(min(count, CLIP_FRAMES)), count)
        return
    field_of_view = PerceptionConfig().fitting.field_of_view
    with closing(open_source(CameraConfig(source=source, loop=False), warn=print)) as images:
        for number in range(count):
            shot = images.read(number / RATE)
            if shot is None:
                return
            height, width = shot.image.shape[:2]
            camera = shot.camera or default_camera(width, height, field_of_view)
            yield Frame(shot.image, round(number / RATE * 1e9), "camera_optical_frame", camera)


def _ratios(row: Mapping[str, float], ours: Mapping[str, float]) -> dict[str, float]:
    return {name: round(row[name] / ours[name], 2) for name in ("median", "p95", "cpu")}
