"""Conversion of the Basel Face Model, with a synthetic model: a bowl whose 68 points are on its surface."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from face_expr_ros.core.face_model import BundleError, load_face_model
from face_expr_ros.models.basel import write_basel_model, write_mean_and_deviation


@pytest.fixture
def release(tmp_path: Path) -> dict[str, Path]:
    """Files of the layout of bfm_noneck_v3.pkl and its companions."""
    random = np.random.default_rng(6)
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 20), np.linspace(-1, 1, 20)), axis=-1).reshape(-1, 2)
    mean = np.column_stack([grid * 80_000, 120_000 - 50_000 * (grid**2).sum(axis=1)])  # micrometers, z out of the face
    corner = (np.arange(19)[:, None] * 20 + np.arange(19)).ravel()
    quads = [[corner, corner + 20, corner + 1], [corner + 1, corner + 20, corner + 21]]  # clockwise seen from outside
    vertices = random.permutation(400)[:68]
    arrays = {
        "u": mean.reshape(-1, 1),
        "w_shp": random.normal(0, 0.003, (1200, 40)).astype(np.float32),
        "w_exp": random.normal(0, 3.0, (1200, 10)).astype(np.float32),
        "keypoints": (vertices[:, None] * 3 + np.arange(3)).ravel().astype(np.uint64),
        "tri": np.full((3, 5), 46_851),  # the model's own triangles, which must not be used
    }
    kept = random.permutation(500)[:400].astype(np.int32)
    (tmp_path / "bfm_noneck_v3.pkl").write_bytes(pickle.dumps(arrays, protocol=3))
    (tmp_path / "tri.pkl").write_bytes(pickle.dumps(np.concatenate(quads, axis=1).astype(np.int32), protocol=4))
    np.save(tmp_path / "indices.npy", kept)
    uv = np.zeros((500, 2))
    uv[kept] = (grid + 1) / 2
    scipy.io.savemat(tmp_path / "BFM_UV.mat", {"UV": uv})
    (tmp_path / "bfm68").mkdir()
    for name, key in (("u_base", "u"), ("w_shp_base", "w_shp"), ("w_exp_base", "w_exp")):
        np.savetxt(tmp_path / f"bfm68/{name}.txt", arrays[key][arrays["keypoints"].astype(int)], fmt="%.8f")
    return {str(path.relative_to(tmp_path)): path for path in tmp_path.rglob("*") if path.is_file()}


def test_a_dense_basel_model_is_converted(release: dict[str, Path], tmp_path: Path) -> None:
    released = pickle.loads(release["bfm_noneck_v3.pkl"].read_bytes())
    origin = write_basel_model(release, tmp_path / "model.npz")
    model = load_face_model(tmp_path / "model.npz")
    assert not model.sparse
    np.testing.assert_array_equal(model.landmarks68, released["keypoints"][::3] // 3)
    np.testing.assert_array_equal(model.mean[model.sellion], 0)
    assert model.sellion == model.landmarks68[27]
    shape, expression = np.linspace(-3e5, 3e5, 40), np.linspace(-2, 2, 10)
    expected = released["u"][:, 0] + released["w_shp"] @ shape + released["w_exp"] @ expression
    vertices = model.vertices(shape, expression) + origin
    np.testing.assert_allclose(vertices, expected.reshape(-1, 3) * 1e-6, atol=1e-7)  # a tenth of a micrometer
    assert model.expression_names == tuple(f"bfm_exp_{i}" for i in range(10))
    corners = model.mean[model.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (normals[:, 2] > 0).all()  # counter-clockwise from outside: the bowl opens away from the camera
    np.testing.assert_allclose(model.uv, (model.mean + origin)[:, :2] / 0.16 + 0.5, atol=1e-6)
    np.testing.assert_array_equal(model.uv_triangles, model.triangles)
    assert len(model.mirror) == len(model.facemesh_triangle) == len(model.part_names) == 0


def test_the_sparse_model_equals_the_dense_one_at_68_points(release: dict[str, Path], tmp_path: Path) -> None:
    origin = write_basel_model(release, tmp_path / "dense.npz")
    sparse_origin = write_basel_model(
        {name: path for name, path in release.items() if name != "bfm_noneck_v3.pkl"}, tmp_path / "sparse.npz"
    )
    dense, sparse = load_face_model(tmp_path / "dense.npz"), load_face_model(tmp_path / "sparse.npz")
    assert sparse.sparse
    assert sparse.mean.shape == (68, 3)
    np.testing.assert_array_equal(sparse.landmarks68, np.arange(68))
    np.testing.assert_allclose(sparse_origin, origin, atol=1e-9)
    shape, expression = np.full(40, 2e5), np.full(10, 1.5)
    expected = dense.vertices(shape, expression)[dense.landmarks68]
    np.testing.assert_allclose(sparse.vertices(shape, expression), expected, atol=1e-6)  # a micrometer: 8 decimals


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("bfm_noneck_v3.pkl", pickle.dumps({"u": np.zeros((9, 1))}), "lacks 'keypoints'; it has 'u'"),
        ("tri.pkl", pickle.dumps(np.full((3, 4), 400)), "expected indices below 400, got larger ones"),
        ("tri.pkl", pickle.dumps(np.full((4, 3), 1)), r"expected 'triangles' of shape \(3, None\) .*, got \(4, 3\)"),
        ("indices.npy", b"\x93NUMPY", "indices.npy and BFM_UV.mat are damaged or inconsistent"),
        ("BFM_UV.mat", b"MATLAB", "indices.npy and BFM_UV.mat are damaged or inconsistent"),
    ],
)
def test_an_invalid_file_is_rejected_with_its_name(
    release: dict[str, Path], tmp_path: Path, file: str, content: bytes, words: str
) -> None:
    release[file].write_bytes(content)
    with pytest.raises(BundleError, match=words):
        write_basel_model(release, tmp_path / "model.npz")
    assert not (tmp_path / "model.npz").exists()


def test_mean_and_deviation_of_different_lengths_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"mean": np.zeros(62), "std": np.zeros(61)}))
    with pytest.raises(BundleError, match=r"x\.pkl: expected mean and std of the same length, got \(62,\) and \(61,\)"):
        write_mean_and_deviation(tmp_path / "x.pkl", tmp_path / "x.npz", np.zeros(3))
