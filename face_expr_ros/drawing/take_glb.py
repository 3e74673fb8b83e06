"""A take as binary glTF 2.0: the person's mesh with a texture, a morph target per expression, and the animation.

Axes are those of glTF and of the model: x to the subject's left, y up, z out of the face, meters. The origin is at the
sellion; the head moves relative to its first position. Blender, Unity, Unreal and three.js open it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.atomic_files import write_bytes
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.rotations import quaternion_from_rotation
from face_expr_ros.core.takes import Take, head_motion
from face_expr_ros.core.types import FloatArray
from face_expr_ros.drawing import surface
from face_expr_ros.drawing.glb_buffers import INDICES, VERTICES, GlbBuffers
from face_expr_ros.drawing.line_drawing import Image
from face_expr_ros.drawing.modes import require_surface
from face_expr_ros.drawing.uv_texture import texture_layout
from face_expr_ros.drawing.vertex_colors import vertex_colors
from face_expr_ros.kernels.surface import vertex_normals

TEXTURE_WIDTH = 1024  # texels
_JPEG_QUALITY = 92


def write_glb(path: Path, take: Take, model: MorphableModel, texture: Image | None) -> None:
    """Write a take.

    Args:
        path: the file.
        take: at least one frame; the mesh has the median shape of its frames.
        model: with a surface and texture coordinates; its expressions are the morph targets.
        texture: (h, w, 3) BGR, from `uv_texture.face_texture` at ``TEXTURE_WIDTH``; None colors the parts of the model.

    Raises:
        BundleError: the model has no surface. OSError: the file cannot be written.
    """
    require_surface(model, "a take as glb")
    buffers = GlbBuffers()
    vertices = model.vertices(_shape(take, model))
    primitive = _primitive(buffers, vertices, model, texture is not None)
    document = {
        "asset": {"version": "2.0", "generator": "face_expr_ros"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "head", "mesh": 0}],
        "meshes": [
            {
                "name": "face",
                "primitives": [primitive],
                "weights": [0.0] * len(model.expression),
                "extras": {"targetNames": list(model.expression_names)},
            }
        ],
        "materials": [_material(texture is not None)],
        **_image(buffers, texture),
        "animations": [_animation(buffers, take, model)],
    }
    write_bytes(path, buffers.pack(document))


def _shape(take: Take, model: MorphableModel) -> FloatArray:
    known = [frame.shape for frame in take if len(frame.shape) == len(model.identity)]
    return np.median(known, axis=0) if known else np.zeros(len(model.identity))


def _primitive(buffers: GlbBuffers, vertices: FloatArray, model: MorphableModel, textured: bool) -> dict[str, Any]:
    """The mesh; a vertex at a seam of the texture occurs once for each of its texture coordinates."""
    solid = surface.whole(model)
    normals = vertex_normals(vertices, solid.mesh.triangles)
    corners = solid.mesh.triangles.reshape(-1)
    layout = texture_layout(model, TEXTURE_WIDTH) if textured else None
    coordinate = corners if layout is None else layout.uv_triangles.reshape(-1)
    pairs, triangles = np.unique(np.column_stack([corners, coordinate]), axis=0, return_inverse=True)
    used = pairs[:, 0]
    attributes = {
        "POSITION": buffers.accessor(_float(vertices[used]), "VEC3", VERTICES, bounds=True),
        "NORMAL": buffers.accessor(_unit(normals[used]), "VEC3", VERTICES),
    }
    if layout is None:
        linear = _linear(vertex_colors(model)[used])
        attributes["COLOR_0"] = buffers.accessor(linear, "VEC3", VERTICES)
    else:
        attributes["TEXCOORD_0"] = buffers.accessor(_float(layout.uv[pairs[:, 1]]), "VEC2", VERTICES)
    return {
        "attributes": attributes,
        "indices": buffers.accessor(triangles.reshape(-1).astype(np.uint32), "SCALAR", INDICES),
        "material": 0,
        "targets": [{"POSITION": buffers.sparse(_float(basis[used]))} for basis in model.expression],
    }


def _animation(buffers: GlbBuffers, take: Take, model: MorphableModel) -> dict[str, Any]:
    times = np.array([(frame.stamp_ns - take[0].stamp_ns) * 1e-9 for frame in take], np.float32)
    positions, rotations = head_motion(take)
    quaternions = np.array([quaternion_from_rotation(rotation) for rotation in rotations])
    weights = np.zeros((len(take), len(model.expression)), np.float32)
    for row, frame in zip(weights, take, strict=True):
        values = dict(zip(frame.blendshapes.names, frame.blendshapes.values.tolist(), strict=True))
        row[:] = [values.get(name, 0.0) for name in model.expression_names]
    source = buffers.accessor(times, "SCALAR", bounds=True)
    outputs = {
        "weights": buffers.accessor(weights.reshape(-1), "SCALAR"),
        "rotation": buffers.accessor(_float(_continuous(quaternions)), "VEC4"),
        "translation": buffers.accessor(_float(positions), "VEC3"),
    }
    return {
        "name": "take",
        "channels": [{"sampler": k, "target": {"node": 0, "path": path}} for k, path in enumerate(outputs)],
        "samplers": [{"input": source, "output": output, "interpolation": "LINEAR"} for output in outputs.values()],
    }


def _material(textured: bool) -> dict[str, Any]:
    color = {"baseColorTexture": {"index": 0}} if textured else {}
    surface_of_skin = {**color, "metallicFactor": 0.0, "roughnessFactor": 0.6}
    return {"name": "face", "doubleSided": True, "pbrMetallicRoughness": surface_of_skin}


def _image(buffers: GlbBuffers, texture: Image | None) -> dict[str, Any]:
    if texture is None:
        return {}
    data = cv2.imencode(".jpg", texture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
    return {
        "textures": [{"source": 0, "sampler": 0}],
        "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}],
        "images": [{"name": "face", "mimeType": "image/jpeg", "bufferView": buffers.view(data)}],
    }


def _continuous(quaternions: FloatArray) -> FloatArray:
    """Quaternions (n, 4) in the hemisphere of the previous one, because players interpolate."""
    signs = np.sign(np.einsum("nk,nk->n", quaternions[1:], quaternions[:-1]))
    flips = np.cumprod(np.where(signs < 0, -1.0, 1.0))
    return quaternions * np.concatenate([[1.0], flips])[:, None]


def _float(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def _unit(normals: NDArray[Any]) -> NDArray[np.float32]:
    """Unit normals; upward for vertices without a surface."""
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return _float(np.where(length > 0, normals / np.maximum(length, 1e-12), (0.0, 1.0, 0.0)))


def _linear(colors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vertex colors in glTF are linear."""
    return _float(np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4))
