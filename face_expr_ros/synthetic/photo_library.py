"""Photographs of hair, brows, lashes, eyes and teeth, from which those of a person are chosen at random."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face_expr_ros.core.resources import resource_path
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.card_meshes import card_names
from face_expr_ros.synthetic.hair_cards import HairPhoto
from face_expr_ros.synthetic.photo_details import BrowPhoto
from face_expr_ros.synthetic.photo_meshes import LashPhoto
from face_expr_ros.synthetic.photo_parts import PhotoParts
from face_expr_ros.synthetic.photo_skin import PhotoSkin

_SHIPPED = "bfm/photographs"
_LONG = ("bob02", "braid01", "long01", "ponytail01")  # hair that covers the ears or the neck
_OVER_EYES = ("bob02", "braid01", "short03")  # hair that covers one eye of many heads
_RARE = 0.3  # their frequency relative to that of other hair
_THIN_BROWS = ("eyebrows/eyebrow006", "eyebrows/eyebrow007")
_BALD = 0.2  # loss of hair from which on no photographed hair fits
_VOLUME = (0.99, 1.05)  # range of the factor on the distance of hair from the skull
_BROWN = 1.15  # ratio of red to blue from which on an iris is brown


@dataclass(frozen=True)
class PhotoLibrary:
    """Photographs by the part that they show; the parts of an empty entry are painted.

    Attributes:
        hair, brows, lashes: textures by the name of their mesh, such as ``hair/short01``.
        eyes: textures of eyes; those of brown eyes have "brown" in their name.
        teeth: texture of teeth and gums, or None.
    """

    hair: dict[str, Path]
    brows: dict[str, Path]
    lashes: dict[str, Path]
    eyes: tuple[Path, ...]
    teeth: Path | None

    def parts(
        self, skin: PhotoSkin, appearance: Appearance, rng: np.random.Generator, *, over_eyes: float = _RARE
    ) -> PhotoParts:
        """Photographs that fit an appearance: long hair for long hair, an iris of a similar color.

        Args:
            over_eyes: frequency of hair that covers an eye, relative to that of other hair.
        """
        return PhotoParts(
            skin, self._hair(appearance, rng, over_eyes), self._brows(rng), self._lashes(appearance, rng),
            self._eyes(appearance, rng), self.teeth,
        )  # fmt: skip

    def _hair(self, appearance: Appearance, rng: np.random.Generator, over_eyes: float) -> HairPhoto | None:
        long = appearance.hairstyle is not None and appearance.hairstyle.length > 0
        names = [name for name in self.hair if (name.removeprefix("hair/") in _LONG) == long]
        if appearance.baldness > _BALD or not names:
            return None
        share = np.array([over_eyes if name.removeprefix("hair/") in _OVER_EYES else 1.0 for name in names])
        name = str(rng.choice(names, p=share / share.sum()))
        return HairPhoto(name, self.hair[name], bool(rng.random() < 0.5), float(rng.uniform(*_VOLUME)))

    def _brows(self, rng: np.random.Generator) -> BrowPhoto | None:
        if not self.brows:
            return None
        share = np.array([_RARE if name in _THIN_BROWS else 1.0 for name in self.brows])
        name = str(rng.choice(list(self.brows), p=share / share.sum()))
        return BrowPhoto(name, self.brows[name])

    def _lashes(self, appearance: Appearance, rng: np.random.Generator) -> LashPhoto | None:
        """Sparse lashes, or with make-up any."""
        if not self.lashes:
            return None
        made_up = appearance.lipstick is not None or appearance.eye_shadow is not None
        name = str(rng.choice(list(self.lashes))) if made_up else next(iter(self.lashes))
        return LashPhoto(name, self.lashes[name], float(rng.uniform(*((0.6, 1.0) if made_up else (0.3, 0.7)))))

    def _eyes(self, appearance: Appearance, rng: np.random.Generator) -> Path | None:
        brown = appearance.iris[2] > _BROWN * appearance.iris[0]
        fitting = [path for path in self.eyes if ("brown" in path.stem) == brown] or list(self.eyes)
        return fitting[int(rng.integers(len(fitting)))] if fitting else None


def open_library(folder: Path) -> PhotoLibrary:
    """The photographs in ``hair/``, ``eyebrows/``, ``eyelashes/``, ``eyes/`` and ``mouth/`` of a folder."""
    return PhotoLibrary(
        _named(folder, "hair"),
        _named(folder, "eyebrows"),
        _named(folder, "eyelashes"),
        tuple(sorted((folder / "eyes").glob("*.webp"))),
        next(iter(sorted((folder / "mouth").glob("teeth.*"))), None),
    )


@functools.cache
def shipped_library() -> PhotoLibrary:
    """The photographs of the package."""
    return open_library(resource_path(_SHIPPED))


def _named(folder: Path, kind: str) -> dict[str, Path]:
    """Textures by the name of their mesh; textures without a mesh are left out."""
    found = {f"{kind}/{path.stem.removesuffix('_diffuse')}": path for path in sorted((folder / kind).glob("*.webp"))}
    return {name: path for name, path in found.items() if name in card_names(kind)}
