"""Fits the positions of the 68 iBUG points on the open face model to annotated photographs.

    python -m face_expr_ros.evaluation.annotation68 DATA bfm/ibug_embedding.csv

The iBUG points are a convention: the position of a point along a brow or the jaw is defined by the annotation, not by
anatomy. For each point, the position on the mesh is chosen that is closest to both sets of annotations of AFLW2000-3D
when the mesh is fitted to the images. The annotated position also changes with the yaw of the head, mainly along the
jaw: the remaining error is modeled by an offset (slide) of each point that grows with the yaw. All ranges of yaw have
the same weight, and the positions are symmetric. The fits do not depend on them.
`python -m face_expr_ros.open_model build` then writes the positions to the face model.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import project, to_camera, weak_perspective_pixels
from face_expr_ros.core.ibug import IBUG_MIRROR, apparent_turn, turned_offsets
from face_expr_ros.core.types import FaceFit, FloatArray, Frame
from face_expr_ros.evaluation.aflw2000 import nme, yaw_bins
from face_expr_ros.evaluation.aflw2000_data import Dataset, open_dataset
from face_expr_ros.evaluation.aflw2000_fits import fits_in_true_crops
from face_expr_ros.models.bundle import open_bundle
from face_expr_ros.open_model.embedding_file import Embedding, IbugEmbedding, write_ibug_embedding

_FIELD_OF_VIEW = 25.0  # degrees
_REACH = 0.03  # maximum distance of a point from its anatomical vertex, meters
_STEPS = 4  # number of candidate intervals along the edge of a triangle
_RIDGE = 300.0  # regularization of the slide, in units of the regression
_MIDLINE = 2e-4  # meters: maximum distance of a candidate from the plane of symmetry
_REANNOTATED = 0.6  # weight of the reannotation; the original annotation has the remainder
_PARTS = ("skin", "inner_mouth")


@dataclass(frozen=True)
class Seen:
    """The fits of the mesh to N images, and the annotations.

    Attributes:
        vertices: (N, V, 2) pixels.
        jacobian: (N, 2, 3) pixels per meter of a point in model axes.
        turn: (N,) sine of the apparent yaw.
        points: (N, 68, 2) pixels for each annotation; the first also defines the sizes of the faces.
        bins: (N,) 0, 1 or 2: the range of yaw.
    """

    vertices: NDArray[np.float32]
    jacobian: FloatArray
    turn: FloatArray
    points: tuple[FloatArray, ...]
    bins: NDArray[np.intp]

    def part(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Seen:
        """The selected images."""
        points = tuple(of[rows] for of in self.points)
        return Seen(self.vertices[rows], self.jacobian[rows], self.turn[rows], points, self.bins[rows])

    @property
    def size(self) -> FloatArray:
        """(N,) pixels, the sizes of the faces by which errors are normalized."""
        size: FloatArray = np.sqrt(np.ptp(self.points[0], axis=1).prod(axis=1))
        return size

    @property
    def weights(self) -> FloatArray:
        """(N,) weights of the images; each range of yaw has the same total weight."""
        return 100 / np.bincount(self.bins, minlength=3)[self.bins]


def choose(model: MorphableModel, seen: Seen, shares: Sequence[float]) -> IbugEmbedding:
    """The positions of the points, chosen on images with a small yaw, and their slides with the yaw."""
    places = choose_places(model, seen.part(seen.bins < 2), shares)
    return IbugEmbedding(places.triangle, places.barycentric, choose_slide(model, seen, places, shares))


def choose_slide(model: MorphableModel, seen: Seen, places: Embedding, shares: Sequence[float]) -> NDArray[np.float32]:
    """(2, 68, 3) meters: ridge regression of the residuals, in model axes, on the turn and its square."""
    left = sum(share * truth for share, truth in zip(shares, seen.points, strict=True)) - placed(model, seen, places)
    growth = np.stack([np.abs(seen.turn), seen.turn**2], axis=1)
    scale = np.sqrt(seen.weights) / seen.size
    slide = np.zeros((68, 2, 3))
    for point in range(68):
        side = np.where(seen.turn < 0, IBUG_MIRROR[point], point)
        jacobian = seen.jacobian * np.stack([np.sign(seen.turn), *[np.ones(len(side))] * 2], axis=1)[:, None]
        rows = np.einsum("n,ng,nij->nigj", scale, growth, jacobian).reshape(-1, 6)
        target = (scale[:, None] * left[np.arange(len(side)), side]).ravel()
        slide[point] = np.linalg.solve(rows.T @ rows + _RIDGE * np.eye(6), rows.T @ target).reshape(2, 3)
    return np.ascontiguousarray(slide.swapaxes(0, 1), np.float32)


def placed(model: MorphableModel, seen: Seen, places: Embedding) -> FloatArray:
    """(N, 68, 2) pixels of the positions on the mesh, including slides if available."""
    corners = seen.vertices[:, model.triangles[places.triangle]]
    points: FloatArray = np.einsum("npkc,pk->npc", corners, places.barycentric)
    if isinstance(places, IbugEmbedding):
        points = points + np.einsum("nij,npj->npi", seen.jacobian, turned_offsets(places.slide, seen.turn))
    return points


def cross_validated(model: MorphableModel, seen: Seen, shares: Sequence[float], folds: int = 5) -> list[FloatArray]:
    """Normalized mean errors (3,) by yaw for each annotation, with the positions chosen on the other images."""
    fold = np.random.default_rng(0).permutation(len(seen.turn)) % folds
    points = np.zeros_like(seen.points[0])
    for number in range(folds):
        chosen = choose(model, seen.part(fold != number), shares)
        points[fold == number] = placed(model, seen.part(fold == number), chosen)
    errors = [nme(points, truth) for truth in seen.points]
    return [np.array([error[seen.bins == row].mean() for row in range(3)]) for error in errors]


def choose_places(model: MorphableModel, seen: Seen, shares: Sequence[float]) -> Embedding:
    """The position of each point, symmetric.

    Args:
        shares: weight of each annotation.
    """
    parts = np.array(model.part_names)[model.triangle_part]
    usable = np.flatnonzero(np.isin(parts, _PARTS))
    number = {
        frozenset(corners.tolist()): int(index) for index, corners in zip(usable, model.triangles[usable], strict=True)
    }
    triangle, barycentric = np.zeros(68, np.int32), np.zeros((68, 3), np.float32)
    for point in range(68):
        other = int(IBUG_MIRROR[point])
        if other < point:
            continue
        index, weights = _best(model, seen, shares, point, usable)
        triangle[point], barycentric[point] = index, weights
        if other != point:
            corners = model.mirror[model.triangles[index]]
            mirrored = number[frozenset(corners.tolist())]
            order = [corners.tolist().index(vertex) for vertex in model.triangles[mirrored]]
            triangle[other], barycentric[other] = mirrored, weights[order]
    return Embedding(triangle, barycentric)


def _best(
    model: MorphableModel, seen: Seen, shares: Sequence[float], point: int, usable: NDArray[np.intp]
) -> tuple[int, NDArray[np.float64]]:
    """Triangle and barycentric coordinates of the candidate with the minimum weighted error on both sides."""
    triangle, weights = _candidates(model, point, usable)
    error = np.zeros(len(triangle))
    corners = model.triangles[triangle]
    sides = [(point, corners)]
    if IBUG_MIRROR[point] != point:
        sides.append((int(IBUG_MIRROR[point]), model.mirror[corners]))
    for side, vertices in sides:
        shown = np.einsum("ck,nckd->cnd", weights, seen.vertices[:, vertices])
        for share, truth in zip(shares, seen.points, strict=True):
            error += share * (np.linalg.norm(shown - truth[:, side], axis=2) @ (seen.weights / seen.size))
    best = int(error.argmin())
    return int(triangle[best]), weights[best]


def _candidates(
    model: MorphableModel, point: int, usable: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Triangles (C,) and barycentric coordinates (C, 3) on the mesh around a point's vertex."""
    grid = np.array([(i, j, _STEPS - i - j) for i in range(_STEPS + 1) for j in range(_STEPS + 1 - i)]) / _STEPS
    triangle, weights = np.repeat(usable, len(grid)), np.tile(grid, (len(usable), 1))
    places = np.einsum("ck,ckd->cd", weights, model.mean[model.triangles[triangle]])
    near = np.linalg.norm(places - model.mean[model.landmarks68[point]], axis=1) < _REACH
    if IBUG_MIRROR[point] == point:
        near &= np.abs(places[:, 0]) < _MIDLINE
    return triangle[near], weights[near]


def seen_in(dataset: Dataset, model: MorphableModel) -> Seen:
    """The default fits to the images in which a face was fitted."""
    config = PerceptionConfig()
    fitting = replace(config.fitting, field_of_view=_FIELD_OF_VIEW)
    fits = list(fits_in_true_crops(dataset, replace(config, fitting=fitting)))
    found = np.array([fit.confidence > 0 for _, fit in fits])
    matrices = np.array([fit.weak_perspective for _, fit in fits])
    truth = dataset.truth
    points = (truth.original,) if truth.reannotated is None else (truth.reannotated, truth.original)
    vertices = np.array([_pixels(model, *one) for one in fits], np.float32)
    jacobian = matrices[:, :2, :3] * np.array([[1.0], [-1.0]])
    seen = Seen(vertices, jacobian, apparent_turn(matrices), points, yaw_bins(np.degrees(truth.angles[:, 0])))
    return seen.part(found)


def _pixels(model: MorphableModel, frame: Frame, fit: FaceFit) -> FloatArray:
    """(V, 2) vertices of a fit, in its own projection: weak perspective for a network."""
    vertices = model.vertices(fit.shape, fit.expression)
    if fit.residual > 0.0:
        return project(to_camera(vertices, fit.pose), frame.camera)
    return weak_perspective_pixels(fit.weak_perspective, vertices, frame.image.shape[0])[:, :2]


def main() -> None:
    """Read the data set, choose the positions and write them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="AFLW2000-3D")
    parser.add_argument("file", type=Path, help="output: the positions, as CSV")
    arguments = parser.parse_args()
    model = open_bundle("open").model
    seen = seen_in(open_dataset(arguments.data), model)
    shares = (_REANNOTATED, 1 - _REANNOTATED) if len(seen.points) == 2 else (1.0,)
    for errors in cross_validated(model, seen, shares):
        sys.stdout.write(f"cross-validated: {errors.round(2)}, mean {errors.mean():.2f} percent\n")
    write_ibug_embedding(arguments.file, choose(model, seen, shares))


if __name__ == "__main__":
    main()
