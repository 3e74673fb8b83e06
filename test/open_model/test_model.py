"""The committed open face model: topology, axes, sizes, symmetry and blendshapes."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.core.arkit import ARKIT_NAMES, mirrored_name
from face_expr_ros.core.face_model import MorphableModel, load_face_model
from face_expr_ros.core.resources import resource_path
from face_expr_ros.evaluation.aflw2000 import MIRRORED

PATH = resource_path("bfm/open_face_model.npz")
MIRROR = np.array([-1.0, 1.0, 1.0], np.float32)
MILLIMETER = 1e-3


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_face_model(PATH)


def blendshape(model: MorphableModel, **values: float) -> np.ndarray:
    """The mean face with named blendshapes."""
    coefficients = np.zeros(len(model.expression_names))
    for name, value in values.items():
        coefficients[model.expression_names.index(name)] = value
    return model.vertices(None, coefficients)


def part_motion(model: MorphableModel, name: str, part: str) -> np.ndarray:
    """(3,) mean motion of a part under one blendshape, meters."""
    return model.expression[model.expression_names.index(name)][model.part_vertices(part)].mean(axis=0)


def test_the_file_is_small():
    assert PATH.stat().st_size < 8_000_000


def test_arrays_have_the_documented_sizes(model):
    assert model.name == "open"
    assert len(model.identity) == 40
    assert model.expression_names == ARKIT_NAMES
    assert len(set(ARKIT_NAMES)) == 52
    assert ARKIT_NAMES[:2] == ("eyeBlinkLeft", "eyeLookDownLeft")
    assert ARKIT_NAMES[17] == "jawOpen"
    assert ARKIT_NAMES[-1] == "tongueOut"


def test_axes_follow_the_model_convention(model):
    """x to the subject's left, y up, z out of the face, the origin at the sellion."""
    np.testing.assert_allclose(model.mean[model.sellion], 0.0, atol=1e-7)
    landmarks = model.mean[model.landmarks68]
    assert landmarks[45, 0] > 0.02 > -0.02 > landmarks[36, 0]
    assert landmarks[8, 1] < landmarks[57, 1] < landmarks[33, 1] < landmarks[27, 1] < landmarks[19, 1]
    assert landmarks[30, 2] == landmarks[:, 2].max()


def test_mean_has_the_size_of_an_adult(model):
    eyes = np.linalg.norm(model.eye_center(model.mean, "left") - model.eye_center(model.mean, "right"))
    assert eyes == pytest.approx(0.0625, abs=0.0015)
    landmarks = model.mean[model.landmarks68]
    assert np.linalg.norm(landmarks[27] - landmarks[8]) == pytest.approx(0.117, abs=0.004)
    below_cheekbones = landmarks[[2, 14], 0]  # the points above them lie at the ears
    assert np.ptp(below_cheekbones) == pytest.approx(0.138, abs=0.006)


def test_every_identity_component_is_one_standard_deviation(model):
    """Face points move by a few millimeters, later components less than the first."""
    motion = np.linalg.norm(model.identity[:, model.landmarks68], axis=2).mean(axis=1)
    assert motion[0] == motion.max()
    assert 1.0 * MILLIMETER < motion[0] < 8.0 * MILLIMETER
    assert (motion > 0.05 * MILLIMETER).all()


def test_identity_components_contain_no_translation_or_rotation(model):
    assert np.abs(model.identity[:, model.sellion]).max() == 0.0
    face = model.mean[model.landmarks68] - model.mean[model.landmarks68].mean(axis=0)
    for component in model.identity[:, model.landmarks68]:
        spin = np.cross(face, component - component.mean(axis=0)).sum(axis=0) / (face**2).sum()
        assert np.degrees(np.abs(spin)).max() < 2.0


def test_mean_and_mesh_are_symmetric(model):
    np.testing.assert_allclose(model.mean[model.mirror] * MIRROR, model.mean, atol=2e-7)
    np.testing.assert_array_equal(model.mirror[model.mirror], np.arange(len(model.mean)))
    flipped = {frozenset(triangle) for triangle in model.mirror[model.triangles].tolist()}
    assert flipped == {frozenset(triangle) for triangle in model.triangles.tolist()}
    left = model.mirror[model.landmarks68[[0, 17, 31, 36, 48, 60]]]
    np.testing.assert_array_equal(left, model.landmarks68[[16, 26, 35, 45, 54, 64]])


def test_identity_components_are_symmetric_or_antisymmetric(model):
    mirrored = model.identity[:, model.mirror] * MIRROR
    even, odd = (np.abs(mirrored - sign * model.identity).max(axis=(1, 2)) for sign in (1, -1))
    assert np.minimum(even, odd).max() < 2e-6
    assert 0 < (odd < even).sum() < 20


@pytest.mark.parametrize("name", ARKIT_NAMES)
def test_left_and_right_blendshapes_mirror_each_other(model, name):
    own = model.expression[ARKIT_NAMES.index(name)]
    other = model.expression[ARKIT_NAMES.index(mirrored_name(name))]
    np.testing.assert_array_equal(other[model.mirror] * MIRROR, own)


@pytest.mark.parametrize("name", ARKIT_NAMES)
def test_blendshapes_move_the_face_but_not_the_neck(model, name):
    motion = np.linalg.norm(model.expression[ARKIT_NAMES.index(name)], axis=1)
    assert 1.0 * MILLIMETER < motion.max() < 60.0 * MILLIMETER
    assert motion[model.mean[:, 1] < -0.2].max(initial=0.0) < 0.5 * MILLIMETER


@pytest.mark.parametrize("side", ["Left", "Right"])
def test_one_sided_blendshapes_move_only_their_side(model, side):
    sign = 1.0 if side == "Left" else -1.0
    for name in ARKIT_NAMES:
        if name.endswith(side) and name not in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            motion = np.linalg.norm(model.expression[ARKIT_NAMES.index(name)], axis=1)
            assert (motion @ (model.mean[:, 0] * sign)) > 0, name


@pytest.mark.parametrize("side", ["Left", "Right"])
@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_blink_closes_the_lids(model, side, seed):
    """The lids' margins meet within a millimeter, and no part of the eyeball stands in front of the lids."""
    shape = None if seed is None else np.random.default_rng(seed).normal(size=40)
    expression = np.zeros(52)
    expression[ARKIT_NAMES.index(f"eyeBlink{side}")] = 1.0
    vertices = model.vertices(shape, expression)
    upper, lower = (slice(37, 39), slice(40, 42)) if side == "Right" else (slice(43, 45), slice(46, 48))
    gap = vertices[model.landmarks68[upper], 1] - vertices[model.landmarks68[lower][::-1], 1]
    assert gap.max() < 1.0 * MILLIMETER
    assert not visible_in_front(model, vertices, f"{side.lower()}_eyeball")


@pytest.mark.parametrize("seed", [None, 4, 5, 6, 7])
def test_neutral_face_has_open_eyes_and_closed_lips(model, seed):
    shape = None if seed is None else np.clip(np.random.default_rng(seed).normal(size=40), -2.5, 2.5)
    vertices = model.vertices(shape)
    landmarks = vertices[model.landmarks68]
    assert (landmarks[[37, 38, 43, 44], 1] - landmarks[[41, 40, 47, 46], 1]).min() > 4.0 * MILLIMETER
    assert np.abs(landmarks[[61, 62, 63], 1] - landmarks[[67, 66, 65], 1]).max() < 0.6 * MILLIMETER
    assert visible_in_front(model, vertices, "left_eyeball")
    assert not visible_in_front(model, vertices, "upper_teeth")


def visible_in_front(model: MorphableModel, vertices: np.ndarray, part: str) -> bool:
    """Whether a part's front (its vertices whose z is in the highest tenth) is seen from in front of the face."""
    points = vertices[model.part_vertices(part)]
    points = points[points[:, 2] >= np.quantile(points[:, 2], 0.9)]
    skin = model.triangles[(model.vertex_part[model.triangles] == 0).all(axis=1)]
    corners = vertices[skin]
    first, edges = corners[:, 0], corners[:, 1:] - corners[:, :1]
    determinant = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    usable = np.abs(determinant) > 1e-12
    for point in points:
        offset = (point - first)[usable]
        a = (offset[:, 0] * edges[usable, 1, 1] - offset[:, 1] * edges[usable, 1, 0]) / determinant[usable]
        b = (edges[usable, 0, 0] * offset[:, 1] - edges[usable, 0, 1] * offset[:, 0]) / determinant[usable]
        height = a * edges[usable, 0, 2] + b * edges[usable, 1, 2] - offset[:, 2]
        if not ((a >= 0) & (b >= 0) & (a + b <= 1) & (height > 0)).any():
            return True
    return False


def test_open_jaw_moves_the_lower_teeth_and_the_tongue(model):
    assert part_motion(model, "jawOpen", "lower_teeth")[1] < -10.0 * MILLIMETER
    assert part_motion(model, "jawOpen", "tongue")[1] < -10.0 * MILLIMETER
    assert np.abs(part_motion(model, "jawOpen", "upper_teeth")).max() < 0.1 * MILLIMETER
    landmarks = blendshape(model, jawOpen=1.0)[model.landmarks68]
    assert landmarks[62, 1] - landmarks[66, 1] > 25.0 * MILLIMETER
    assert visible_in_front(model, blendshape(model, jawOpen=1.0), "lower_teeth")


def test_mouth_close_closes_the_lips_of_an_open_jaw(model):
    landmarks = blendshape(model, jawOpen=1.0, mouthClose=1.0)[model.landmarks68]
    assert np.abs(landmarks[62, 1] - landmarks[66, 1]) < 3.0 * MILLIMETER


@pytest.mark.parametrize(
    ("name", "axis", "sign"),
    [
        ("eyeLookUpLeft", 1, 1), ("eyeLookDownLeft", 1, -1), ("eyeLookInLeft", 0, -1), ("eyeLookOutLeft", 0, 1),
        ("eyeLookUpRight", 1, 1), ("eyeLookDownRight", 1, -1), ("eyeLookInRight", 0, 1), ("eyeLookOutRight", 0, -1),
    ],
)  # fmt: skip
def test_gaze_rotates_the_eyeball_and_moves_the_lids(model, name, axis, sign):
    side = "left" if name.endswith("Left") else "right"
    moved = blendshape(model, **{name: 1.0})
    ball = model.part_vertices(f"{side}_eyeball")
    pupil = ball[model.mean[ball, 2].argmax()]
    assert sign * (moved - model.mean)[pupil, axis] > 3.5 * MILLIMETER
    center = model.eye_center(model.mean, side)
    radii = (np.linalg.norm(vertices[ball] - center, axis=1) for vertices in (model.mean, moved))
    # Not exact: the eyes of the leveled mean are turned back by a part of a blendshape, along a straight line.
    np.testing.assert_allclose(*radii, atol=0.5 * MILLIMETER)
    lids = model.landmarks68[42:48] if side == "left" else model.landmarks68[36:42]
    assert np.linalg.norm((moved - model.mean)[lids], axis=1).max() > 0.3 * MILLIMETER


@pytest.mark.parametrize(
    ("name", "landmark", "axis", "sign"),
    [
        ("mouthSmileLeft", 54, 1, 1), ("mouthFrownRight", 48, 1, -1), ("mouthPucker", 54, 0, -1),
        ("mouthStretchLeft", 54, 0, 1), ("mouthLeft", 62, 0, 1), ("jawLeft", 8, 0, 1), ("jawForward", 8, 2, 1),
        ("browDownLeft", 23, 1, -1), ("browInnerUp", 21, 1, 1), ("browOuterUpRight", 18, 1, 1),
        ("eyeWideLeft", 43, 1, 1), ("eyeSquintRight", 41, 1, 1), ("noseSneerLeft", 35, 1, 1),
        ("mouthUpperUpRight", 61, 1, 1), ("mouthLowerDownLeft", 65, 1, -1), ("mouthRollLower", 66, 2, -1),
    ],
)  # fmt: skip
def test_blendshape_moves_its_landmark_in_the_expected_direction(model, name, landmark, axis, sign):
    motion = model.expression[ARKIT_NAMES.index(name)][model.landmarks68[landmark]]
    assert sign * motion[axis] > 0.4 * MILLIMETER


def test_tongue_out_moves_the_tongue_forward(model):
    tongue = model.part_vertices("tongue")
    assert blendshape(model, tongueOut=1.0)[tongue, 2].max() > model.mean[tongue, 2].max() + 10.0 * MILLIMETER


def test_mesh_is_manifold_with_consistent_orientation(model):
    edges = model.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    directed, counts = np.unique(edges, axis=0, return_counts=True)
    assert counts.max() == 1
    keys = {tuple(edge) for edge in directed.tolist()}
    border = [edge for edge in keys if edge[::-1] not in keys]
    assert len(border) < 0.05 * len(keys)


def test_collar_is_a_single_loop(model):
    skin = model.triangles[(model.vertex_part[model.triangles] == 0).all(axis=1)]
    keys = {tuple(edge) for edge in skin[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2).tolist()}
    following = {a: b for a, b in keys if (b, a) not in keys and model.mean[a, 1] < -0.1}
    start = next(iter(following))
    loop, current = [start], following[start]
    while current != start:
        loop.append(current)
        current = following[current]
    assert len(loop) == len(following) == 42


@pytest.mark.parametrize("part", ["skin", "left_eyeball", "right_eyeball", "upper_teeth", "lower_teeth", "tongue"])
def test_triangles_face_outward(model, part):
    index = model.part_names.index(part)
    triangles = model.triangles[(model.vertex_part[model.triangles] == index).all(axis=1)]
    corners = model.mean[triangles]
    corners -= model.mean[model.part_vertices(part)].mean(axis=0)
    assert np.linalg.det(corners).sum() / 6 > 1e-7  # the signed volume, cubic meters


def test_mesh_has_no_degenerate_triangles(model):
    corners = model.mean[model.triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    assert area.min() > 1e-10


def test_texture_coordinates_are_in_the_unit_square(model):
    assert model.uv.min() >= 0.0
    assert model.uv.max() <= 1.0
    assert len(model.uv_triangles) == len(model.triangles)


def test_facemesh_points_are_at_the_expected_positions(model):
    points = model.facemesh_points(model.mean)
    landmarks = model.mean[model.landmarks68]
    for facemesh, ibug, bound in ((1, 30, 9), (152, 8, 8), (33, 36, 4), (263, 45, 4), (61, 48, 4), (13, 62, 3)):
        assert np.linalg.norm(points[facemesh] - landmarks[ibug]) < bound * MILLIMETER, facemesh
    assert np.abs(points[[10, 151, 9, 168, 6, 4, 0, 17, 152], 0]).max() < 1.0 * MILLIMETER
    right, left = (model.part_names.index(f"{side}_eyeball") for side in ("right", "left"))
    parts = model.triangle_part[model.facemesh_triangle]
    assert set(parts[:468].tolist()) <= {model.part_names.index(part) for part in ("skin", "inner_mouth")}
    assert (parts[468:473] == right).all()
    assert (parts[473:] == left).all()


def test_annotated_points_are_symmetric_and_near_the_anatomical_ones(model):
    points = model.ibug_points(model.mean)
    assert points.shape == (68, 3)
    np.testing.assert_allclose(points[MIRRORED] * [-1, 1, 1], points, atol=1e-6)
    np.testing.assert_allclose(model.ibug_barycentric.sum(axis=1), 1.0, atol=1e-4)
    away = np.linalg.norm(points - model.mean[model.landmarks68], axis=1)
    assert away.max() < 31 * MILLIMETER
    assert np.median(away) < 6 * MILLIMETER
    batch = model.ibug_points(model.identity[:3])
    np.testing.assert_allclose(batch[1], model.ibug_points(model.identity[1]), atol=1e-7)
