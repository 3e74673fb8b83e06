"""What the head sees of portraits: mirrored, compared with a rest, and read from files of the user's own."""

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
    """(478, 3) a lopsided face in an image of some width and 240 pixels' height, turned a little."""
    moved = canonical + np.random.default_rng(5).normal(0, 0.003, canonical.shape)
    yaw = np.radians(20.0)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    seen = 900 * (moved @ turn.T) * [1.0, -1.0, -1.0]
    return np.asarray(seen + np.array([width / 2 - 0.5 + 7, 110.0, 0.0]))


def test_mirroring_twice_changes_nothing(canonical: FloatArray) -> None:
    mirror = samples.mirror_of(canonical, NAMES)
    for order in (mirror.features, mirror.patches, mirror.expression):
        np.testing.assert_array_equal(order[order], np.arange(len(order)))
    np.testing.assert_array_equal(mirror.sign * mirror.sign[mirror.features], 1.0)
    assert len(mirror.features) == FEATURES


def test_blendshapes_change_sides_in_the_mirror(canonical: FloatArray) -> None:
    mirror = samples.mirror_of(canonical, NAMES)
    there = {name: NAMES[place] for name, place in zip(NAMES, mirror.expression, strict=True)}
    assert there["eyeBlinkLeft"] == "eyeBlinkRight"
    assert there["jawLeft"] == "jawRight"
    assert there["eyeLookInLeft"] == "eyeLookInRight"
    assert there["jawOpen"] == "jawOpen"


def test_a_mirrored_picture_has_mirrored_features_and_patches(canonical: FloatArray) -> None:
    width = 320
    mirror = samples.mirror_of(canonical, NAMES)
    twin = samples.mirrored_points(canonical)
    points = in_image(canonical, width)
    noise = np.random.default_rng(1).integers(0, 255, (24, 32)).astype(np.uint8)
    image = np.kron(noise, np.ones((10, 10), np.uint8))
    flipped = points[twin] * [-1.0, 1.0, 1.0] + [width - 1.0, 0.0, 0.0]
    ours, theirs = align(points, canonical), align(flipped, canonical)
    wanted = features(ours, canonical)[mirror.features] * mirror.sign
    np.testing.assert_allclose(features(theirs, canonical), wanted, atol=1e-6)  # centimeters
    patches = cut_patches(image, points, ours)[mirror.patches]
    patches[mirror.turned] = patches[mirror.turned, :, ::-1]
    seen = cut_patches(image[:, ::-1].copy(), flipped, theirs)
    assert np.abs(seen.astype(int) - patches).mean() < 1.0  # gray levels


def test_a_rest_is_another_portrait_of_the_same_person() -> None:
    person = np.array([1, 1, 1, 2, 2, 3])
    rest = np.array([True, False, True, False, True, False])
    found = samples.RestFinder(person, rest)(np.arange(6), np.random.default_rng(0))
    assert found.tolist()[:1] + found.tolist()[2:] == [2, 0, 4, -1, -1]
    assert found[1] in (0, 2)


def test_nobody_ahead_at_rest_makes_no_canonical_face(canonical: FloatArray) -> None:
    with pytest.raises(ValueError, match="draw more people"):
        samples.canonical_face([], canonical)


# Data of the user's own


def test_own_data_are_read_and_what_is_not_known_stays_unknown(tmp_path: Path) -> None:
    arrays = own()
    arrays["expression"][1] = np.nan
    read = read_user_data(written(tmp_path, arrays))
    np.testing.assert_array_equal(read.image, arrays["image"])
    np.testing.assert_array_equal(read.expression, arrays["expression"])
    assert np.isnan(read.angles).all()
    assert read.person.dtype == np.int64


def test_own_data_may_name_some_blendshapes_in_any_order(tmp_path: Path) -> None:
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
        (missing("landmarks"), r"needs the arrays landmarks too, and holds expression, image, person"),
        (changed("image", np.zeros((4, 8, 8), np.float32)), r"image .* should be uint8 .* and is float32"),
        (changed("image", np.zeros((4, 8, 8, 3), np.uint8)), r"shape \(N, height, width\), and is .*\(4, 8, 8, 3\)"),
        (changed("landmarks", np.zeros((4, 68, 3), np.float32)), r"\(N = 4, 478, 3\), and is .*\(4, 68, 3\)"),
        (changed("person", np.zeros(3, int)), r"person .* shape \(N = 4\), and is .*\(3,\)"),
        (changed("person", np.zeros(4)), r"person .* should be integer .* and is float64"),
        (changed("expression", np.zeros((4, 51), np.float32)), r"names .* shape \(K = 51\), and is .*\(52,\)"),
        (changed("angles", np.zeros((4, 3))), r"angles .* shape \(N = 4, 2\), and is .*\(4, 3\)"),
        (changed("names", np.array([*NAMES[:-1], "smirk"])), r"blendshapes of ARKit.*and has smirk"),
        (changed("names", np.array([*NAMES[:-1], NAMES[0]])), r"and has one twice"),
        (at("landmarks", np.nan), r"those of portrait 2 are not: leave out the 1 portraits"),
        (at("expression", 1.5), r"in 0..1, or NaN where not known, and has 1.5"),
        (at("expression", -0.5), r"in 0..1, or NaN where not known, and has -0.5"),
        (at("expression", np.inf), r"and has inf"),
    ],
)
def test_damaged_data_are_refused_with_what_was_wanted_and_given(
    tmp_path: Path, damage: Callable[[dict[str, NDArray[Any]]], None], words: str
) -> None:
    arrays = own()
    damage(arrays)
    with pytest.raises(ValueError, match=words):
        read_user_data(written(tmp_path, arrays))


def test_landmarks_in_parts_of_the_image_are_refused(tmp_path: Path) -> None:
    arrays = own()
    arrays["landmarks"] /= 160
    with pytest.raises(ValueError, match="multiply x and z by the image's width"):
        read_user_data(written(tmp_path, arrays))


def test_a_file_without_portraits_or_none_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no portraits"):
        read_user_data(written(tmp_path, {name: array[:0] for name, array in own().items()}))
    (tmp_path / "own.npz").write_bytes(b"portraits")
    with pytest.raises(ValueError, match=r"not a complete \.npz file"):
        read_user_data(tmp_path / "own.npz")
