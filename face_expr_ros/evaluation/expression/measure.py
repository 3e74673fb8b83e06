"""Runs all expression measurements and combines their results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.evaluation.expression.held import evaluate_held
from face_expr_ros.evaluation.expression.invariance import evaluate_invariance
from face_expr_ros.evaluation.expression.stillness import evaluate_stillness
from face_expr_ros.evaluation.expression.synthetic import FRAMES, evaluate_synthetic

_FRAMES_PER_ROTATED_PERSON = 240  # images of `evaluate_synthetic` per person of `evaluate_invariance`


def evaluate_expression(
    config: PerceptionConfig,
    *,
    frames: int = FRAMES,
    task: Path | None = None,
    videos: Path | None = None,
    data: Path | None = None,
) -> dict[str, Any]:
    """Run all measurements that are possible with the given data; ``notes`` lists what was left out.

    Args:
        config: configuration of the pipeline.
        frames: number of synthetic images; the number of rotated people is proportional.
        task: MediaPipe's face_landmarker.task.
        videos: a folder with the videos of `videos.VIDEOS`.
        data: folder of AFLW2000-3D.
    """
    result: dict[str, Any] = {}
    if data is not None:  # first, because it may reject the configuration
        from face_expr_ros.evaluation.expression.mouth import mouth_nme

        result["mouth_nme"] = mouth_nme(config, data)
    if videos is not None:
        from face_expr_ros.evaluation.expression.videos import evaluate_videos

        result |= evaluate_videos(config, videos, task)
    result |= {
        "synthetic": evaluate_synthetic(config, frames, task),
        "invariance": evaluate_invariance(config, max(1, round(frames / _FRAMES_PER_ROTATED_PERSON))),
        **evaluate_stillness(config),
        **evaluate_held(config),
    }
    return {**result, "notes": _skipped_notes(task, videos, data)}


def _skipped_notes(task: Path | None, videos: Path | None, data: Path | None) -> list[str]:
    notes = {
        "MediaPipe's own blendshapes are left out: --task (face_landmarker.task) is not given": task,
        "Blinks and agreement on video are left out: --videos is not given": videos,
        "The mouth on photographs is left out: --data (AFLW2000-3D) is not given": data,
    }
    return [note for note, given in notes.items() if given is None]
