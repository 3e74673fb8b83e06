"""Hair, brows, lashes, eyes and teeth from photographs, on the shipped ones and on made ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from face_expr_ros.core.geometry import FACING_CAMERA, pinhole_camera
from face_expr_ros.core.types import Pose
from face_expr_ros.drawing.lighting import Lamp, Light
from face_expr_ros.drawing.model_key import ModelKey
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.card_meshes import card_mesh, card_names
from face_expr_ros.synthetic.hair_cards import HairPhoto, build_hair, shade_on_head
from face_expr_ros.synthetic.head import head_geometry
from face_expr_ros.synthetic.occlusion import Occluder
from face_expr_ros.synthetic.photo_details import paint_eye
from face_expr_ros.synthetic.photo_library import open_library, shipped_library
from face_expr_ros.synthetic.photo_meshes import build_lashes, teeth
from face_expr_ros.synthetic.photo_skin import shipped_skin
from face_expr_ros.synthetic.scene import FaceRenderer
from face_expr_ros.synthetic.shadows import shadow_tint, visibility
from face_expr_ros.synthetic.styles import Hairstyle

MODEL = open_face_model("open")
LIBRARY = shipped_library()
WIDTH = 128  # of the skin's texture
MILLIMETER = 1e-3


def hair_photo(name: str = "hair/short01", **changes: object) -> HairPhoto:
    return replace(HairPhoto(name, LIBRARY.hair[name]), **changes)


def test_the_package_has_a_mesh_for_each_of_its_photographs() -> None:
    assert len(LIBRARY.hair) == 8
    assert set(LIBRARY.hair) <= set(card_names("hair"))
    assert set(LIBRARY.brows) <= set(card_names("eyebrows"))
    assert set(LIBRARY.lashes) <= set(card_names("eyelashes"))
    assert LIBRARY.teeth is not None


@pytest.mark.parametrize("name", [*card_names("eyebrows"), *card_names("eyelashes")])
def test_brows_and_lashes_lie_on_the_face(name: str) -> None:
    points = card_mesh(name).points
    distance = np.linalg.norm(points[:, None] - MODEL.mean[None], axis=2).min(axis=1)
    assert distance.max() < 12 * MILLIMETER


@pytest.mark.parametrize("name", sorted(LIBRARY.hair))
def test_hair_covers_the_crown_and_darkens_the_scalp(name: str) -> None:
    hair = build_hair(MODEL, hair_photo(name), (40, 60, 90), 128)
    assert len(hair.solid.triangles) + len(hair.cards.triangles) > 300
    crown = MODEL.mean[:, 1].argmax()
    nearest = np.linalg.norm(hair.points - MODEL.mean[crown], axis=1).min()
    assert nearest < 25 * MILLIMETER
    shade = shade_on_head(head_geometry(MODEL, WIDTH), name, False)
    assert shade[crown].mean() < 0.7
    assert shade[MODEL.landmarks68[30]].mean() > 0.75  # the tip of the nose


def test_hair_takes_the_color_of_the_person() -> None:
    texture = build_hair(MODEL, hair_photo(), (30, 60, 120), 128).levels[0]
    shown = np.average(texture[..., :3].reshape(-1, 3), axis=0, weights=texture[..., 3].ravel())
    np.testing.assert_allclose(shown, (30, 60, 120), rtol=0.12)


def test_transparent_cards_are_blended_from_back_to_front() -> None:
    hair = build_hair(MODEL, hair_photo(), (30, 60, 120), 128)
    depth = np.random.default_rng(0).normal(1.0, 0.1, len(hair.points))
    cards = hair.sorted_cards(depth)
    assert (np.diff(depth[cards.triangles].sum(axis=1)) <= 0).all()
    assert {*map(tuple, cards.triangles.tolist())} == {*map(tuple, hair.cards.triangles.tolist())}


def test_mirrored_hair_is_the_mirror_image() -> None:
    left, right = (build_hair(MODEL, hair_photo("hair/bob02", mirrored=m), (30, 60, 90), 128) for m in (False, True))
    np.testing.assert_allclose(left.points * [-1, 1, 1], right.points, atol=1e-6)
    np.testing.assert_array_equal(left.solid.triangles[:, ::-1], right.solid.triangles)


def test_a_hat_leaves_only_the_hair_below_it() -> None:
    whole, below = (build_hair(MODEL, hair_photo("hair/long01"), (30, 60, 90), 128, under) for under in (0.0, 0.95))
    assert 0 < len(below.cards.triangles) < len(whole.cards.triangles)
    used = np.unique(np.vstack([below.cards.triangles, below.solid.triangles]))
    assert below.points[used, 1].max() < whole.points[:, 1].max() - 20 * MILLIMETER


def test_a_plate_between_lamp_and_points_casts_a_shadow() -> None:
    plate = np.array([[-1, -1, -1], [1, -1, -1], [1, 1, -1], [-1, 1, -1]], np.float32) * 0.1
    occluder = Occluder(plate, np.array([[0, 1, 2], [0, 2, 3]], np.int32), cull=False)
    points = np.array([[0, 0, 0], [0.4, 0, 0], [0, 0, -0.2]], np.float32)
    lamp = Lamp((0, 0, -1), (1, 1, 1), 0.05)
    np.testing.assert_array_equal(visibility(lamp, 4, points, [occluder]), [0, 1, 1])
    light = Light((lamp,), sky=(0.5,) * 3, ground=(0.5,) * 3)
    tint = shadow_tint(light, lamp, np.tile([0, 0, -1.0], (3, 1)), np.array([0, 1, 0.5]))
    np.testing.assert_allclose(tint[:2].T, [[1 / 3, 1]] * 3, atol=1e-5)
    assert tint[2, 2] > tint[2, 0] > tint[0, 0]  # the edge of a shadow is red


def test_an_eye_has_a_pupil_and_the_iris_of_the_person() -> None:
    eye = paint_eye(128, LIBRARY.eyes[0], Appearance(iris=(150, 120, 60)))
    assert eye[60:68, 60:68, :3].max() < 40
    iris = eye[62:66, 78:82, :3].mean(axis=(0, 1))
    assert iris[0] > iris[2]
    assert eye[64, 90, :3].min() > 150  # sclera
    assert eye[64, 64, 3] == 255


def test_lower_teeth_follow_the_jaw() -> None:
    assert LIBRARY.teeth is not None
    built = teeth(ModelKey(MODEL), LIBRARY.teeth, 0.3)
    assert 0.3 < built.uppers.mean() < 0.7
    jaw = np.zeros(len(MODEL.expression_names))
    jaw[MODEL.expression_names.index("jawOpen")] = 1.0
    opened = built.surface(MODEL.vertices(np.zeros(len(MODEL.identity)), jaw)) - built.surface(MODEL.mean)
    assert np.linalg.norm(opened[built.uppers], axis=1).max() < MILLIMETER
    assert opened[~built.uppers, 1].mean() < -5 * MILLIMETER


def test_lashes_are_those_of_the_model() -> None:
    name = next(iter(LIBRARY.lashes))
    photo = LIBRARY.parts(shipped_skin((150, 180, 220)), Appearance(), np.random.default_rng(0)).lashes
    assert photo is not None
    assert photo.mesh == name
    lashes = build_lashes(head_geometry(MODEL, WIDTH), photo, (30, 40, 50))
    assert set(np.unique(lashes.mesh.triangles)) <= set(MODEL.part_vertices("eyelashes").tolist())
    assert lashes.levels[0][..., 3].max() > 50


def test_long_hair_is_chosen_for_long_hair() -> None:
    skin = shipped_skin((150, 180, 220))
    for length, names in (
        (0.2, {"bob02", "braid01", "long01", "ponytail01"}),
        (0.0, {f"short0{n}" for n in range(1, 5)}),
    ):
        look = Appearance(hairstyle=Hairstyle(length=length))
        chosen = [LIBRARY.parts(skin, look, np.random.default_rng(seed)).hair for seed in range(40)]
        assert {photo.mesh.removeprefix("hair/") for photo in chosen if photo is not None} == names
    assert LIBRARY.parts(skin, Appearance(baldness=0.5), np.random.default_rng(0)).hair is None


def test_a_photographed_person_renders_as_such() -> None:
    camera, pose = pinhole_camera(96, 96, 25.0), Pose(FACING_CAMERA, np.array([0.0, 0.0, 0.8]), True)
    parts = LIBRARY.parts(shipped_skin((150, 180, 220)), Appearance(), np.random.default_rng(3))
    person = FaceRenderer(MODEL, Appearance(), texture_width=WIDTH, photo=parts)
    painted = FaceRenderer(MODEL, Appearance(), texture_width=WIDTH).render(MODEL.mean, pose, camera)
    plain = person.render(MODEL.mean, pose, camera)
    assert np.abs(plain.astype(int) - painted).mean() > 1
    shadowed = person.render(MODEL.mean, pose, camera, Light(shadow_samples=2))
    assert (shadowed <= plain + 1).mean() > 0.97  # edges of sorted cards aside
    assert shadowed.mean() < plain.mean() - 0.3


def test_folders_without_photographs_leave_the_parts_painted(tmp_path: Path) -> None:
    parts = open_library(tmp_path).parts(shipped_skin((150, 180, 220)), Appearance(), np.random.default_rng(0))
    assert (parts.hair, parts.brows, parts.lashes, parts.eyes, parts.teeth) == (None,) * 5
    (tmp_path / "eyes").mkdir()
    cv2.imwrite(str(tmp_path / "eyes/gray.webp"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="expected an image with opacity"):
        paint_eye(32, tmp_path / "eyes/gray.webp", Appearance())
