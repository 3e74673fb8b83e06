"""The kinds of pictures that can be drawn of a frame and its faces: one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from face_expr_ros.core.config import DRAW_MODES
from face_expr_ros.core.face_model import BundleError, MorphableModel
from face_expr_ros.core.types import Face, Frame
from face_expr_ros.drawing import surface
from face_expr_ros.drawing.depth import depth_picture, pncc_picture
from face_expr_ros.drawing.mesh_overlay import draw_mesh
from face_expr_ros.drawing.overlays import annotate
from face_expr_ros.drawing.pen import Image, color_of
from face_expr_ros.drawing.points import draw_landmarks68, draw_vertices
from face_expr_ros.drawing.pose_box import draw_pose
from face_expr_ros.drawing.uv_texture import face_texture, sheet

_SPARSE_KINDS = ("annotated", "2d_sparse", "pose")  # all that 68 points are enough for
_OPACITY = 0.8  # of the mesh of the kind 3d
_TEXTURE_WIDTH = 512  # of the kind uv_tex, texels

Drawer = Callable[[Frame, Sequence[Face], MorphableModel], Image]


def draw(kind: str, frame: Frame, faces: Sequence[Face], model: MorphableModel) -> Image:
    """A picture of one kind, one of ``DRAW_MODES``.

    - ``annotated``: landmarks, box, id, axes and the strongest expressions over the image.
    - ``2d_sparse``: the 68 points over the image; ``2d_dense``: the vertices that are seen.
    - ``3d``: the shaded mesh over the image; ``pose``: a box around each face and its angles.
    - ``depth``, ``pncc``: see `rendering.depth`. ``uv_tex``: the faces' textures side by side.

    Returns:
        uint8 BGR of the frame's size, but for ``uv_tex``, whose size depends on the faces.
    Raises:
        ValueError: there is no such kind.
        BundleError: the model has no surface, or no texture coordinates, and the kind needs it.
    """
    check_kind(kind, model)
    return _DRAWERS[kind](frame, faces, model)


def draw_in_frame(kind: str, frame: Frame, faces: Sequence[Face], model: MorphableModel) -> Image:
    """The same in the frame's size whatever the kind, as a video needs it: uv_tex is fitted in, with black around."""
    picture = draw(kind, frame, faces, model)
    height, width = frame.image.shape[:2]
    if picture.shape[:2] == (height, width):
        return picture
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = [max(1, round(side * scale)) for side in (picture.shape[1], picture.shape[0])]
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], 3)
    return canvas


def check_kind(kind: str, model: MorphableModel) -> None:
    """Raises what `draw` would, before any work is done."""
    if kind not in _DRAWERS:
        raise ValueError(f"kind must be one of {', '.join(DRAW_MODES)}; {kind!r} was given")
    if kind not in _SPARSE_KINDS:
        require_surface(model, kind, f", or draw {' or '.join(_SPARSE_KINDS)}")
    if kind == "uv_tex" and not len(model.uv):
        raise BundleError(f"uv_tex wants texture coordinates, the face model {model.name!r} has none; draw 3d instead")


def require_surface(model: MorphableModel, purpose: str, instead: str = "") -> None:
    """Raises a BundleError that says what to do when the model consists of 68 points only."""
    if model.sparse:
        raise BundleError(
            f"{purpose} wants the dense face model, {model.name!r} is here in its sparse form of 68 points; "
            f"run fetch-models with bfm_noneck_v3.pkl{instead}"
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
    # The farthest first: nearer boxes lie on top.
    for face in sorted(faces, key=lambda face: -float(face.fit.pose.position[2])):
        draw_pose(image, face.fit, model, color_of(face.id))
    return image


def _depth(frame: Frame, faces: Sequence[Face], model: MorphableModel) -> Image:
    return depth_picture([face.fit for face in faces], model, frame.camera, *frame.image.shape[1::-1])


def _pncc(frame: Frame, faces: Sequence[Face], model: MorphableModel) -> Image:
    return pncc_picture([face.fit for face in faces], model, frame.camera, *frame.image.shape[1::-1])


def _textures(frame: Frame, faces: Sequence[Face], model: MorphableModel) -> Image:
    fits = [face.fit for face in faces]
    placed = surface.place_all(fits, model, frame.camera, frame.image.shape[0])
    made = [face_texture(frame.image, one, placed, model, _TEXTURE_WIDTH) for one in placed]
    return sheet(made, model, _TEXTURE_WIDTH)


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
