"""Figure of the renders of a contact sheet."""

from __future__ import annotations

from pathlib import Path

import cv2

from face_expr_ros.training.contact_sheet import render_sheet

_WIDTH, _COUNT, _QUALITY = 1280, 48, 86


def draw_renders(folder: Path, materials: Path) -> Path:
    """Write ``renders.jpg`` into ``folder``, from a folder of materials, and return its path."""
    sheet = render_sheet(materials, _COUNT)
    height = round(_WIDTH * sheet.shape[0] / sheet.shape[1])
    path = folder / "renders.jpg"
    small = cv2.resize(sheet, (_WIDTH, height), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return path
