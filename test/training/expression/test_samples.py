"""Training samples of the expression head: mirroring, neutral portraits and files of user data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.user_data import own, written

from face_expr_ros.core.types import FloatArray
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.alignment import FEATURES, align, features
from face_expr_ros.perception.expression.patches import cut_patches
from face_expr_ros.training.expression import samples
from face_expr_ros.training.expression.user_data import read_user_data

MODEL = open_face_model("open")
NAMES = MODEL.expression_names


# Mirror images


def in_image(canonical: FloatArray, width: int) -> FloatArray:
    """(478, 3) an asymmetric face, turned by 20 degrees, in an image of this width and a height of 240 pixels."""
    moved = canonical + np.random.default_rng(5).normal(0, 0.003, canonical.shape)
    yaw = np.radians(20.0)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    pixels = 900 * (moved @ turn.T) * [1.0, -1.0, -1.0]
    return np.asarray(pixels + np.array([width / 2 - 0.5 + 7, 110.0, 0.0]))


def test_mirroring_twice_changes_nothing(canonical: FloatArray) -> None:
    mirror = samples.mirror_of(canonical, NAMES)
    for order in (mirror.features, mirror.patches, mirror.expression):
        np.testing.assert_array_equal(order[order], np.arange(len(order)))
    np.testing.assert_array_equal(mirror.sign * mirror.sign[mirror.features], 1.0)
    assert len(mirror.features) == FEATURES


def test_mirroring_swaps_left_and_right_blendshapes(canonical: FloatArray) -> None:
    mirror = samples.mirror_of(canonical, NAMES)
    mirrored = {name: NAMES[index] for name, index in zip(NAMES, mirror.expression, strict=True)}
    assert mirrored["eyeBlinkLeft"] == "eyeBlinkRight"
    assert mirrored["jawLeft"] == "jawRight"
    assert mirrored["eyeLookInLeft"] == "eyeLookInRight"
    assert mirrored["jawOpen"] == "jawOpen"


def test_mirrored_image_gives_mirrored_features_and_patches(canonical: FloatArray) -> None:
    width = 320
    mirror = samples.mirror_of(canonical, NAMES)
    twin = samples.mirror_indices(canonical)
    points = in_image(canonical, width)
    noise = np.random.default_rng(1).integers(0, 255, (24, 32)).astype(np.uint8)
    image = np.kron(noise, np.ones((10, 10), np.uint8))
    flipped = points[twin] * [-1.0, 1.0, 1.0] + [width - 1.0, 0.0, 0.0]
    original, mirrored = align(points, canonical), align(flipped, canonical)
    expected = features(original, canonical)[mirror.features] * mirror.sign
    np.testing.assert_allclose(features(mirrored, canonical), expected, atol=1e-6)  # centimeters
    patches = cut_patches(image, points, original)[mirror.patches]
    patches[mirror.flipped] = patches[mirror.flipped, :, ::-1]
    mirrored_patches = cut_patches(image[:, ::-1].copy(), flipped, mirrored)
    assert np.abs(mirrored_patches.astype(int) - patches).mean() < 1.0  # gray levels


def test_neutral_finder_returns_another_portrait_of_the_same_person() -> None:
    person = np.array([1, 1, 1, 2, 2, 3])
    neutral = np.array([True, False, True, False, True, False])
    found = samples.NeutralFinder(person, neutral)(np.arange(6), np.random.default_rng(0))
    assert found.tolist()[:1] + found.tolist()[2:] == [2, 0, 4, -1, -1]
    assert found[1] in (0, 2)


def test_canonical_face_requires_neutral_frontal_portraits(canonical: FloatArray) -> None:
    with pytest.raises(ValueError, match="render more portraits"):
        samples.canonical_face([], canonical)


# User data


def test_user_data_are_read_and_unknown_values_stay_nan(tmp_path: Path) -> None:
    arrays = own()
    arrays["expression"][1] = np.nan
    read = read_user_data(written(tmp_path, arrays))
    np.testing.assert_array_equal(read.image, arrays["image"])
    np.testing.assert_array_equal(read.expression, arrays["expression"])
    assert np.isnan(read.angles).all()
    assert read.person.dtype == np.int64


def test_user_data_may_have_a_subset_of_blendshapes_in_any_order(tmp_path: Path) -> None:
    arrays = own() | {"names": np.array(["mouthSmileLeft", "jawOpen"]), "expression": np.full((4, 2), 0.25)}
    arrays["expression"][:, 1] = 0.75
    read = read_user_data(written(tmp_path, arrays))
    for name, value in (("mouthSmileLeft", 0.25), ("jawOpen", 0.75), ("cheekPuff", np.nan)):
        np.testing.assert_array_equal(read.expression[:, NAMES.index(name)], value)


def changed(name: str, value: Any) -> Callable[[dict[str, NDArray[Any]]], None]:
    return lambda arrays: arrays.update({name: np.asarray(value)})


def missing(name: str) -> Callable[[dict[str, NDArray[Any]]], None]:
    return lambda arrays: arrays.__delitem__(name)


def at(name: str, value: float) -> Callable[[dict[str, NDArray[Any]]], None]:
    return lambda arrays: arrays[name].__setitem__((2, 3), value)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (missing("landmarks"), r"missing arrays landmarks; found expression, image, person"),
        (changed("image", np.zeros((4, 8, 8), np.float32)), r"image .* expected uint8 .* got float32"),
        (changed("image", np.zeros((4, 8, 8, 3), np.uint8)), r"shape \(N, height, width\), got .*\(4, 8, 8, 3\)"),
        (changed("landmarks", np.zeros((4, 68, 3), np.float32)), r"\(N = 4, 478, 3\), got .*\(4, 68, 3\)"),
        (changed("person", np.zeros(3, int)), r"person .* shape \(N = 4\), got .*\(3,\)"),
        (changed("person", np.zeros(4)), r"person .* expected integer .* got float64"),
        (changed("expression", np.zeros((4, 51), np.float32)), r"names .* shape \(K = 51\), got .*\(52,\)"),
        (changed("angles", np.zeros((4, 3))), r"angles .* shape \(N = 4, 2\), got .*\(4, 3\)"),
        (changed("names", np.array([*NAMES[:-1], "smirk"])), r"distinct ARKit blendshapes.*got smirk"),
        (changed("names", np.array([*NAMES[:-1], NAMES[0]])), r"got duplicates"),
        (at("landmarks", np.nan), r"in portrait 2: leave out the 1 portraits"),
        (at("expression", 1.5), r"expected values in 0..1 or NaN, got 1.5"),
        (at("expression", -0.5), r"expected values in 0..1 or NaN, got -0.5"),
        (at("expression", np.inf), r"got inf"),
    ],
)
def test_invalid_user_data_are_rejected_with_expected_and_actual(
    tmp_path: Path, damage: Callable[[dict[str, NDArray[Any]]], None], words: str
) -> None:
    arrays = own()
    damage(arrays)
    with pytest.raises(ValueError, match=words):
        read_user_data(written(tmp_path, arrays))


def test_normalized_landmarks_are_rejected(tmp_path: Path) -> None:
    arrays = own()
    arrays["landmarks"] /= 160
    with pytest.raises(ValueError, match="multiply x and z by the image's width"):
        read_user_data(written(tmp_path, arrays))


def test_empty_or_damaged_user_data_files_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="contains no portraits"):
        read_user_data(written(tmp_path, {name: array[:0] for name, array in own().items()}))
    (tmp_path / "own.npz").write_bytes(b"portraits")
    with pytest.raises(ValueError, match=r"not a complete \.npz file"):
        read_user_data(tmp_path / "own.npz")
