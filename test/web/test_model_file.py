"""The face model file: content, scale of the coefficients, and documentation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from support.model_files import read_model
from support.paths import ROOT

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.web.model_file import blendshapes_are_expression, model_bytes, shape_units


def test_the_model_file_contains_the_model() -> None:
    model = open_face_model("open")
    header, sections = read_model(model_bytes(model))
    assert header["sha256"] == model.sha256
    assert header["blendshapes_are_expression"]
    assert tuple(header["blendshape_names"]) == ARKIT_NAMES == model.expression_names
    assert np.array_equal(sections["mean"], model.mean)
    assert np.array_equal(sections["triangles"], model.triangles)
    micrometer = 1e-6
    assert np.abs(sections["identity"] - model.identity).max() < micrometer
    assert np.abs(sections["expression"] - model.expression).max() < micrometer
    assert np.array_equal(shape_units(model), np.ones(40))
    corners = model.mean[model.triangles[sections["landmark_triangles"]]]
    points = np.einsum("nkc,nk->nc", corners, sections["landmark_barycentric"])
    assert np.allclose(points, model.facemesh_points(model.mean), atol=micrometer)
    assert all(entry["offset"] % 4 == 0 for entry in header["sections"])
    assert sections["uv"].shape == (len(model.mean), 2)


def test_the_docs_list_every_section_of_the_model() -> None:
    document = (ROOT / "docs/web.md").read_text(encoding="utf-8")
    header, _ = read_model(model_bytes(open_face_model("open")))
    assert not [key for key in header if f"`{key}`" not in document]
    assert not [entry["name"] for entry in header["sections"] if f"`{entry['name']}`" not in document]


def test_coefficients_of_another_scale_are_normalized() -> None:
    model = open_face_model("open")
    names = tuple(f"exp_{number}" for number in range(10))
    other = replace(
        model,
        identity=model.identity * np.float32(1e-5),
        expression=model.expression[:10],
        expression_names=names,
        facemesh_triangle=model.facemesh_triangle[:0],
        uv=model.uv[:0],
    )
    header, sections = read_model(model_bytes(other))
    assert not header["blendshapes_are_expression"]
    assert not blendshapes_are_expression(other)
    assert not {"uv", "landmark_triangles"} & sections.keys()
    coefficients = np.random.default_rng(3).normal(size=40) * 1e5  # of the model's scale
    sent = coefficients / shape_units(other)
    assert np.abs(sent).max() < 4
    expected = np.einsum("i,ivc->vc", coefficients, other.identity)
    assert np.abs(np.einsum("i,ivc->vc", sent, sections["identity"]) - expected).max() < 1e-5
