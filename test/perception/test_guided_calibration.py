"""The guided calibration from recorded steps, and the calibration as a stage of the pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.calibration import CalibratedResponse, Calibration, Response, calibration_yaml
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.settings import from_mapping
from face_expr_ros.core.types import Blendshapes, FloatArray, Roi, Track
from face_expr_ros.perception.expression import CalibratedReader
from face_expr_ros.perception.guided_calibration import STEPS, Recording, calibrate, find_step, judge
from face_expr_ros.perception.pipeline import Pipeline


def recording(frames: int = 120, noise: float = 0.0, **shapes: float) -> Recording:
    values = np.random.default_rng(3).normal(0.0, noise, (frames, len(ARKIT_NAMES)))
    for name, value in shapes.items():
        values[:, ARKIT_NAMES.index(name)] += value
    return Recording(np.clip(values, 0.0, 1.0))


def test_the_median_of_the_neutral_step_is_neutral_without_gaze() -> None:
    calibration, _ = calibrate({"neutral": recording(browInnerUp=0.12, eyeLookDownLeft=0.3)})
    assert calibration.neutral == {"browInnerUp": 0.12}


def test_a_blink_during_the_neutral_step_is_ignored() -> None:
    values = recording(browInnerUp=0.12).values.copy()
    values[:15, ARKIT_NAMES.index("eyeBlinkLeft")] = 1.0
    assert "eyeBlinkLeft" not in calibrate({"neutral": Recording(values)})[0].neutral


def test_the_dead_zone_covers_the_noise_of_the_neutral_step() -> None:
    calibration, _ = calibrate({"neutral": recording(noise=0.02, browInnerUp=0.2)})
    zone = calibration.blendshapes["browInnerUp"].dead_zone
    assert 0.03 <= zone <= 0.07
    assert not any(name.startswith("eyeLook") for name in calibration.blendshapes)


@pytest.mark.parametrize(("reached", "gain"), [(1.0, 1.0), (0.5, 2.0), (0.4, 2.5)])
def test_the_gain_maps_what_was_reached_to_1(reached: float, gain: float) -> None:
    steps = {"neutral": recording(), "mouth_open": recording(jawOpen=reached)}
    calibration, notes = calibrate(steps)
    assert calibration.blendshapes["jawOpen"].gain == pytest.approx(gain, rel=0.01)
    assert not notes


def test_an_expression_that_was_hardly_seen_keeps_its_gain() -> None:
    steps = {"neutral": recording(), "smile": recording(mouthSmileLeft=0.7, mouthSmileRight=0.2)}
    calibration, notes = calibrate(steps)
    assert calibration.blendshapes.keys() == {"mouthSmileLeft"}
    assert notes == ["mouthSmileRight was hardly seen and keeps its gain of 1"]


@pytest.mark.parametrize(
    ("name", "given", "good", "text"),
    [
        ("neutral", recording(), True, "neutral expression recorded"),
        ("neutral", recording(frames=3), False, "only 3 images"),
        ("smile", recording(mouthSmileLeft=0.5), True, "recorded"),
        ("smile", recording(mouthSmileLeft=0.1), False, "hardly seen (0.10 of 1)"),
    ],
)
def test_a_recording_is_judged(name: str, given: Recording, good: bool, text: str) -> None:
    step = find_step(name)
    assert step is not None
    judged, message = judge(step, given, recording())
    assert (judged, text in message) == (good, True), message


def test_the_neutral_step_is_required() -> None:
    with pytest.raises(ValueError, match="record the step 'neutral' first"):
        calibrate({"smile": recording(mouthSmileLeft=0.8)})


def test_all_steps_take_about_half_a_minute_of_recording() -> None:
    assert 20 <= sum(step.seconds for step in STEPS) <= 40
    assert STEPS[0].name == "neutral"


class FixedReader:
    """A backend that reads the same value for every face."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, frame: Any, tracks: list[Track], fits: Any) -> list[Blendshapes]:
        return [Blendshapes(("jawOpen",), np.array([self.value])) for _ in tracks]

    def calibrate(self) -> int:
        self.value = 0.0
        return 1

    def keep(self, face_ids: Any) -> None: ...
    def reset(self) -> None: ...
    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value}

    def load_state_dict(self, state: Any) -> None:
        self.value = state["value"]


TRACK = Track("f1", Roi(0, 0, 10, 10), None, False)


def read(reader: CalibratedReader) -> FloatArray:
    return reader(None, [TRACK], []).pop().values


def make_reader(value: float = 0.6) -> CalibratedReader:
    calibration = Calibration(neutral={"jawOpen": 0.2}, blendshapes={"jawOpen": Response(gain=2.0)})
    return CalibratedReader(FixedReader(value), CalibratedResponse(calibration))


def test_the_stage_applies_neutral_and_gain() -> None:
    assert read(make_reader(0.4)) == pytest.approx([0.5])


def test_a_calibrated_neutral_expression_replaces_the_file_s() -> None:
    reader = make_reader()
    read(reader)
    assert reader.calibrate() == 1
    assert read(reader) == pytest.approx([0.0])
    reader._reader.value = 0.25  # type: ignore[attr-defined]
    assert read(reader) == pytest.approx([0.5])  # without the file's neutral: 2 x 0.25
    reader.keep([])
    assert read(reader) == pytest.approx([0.125])  # another person: 2 x (0.25 - 0.2) / 0.8


def test_the_state_survives_a_checkpoint() -> None:
    reader, other = make_reader(), make_reader(0.1)
    read(reader)
    reader.calibrate()
    other.load_state_dict(reader.state_dict())
    assert read(other) == read(reader)


def test_the_pipeline_reads_the_file_of_the_setting(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(calibration_yaml(Calibration()), encoding="utf-8")
    config = from_mapping(PerceptionConfig, {"expression.calibration": str(tmp_path / "mine.yaml")})
    pipeline = Pipeline(config)
    assert isinstance(pipeline._expression, CalibratedReader)
    pipeline.close()
