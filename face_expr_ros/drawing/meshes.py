"""Colored meshes of the faces of one image, computed once for all topics that show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import OutputConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Face, FloatArray, Frame
from face_expr_ros.drawing.mesh_detail import drawn_model, drawn_vertices
from face_expr_ros.drawing.vertex_colors import colors_from_image, lit, vertex_colors
from face_expr_ros.kernels.surface import vertex_normals


@dataclass(frozen=True)
class ColoredMesh:
    """The mesh of one face.

    Attributes:
        vertices: (V, 3) model axes, meters.
        colors: (V, 4) float32 red, green, blue, opacity in 0..1.
    """

    face: Face
    vertices: FloatArray
    colors: NDArray[np.float32]


@dataclass(frozen=True)
class MeshSet:
    """The meshes of one image, which share their topology.

    Attributes:
        meshes: one for each face.
        corners: vertex indices: two for each edge of a wireframe, else three for each triangle.
        wireframe: ``corners`` are edges.
    """

    meshes: list[ColoredMesh]
    corners: NDArray[np.intp]
    wireframe: bool


class MeshBuilder:
    """Builds meshes in the configured detail and style; the topology of each detail is computed once.

    Args:
        model: the face model that the faces were fitted with.
        config: settings whose topology is computed in advance.

    Raises:
        ConfigError: the model does not have the configured mesh_detail.
    """

    def __init__(self, model: MorphableModel, config: OutputConfig) -> None:
        self._model = model
        self._surfaces: dict[str, _Surface] = {}
        self._surface(config.mesh_detail)

    def __call__(self, faces: Sequence[Face], frame: Frame, config: OutputConfig) -> MeshSet | None:
        """The meshes of an image's faces; None for a model without a surface. Raises ConfigError as above."""
        if self._model.sparse:
            return None
        surface, wireframe = self._surface(config.mesh_detail), config.mesh_style == "wireframe"
        meshes = [surface.build(face, frame, config) for face in faces]
        return MeshSet(meshes, surface.edges if wireframe else surface.triangles, wireframe)

    def _surface(self, detail: str) -> _Surface:
        if detail not in self._surfaces:
            self._surfaces[detail] = _Surface(self._model, detail)
        return self._surfaces[detail]


class _Surface:
    """A model in one level of detail."""

    def __init__(self, model: MorphableModel, detail: str) -> None:
        drawn = drawn_model(model, detail)
        # Nearly all vertices are as fast to compute from the whole model, whose bases need not be copied.
        self._used = drawn_vertices(model) if detail == "full" and drawn is not model else None
        self._model = drawn if self._used is None else model
        self._colors = vertex_colors(drawn)
        self._faces = drawn.triangles
        self.triangles = drawn.triangles.ravel().astype(np.intp)
        sides = np.sort(drawn.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        self.edges = np.unique(sides, axis=0).ravel().astype(np.intp)

    def build(self, face: Face, frame: Frame, config: OutputConfig) -> ColoredMesh:
        vertices = self._model.vertices(face.fit.shape, face.fit.expression)
        if self._used is not None:
            vertices = vertices.take(self._used, axis=0)
        normals = vertex_normals(vertices, self._faces)
        colors = np.full((len(vertices), 4), config.mesh_opacity, dtype=np.float32)
        colors[:, :3] = lit(self._colors, normals, face.fit.pose)
        if config.mesh_style == "textured":
            colors[:, :3] = colors_from_image(colors[:, :3], vertices, normals, face.fit.pose, frame)
        return ColoredMesh(face, vertices, colors)
