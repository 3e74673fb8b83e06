"""Labels of speech and the figures of the read-out against them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.paths import ROOT

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.evaluation.expression import videos
from face_expr_ros.evaluation.expression.speaking import (
    LABELED,
    Interval,
    intervals_of,
    read_intervals,
    speaking_figures,
)

CLIPS = ROOT.parent / "shared/data/videos"


@pytest.mark.parametrize("video", LABELED)
def test_labels_of_a_clip_are_intervals_in_order(video: str) -> None:
    intervals = intervals_of(video)
    frames = [frame for interval in intervals for frame in (interval.first, interval.last)]
    assert frames == sorted(frames)


@pytest.mark.parametrize("text", ["first,last\n1,2\n", "first,last,speaking\n5,2,1\n", "first,last,speaking\n1,2,3\n"])
def test_invalid_labels_are_rejected(tmp_path: Path, text: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="expected"):
        read_intervals(path)


def test_figures_match_values_computed_by_hand() -> None:
    """At 10 frames per second: silence, speech from frame 10 to 29, and silence; recognized from 13 to 33."""
    intervals = [Interval(0, 9, False), Interval(10, 29, True), Interval(30, 59, False)]
    values = np.zeros(60)
    values[13:34] = 0.7
    assert speaking_figures(values, intervals, 10.0) == {"speech": 1.0, "silence": 1.0, "onset": 0.3, "release": 0.4}
    values[25:28], values[45] = 0.2, 0.9
    figures = speaking_figures(values, intervals, 10.0)
    assert figures["speech"] == pytest.approx(12 / 15)
    assert figures["silence"] == pytest.approx(29 / 30)


@pytest.mark.slow
@pytest.mark.skipif(not CLIPS.is_dir(), reason="the clips are not here")
@pytest.mark.parametrize(("video", "speech"), [("bbaf2n.mpg", 0.9), ("brbk7n.mpg", 0.55)])
def test_speech_in_clips_is_found(video: str, speech: float) -> None:
    """The lips hardly part in the second clip."""
    figures = videos.speaking_of(videos.read_video(CLIPS / video, PerceptionConfig()), video)
    assert figures["speech"] >= speech
    assert figures["silence"] >= 0.95
