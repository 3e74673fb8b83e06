"""Result, report and command of the expression evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.observations import NAMES

from face_expr_ros.cli import face_expr
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.evaluation.expression import synthetic
from face_expr_ros.evaluation.expression.report import result_lines, table, write_page
from face_expr_ros.evaluation.expression.synthetic import weaknesses


def random_result(names: tuple[str, ...] = NAMES) -> dict[str, Any]:
    """A result in the format of `evaluate_expression`, with random readers."""
    rng = np.random.default_rng(2)
    truth = rng.uniform(0, 1, (60, len(names)))

    def reader(noise: float) -> np.ndarray:
        return truth + rng.normal(0, noise, truth.shape)

    values = {"reader": reader(0.1), "reader_without_neutral": reader(0.3), "landmark_fit": reader(0.4)}
    values |= {"landmark_fit_without_neutral": reader(0.5), "ridge": reader(0.5), "ridge_without_neutral": reader(0.6)}
    values["ridge"][:, 0] = truth[:, 0]
    counts = {"people": 3, "frames": 69, "found": 60, "reader": "head"}
    return {
        "synthetic": {**counts, **synthetic._result(names, truth, values)},
        "invariance": {
            "shift": 1e-6,
            "scale": 2e-6,
            "pose_ratio": 0.1,
            "pose_ratio_pooled": 0.1,
            "pose_ratio_by_name": {},
        },
        "still_std_max": 0.008,
        "held_change_max": 0.02,
        "delay_frames": 0.7,
        "notes": ["Blinks are left out."],
    }


def test_result_has_the_documented_keys() -> None:
    result = json.loads(json.dumps(random_result()))
    assert isinstance(result["synthetic"]["mae"], float)
    assert set(result["synthetic"]["correlation"]) == set(NAMES)
    assert {"landmark_fit", "ridge", "mean"} <= set(result["synthetic"]["baselines"])
    assert result["synthetic"]["mean_correlation"] == pytest.approx(0.94, abs=0.04)


def test_weaknesses_list_names_with_a_better_baseline() -> None:
    weak = random_result()["synthetic"]["weak"]
    assert weak["not_better"]["ridge"] == [NAMES[0]]
    assert weak["not_better"]["mean"] == []
    assert not any(weak["groups_not_better"].values())


def test_weaknesses_list_names_below_their_target() -> None:
    own = {"correlation": {"jawOpen": 0.89, "mouthLeft": 0.95, "tongueOut": 0.0}, "groups": {}}
    assert weaknesses(own, {})["below_aim"] == {"jawOpen": 0.9}


def test_table_has_all_52_blendshapes_and_marks_weak_ones() -> None:
    text = table(random_result())
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {name for name in NAMES if any(row.startswith(f"| {name} ") for row in rows)} == set(NAMES)
    assert len({row.count("|") for row in rows}) == 1
    assert next(row for row in rows if row.startswith(f"| {NAMES[0]} ")).split("|")[1].strip().endswith("\u2020")
    assert f"Not better than ridge: {NAMES[0]}." in text


def test_terminal_lines_contain_every_figure() -> None:
    text = "\n".join(result_lines(random_result()))
    for word in (*NAMES, "pose_ratio", "still_std_max", "held_change_max", "delay_frames", "Blinks are left out."):
        assert word in text


def test_page_is_one_self_contained_file(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", random_result())
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(name in text for name in NAMES)
    assert "data:image/png;base64," in text
    assert "pose_ratio" in text


@pytest.mark.parametrize("option", ["--task", "--videos", "--data"])
def test_nonexistent_path_is_a_usage_error(option: str, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="does not exist"):
        face_expr(["evaluate", "expression", option, str(tmp_path / "nothing")], standalone_mode=False)


@pytest.mark.slow
def test_synthetic_evaluation_of_one_person_is_plausible() -> None:
    result = synthetic.evaluate_synthetic(PerceptionConfig(), frames=24)
    assert result["people"] == 1
    assert result["found"] >= 20  # of 23
    assert result["correlation"]["jawOpen"] > 0.6
    assert result["baselines"]["ridge"]["correlation"]["jawOpen"] > 0.6
    assert result["mae"] < result["baselines"]["mean"]["mean"]["mae"] + 0.03
