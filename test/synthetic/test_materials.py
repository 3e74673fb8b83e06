"""Photographed skins and environment maps, on made ones whose light and colors are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from face_expr_ros.core.geometry import FACING_CAMERA, pinhole_camera
from face_expr_ros.core.types import Pose
from face_expr_ros.drawing.lighting import SKIN, harmonic_basis, light_maps
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.environment import Environment, background_from, light_from, read_environment
from face_expr_ros.synthetic.head import head_geometry
from face_expr_ros.synthetic.materials import open_materials
from face_expr_ros.synthetic.photo_skin import PhotoSkin, cheek_tone, shipped_skin, skin_files
from face_expr_ros.synthetic.scene import FaceRenderer

MODEL = open_face_model("open")
ROWS = 64
WIDTH = 128  # of the skin's texture


def uniform(value: float = 1.0) -> Environment:
    return Environment(np.full((ROWS, 2 * ROWS, 3), value, np.float32))


def test_uniform_surroundings_light_all_sides_alike() -> None:
    light = light_from(uniform(7.0), exposure=0.8)
    assert light.lamps == ()
    normals = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    lit = harmonic_basis(normals) @ np.array(light.harmonics)
    np.testing.assert_allclose(lit, 0.8, rtol=0.01)
    lit_map = light_maps(light)[SKIN, ..., :3]
    np.testing.assert_allclose(lit_map, 0.8, rtol=0.01)


def test_a_sun_becomes_a_lamp_in_its_direction() -> None:
    radiance = np.full((ROWS, 2 * ROWS, 3), 0.3, np.float32)
    row, column = 16, 96  # 45 degrees above the horizon; three quarters around: from image left
    radiance[row - 1 : row + 1, column - 1 : column + 1] = 4000.0
    light = light_from(Environment(radiance), exposure=1.0)
    (lamp,) = light.lamps
    np.testing.assert_allclose(lamp.direction, [-np.sqrt(0.5), -np.sqrt(0.5), 0.0], atol=0.05)
    assert min(lamp.color) > 0.0


def test_a_camera_takes_out_most_of_the_color_of_the_light() -> None:
    radiance = uniform().radiance * np.array([2.0, 1.0, 0.5], np.float32)
    light = light_from(Environment(radiance), exposure=1.0)
    facing = (harmonic_basis(np.array([[0, 0, -1.0]], np.float32)) @ np.array(light.harmonics))[0]
    assert 1.0 < facing[0] / facing[2] < 2.0  # it was 4


def test_the_background_is_what_lies_behind_the_face() -> None:
    radiance = uniform(0.5).radiance.copy()
    radiance[:, : 2 * ROWS // 8, 2] = 5.0  # red to the right of the middle, which is column 0
    image = background_from(Environment(radiance), 32, 40.0, 1.0)
    assert image.shape == (32, 32, 3)
    assert image[16, 28, 2] > image[16, 3, 2] + 50
    np.testing.assert_array_equal(uniform().turned(0.25).radiance, uniform().radiance)


def test_a_photographed_skin_takes_the_person_s_tone(tmp_path: Path) -> None:
    skin = np.full((256, 256, 3), (90, 110, 150), np.uint8)
    cv2.imwrite(str(tmp_path / "skin.png"), skin)
    geometry = head_geometry(MODEL, WIDTH)
    tone = (120.0, 150.0, 200.0)
    colors = PhotoSkin((tmp_path / "skin.png",), (1.0,)).at_texels(geometry, tone)
    found = cheek_tone(geometry, colors)
    assert (found > np.array([90, 110, 150])).all()
    assert (found < np.array(tone)).all()


def test_a_skin_lies_where_the_texture_coordinates_say(tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:256, 0:256]
    cv2.imwrite(str(tmp_path / "skin.png"), np.dstack([columns, rows, np.full_like(rows, 100)]).astype(np.uint8))
    geometry = head_geometry(MODEL, WIDTH)
    colors = PhotoSkin((tmp_path / "skin.png",), (1.0,)).at_texels(geometry, (60.0, 60.0, 60.0))
    u, v = geometry.texels.interpolate(MODEL.uv, MODEL.uv_triangles).T
    for shown, place in ((colors[:, 0], u), (colors[:, 1], 1 - v)):
        assert np.corrcoef(shown, place)[0, 1] > 0.999


def test_the_skins_of_the_package_have_the_tones_that_are_listed() -> None:
    geometry = head_geometry(MODEL, 256)
    for tone in ((40.0, 60.0, 105.0), (150.0, 180.0, 228.0)):
        skin = shipped_skin(tone)
        found = cheek_tone(geometry, skin.at_texels(geometry, tone))
        np.testing.assert_allclose(found, tone, rtol=0.12)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("skins", "hdri"):
        (tmp_path / name).mkdir()
    for name, tone in (("light", 190), ("dark", 70), ("dark_normal", 128)):
        cv2.imwrite(str(tmp_path / f"skins/{name}.jpg"), np.full((64, 64, 3), tone, np.uint8))
    cv2.imwrite(str(tmp_path / "hdri/sky.hdr"), uniform(0.7).radiance)
    return tmp_path


def test_people_of_materials_repeat_for_the_same_seed(folder: Path) -> None:
    materials = open_materials(folder)
    assert [path.stem for path in materials.skins] == ["dark", "light"]
    camera = pinhole_camera(96, 96, 25.0)
    pose = Pose(FACING_CAMERA, np.array([0.0, 0.0, 0.8]), True)
    images = []
    for _ in range(2):
        rng = np.random.default_rng(5)
        person = materials.person(MODEL, Appearance(), rng, WIDTH)
        images.append(person.render(MODEL.mean, pose, camera, materials.light(rng)))
    np.testing.assert_array_equal(*images)
    painted = FaceRenderer(MODEL, Appearance(), texture_width=WIDTH).render(MODEL.mean, pose, camera)
    assert (images[0] != painted).any()


def test_folders_without_materials_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected skins"):
        skin_files(tmp_path)
    with pytest.raises(ValueError, match="expected environment maps"):
        open_materials(tmp_path)
    (tmp_path / "no.hdr").write_text("no map")
    with pytest.raises(ValueError, match="expected a high dynamic range image"):
        read_environment(tmp_path / "no.hdr")
