"""Fitting files of card meshes, on made ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from face_expr_ros.open_model.cards import read_binding, read_faces

FITTING = """# comment
basemesh hm08
x_scale 0 1 2.0
y_scale 0 2 1.0
z_scale 0 3 1.0
verts 0
material made.mhmat
0 1 2 0.5 0.25 0.25 1.0 0.0 0.0
3
delete_verts
1 2
"""
BASE = np.array([[0, 0, 0], [4, 0, 0], [0, 2, 0], [0, 0, 3.0]])


def test_vertices_follow_the_base_mesh(tmp_path: Path) -> None:
    path = tmp_path / "made.mhclo"
    path.write_text(FITTING)
    points = read_binding(path).points(BASE)
    # The offset of 1 grows with the distance of the named vertices, which is twice that of the file.
    np.testing.assert_allclose(points, [[1 + 2, 0.5, 0], [0, 0, 3]])


def test_quads_become_two_triangles(tmp_path: Path) -> None:
    path = tmp_path / "made.obj"
    path.write_text("v 0 0 0\nvt 0 1\nvt 1 0.5\nf 1/1 2/2 3/1 4/2\nf 1/1 2/2 3/2\n")
    uv, triangles, uv_triangles = read_faces(path)
    np.testing.assert_array_equal(uv, [[0, 1], [1, 0.5]])
    np.testing.assert_array_equal(triangles, [[0, 1, 2], [0, 2, 3], [0, 1, 2]])
    np.testing.assert_array_equal(uv_triangles, [[0, 1, 0], [0, 0, 1], [0, 1, 1]])


def test_a_file_without_vertices_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "made.mhclo"
    path.write_text("basemesh hm08\n")
    with pytest.raises(ValueError, match="expected vertices after 'verts'"):
        read_binding(path)
