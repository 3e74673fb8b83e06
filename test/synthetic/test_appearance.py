"""Hair, beards, glasses, headwear and occluders: position, occlusion, motion with the face, and frequency."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler
from face_expr_ros.core.types import Pose
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.beard import beard_coverage
from face_expr_ros.synthetic.scene import FaceRenderer, SceneFace, render_scene_with_coverage
from face_expr_ros.synthetic.shell import head_shell, skin_anchors
from face_expr_ros.synthetic.styles import Beard, Glasses, Hairstyle, Headwear, Occluder
from face_expr_ros.synthetic.variety import varied_appearance
from face_expr_ros.synthetic.wardrobe import build_worn_items

SMALL = 256  # width of the texture in these tests, pixels
STATIC_BOUND = 0.004  # meters: maximum motion of hair and hats with full expressions
ANCHOR_BOUND = 1e-6  # meters between an anchor and its interpolated position
CAMERA = pinhole_camera(160, 160, 32.0)
LONG = Hairstyle(length=0.25)


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return open_face_model("open")


@pytest.fixture(scope="module")
def appearances() -> list[Appearance]:
    return [varied_appearance(seed) for seed in range(1500)]


def pose_of(yaw: float = 0.0) -> Pose:
    return Pose(rotation_from_euler(np.radians(yaw), 0.0, 0.0), np.array([0.0, 0.02, 0.6]), True)


def render(model, appearance, yaw=0.0):
    renderer = FaceRenderer(model, appearance, texture_width=SMALL)
    return render_scene_with_coverage([SceneFace(renderer, model.mean, pose_of(yaw))], CAMERA)


def pixel(point, yaw=0.0):
    """Column and row of the projection of a point in model axes."""
    pose = pose_of(yaw)
    projected = CAMERA.matrix @ (pose.rotation @ point + pose.position)
    return tuple(np.round(projected[:2] / projected[2]).astype(int))


def differs(first, second, point, yaw=0.0):
    column, row = pixel(point, yaw)
    window = np.s_[row - 1 : row + 2, column - 1 : column + 2]
    return np.abs(first[window].astype(int) - second[window]).mean() > 8


def worn_surface(model, appearance, vertices=None):
    worn = build_worn_items(model, appearance)
    assert worn is not None
    return worn.surface(model.mean if vertices is None else vertices)


@pytest.mark.parametrize(
    ("changes", "hidden", "visible"),
    [
        ({"hairstyle": LONG}, ("ear",), ("eye", "mouth", "chin", "brow")),
        ({"hairstyle": Hairstyle(length=0.25, face_edge=2.0)}, (), ("ear", "eye", "mouth", "chin", "brow")),
        ({"hairstyle": Hairstyle(top=0.02, bangs=1.1)}, ("brow",), ("eye", "mouth", "chin", "ear")),
        ({"headwear": Headwear("scarf")}, ("ear", "throat"), ("eye", "mouth", "brow")),
        ({"headwear": Headwear("hood")}, ("ear",), ("eye", "mouth", "chin", "brow")),
        ({"headwear": Headwear("headphones")}, ("ear",), ("eye", "mouth", "chin", "brow")),
        ({"headwear": Headwear("cap")}, ("crown",), ("eye", "mouth", "chin")),
        ({"headwear": Headwear("beanie")}, ("crown",), ("eye", "mouth", "chin", "brow")),
        ({"headwear": Headwear("turban")}, ("crown",), ("eye", "mouth", "chin", "brow")),
        ({"headwear": Headwear("brim")}, ("crown",), ("eye", "mouth", "chin")),
        ({"collar": 0.02}, ("throat",), ("eye", "mouth", "brow")),
        ({"glasses": Glasses(opacity=0.95, lens=(5, 5, 5))}, ("eye",), ("mouth", "chin")),
        ({"occluder": Occluder("mug", 1, (0.0, -0.115, 0.06), (200, 20, 20))}, ("mouth",), ("eye", "brow", "ear")),
    ],
)
def test_worn_items_hide_only_what_they_should(model, changes, hidden, visible):
    points = {
        "ear": np.array([0.079, -0.030, -0.088]),
        "eye": model.eye_center(model.mean, "left") + np.array([0, 0, 0.013]),
        "mouth": model.mean[model.landmarks68[57]],
        "chin": model.mean[model.landmarks68[8]] + np.array([0, 0.012, 0.0]),
        "brow": model.mean[model.landmarks68[23]],
        "throat": np.array([0.0, -0.150, -0.05]),
        "crown": np.array([0.0, 0.085, -0.035]),
    }
    bare = Appearance(clothes=(20, 20, 200), hair=(90, 170, 190), brows=(10, 10, 10))
    plain, _ = render(model, bare)
    image, _ = render(model, replace(bare, **changes))
    assert {name for name in hidden if differs(image, plain, points[name])} == set(hidden)
    assert {name for name in visible if differs(image, plain, points[name])} == set()


@pytest.mark.parametrize("yaw", [-90.0, -45.0, 0.0, 45.0, 90.0])
def test_pixels_changed_by_hair_are_part_of_the_coverage(model, yaw):
    """Pixels that differ from the head without the hairstyle are covered by the person with it."""
    plain, _ = render(model, Appearance(), yaw)
    image, coverage = render(model, Appearance(hairstyle=LONG), yaw)
    changed = (plain != image).any(axis=2)
    assert changed.sum() > 500
    assert (coverage[changed] > 0).all()


@pytest.mark.parametrize(
    "appearance",
    [
        Appearance(hairstyle=LONG),
        Appearance(hairstyle=Hairstyle(top=0.03, bangs=0.8)),
        Appearance(headwear=Headwear("cap")),
        Appearance(glasses=Glasses()),
    ],
)
def test_hair_hats_and_glasses_do_not_move_with_expressions(model, appearance):
    neutral = worn_surface(model, appearance)
    for name in ("jawOpen", "browInnerUp", "mouthSmileLeft", "cheekPuff"):
        expression = np.zeros(len(model.expression_names))
        expression[model.expression_names.index(name)] = 1.0
        moved = worn_surface(model, appearance, model.vertices(None, expression))
        assert np.abs(moved - neutral).max() < STATIC_BOUND


def test_scarf_moves_with_the_jaw(model):
    jaw = np.zeros(len(model.expression_names))
    jaw[model.expression_names.index("jawOpen")] = 1.0
    scarf = Appearance(headwear=Headwear("scarf"))
    moved = worn_surface(model, scarf, model.vertices(None, jaw)) - worn_surface(model, scarf)
    assert moved[:, 1].min() < -0.01


def test_worn_items_scale_with_the_head(model):
    beanie = Appearance(headwear=Headwear("beanie"))
    scaled = worn_surface(model, beanie, 1.2 * model.mean)
    assert np.abs(scaled - 1.2 * worn_surface(model, beanie)).max() < 1e-4


def test_interpolation_is_exact_at_the_anchors(model):
    anchors = skin_anchors(model)
    assert np.abs(anchors.weights(anchors.mean) - np.eye(len(anchors.vertices))).max() < 1e-3
    shape = model.vertices([1.5, -1.0, 0.5])
    carried = model.mean[anchors.vertices] + anchors.weights(anchors.mean) @ (shape - model.mean)[anchors.vertices]
    assert np.abs(carried - shape[anchors.vertices]).max() < 100 * ANCHOR_BOUND


def test_shell_lies_on_the_skin_and_has_a_hairline(model):
    shell = head_shell(model)
    front = shell.points(np.array([0.0]), shell.hairline_at(np.array([0.0])), 0.0)[0]
    assert 0.045 < front[1] < 0.07
    nape = shell.points(np.array([np.pi]), shell.hairline_at(np.array([np.pi])), 0.0)[0]
    assert -0.09 < nape[1] < -0.05
    around = np.linspace(1.5, 2.1, 13)
    with_ears, without = (shell.points(around, 1.55, 0.0, ears=ears)[:, 0].max() for ears in (True, False))
    assert with_ears - without > 0.005


def test_beard_covers_chin_and_jaw_and_offsets_the_skin_there(model):
    full = Beard(length=0.01)
    points = model.mean[model.landmarks68[[8, 33, 27, 37, 5]]] + np.array([[0, 0.004, 0]])
    chin, nose, sellion, lid, jaw = beard_coverage(points, full)
    assert min(chin, jaw) > 0.7
    assert max(nose, sellion, lid) == 0.0
    geometry = FaceRenderer(model, texture_width=SMALL).geometry
    shaved, bearded = (geometry.surface(model.mean, Appearance(beard=beard)) for beard in (None, full))
    offset = np.linalg.norm(bearded - shaved, axis=1)
    assert 0.005 < offset.max() < 0.025
    assert offset[model.landmarks68[[27, 37, 62, 66]]].max() == 0.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"headwear": Headwear("crown")}, "headwear: expected a kind of beanie, .*got 'crown'"),
        ({"occluder": Occluder("fish")}, "occluder: expected a kind of hand, .*got 'fish'"),
    ],
)
def test_unknown_kinds_are_rejected_with_expected_and_actual(model, changes, words):
    with pytest.raises(ValueError, match=words):
        build_worn_items(model, Appearance(**changes))


def test_varied_appearance_is_reproducible_and_depends_on_the_seed(model):
    assert varied_appearance(11) == varied_appearance(11)
    first, second = (render(model, varied_appearance(11))[0] for _ in range(2))
    assert np.array_equal(first, second)
    assert len({varied_appearance(seed) for seed in range(50)}) == 50


def test_varied_appearances_can_be_rendered(model):
    for seed in range(24):
        _, coverage = render(model, varied_appearance(seed), yaw=7.5 * seed - 90)
        assert coverage.max() == 255


@pytest.mark.parametrize(
    ("has_item", "minimum", "maximum"),
    [
        (lambda person: person.glasses is not None, 0.20, 0.30),
        (lambda person: person.beard is not None, 0.20, 0.30),
        (lambda person: person.hairstyle is not None and person.hairstyle.length > 0, 0.36, 0.50),
        (lambda person: person.headwear is not None, 0.12, 0.20),
        (lambda person: person.occluder is not None, 0.04, 0.09),
        (lambda person: person.baldness > 0, 0.06, 0.15),
        (lambda person: person.collar > 0, 0.10, 0.18),
    ],
)
def test_items_occur_about_as_often_as_in_photographs(appearances, has_item, minimum, maximum):
    assert minimum < np.mean([has_item(person) for person in appearances]) < maximum
