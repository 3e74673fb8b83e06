"""All measurements of the expression, one after the other, as one result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.evaluation.expression.invariance import evaluate_invariance
from face_expr_ros.evaluation.expression.stillness import evaluate_stillness
from face_expr_ros.evaluation.expression.synthetic import FRAMES, evaluate_synthetic

_FOR_ONE_TURNED = 240  # pictures of drawn people, for one person who turns


def evaluate_expression(
    config: PerceptionConfig,
    *,
    frames: int = FRAMES,
    task: Path | None = None,
    videos: Path | None = None,
    data: Path | None = None,
) -> dict[str, Any]:
    """Everything that can be measured with what is given; `notes` says what was left out.

    Args:
        config: of the pipeline.
        frames: pictures of drawn people; people who turn are drawn in proportion.
        task: MediaPipe's face_landmarker.task.
        videos: a folder with the videos that `videos.evaluate_videos` knows.
        data: AFLW2000-3D.
    """
    result: dict[str, Any] = {}
    if data is not None:  # first what may refuse the configuration
        from face_expr_ros.evaluation.expression.mouth import mouth_nme

        result["mouth_nme"] = mouth_nme(config, data)
    if videos is not None:
        from face_expr_ros.evaluation.expression.videos import evaluate_videos

        result |= evaluate_videos(config, videos, task)
    result |= {
        "synthetic": evaluate_synthetic(config, frames, task),
        "invariance": evaluate_invariance(config, max(1, round(frames / _FOR_ONE_TURNED))),
        **evaluate_stillness(config),
    }
    return {**result, "notes": _left_out(task, videos, data)}


def _left_out(task: Path | None, videos: Path | None, data: Path | None) -> list[str]:
    notes = {
        "MediaPipe's own blendshapes are left out: --task names no face_landmarker.task": task,
        "Blinks and agreement on video are left out: --videos names no folder": videos,
        "The mouth on photographs is left out: --data names no AFLW2000-3D": data,
    }
    return [note for note, given in notes.items() if given is None]
