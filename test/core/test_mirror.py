"""Mirror images of faces in the coefficients of the open model."""

from __future__ import annotations

import numpy as np

from face_expr_ros.core.mirror import coefficient_mirror, mirrored_parameters
from face_expr_ros.models.bundle import open_face_model

MODEL = open_face_model("open")
MIRROR = coefficient_mirror(MODEL)
COUNT = len(MODEL.identity) + len(MODEL.expression)


def test_mirrored_coefficients_give_the_mirrored_head() -> None:
    coefficients = np.random.default_rng(0).uniform(0, 0.6, COUNT).astype(np.float32)
    split = len(MODEL.identity)
    head, other = (MODEL.vertices(c[:split], c[split:]) for c in (coefficients, MIRROR(coefficients)))
    np.testing.assert_allclose(other[MODEL.mirror] * [-1, 1, 1], head, atol=2e-4)


def test_mirrored_parameters_put_the_points_on_the_other_side_of_the_crop() -> None:
    rng, side = np.random.default_rng(1), 120
    parameters = np.concatenate([rng.normal(0, 300, 12), rng.uniform(0, 0.5, COUNT)])
    both = np.stack([parameters, mirrored_parameters(parameters, MIRROR, side)])
    split = 12 + len(MODEL.identity)
    places = []
    for row in both:
        matrix = row[:12].reshape(3, 4)
        vertices = MODEL.vertices(row[12:split], row[split:])
        places.append((vertices @ matrix[:, :3].T + matrix[:, 3])[:, 0] - 1)
    np.testing.assert_allclose(places[1][MODEL.mirror], side - 1 - places[0], atol=0.2)
    np.testing.assert_allclose(mirrored_parameters(both[1], MIRROR, side), parameters, atol=1e-6)
