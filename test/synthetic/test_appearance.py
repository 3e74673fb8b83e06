"""What people wear on their heads: where it sits, what it hides, what it moves with, and how often it is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler
from face_expr_ros.core.types import Pose
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.beard import growth
from face_expr_ros.synthetic.scene import FaceRenderer, SceneFace, render_scene_with_coverage
from face_expr_ros.synthetic.shell import anchors_of, shell_of
from face_expr_ros.synthetic.styles import Beard, Glasses, Hairdo, Headwear, Occluder
from face_expr_ros.synthetic.variety import varied_appearance
from face_expr_ros.synthetic.wardrobe import wear

SMALL = 256  # width of the texture in these tests, pixels
STILL_BOUND = 0.004  # meters that hair and hats may move when the face moves as far as it can
ANCHOR_BOUND = 1e-6  # meters between an anchor and where its own displacement carries it
CAMERA = pinhole_camera(160, 160, 32.0)
LONG = Hairdo(length=0.25)


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return open_face_model("open")


@pytest.fixture(scope="module")
def people() -> list[Appearance]:
    return [varied_appearance(seed) for seed in range(1500)]


def pose_of(yaw: float = 0.0) -> Pose:
    return Pose(rotation_from_euler(np.radians(yaw), 0.0, 0.0), np.array([0.0, 0.02, 0.6]), True)


def drawn(model, look, yaw=0.0):
    renderer = FaceRenderer(model, look, texture_width=SMALL)
    return render_scene_with_coverage([SceneFace(renderer, model.mean, pose_of(yaw))], CAMERA)


def pixel(point, yaw=0.0):
    """Column and row where a point in model axes is seen."""
    pose = pose_of(yaw)
    place = CAMERA.matrix @ (pose.rotation @ point + pose.position)
    return tuple(np.round(place[:2] / place[2]).astype(int))


def differs(first, second, point, yaw=0.0):
    column, row = pixel(point, yaw)
    window = np.s_[row - 1 : row + 2, column - 1 : column + 2]
    return np.abs(first[window].astype(int) - second[window]).mean() > 8


def brought(model, look, vertices=None):
    worn = wear(model, look)
    assert worn is not None
    return worn.surface(model.mean if vertices is None else vertices)


@pytest.mark.parametrize(
    ("look", "hidden", "seen"),
    [
        ({"hairdo": LONG}, ("ear",), ("eye", "mouth", "chin", "brow")),
        ({"hairdo": Hairdo(length=0.25, face_edge=2.0)}, (), ("ear", "eye", "mouth", "chin", "brow")),
        ({"hairdo": Hairdo(top=0.02, bangs=1.1)}, ("brow",), ("eye", "mouth", "chin", "ear")),
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
def test_what_is_worn_hides_what_it_should_and_nothing_else(model, look, hidden, seen):
    places = {
        "ear": np.array([0.079, -0.030, -0.088]),
        "eye": model.eye_center(model.mean, "left") + np.array([0, 0, 0.013]),
        "mouth": model.mean[model.landmarks68[57]],
        "chin": model.mean[model.landmarks68[8]] + np.array([0, 0.012, 0.0]),
        "brow": model.mean[model.landmarks68[23]],
        "throat": np.array([0.0, -0.150, -0.05]),
        "crown": np.array([0.0, 0.085, -0.035]),
    }
    bare = Appearance(clothes=(20, 20, 200), hair=(90, 170, 190), brows=(10, 10, 10))
    plain, _ = drawn(model, bare)
    image, _ = drawn(model, replace(bare, **look))
    assert {name for name in hidden if differs(image, plain, places[name])} == set(hidden)
    assert {name for name in seen if differs(image, plain, places[name])} == set()


@pytest.mark.parametrize("yaw", [-90.0, -45.0, 0.0, 45.0, 90.0])
def test_hair_hides_no_more_than_it_covers(model, yaw):
    """Whatever differs from the bare head is covered by the person with hair."""
    plain, _ = drawn(model, Appearance(), yaw)
    image, coverage = drawn(model, Appearance(hairdo=LONG), yaw)
    changed = (plain != image).any(axis=2)
    assert changed.sum() > 500
    assert (coverage[changed] > 0).all()


@pytest.mark.parametrize(
    "look",
    [
        Appearance(hairdo=LONG),
        Appearance(hairdo=Hairdo(top=0.03, bangs=0.8)),
        Appearance(headwear=Headwear("cap")),
        Appearance(glasses=Glasses()),
    ],
)
def test_hair_hats_and_glasses_stay_where_they_are_whatever_the_face_does(model, look):
    rest = brought(model, look)
    for name in ("jawOpen", "browInnerUp", "mouthSmileLeft", "cheekPuff"):
        expression = np.zeros(len(model.expression_names))
        expression[model.expression_names.index(name)] = 1.0
        assert np.abs(brought(model, look, model.vertices(None, expression)) - rest).max() < STILL_BOUND


def test_a_scarf_goes_with_the_jaw(model):
    jaw = np.zeros(len(model.expression_names))
    jaw[model.expression_names.index("jawOpen")] = 1.0
    look = Appearance(headwear=Headwear("scarf"))
    moved = brought(model, look, model.vertices(None, jaw)) - brought(model, look)
    assert moved[:, 1].min() < -0.01


def test_what_is_worn_grows_with_the_head(model):
    look = Appearance(headwear=Headwear("beanie"))
    assert np.abs(brought(model, look, 1.2 * model.mean) - 1.2 * brought(model, look)).max() < 1e-4


def test_an_anchor_is_carried_exactly(model):
    anchors = anchors_of(model)
    assert np.abs(anchors.weights(anchors.mean) - np.eye(len(anchors.vertices))).max() < 1e-3
    shape = model.vertices([1.5, -1.0, 0.5])
    carried = model.mean[anchors.vertices] + anchors.weights(anchors.mean) @ (shape - model.mean)[anchors.vertices]
    assert np.abs(carried - shape[anchors.vertices]).max() < 100 * ANCHOR_BOUND


def test_the_shell_lies_on_the_skin_and_has_a_hairline(model):
    shell = shell_of(model)
    front = shell.points(np.array([0.0]), shell.hairline_at(np.array([0.0])), 0.0)[0]
    assert 0.045 < front[1] < 0.07
    nape = shell.points(np.array([np.pi]), shell.hairline_at(np.array([np.pi])), 0.0)[0]
    assert -0.09 < nape[1] < -0.05
    around = np.linspace(1.5, 2.1, 13)
    with_ears, without = (shell.points(around, 1.55, 0.0, ears=ears)[:, 0].max() for ears in (True, False))
    assert with_ears - without > 0.005


def test_a_beard_grows_where_beards_grow_and_lifts_the_skin_there(model):
    full = Beard(length=0.01)
    points = model.mean[model.landmarks68[[8, 33, 27, 37, 5]]] + np.array([[0, 0.004, 0]])
    chin, nose, sellion, lid, jaw = growth(points, full)
    assert min(chin, jaw) > 0.7
    assert max(nose, sellion, lid) == 0.0
    geometry = FaceRenderer(model, texture_width=SMALL).geometry
    bare, grown = (geometry.surface(model.mean, Appearance(beard=beard)) for beard in (None, full))
    lifted = np.linalg.norm(grown - bare, axis=1)
    assert 0.005 < lifted.max() < 0.025
    assert lifted[model.landmarks68[[27, 37, 62, 66]]].max() == 0.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"headwear": Headwear("crown")}, "headwear must be one of beanie, .*'crown' was given"),
        ({"occluder": Occluder("fish")}, "occluder must be one of hand, .*'fish' was given"),
    ],
)
def test_a_kind_that_there_is_not_is_refused_in_a_sentence(model, change, words):
    with pytest.raises(ValueError, match=words):
        wear(model, Appearance(**change))


def test_the_same_seed_gives_the_same_varied_person(model):
    assert varied_appearance(11) == varied_appearance(11)
    first, second = (drawn(model, varied_appearance(11))[0] for _ in range(2))
    assert np.array_equal(first, second)
    assert len({varied_appearance(seed) for seed in range(50)}) == 50


def test_everybody_of_the_first_seeds_can_be_drawn(model):
    for seed in range(24):
        _, coverage = drawn(model, varied_appearance(seed), yaw=7.5 * seed - 90)
        assert coverage.max() == 255


@pytest.mark.parametrize(
    ("what", "least", "most"),
    [
        (lambda look: look.glasses is not None, 0.20, 0.30),
        (lambda look: look.beard is not None, 0.20, 0.30),
        (lambda look: look.hairdo is not None and look.hairdo.length > 0, 0.36, 0.50),
        (lambda look: look.headwear is not None, 0.12, 0.20),
        (lambda look: look.occluder is not None, 0.04, 0.09),
        (lambda look: look.bald > 0, 0.06, 0.15),
        (lambda look: look.collar > 0, 0.10, 0.18),
    ],
)
def test_things_are_drawn_about_as_often_as_photographs_show_them(people, what, least, most):
    assert least < np.mean([what(look) for look in people]) < most
