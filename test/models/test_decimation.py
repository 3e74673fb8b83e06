"""The decimated mesh that is stored with a face model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from face_expr_ros.core.face_model import BundleError, MorphableModel, write_arrays
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.drawing.mesh_detail import check_mesh_detail
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.models.decimation import with_decimation, write_decimation


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return open_face_model("open")


def test_the_committed_decimation_belongs_to_the_committed_model(model: MorphableModel, tmp_path: Path) -> None:
    write_decimation(model, tmp_path / "again.npz")
    found = with_decimation(model, tmp_path / "again.npz").decimated_triangles
    np.testing.assert_array_equal(found, model.decimated_triangles)


def test_a_sparse_model_has_no_decimated_triangles(model: MorphableModel, tmp_path: Path) -> None:
    sparse = replace(model, triangles=np.zeros((0, 3), np.int32))
    write_decimation(sparse, tmp_path / "none.npz")
    assert with_decimation(sparse, tmp_path / "none.npz").decimated_triangles.shape == (0, 3)


@pytest.mark.parametrize(
    ("triangles", "message"),
    [
        (np.zeros((4, 2), np.int32), r"expected decimated_triangles of shape \(n, 3\) and type int32"),
        (np.zeros((4, 3)), r"got float64 \(4, 3\)"),
        (np.full((4, 3), 10**6, np.int32), "expected indices of the .* vertices of 'open', got 1000000"),
        (np.full((4, 3), -1, np.int32), "got -1 to -1"),
    ],
)
def test_a_decimation_of_another_model_is_rejected(
    model: MorphableModel, tmp_path: Path, triangles: np.ndarray, message: str
) -> None:
    write_arrays(tmp_path / "other.npz", {"decimated_triangles": triangles})
    with pytest.raises(BundleError, match=message):
        with_decimation(model, tmp_path / "other.npz")


@pytest.mark.parametrize("detail", ["full", "decimated", "facemesh"])
def test_the_open_model_has_every_mesh_detail(model: MorphableModel, detail: str) -> None:
    check_mesh_detail(model, detail)


@pytest.mark.parametrize(("detail", "field"), [("decimated", "decimated_triangles"), ("facemesh", "facemesh_triangle")])
def test_a_mesh_detail_that_a_model_lacks_is_a_config_error(model: MorphableModel, detail: str, field: str) -> None:
    without = replace(model, **{field: getattr(model, field)[:0]})
    with pytest.raises(ConfigError, match=rf"output\.mesh_detail: expected full .*'open', got '{detail}'"):
        check_mesh_detail(without, detail)
    check_mesh_detail(replace(without, triangles=np.zeros((0, 3), np.int32)), detail)
