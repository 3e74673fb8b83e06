"""Loading of face models, and errors for damaged files."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from face_expr_ros.core.face_model import BundleError, MorphableModel, load_face_model, write_arrays
from face_expr_ros.core.resources import resource_path


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_face_model(resource_path("bfm/open_face_model.npz"))


@pytest.fixture
def arrays():
    with np.load(resource_path("bfm/open_face_model.npz")) as archive:
        return {name: archive[name] for name in archive.files}


def test_without_coefficients_the_face_is_the_mean(model):
    np.testing.assert_array_equal(model.vertices(), model.mean)
    np.testing.assert_array_equal(model.vertices(np.zeros(40), np.zeros(52)), model.mean)


def test_coefficients_add_their_basis_vectors(model):
    expected = model.mean + 2.0 * model.identity[0] - model.identity[1] + 0.5 * model.expression[17]
    expression = np.eye(len(model.expression))[17] * 0.5
    np.testing.assert_allclose(model.vertices([2.0, -1.0], expression), expected, atol=1e-7)


def test_the_bases_of_a_file_are_not_copied(model):
    np.testing.assert_array_equal(model.bases, np.concatenate([model.identity, model.expression]))
    assert np.shares_memory(model.bases, model.identity)
    assert np.shares_memory(replace(model, name="other").bases, model.expression)


def test_bases_of_separate_arrays_are_joined(model):
    swapped = replace(model, identity=model.expression, expression=model.identity)
    shorter = replace(model, identity=model.identity[1:])
    for other in (swapped, shorter):
        np.testing.assert_array_equal(other.bases, np.concatenate([other.identity, other.expression]))


def test_changing_returned_vertices_does_not_change_the_mean(model):
    before = model.mean.copy()
    model.vertices()[:] = 0.0
    np.testing.assert_array_equal(model.mean, before)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0.0] * 41,), "shape: expected at most 40 coefficients"),
        ((None, [0.0] * 53), "expression: expected at most 52 coefficients"),
        ((np.zeros((2, 3)),), r"got an array of shape \(2, 3\)"),
        (([np.nan],), "shape: expected finite"),
        ((None, [np.inf]), "expression: expected finite"),
    ],
)
def test_invalid_coefficients_are_rejected(model, arguments, words):
    with pytest.raises(ValueError, match=words):
        model.vertices(*arguments)


def test_embedded_points_follow_the_surface(model):
    points = model.facemesh_points(model.mean)
    assert points.shape == (478, 3)
    np.testing.assert_allclose(model.facemesh_points(model.mean + 1.0), points + 1.0, atol=1e-5)
    corners = model.mean[model.triangles[model.facemesh_triangle]]
    assert (points >= corners.min(axis=1) - 1e-6).all()
    assert (points <= corners.max(axis=1) + 1e-6).all()


def test_embedded_points_accept_pixel_coordinates(model):
    pixels = model.mean[:, :2] * 1000.0
    points = model.points(pixels, model.facemesh_triangle, model.facemesh_barycentric)
    np.testing.assert_allclose(points, model.facemesh_points(model.mean)[:, :2] * 1000.0, atol=1e-3)


def test_an_unknown_part_is_rejected(model):
    with pytest.raises(ValueError, match=r"expected one of skin, .*got 'left_ear'"):
        model.part_vertices("left_ear")


def test_the_hash_equals_that_of_the_file(model):
    assert re.fullmatch("[0-9a-f]{64}", model.sha256)


def test_written_arrays_are_read_unchanged(tmp_path, arrays, model):
    path = tmp_path / "model.npz"
    write_arrays(path, arrays)
    again = load_face_model(path)
    assert again.sha256 == model.sha256
    np.testing.assert_array_equal(again.identity, model.identity)
    assert again.expression_names == model.expression_names


def test_a_missing_file_is_named_in_the_error(tmp_path):
    with pytest.raises(BundleError, match=r"'.*nowhere\.npz' cannot be read"):
        load_face_model(tmp_path / "nowhere.npz")


@pytest.mark.parametrize("kept", [0, 10, 5000, 1_000_000])
def test_a_truncated_file_is_rejected(tmp_path, kept):
    path = tmp_path / "model.npz"
    path.write_bytes(resource_path("bfm/open_face_model.npz").read_bytes()[:kept])
    with pytest.raises(BundleError, match=r"is not a complete \.npz file"):
        load_face_model(path)


def test_a_damaged_array_is_rejected(tmp_path):
    source = resource_path("bfm/open_face_model.npz")
    with zipfile.ZipFile(source) as archive:
        member = archive.getinfo("expression.npy")
    data = bytearray(source.read_bytes())
    data[member.header_offset + member.compress_size // 2] ^= 0xFF
    path = tmp_path / "model.npz"
    path.write_bytes(data)
    with pytest.raises(BundleError, match="Bad CRC"):
        load_face_model(path)


def test_a_missing_array_is_named_in_the_error(tmp_path, arrays):
    del arrays["uv"], arrays["mean"]
    write_arrays(tmp_path / "model.npz", arrays)
    with pytest.raises(BundleError, match="lacks mean, uv"):
        load_face_model(tmp_path / "model.npz")


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("mean", lambda a: a[:-1], r"expected identity of shape .* got \(40, 5208, 3\)"),
        ("identity", lambda a: a[..., :2], r"identity of shape \(40, 5207?8?, 3\) and kind 'if', got \(40, 5208, 2\)"),
        ("identity", lambda a: a.astype(np.complex64), "of complex64"),
        ("expression_names", lambda a: a[:10], r"expression_names of shape .* got \(10,\)"),
        ("landmarks68", lambda a: a[:51], r"landmarks68 of shape .* got \(51,\)"),
        ("facemesh_barycentric", lambda a: a[:468], r"facemesh_barycentric of shape .* got \(468, 3\)"),
        ("triangles", lambda a: a + 5000, r"expected triangles in 0\.\.5207, got 5000"),
        ("facemesh_triangle", lambda a: a - 99999, r"expected facemesh_triangle in 0\.\."),
        ("mean", lambda a: a * np.float32("nan"), "expected finite values of mean"),
    ],
)
def test_an_inconsistent_array_is_named_in_the_error(tmp_path, arrays, name, change, words):
    arrays[name] = change(arrays[name])
    write_arrays(tmp_path / "model.npz", arrays)
    with pytest.raises(BundleError, match=words):
        load_face_model(tmp_path / "model.npz")


def test_pickled_objects_are_rejected(tmp_path):
    np.savez(tmp_path / "model.npz", name=np.array([{"a": 1}], dtype=object))
    with pytest.raises(BundleError, match=r"is not a complete \.npz file"):
        load_face_model(tmp_path / "model.npz")
