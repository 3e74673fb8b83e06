"""An image and beside it what was estimated from it: the mesh, or a rendered person with the same expression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Camera, Face, FloatArray, Frame
from face_expr_ros.drawing.line_drawing import Image
from face_expr_ros.drawing.mesh_overlay import draw_mesh
from face_expr_ros.drawing.modes import require_surface

KINDS = ("mesh", "avatar")
_BACKGROUND = (46, 40, 34)  # blue, green, red
# The lids of the open model add up: eyeBlink and eyeSquint of an eye that is half open would shut it. The fit's
# coefficients are those with which the model has the opening of the landmarks.
_LIDS = ("eyeBlink", "eyeSquint", "eyeWide")
View = Callable[[Frame, Sequence[Face]], Image]


def open_view(kind: str, model: MorphableModel) -> View:
    """A function that draws a frame and beside it its faces as the fitted mesh or as avatars, twice as wide.

    Args:
        kind: one of ``KINDS``. An avatar is a rendered person of the open face model, with pose and blendshapes.
        model: the face model of the fits.

    Raises:
        BundleError: ``mesh`` with a face model without a surface.
    """
    if kind == "mesh":
        require_surface(model, "--side-by-side mesh", ", or use --side-by-side avatar")
        return lambda frame, faces: np.hstack([frame.image, _mesh(frame, faces, model)])
    return _Avatars(model)


def _mesh(frame: Frame, faces: Sequence[Face], model: MorphableModel) -> Image:
    image = np.empty_like(frame.image)
    image[:] = _BACKGROUND
    draw_mesh(image, [face.fit for face in faces], model, frame.camera, 1.0)
    return image


class _Avatars:
    """Renders the open model's average head; all faces share one appearance."""

    def __init__(self, fitted: MorphableModel) -> None:
        from face_expr_ros.models.bundle import open_face_model
        from face_expr_ros.synthetic.appearance import Appearance
        from face_expr_ros.synthetic.photo_parts import PhotoParts
        from face_expr_ros.synthetic.photo_skin import shipped_skin
        from face_expr_ros.synthetic.scene import FaceRenderer

        self._fitted = fitted
        self._model = open_face_model("open")
        look = Appearance()
        self._renderer = FaceRenderer(self._model, look, photo=PhotoParts(shipped_skin(look.skin)))

    def __call__(self, frame: Frame, faces: Sequence[Face]) -> Image:
        from face_expr_ros.synthetic.scene import SceneFace, render_scene

        scene = [SceneFace(self._renderer, self._vertices(face), face.fit.pose) for face in faces]
        return np.hstack([frame.image, render_scene(scene, _pinhole(frame.camera))])

    def _vertices(self, face: Face) -> FloatArray:
        values = dict(zip(face.blendshapes.names, face.blendshapes.values, strict=True))
        fit = dict(zip(self._fitted.expression_names, face.fit.expression, strict=True))
        values |= {name: value for name, value in fit.items() if name.startswith(_LIDS)}
        expression = np.array([values.get(name, 0.0) for name in self._model.expression_names])
        return self._model.vertices(np.zeros(len(self._model.identity)), expression)


def _pinhole(camera: Camera) -> Camera:
    """The camera without the distortion of its lens, which the renderer does not have."""
    return replace(camera, distortion=np.zeros(0), lens="pinhole")
