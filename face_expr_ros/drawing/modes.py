"""The drawing modes: images that can be drawn of a frame and its faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from face_expr_ros.core.config import DRAW_MODES
from face_expr_ros.core.face_model import BundleError, MorphableModel
from face_expr_ros.core.types import Face, Frame
from face_expr_ros.drawing import surface
from face_expr_ros.drawing.depth import depth_image, pncc_image
from face_expr_ros.drawing.line_drawing import Image, color_of
from face_expr_ros.drawing.mesh_overlay import draw_mesh
from face_expr_ros.drawing.overlays import annotate
from face_expr_ros.drawing.points import draw_landmarks68, draw_vertices
from face_expr_ros.drawing.pose_box import draw_pose
from face_expr_ros.drawing.uv_texture import face_texture, texture_sheet

_SPARSE_MODES = ("annotated", "2d_sparse", "pose")  # modes that need only 68 points
_OPACITY = 0.8  # of the mesh in mode 3d
_TEXTURE_WIDTH = 512  # width of the textures in mode uv_tex, texels

Drawer = Callable[[Frame, Sequence[Face], MorphableModel], Image]


def draw(mode: str, frame: Frame, faces: Sequence[Face], model: MorphableModel) -> Image:
    """An image of a frame and its faces in one of ``DRAW_MODES``.

    - ``annotated``: landmarks, box, id, axes and the strongest blendshapes over the image.
    - ``2d_sparse``: the 68 points over the image; ``2d_dense``: the visible vertices.
    - ``3d``: the shaded mesh over the image; ``pose``: a box around each face and its angles.
    - ``depth``, ``pncc``: see `drawing.depth`. ``uv_tex``: the faces' textures side by side.

    Returns:
        uint8 BGR of the frame's size; for ``uv_tex`` the size depends on the number of faces.
    Raises:
        ValueError: the mode is unknown.
        BundleError: the mode requires a surface or texture coordinates that the model lacks.
    """
    check_mode(mode, model)
    return _DRAWERS[mode](frame, faces, model)


def draw_in_frame(mode: str, frame: Frame, faces: Sequence[Face], model: MorphableModel) -> Image:
    """As `draw`, in the frame's size for every mode, as a video needs it: uv_tex is scaled and padded with black."""
    image = draw(mode, frame, faces, model)
    height, width = frame.image.shape[:2]
    if image.shape[:2] == (height, width):
        return image
    scale = min(width / image.shape[1], height / image.shape[0])
    size = [max(1, round(side * scale)) for side in (image.shape[1], image.shape[0])]
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], 3)
    return canvas


def check_mode(mode: str, model: MorphableModel) -> None:
    """Raise the errors of `draw` before any work is done."""
    if mode not in _DRAWERS:
        raise ValueError(f"expected a drawing mode of {', '.join(DRAW_MODES)}, got {mode!r}")
    if mode not in _SPARSE_MODES:
        require_surface(model, mode, f", or draw {' or '.join(_SPARSE_MODES)}")
    if mode == "uv_tex" and not len(model.uv):
        raise BundleError(
            f"uv_tex requires texture coordinates, but the face model {model.name!r} has none; draw 3d instead"
        )


def require_surface(model: MorphableModel, purpose: str, instead: str = "") -> None:
    """Raise a BundleError if the model consists of 68 points only."""
    if model.sparse:
        raise BundleError(
            f"{purpose} requires the dense face model, but {model.name!r} is installed in its sparse form of 68 "
            f"points; run fetch-models with bfm_noneck_v3.pkl{instead}"
        )


def _sparse(frame: Frame, faces: Sequence[Face], model: MorphableModel) -> Image:
    image = frame.image.copy()
    for face in faces:
        draw_landmarks68(image, face.fit.landmarks68, color_of(face.id))
    return image


def _dense(frame: Frame, faces: Sequence[Face], model: MorphableModel) -> Image:
    image = frame.image.copy()
    draw_vertices(image, faces, model, frame.camera)
    return image


def _mesh(frame: Frame, faces: Sequence[Face], model: MorphableModel) -> Image:
    image = frame.image.copy()
    draw_mesh(image, [face.fit for face in faces], model, frame.camera, _OPACITY)
    return image


def _pose(frame: Frame, faces: Sequence[Face], model: MorphableModel) -> Image:
    image = frame.image.copy()
    # Farthest first, so that nearer boxes are on top.
    for face in sorted(faces, key=lambda face: -float(face.fit.pose.position[2])):
        draw_pose(image, face.fit, model, color_of(face.id))
    return image


def _depth(frame: Frame, faces: Sequence[Face], model: MorphableModel) -> Image:
    return depth_image([face.fit for face in faces], model, frame.camera, *frame.image.shape[1::-1])


def _pncc(frame: Frame, faces: Sequence[Face], model: MorphableModel) -> Image:
    return pncc_image([face.fit for face in faces], model, frame.camera, *frame.image.shape[1::-1])


def _textures(frame: Frame, faces: Sequence[Face], model: MorphableModel) -> Image:
    fits = [face.fit for face in faces]
    projected = surface.project_faces(fits, model, frame.camera, frame.image.shape[0])
    textures = [face_texture(frame.image, face, projected, model, _TEXTURE_WIDTH) for face in projected]
    return texture_sheet(textures, model, _TEXTURE_WIDTH)


_DRAWERS: dict[str, Drawer] = {
    "annotated": annotate,
    "2d_sparse": _sparse,
    "2d_dense": _dense,
    "3d": _mesh,
    "pose": _pose,
    "depth": _depth,
    "pncc": _pncc,
    "uv_tex": _textures,
}
