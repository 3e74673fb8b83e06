"""Geometry of the rendered head: the model's surface, hair on the scalp, finer eyes, shoulders and ambient occlusion.

Data that depend on the model alone are computed once and shared by all renderers.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.drawing import atlas
from face_expr_ros.drawing.lighting import CLOTH, EYE, LASH, MOUTH, SKIN, TEETH
from face_expr_ros.drawing.model_key import ModelKey
from face_expr_ros.kernels.rasterizer import Mesh
from face_expr_ros.synthetic import eyes, lids, occlusion, torso
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.beard import beard_volume
from face_expr_ros.synthetic.masks import head_masks
from face_expr_ros.synthetic.normals import corner_operator, vertex_normals
from face_expr_ros.synthetic.wrinkles import remaining_hair

Float32 = NDArray[np.float32]

_EYE_TILE, _CLOTH_TILE, _LASH_TILE = 0.16, 0.12, 0.16  # fractions of the texture's width
TEETH_DROP = 0.0045  # meters; MakeHuman's upper teeth end above the lip, where a smile would not show them
_MATERIALS = {"skin": SKIN, "upper_teeth": TEETH, "lower_teeth": TEETH, "tongue": MOUTH, "inner_mouth": MOUTH}
_SIDES = ("left", "right")

# Hairline as (z, y) of the mean head, meters, from the nape over the ear, sideburn and temple to the forehead.
_HAIRLINE = np.array(
    [(-0.205, -0.085), (-0.165, -0.075), (-0.135, -0.045), (-0.12, -0.01), (-0.105, 0.02), (-0.093, 0.012),
     (-0.086, -0.018), (-0.074, -0.012), (-0.066, 0.014), (-0.056, 0.034), (-0.044, 0.047),
     (-0.03, 0.058), (0.02, 0.066)]
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class HeadGeometry:
    """A model prepared for rendering. The V' rendered vertices are those of the model, then of the left eye, the right
    eye and the torso.

    Attributes:
        model: the face model.
        layout: texture atlas; texels: the surface under each texel; fringe: the texels around it.
        solid, lashes: the opaque and the transparent mesh over the rendered vertices.
        patches: the fine eyes, left and right.
        torso: the shoulders; torso_share: (V',) weight of each rendered vertex in the torso, 0..1.
        surface_triangles, corners: the model's own surface and its `normals.corner_operator`, for normals.
        scalp: (V,) hair density at each vertex, 0..1; scalp_triangles, scalp_corners: the surface there.
        ambient: (V', 3) ambient occlusion factors of the rendered vertices of the neutral face.
        mouth: (V',) bool, vertices inside the mouth.
        face_vertices: vertices of the face; face_texels: their standard deviation in the texture, texels.
    """

    model: MorphableModel
    layout: atlas.Atlas
    texels: atlas.Texels
    fringe: atlas.Fringe
    solid: Mesh
    lashes: Mesh
    patches: tuple[eyes.EyePatch, eyes.EyePatch]
    torso: torso.Torso
    torso_share: Float32
    surface_triangles: NDArray[np.int32]
    corners: csr_matrix
    scalp: Float32
    scalp_triangles: NDArray[np.int32]
    scalp_corners: csr_matrix
    ambient: Float32
    mouth: NDArray[np.bool_]
    face_vertices: NDArray[np.intp]
    face_texels: float

    def surface(self, vertices: NDArray, appearance: Appearance) -> Float32:
        """Rendered vertices (V', 3) for the model's vertices (V, 3): hair and beard offset the skin, eyes are added."""
        lifted = vertices.astype(np.float32, copy=True)
        if appearance.hair_volume > 0:
            normals = vertex_normals(lifted, self.scalp_triangles, self.scalp_corners)
            # Hair is higher on the crown than at the sides.
            density = self.scalp
            if appearance.baldness > 0:
                density = density * remaining_hair(self.model.mean, appearance.baldness)
            height = appearance.hair_volume * density[:, None] * (0.55 + 0.45 * np.clip(normals[:, 1:2], -0.5, 1.0))
            lifted = lifted + height * normals
        if appearance.beard is not None and appearance.beard.length > 0:
            beard_volume(self.model, appearance.beard).lift(lifted)
        lifted[self.upper_teeth, 1] -= TEETH_DROP
        parts = (*(patch.vertices(vertices) for patch in self.patches), self.torso.vertices(vertices))
        return np.vstack([lifted, *parts])

    def normals(self, surface: NDArray, vertices: NDArray) -> Float32:
        """Normals (V', 3) of the rendered vertices in model axes."""
        smooth = vertex_normals(surface, self.surface_triangles, self.corners)
        for patch, part in zip(self.patches, self.eye_slices, strict=True):
            smooth[part] = patch.normals(vertices, surface[part])
        return smooth

    def tint(self, surface: NDArray, vertices: NDArray) -> Float32:
        """Factors (V', 3) on the blue, green and red light of each rendered vertex."""
        tint = self.ambient.copy()
        tint[self.mouth] = self.mouth_tint(surface[self.mouth], vertices)
        for patch, part in zip(self.patches, self.eye_slices, strict=True):
            tint[part] = _lid_shadow(surface[part], patch.center @ vertices[patch.source])
        return tint.astype(np.float32)

    def mouth_tint(self, points: NDArray, vertices: NDArray) -> NDArray:
        """Light factors (n, 3) of points (n, 3) inside the mouth: it is dark behind the lips."""
        lips = vertices[self.model.landmarks68[[51, 57]], 2].mean()
        behind = np.clip((lips - 0.010 - points[:, 2]) / 0.042, 0.0, 1.0)[:, None]
        tint: NDArray = 0.94 * (1.0 - behind) ** np.array([2.4, 2.4, 1.9])
        return tint

    @functools.cached_property
    def toothless(self) -> Mesh:
        """The opaque mesh without the model's teeth."""
        mesh, kept = self.solid, self.solid.materials != TEETH
        return Mesh(mesh.triangles[kept], mesh.uv, mesh.uv_triangles[kept], mesh.materials[kept], mesh.vertex_count)

    def smoothed(self, values: NDArray) -> NDArray:
        """Values (V',) of the rendered vertices, averaged over neighbors on the surface."""
        averaged = values.copy()
        used = np.unique(self.surface_triangles)
        averaged[used] = occlusion.smoothed(values, self.surface_triangles, self.corners, rounds=1)[used]
        return averaged

    @property
    def upper_teeth(self) -> NDArray[np.intp]:
        """Vertex indices of the upper teeth."""
        return self.model.part_vertices("upper_teeth")

    @property
    def eye_slices(self) -> tuple[slice, slice]:
        """Ranges of the two eyes' vertices among the rendered vertices."""
        start, count = len(self.model.mean), len(self.patches[0].uv)
        return slice(start, start + count), slice(start + count, start + 2 * count)


def _lid_shadow(eye: NDArray, center: NDArray) -> NDArray:
    """Light factors (g, 3) of an eyeball, shadowed by the upper lid, the lashes and the corners of the eye."""
    direction = (eye - center) / np.linalg.norm(eye - center, axis=1, keepdims=True)
    upper = np.clip((direction[:, 1] - 0.02) / 0.42, 0.0, 1.0)
    lateral = np.clip((np.abs(direction[:, 0]) - 0.3) / 0.6, 0.0, 1.0)
    shade = (1 - 0.62 * upper) * (1 - 0.55 * lateral)
    return shade[:, None] ** np.array([1.05, 1.0, 0.92])


def head_geometry(model: MorphableModel, texture_width: int) -> HeadGeometry:
    """The rendering geometry of a model, computed once for a model and a texture width in pixels."""
    return _build_geometry(ModelKey(model), texture_width)


@functools.lru_cache(maxsize=2)
def _build_geometry(key: ModelKey, width: int) -> HeadGeometry:
    model = key.model
    layout = atlas.pack(model.uv, model.uv_triangles, (_EYE_TILE, _CLOTH_TILE, _LASH_TILE))
    part = np.array(model.part_names)[model.triangle_part]
    patches = (eyes.eye_patch(model, "left"), eyes.eye_patch(model, "right"))
    shoulders = torso.torso(model.mean, model.triangles[part == "skin"])
    solid, lashes = _meshes(model, layout, width, patches, shoulders, part)
    count = solid.vertex_count
    # Normals are computed from the model's own surface and the torso; the eyes have their own.
    smooth = np.isin(solid.materials, [SKIN, TEETH, MOUTH, CLOTH])
    surface_triangles = np.ascontiguousarray(solid.triangles[smooth])
    corners = corner_operator(surface_triangles, count)
    eye_vertices = np.zeros((count - len(model.mean) - shoulders.spread[..., 0].size, 3), np.float32)
    everything = np.vstack([model.mean, eye_vertices, shoulders.vertices(model.mean)])
    inside = np.isin(model.vertex_part, [model.part_names.index(n) for n in _MATERIALS if n != "skin"])
    face = np.flatnonzero((model.mean[:, 2] > -0.05) & (np.abs(model.mean[:, 1]) < 0.09) & (model.vertex_part == 0))
    face_uv = np.zeros((len(model.mean), 2))
    face_uv[model.triangles.ravel()] = layout.uv[model.uv_triangles.ravel()]
    ears = head_masks(model.uv)[2]
    is_ear = np.zeros(len(model.mean), bool)
    is_ear[model.triangles.ravel()] = (ears > 0.3)[model.uv_triangles.ravel()]
    rings = shoulders.spread[..., 0].size
    torso_share = np.concatenate([torso.torso_share(model.mean), np.zeros(len(eye_vertices)), np.ones(rings)])
    scalp = np.where(is_ear, np.float32(0), scalp_weight(model.mean, 0.0))
    scalp_triangles = model.triangles[(part == "skin") & (scalp[model.triangles] > 0).any(axis=1)]
    under = atlas.texels(layout, width)
    return HeadGeometry(
        model, layout, under, atlas.fringe(layout, under), solid, lashes, patches, shoulders,
        torso_share.astype(np.float32), surface_triangles, corners, scalp, scalp_triangles,
        corner_operator(scalp_triangles, len(model.mean)),
        occlusion.ambient_occlusion(everything, surface_triangles, corners),
        np.pad(inside, (0, count - len(inside))), face, float(np.hypot(*face_uv[face].std(axis=0))) * width,
    )  # fmt: skip


def _meshes(
    model: MorphableModel, layout: atlas.Atlas, width: int, patches: tuple[eyes.EyePatch, ...],
    shoulders: torso.Torso, part: NDArray,
) -> tuple[Mesh, Mesh]:  # fmt: skip
    columns, rows = layout.pixels(width)
    count, base = len(model.mean), len(layout.uv)
    uv, triangles, uv_triangles, materials = [layout.normalized_uv(width)], [], [], []

    def in_tile(tile: int, uv: NDArray) -> Float32:
        left, top, side = layout.tiles[tile]
        return ((uv * side + [left, top]) * [1.0, columns / rows]).astype(np.float32)

    for name, material in _MATERIALS.items():
        triangles.append(model.triangles[part == name])
        uv_triangles.append(layout.uv_triangles[part == name])
        materials.append(np.full((part == name).sum(), material))
    for patch in patches:
        uv.append(in_tile(0, patch.uv))
        triangles.append(patch.triangles + count)
        uv_triangles.append(patch.triangles + base)
        materials.append(np.full(len(patch.triangles), EYE))
        count, base = count + len(patch.uv), base + len(patch.uv)
    uv.append(in_tile(1, shoulders.uv))
    border = len(shoulders.border)
    torso_vertices = np.concatenate([shoulders.border, count + np.arange(shoulders.spread[..., 0].size)])
    triangles.append(torso_vertices[shoulders.triangles])
    uv_triangles.append(shoulders.triangles + base)
    materials.append(np.full(len(shoulders.triangles), CLOTH))
    count += len(torso_vertices) - border
    base += len(shoulders.uv)
    uv.append(in_tile(2, lids.lash_uv(model)))
    every_uv = np.vstack(uv)
    solid = Mesh(np.vstack(triangles), every_uv, np.vstack(uv_triangles), np.concatenate(materials), count)
    lash = part == "eyelashes"
    return solid, Mesh(model.triangles[lash], every_uv, model.triangles[lash] + base, np.full(lash.sum(), LASH), count)


def scalp_weight(points: NDArray, hairline: float, softness: float = 0.016) -> Float32:
    """Hair density (n,) in 0..1 at points (n, 3) of the mean head, meters; `hairline` is an offset at the forehead."""
    line = np.interp(points[:, 2], _HAIRLINE[:, 0], _HAIRLINE[:, 1])
    # The hairline rises at the temples.
    line = line + 0.005 * np.exp(-(((np.abs(points[:, 0]) - 0.043) / 0.014) ** 2)) - 0.010
    line = line + hairline * np.clip((points[:, 2] + 0.07) / 0.03, 0.0, 1.0)
    ramp = np.clip((points[:, 1] - line) / softness, 0.0, 1.0)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
