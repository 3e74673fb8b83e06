"""The ridge baseline: fit, file, and rejected inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.observations import NAMES, observation

from face_expr_ros.evaluation.expression import baselines
from face_expr_ros.evaluation.expression.baselines import Ridge, fit_ridge, open_ridge, write_ridge
from face_expr_ros.evaluation.expression.synthetic_people import Observation
from face_expr_ros.models import bundle
from face_expr_ros.models.bundle import BundleError


def write_linear_shard(folder: Path, rng: np.random.Generator, people: int = 40, portraits: int = 12) -> np.ndarray:
    """Write portraits whose landmarks move linearly with jawOpen and differ between people; return the movement."""
    bump = rng.normal(0, 0.004, (478, 3))
    canonical = baselines._canonical()
    rows: dict[str, list[Any]] = {"landmarks": [], "expression": [], "person": []}
    for person in range(people):
        identity = rng.normal(0, 0.5) * bump
        for portrait in range(portraits):
            jaw = 0.0 if portrait < 2 else rng.uniform()
            points = (canonical + identity + jaw * bump) * [1000, -1000, -1000] + [200, 150, 0]
            rows["landmarks"].append(points.astype(np.float32))
            rows["expression"].append([jaw * (name == "jawOpen") for name in NAMES])
            rows["person"].append(person)
    (folder / "shard_00000").mkdir(parents=True)
    count = len(rows["person"])
    arrays = {
        "image": np.zeros((count, 4, 4), np.uint8),
        "landmarks": np.array(rows["landmarks"]),
        "expression": np.array(rows["expression"], np.float32),
        "angles": np.zeros((count, 2), np.float32),
        "person": np.array(rows["person"]),
    }
    for name, values in arrays.items():
        np.save(folder / "shard_00000" / f"{name}.npy", values)
    return bump


def test_ridge_needs_the_neutral_to_separate_identity_and_movement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baselines, "_STRENGTHS", (0.1,))
    rng = np.random.default_rng(8)
    bump = write_linear_shard(tmp_path, rng)
    ridge = fit_ridge(tmp_path)
    canonical, jaw = baselines._canonical(), NAMES.index("jawOpen")

    def face(amount: float) -> Observation:
        return observation(points=(canonical + amount * bump) * [900, -900, -900] + [240, 240, 0])

    known = ridge.read(face(0.4), [face(0.4), face(0.9)])[:, jaw]
    assert known == pytest.approx([0.0, 0.5], abs=0.05)
    assert abs(ridge.read(None, [face(0.4)])[0, jaw]) > 0.1  # identity and movement are ambiguous


def test_ridge_is_written_with_its_names_and_weights(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    ridge = Ridge(NAMES, rng.normal(size=(5, 52)), rng.normal(size=(9, 52)))
    write_ridge(tmp_path / "r.npz", ridge)
    with np.load(tmp_path / "r.npz") as arrays:
        assert tuple(arrays["names"]) == NAMES
        assert arrays["with_rest"] == pytest.approx(ridge.with_neutral, abs=0.01)


def test_package_ridge_provides_all_names() -> None:
    ridge = open_ridge()
    assert ridge.names == NAMES
    points = baselines._canonical() * [900, -900, -900] + [240, 240, 0]
    values = ridge.read(observation(points=points), [observation(points=points)])
    assert values.shape == (1, 52)
    assert 0.0 <= values.min() <= values.max() <= 1.0


def test_damaged_ridge_file_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/expression_ridge.npz").write_bytes(b"PK nothing")
    monkeypatch.setattr(bundle, "resource_path", lambda name: tmp_path / name)
    with pytest.raises(BundleError, match="sha256"):
        open_ridge()


def test_folder_without_portraits_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected rendered portraits"):
        fit_ridge(tmp_path)
