"""The head as it is drawn: the model's surface, hair on its scalp, finer eyes, and how much light reaches each place.

What depends on the model alone is computed once for a model and shared by all renderers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from face_expr_ros.face_model import MorphableModel
from face_expr_ros.kernels.rasterizer import Mesh
from face_expr_ros.rendering import atlas, eyes, occlusion
from face_expr_ros.rendering.appearance import Appearance
from face_expr_ros.rendering.lighting import EYE, LASH, MOUTH, SKIN, TEETH
from face_expr_ros.rendering.projection import corner_operator, vertex_normals

Float32 = NDArray[np.float32]

_EYE_TILE = 0.16  # of the texture's width
_MATERIALS = {"skin": SKIN, "upper_teeth": TEETH, "lower_teeth": TEETH, "tongue": MOUTH, "inner_mouth": MOUTH}
_SIDES = ("left", "right")

# Height of the hairline above the sellion over the depth behind it, meters: forehead, temple, sideburn, above the ear,
# behind it, nape.
_HAIRLINE = np.array(
    [(-0.205, -0.085), (-0.165, -0.075), (-0.135, -0.045), (-0.12, -0.01), (-0.105, 0.02), (-0.093, 0.012),
     (-0.086, -0.018), (-0.074, -0.012), (-0.066, 0.014), (-0.056, 0.034), (-0.044, 0.047),
     (-0.03, 0.058), (0.02, 0.066)]
)  # fmt: skip


@dataclass(frozen=True)
class HeadGeometry:
    """A model prepared for drawing. Drawn vertices are the model's, then those of the left and the right eye.

    Attributes:
        model: the face model.
        layout: where everything lies in the texture; texels: what lies under each texel.
        solid, lashes: the opaque and the see-through mesh over the drawn vertices.
        patches: the fine eyes, left and right.
        surface_triangles, corners: the model's own surface and its operator, for normals.
        scalp: (V,) 0..1, how much hair grows at each vertex.
        open: (V', 3) how much of the surroundings light each drawn vertex of the neutral face.
        mouth: (V',) bool: what lies inside the mouth.
        face_vertices: vertices of the face; face_texels: their spread in the texture in texels.
    """

    model: MorphableModel
    layout: atlas.Atlas
    texels: atlas.Texels
    solid: Mesh
    lashes: Mesh
    patches: tuple[eyes.EyePatch, eyes.EyePatch]
    surface_triangles: NDArray[np.int32]
    corners: csr_matrix
    scalp: Float32
    open: Float32
    mouth: NDArray[np.bool_]
    face_vertices: NDArray[np.intp]
    face_texels: float

    def surface(self, vertices: NDArray, appearance: Appearance) -> Float32:
        """Drawn vertices (V', 3) for the model's vertices (V, 3): hair lifts the scalp, fine eyes join."""
        lifted = vertices.astype(np.float32)
        if appearance.hair_volume > 0:
            normals = vertex_normals(lifted, self.surface_triangles, self.corners)
            # Hair stands up on the crown and lies close at the sides.
            height = appearance.hair_volume * self.scalp[:, None] * (0.55 + 0.45 * np.clip(normals[:, 1:2], -0.5, 1.0))
            lifted = lifted + height * normals
        return np.vstack([lifted, *(patch.vertices(vertices) for patch in self.patches)])

    def normals(self, surface: NDArray, vertices: NDArray) -> Float32:
        """Normals (V', 3) of the drawn vertices in model axes."""
        count = len(vertices)
        smooth = vertex_normals(surface[:count], self.surface_triangles, self.corners)
        parts = np.split(surface[count:], 2)
        return np.vstack([smooth, *(p.normals(vertices, part) for p, part in zip(self.patches, parts, strict=True))])

    def tint(self, surface: NDArray, vertices: NDArray) -> Float32:
        """Factors (V', 3) on the light of each drawn vertex."""
        tint = self.open.copy()
        lips = vertices[self.model.landmarks68[[51, 57]], 2].mean()
        behind = np.clip((lips - surface[self.mouth, 2]) / 0.034, 0.0, 1.0)[:, None]
        tint[self.mouth] = (1.0 - behind) ** np.array([2.4, 2.4, 1.9])
        count = len(vertices)
        for patch, part in zip(self.patches, np.split(np.arange(count, len(surface)), 2), strict=True):
            tint[part] = _lid_shadow(surface[part], patch.center @ vertices[patch.source])
        return tint.astype(np.float32)


def _lid_shadow(eye: NDArray, center: NDArray) -> NDArray:
    """The upper lid, the lashes and the corners of the eye keep light from the eyeball."""
    direction = (eye - center) / np.linalg.norm(eye - center, axis=1, keepdims=True)
    above = np.clip((direction[:, 1] - 0.02) / 0.42, 0.0, 1.0)
    aside = np.clip((np.abs(direction[:, 0]) - 0.3) / 0.6, 0.0, 1.0)
    shade = (1 - 0.62 * above) * (1 - 0.55 * aside)
    return shade[:, None] ** np.array([1.05, 1.0, 0.92])


_CACHE: dict[tuple[str, int, int], HeadGeometry] = {}


def head_geometry(model: MorphableModel, texture_width: int) -> HeadGeometry:
    """The model prepared for drawing; computed once for a model and a texture size."""
    key = (model.sha256, id(model), texture_width)
    if key not in _CACHE:
        _CACHE.clear()  # One model at a time is the rule; a second one may take the place of the first.
        _CACHE[key] = _prepare(model, texture_width)
    return _CACHE[key]


def _prepare(model: MorphableModel, width: int) -> HeadGeometry:
    layout = atlas.pack(model.uv * [1.0, 1.0], model.uv_triangles, (_EYE_TILE,))
    texels = atlas.texels(layout, width)
    patches = (eyes.eye_patch(model, "left"), eyes.eye_patch(model, "right"))
    part = np.array(model.part_names)[model.triangle_part]
    solid, lashes = _meshes(model, layout, width, patches, part)
    surface_triangles = np.ascontiguousarray(model.triangles[np.isin(part, list(_MATERIALS))])
    face = np.flatnonzero((model.mean[:, 2] > -0.05) & (np.abs(model.mean[:, 1]) < 0.09) & (model.vertex_part == 0))
    face_uv = np.zeros((len(model.mean), 2))
    face_uv[model.triangles.ravel()] = layout.uv[model.uv_triangles.ravel()]
    inside = np.isin(model.vertex_part, [model.part_names.index(n) for n in _MATERIALS if n != "skin"])
    corners = corner_operator(surface_triangles, len(model.mean))
    grown = sum(len(patch.uv) for patch in patches)
    openness = occlusion.openness(model.mean, surface_triangles, corners)
    return HeadGeometry(
        model, layout, texels, solid, lashes, patches, surface_triangles, corners,
        scalp_weight(model.mean, 0.0), np.vstack([openness, np.ones((grown, 3), np.float32)]),
        np.concatenate([inside, np.zeros(grown, bool)]), face, float(np.hypot(*face_uv[face].std(axis=0))) * width,
    )  # fmt: skip


def _meshes(
    model: MorphableModel, layout: atlas.Atlas, width: int, patches: tuple[eyes.EyePatch, ...], part: NDArray
) -> tuple[Mesh, Mesh]:
    columns, rows = layout.pixels(width)
    left, top, side = layout.tiles[0]
    count, base = len(model.mean), len(layout.uv)
    uv, triangles, uv_triangles, materials = [layout.normalized_uv(width)], [], [], []
    for name, material in _MATERIALS.items():
        triangles.append(model.triangles[part == name])
        uv_triangles.append(layout.uv_triangles[part == name])
        materials.append(np.full((part == name).sum(), material))
    for patch in patches:
        uv.append(((patch.uv * side + [left, top]) * [1.0, columns / rows]).astype(np.float32))
        triangles.append(patch.triangles + count)
        uv_triangles.append(patch.triangles + base)
        materials.append(np.full(len(patch.triangles), EYE))
        count, base = count + len(patch.uv), base + len(patch.uv)
    every_uv = np.vstack(uv)
    solid = Mesh(np.vstack(triangles), every_uv, np.vstack(uv_triangles), np.concatenate(materials), count)
    lash = part == "eyelashes"
    return solid, Mesh(model.triangles[lash], every_uv, layout.uv_triangles[lash], np.full(lash.sum(), LASH), count)


def scalp_weight(points: NDArray, hairline: float, softness: float = 0.016) -> Float32:
    """How much hair grows (0..1) at points (n, 3) of the mean face, meters; `hairline` raises the forehead's."""
    line = np.interp(points[:, 2], _HAIRLINE[:, 0], _HAIRLINE[:, 1])
    line = line + hairline * np.clip((points[:, 2] + 0.07) / 0.03, 0.0, 1.0)
    ramp = np.clip((points[:, 1] - line) / softness, 0.0, 1.0)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
