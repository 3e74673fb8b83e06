"""Interrupted runs are resumed, and existing results are kept."""

from __future__ import annotations

import io
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.bag_files import CAMERA, COUNT, RATE, moving, rows

from face_expr_ros.bags import BagError
from face_expr_ros.bags import annotate as annotating
from face_expr_ros.bags.annotate import annotate
from face_expr_ros.bags.checkpoint import CHECKPOINT, RunState, from_bytes, packed, to_bytes
from face_expr_ros.bags.job import Job
from face_expr_ros.bags.writing import SplitWriter, work_folder
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.settings import from_mapping
from face_expr_ros.core.types import Frame
from face_expr_ros.perception.pipeline import Pipeline

Image = NDArray[np.uint8]


def test_resumed_run_gives_the_same_bag(
    bag: Path, annotated: tuple[Path, dict[str, Any]], fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole bag in one file, and again in files of 0.2 s with an interruption in the third."""
    job = Job(bag, bag.with_name("broken"), split=0.2)
    process, remaining = annotating._Run._process, iter(range(22))

    def interrupted(run: Any, *given: Any) -> None:
        if next(remaining, None) is None:
            raise KeyboardInterrupt
        process(run, *given)

    monkeypatch.setattr(annotating._Run, "_process", interrupted)
    with pytest.raises(KeyboardInterrupt):
        annotate(job, bar=False)
    assert not job.out.exists()
    monkeypatch.setattr(annotating._Run, "_process", process)
    result = annotate(job, bar=False)
    assert 0 < result["resumed_at"] < 22
    assert rows(job.out) == rows(annotated[0])
    assert len(list(job.out.glob("*.mcap"))) == 4
    assert not list(bag.parent.glob("*.partial"))
    assert (result["frames"], result["messages_in"]) == (COUNT, 3 * COUNT)


class Exploit:
    """Creates a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def malicious_checkpoint(kind: str, exploit: Exploit) -> bytes:
    if kind == "pickle":
        return pickle.dumps(("the same", exploit))
    tree = np.frombuffer(json.dumps({"fingerprint": "the same", "state": {"__array__": "state"}}).encode(), np.uint8)
    objects = np.empty(1, object)
    objects[0] = exploit
    stream = io.BytesIO()
    np.savez(stream, tree=tree, state=objects)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["pickle", "array of objects"])
def test_a_malicious_checkpoint_executes_nothing(
    kind: str,
    bag: Path,
    annotated: tuple[Path, dict[str, Any]],
    fresh: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    job, exploit = Job(bag, tmp_path / "talk"), Exploit(tmp_path / "exploit")
    monkeypatch.setattr(annotating, "fingerprint_of", lambda *_: "the same")
    work_folder(job.out).mkdir()
    (work_folder(job.out) / CHECKPOINT).write_bytes(malicious_checkpoint(kind, exploit))
    assert annotate(job, bar=False)["resumed_at"] == 0
    assert not exploit.folder.exists()
    assert rows(job.out) == rows(annotated[0])


def test_a_checkpoint_that_fails_to_load_resets_the_pipeline(
    bag: Path,
    annotated: tuple[Path, dict[str, Any]],
    fresh: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    job = Job(bag, tmp_path / "talk")
    monkeypatch.setattr(annotating, "fingerprint_of", lambda *_: "the same")
    pipeline = Pipeline(PerceptionConfig())
    state = pipeline.state_dict()
    pipeline.close()
    state["stages"]["tracker"]["count"] = 7
    del state["stages"]["smoother"]
    work_folder(job.out).mkdir()
    (work_folder(job.out) / CHECKPOINT).write_bytes(packed(RunState(messages_in=3, pipeline=state), "the same"))
    assert annotate(job, bar=False)["resumed_at"] == 0
    assert rows(job.out) == rows(annotated[0])


def test_a_checkpoint_restores_arrays_and_values_exactly(tmp_path: Path) -> None:
    tree: dict[str, Any] = {
        "a": [np.arange(3), np.float32([0.1])],
        "b": {"c": None, "d": 0.1 + 0.2, "e": 2**62},
        "f": np.bool_(1),
    }
    found = from_bytes(to_bytes(tree), tmp_path)
    np.testing.assert_array_equal(found["a"][0], tree["a"][0])
    assert found["a"][1].dtype == np.float32
    assert (found["b"], found["f"]) == (tree["b"], True)


@pytest.mark.parametrize("value", [np.float32(0.1), object(), np.array([None])])
def test_a_checkpoint_rejects_other_types(value: Any) -> None:
    with pytest.raises(TypeError):
        to_bytes({"value": value})


def test_two_runs_cannot_write_the_same_bag(tmp_path: Path) -> None:
    first = SplitWriter(tmp_path / "talk", "mcap", [])
    with pytest.raises(BagError, match="talk' is being written by another run: wait for it, or stop it"):
        SplitWriter(tmp_path / "talk", "mcap", [])
    first.abort()
    SplitWriter(tmp_path / "talk", "mcap", []).abort()


def test_a_bag_of_other_weights_is_not_overwritten(
    annotated: tuple[Path, dict[str, Any]], bag: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("face_expr_ros.bags.job.sha256_of", lambda _: "another")
    with pytest.raises(BagError, match="already exists and is not overwritten"):
        annotate(Job(bag, annotated[0]), bar=False)


def test_a_complete_bag_is_neither_repeated_nor_overwritten(bag: Path, annotated: tuple[Path, dict[str, Any]]) -> None:
    out, result = annotated
    again = annotate(Job(bag, out), bar=False)
    assert (again["done_before"], again["faces"]) == (True, result["faces"])
    with pytest.raises(BagError, match="already exists and is not overwritten"):
        annotate(Job(bag, out, namespace="/other"), bar=False)


STATES: dict[str, dict[str, Any]] = {
    "default": {},
    "network": {"fitting.backend": "tddfa"},
    "landmarks": {"fitting.backend": "least_squares", "expression.backend": "coefficients"},
    "window": {"smoothing.method": "window", "expression.neutral_time_constant": 5.0, "expression.backend": "head"},
}


@pytest.mark.slow
@pytest.mark.parametrize("case", STATES)
def test_a_pipeline_continues_exactly_from_the_state_of_another(portrait: Image, case: str, tmp_path: Path) -> None:
    config = from_mapping(PerceptionConfig, STATES[case])
    first, second = Pipeline(config), Pipeline(config)
    frames = [Frame(image, n * 10**9 // RATE, "lens", CAMERA) for n, image in enumerate(moving(portrait, 12))]
    for frame in frames[:6]:
        first(frame)
    second.load_state_dict(from_bytes(to_bytes(first.state_dict()), tmp_path))
    for frame in frames[6:]:
        one, two = first(frame), second(frame)
        assert len(one) == len(two) == 1
        np.testing.assert_equal(one[0].fit.pose.position, two[0].fit.pose.position)
        np.testing.assert_equal(one[0].fit.expression, two[0].fit.expression)
        np.testing.assert_equal(one[0].blendshapes.values, two[0].blendshapes.values)
        assert one[0].id == two[0].id
    first.close()
    second.close()


@pytest.mark.slow
def test_two_runs_write_the_same_bytes(bag: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        annotate(Job(bag, tmp_path / name), bar=False)
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
