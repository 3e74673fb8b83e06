"""Exports fitted faces for 3D software: OBJ with a texture, PLY with vertex colors.

Vertices are in model axes and meters: x to the subject's left, y up, z out of the face, origin at the sellion, so
viewers show the face from the front. Shape and expression are applied, the pose is not. All vertices are written in the
model's order; the lashes, which need a transparent texture, have no triangles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.atomic_files import write_bytes, write_text
from face_expr_ros.core.face_model import BundleError, MorphableModel
from face_expr_ros.core.types import Face, FloatArray, Frame
from face_expr_ros.drawing import surface
from face_expr_ros.drawing.line_drawing import Image
from face_expr_ros.drawing.modes import require_surface
from face_expr_ros.drawing.uv_texture import face_texture, texture_layout, vertex_colors
from face_expr_ros.kernels.surface import vertex_normals

ENDINGS = {"obj": (".obj", ".mtl", "_texture.png"), "ply": (".ply",)}  # of the names of the written files
_TEXTURE_WIDTH = 1024  # texels
_VIEW_SIZE = 1024  # maximum size of the image region that vertex colors are sampled from, pixels
_COMMENT = "meters; x to the subject's left, y up, z out of the face; origin at the sellion"


def check_export(kind: str, model: MorphableModel) -> None:
    """Raise a BundleError if the model has no surface, or no texture coordinates for ``obj``."""
    require_surface(model, f"an export to {kind}")
    if kind == "obj" and not len(model.uv):
        raise BundleError(
            f"obj requires texture coordinates, but the face model {model.name!r} has none; export ply instead"
        )


def export_faces(kind: str, out: Path, frame: Frame, faces: Sequence[Face], model: MorphableModel) -> list[Path]:
    """Write every face of a frame next to ``out``, under its stem and, for several faces, their ids.

    Args:
        kind: ``obj`` (with .mtl and a texture .png) or ``ply``.
    Returns:
        The files that were written; faces that cannot be projected into the image are skipped.
    Raises:
        BundleError: as `check_export`. OSError, ValueError: a file cannot be written.
    """
    check_export(kind, model)
    fits = [face.fit for face in faces]
    results = [surface.project_face(fit, model, frame.camera, frame.image.shape[0]) for fit in fits]
    all_projected = [projected for projected in results if projected is not None]
    files: list[Path] = []
    for face, projected in zip(faces, results, strict=True):
        if projected is not None:
            stem = out.with_name(f"{out.stem}_{face.id}" if len(faces) > 1 else out.stem)
            vertices = model.vertices(face.fit.shape, face.fit.expression)
            files += _EXPORTS[kind](stem, vertices, _Scene(frame.image, projected, all_projected, model))
    return files


@dataclass(frozen=True)
class _Scene:
    """One face of an image, and all faces of the image, which may occlude it."""

    image: Image
    face: surface.ProjectedFace
    all_faces: Sequence[surface.ProjectedFace]
    model: MorphableModel


def _export_obj(stem: Path, vertices: FloatArray, scene: _Scene) -> list[Path]:
    texture = face_texture(scene.image, scene.face, scene.all_faces, scene.model, _TEXTURE_WIDTH)
    return write_obj(stem, vertices, scene.model, texture)


def _export_ply(stem: Path, vertices: FloatArray, scene: _Scene) -> list[Path]:
    colors = vertex_colors(scene.image, scene.face, scene.all_faces, scene.model, _VIEW_SIZE)
    return [write_ply(stem.with_name(stem.name + ENDINGS["ply"][0]), vertices, scene.model, colors)]


def write_obj(stem: Path, vertices: FloatArray, model: MorphableModel, texture: Image) -> list[Path]:
    """Write a face as stem.obj, stem.mtl and stem_texture.png.

    Args:
        vertices: (V, 3) in model axes, meters.
        texture: (h, w, 3) BGR, from `uv_texture.face_texture`.
    """
    obj, mtl, png = (stem.with_name(stem.name + end) for end in ENDINGS["obj"])
    solid, layout = surface.whole(model), texture_layout(model, texture.shape[1])
    normals = vertex_normals(vertices, solid.mesh.triangles)
    corners = np.stack([solid.mesh.triangles, layout.uv_triangles, solid.mesh.triangles], axis=-1) + 1
    parts = [
        [f"# {_COMMENT}", f"mtllib {mtl.name}", "usemtl face", "s 1"],
        _lines("v {:.7f} {:.7f} {:.7f}", vertices),
        _lines("vt {:.6f} {:.6f}", layout.uv * [1, -1] + [0, 1]),
        _lines("vn {:.4f} {:.4f} {:.4f}", normals),
        _lines("f {}/{}/{} {}/{}/{} {}/{}/{}", corners.reshape(-1, 9)),
    ]
    write_bytes(png, cv2.imencode(".png", texture)[1].tobytes())
    write_text(mtl, f"newmtl face\nKa 1 1 1\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {png.name}\n")
    write_text(obj, "\n".join(line for part in parts for line in part) + "\n")
    return [obj, mtl, png]


def _lines(pattern: str, rows: NDArray) -> Iterable[str]:
    return (pattern.format(*row) for row in rows.tolist())


def write_ply(path: Path, vertices: FloatArray, model: MorphableModel, colors: NDArray[np.uint8]) -> Path:
    """Write a face as a binary PLY file.

    Args:
        vertices: (V, 3) in model axes, meters.
        colors: (V, 3) blue, green, red.
    """
    solid = surface.whole(model)
    normals = vertex_normals(vertices, solid.mesh.triangles)
    real, level = (("x", "y", "z", "nx", "ny", "nz"), ("red", "green", "blue"))
    points = np.empty(len(vertices), [(name, "<f4") for name in real] + [(name, "u1") for name in level])
    for name, column in zip((*real, *level), (*vertices.T, *normals.T, *colors[:, ::-1].T), strict=True):
        points[name] = column
    faces = np.empty(len(solid.mesh.triangles), [("count", "u1"), ("corners", "<i4", 3)])
    faces["count"], faces["corners"] = 3, solid.mesh.triangles
    header = ["ply", "format binary_little_endian 1.0", f"comment {_COMMENT}", f"element vertex {len(points)}"]
    header += [f"property float {name}" for name in real] + [f"property uchar {name}" for name in level]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", ""]
    write_bytes(path, "\n".join(header).encode("ascii") + points.tobytes() + faces.tobytes())
    return path


_EXPORTS: dict[str, Callable[[Path, FloatArray, _Scene], list[Path]]] = {"obj": _export_obj, "ply": _export_ply}
