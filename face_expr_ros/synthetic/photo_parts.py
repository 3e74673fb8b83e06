"""The photographs that a person is rendered with: skin, hair, brows, lashes, eyes, teeth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from face_expr_ros.synthetic.hair_cards import HairPhoto
from face_expr_ros.synthetic.photo_details import BrowPhoto
from face_expr_ros.synthetic.photo_meshes import LashPhoto
from face_expr_ros.synthetic.photo_skin import PhotoSkin


@dataclass(frozen=True)
class PhotoParts:
    """Photographs of one person; None paints a part.

    Attributes:
        skin: the skin.
        hair: hair on cards; None is the hair of the appearance.
        brows, lashes: brows and lashes.
        eyes: texture of both eyes, in MakeHuman's layout.
        teeth: texture of teeth and gums.
    """

    skin: PhotoSkin
    hair: HairPhoto | None = None
    brows: BrowPhoto | None = None
    lashes: LashPhoto | None = None
    eyes: Path | None = None
    teeth: Path | None = None
