"""What `face_expr image` and `video` make of files besides numbers: drawn images and 3D files of the faces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.cli.side_by_side import open_view
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.types import Camera, Face, Frame
from face_expr_ros.drawing.line_drawing import Image
from face_expr_ros.drawing.mesh_export import check_export
from face_expr_ros.drawing.modes import check_mode, draw, draw_in_frame
from face_expr_ros.sources.calibration import resized

Drawer = Callable[[Frame, Sequence[Face]], Image]


@dataclass(frozen=True)
class Products:
    """Outputs besides the numbers.

    Attributes:
        out: the drawn image or video, or the folder of several; 3D files are written beside it, with the same stem.
        draw: one of ``DRAW_MODES``.
        export: ``obj``, ``ply`` or None.
        side_by_side: ``mesh``, ``avatar`` or None, see `side_by_side.open_view`; replaces ``draw``.
    """

    out: Path | None = None
    draw: str = "annotated"
    export: str | None = None
    side_by_side: str | None = None

    def check_usage(self) -> None:
        """Raises a ValueError for products that contradict each other."""
        if self.side_by_side is not None and self.draw != "annotated":
            raise ValueError(
                f"expected at most one of --draw and --side-by-side, got {self.draw} and {self.side_by_side}"
            )
        needs_out = self.side_by_side or self.export or (self.draw if self.draw != "annotated" else None)
        if self.out is None and needs_out is not None:
            raise ValueError(f"{needs_out} requires --out, the file to draw; 3D files go beside it")

    def check(self, model: MorphableModel) -> None:
        """Raises a ValueError, before any work, for a product that this face model does not support."""
        self.check_usage()
        check_mode(self.draw, model)
        if self.export is not None:
            check_export(self.export, model)

    def drawer(self, model: MorphableModel, *, in_frame: bool) -> Drawer:
        """A function that draws a frame and its faces; ``in_frame``: in an equal size for all frames of a video."""
        if self.side_by_side is not None:
            return open_view(self.side_by_side, model)
        kind = draw_in_frame if in_frame else draw
        return lambda frame, faces: kind(self.draw, frame, faces, model)

    def settings(self) -> Mapping[str, Any]:
        """What the drawn files depend on."""
        return {"out": str(self.out), "draw": self.draw, "export": self.export, "side_by_side": self.side_by_side}


def frame_of(pixels: NDArray[np.uint8], stamp_ns: int, config: PerceptionConfig, camera: Camera | None = None) -> Frame:
    """The frame of an image, with the assumed field of view where the camera is unknown.

    Raises:
        SourceError: the calibration is for another aspect.
    """
    height, width = pixels.shape[:2]
    camera = resized(camera, width, height) if camera else default_camera(width, height, config.fitting.field_of_view)
    return Frame(pixels, stamp_ns, "camera_optical_frame", camera)
