"""Levels of detail of a drawn face model: topology, distance of the decimated mesh, unsupported details."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.facemesh_regions import INNER_LIPS, LEFT_LIDS
from face_expr_ros.core.facemesh_topology import facemesh_triangles
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.drawing.mesh_detail import check_mesh_detail, distances, drawn_model
from face_expr_ros.kernels.decimation import decimated
from face_expr_ros.models.bundle import open_face_model


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return open_face_model("open")


@pytest.fixture(scope="module")
def coarse(model: MorphableModel) -> MorphableModel:
    return drawn_model(model, "decimated")


def test_a_detail_that_the_model_does_not_support_is_rejected(model: MorphableModel) -> None:
    bare = replace(model, facemesh_triangle=np.zeros(0, np.int32))
    for check in (check_mesh_detail, drawn_model):
        with pytest.raises(ConfigError, match=r"mesh_detail: expected full or decimated .* 'open', got 'facemesh'"):
            check(bare, "facemesh")
    check_mesh_detail(bare, "decimated")
    check_mesh_detail(replace(bare, triangles=np.zeros((0, 3), np.int32)), "facemesh")  # nothing to draw


def test_full_detail_is_the_whole_model_without_the_eyelashes(model: MorphableModel) -> None:
    full = drawn_model(model, "full")
    eyelashes = model.part_names.index("eyelashes")
    expected = model.mean[model.triangles[model.triangle_part != eyelashes]]
    np.testing.assert_array_equal(full.mean[full.triangles], expected)


def test_a_model_without_hidden_parts_is_not_copied(model: MorphableModel) -> None:
    bare = replace(model, part_names=(), vertex_part=np.zeros(0, np.uint8))
    assert drawn_model(bare, "full") is bare


def test_facemesh_has_the_triangles_of_the_canonical_model() -> None:
    triangles = facemesh_triangles()
    assert triangles.shape == (898, 3)
    assert len(np.unique(triangles)) == 468
    sides = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    assert len(np.unique(sides, axis=0)) == len(sides)  # each edge occurs once in each direction: consistent winding
    rim = {tuple(side) for side in sides.tolist()} - {tuple(side) for side in sides[:, ::-1].tolist()}
    assert len(rim) == 36  # only the contour of the face is open: eyes and mouth are closed


def test_facemesh_triangles_are_counter_clockwise_from_outside(model: MorphableModel) -> None:
    face = drawn_model(model, "facemesh")
    a, b, c = (face.mean[face.triangles[:, corner]] for corner in range(3))
    is_frontal = np.cross(b - a, c - a)[:, 2] > 0
    assert is_frontal.mean() > 0.99
    assert set(LEFT_LIDS) | set(INNER_LIPS) <= set(face.triangles[is_frontal].ravel().tolist())


RMS_LIMITS: dict[str, float] = {
    "neutral": 0.7,
    "jawOpen": 0.7,
    "eyeBlinkLeft": 0.7,
    "mouthSmileRight": 0.7,
}  # millimeters
MAX_DISTANCE = 4.0  # millimeters


@pytest.mark.parametrize("expression", RMS_LIMITS)
def test_the_decimated_mesh_is_within_a_millimeter_of_the_full_one(
    model: MorphableModel, coarse: MorphableModel, expression: str
) -> None:
    coefficients = [float(name == expression) for name in model.expression_names]
    full, reduced = (each.vertices(None, coefficients) for each in (drawn_model(model, "full"), coarse))
    distance = 1000 * distances(full, reduced, coarse.triangles)
    print(f"{expression}: {np.sqrt(np.mean(distance**2)):.2f} mm rms, maximum {distance.max():.2f} mm")
    assert np.sqrt(np.mean(distance**2)) < RMS_LIMITS[expression]
    assert distance.max() < MAX_DISTANCE


def test_the_decimated_mesh_has_a_quarter_of_the_vertices_and_all_parts(
    model: MorphableModel, coarse: MorphableModel
) -> None:
    full = drawn_model(model, "full")
    assert len(coarse.mean) == round(0.25 * len(full.mean))
    assert set(np.unique(coarse.vertex_part)) == set(np.unique(full.vertex_part))
    assert {tuple(row) for row in coarse.mean.tolist()} <= {tuple(row) for row in full.mean.tolist()}


def test_distances_are_measured_to_plane_edge_or_corner() -> None:
    triangle = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
    points = np.array([[1.0, 1.0, 2.0], [2.0, -1.0, 0.0], [7.0, 0.0, 4.0], [0.5, 0.5, 0.0]])
    np.testing.assert_allclose(distances(points, triangle, np.array([[0, 1, 2]])), [2.0, 1.0, 5.0, 0.0], atol=1e-12)


def sphere(rings: int = 24) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A closed sphere of radius 1: (V, 3) and (T, 3), counter-clockwise seen from outside."""
    count = rings * rings
    z = 1 - 2 * (np.arange(count) + 0.5) / count
    angle = np.arange(count) * np.pi * (3 - np.sqrt(5))
    points = np.column_stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z])
    triangles = ConvexHull(points).simplices.astype(np.int64)
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    inward = np.sum(np.cross(b - a, c - a) * a, axis=1) < 0
    triangles[inward] = triangles[inward][:, ::-1]
    return points, triangles


def test_a_decimated_sphere_remains_closed_and_round() -> None:
    points, triangles = sphere()
    few = decimated(points[None], triangles, 0.25)
    vertices = len(np.unique(few))
    assert vertices == round(0.25 * len(points))
    assert len(few) == 2 * vertices - 4  # Euler: closed, without handles
    sides = np.concatenate([few[:, [0, 1]], few[:, [1, 2]], few[:, [2, 0]]])
    assert {tuple(side) for side in sides.tolist()} == {tuple(side) for side in sides[:, ::-1].tolist()}
    assert distances(points, points, few).max() < 0.06  # radii; the sagitta of its triangles


def test_decimation_keeps_the_rim_and_the_area_of_a_flat_square() -> None:
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(9.0), np.arange(9.0)))
    points = np.column_stack([x, y, 0 * x])
    corner = (np.arange(8)[:, None] * 9 + np.arange(8)).ravel()
    squares = [np.column_stack([corner, corner + 1, corner + 10]), np.column_stack([corner, corner + 10, corner + 9])]
    few = decimated(points[None], np.concatenate(squares), 0.5)
    rim = (x == 0) | (x == 8) | (y == 0) | (y == 8)
    assert set(np.flatnonzero(rim)) <= set(few.ravel())
    a, b, c = (points[few[:, corner]] for corner in range(3))
    areas = np.cross(b - a, c - a)[:, 2] / 2
    assert areas.min() > 0
    assert areas.sum() == pytest.approx(64.0)
