"""A folder of photographic materials: skins, hair, brows, lashes, eyes, teeth, and environment maps in ``hdri/``."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.drawing.lighting import Light
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.camera_effects import defocused
from face_expr_ros.synthetic.environment import Environment, background_from, light_from, read_environment
from face_expr_ros.synthetic.head import head_geometry
from face_expr_ros.synthetic.photo_library import PhotoLibrary, open_library
from face_expr_ros.synthetic.photo_skin import random_skin, skin_files, skin_tones
from face_expr_ros.synthetic.scene import FaceRenderer
from face_expr_ros.synthetic.styles import Color

_LONGEST_BEARD = 0.004  # meters
_BLEMISHES = 0.5  # fraction of the painted blemishes; the photographs have their own
_BEARD_DENSITY = 0.8
_EXPOSURE = (0.45, 1.15)  # range of the exposure of a white surface that faces the camera


@dataclass(frozen=True)
class Materials:
    """Skins and environment maps for photorealistic renders.

    Attributes:
        skins: image files.
        environments: environment maps.
        library: photographs of hair, brows, lashes, eyes and teeth.
    """

    skins: tuple[Path, ...]
    environments: tuple[Environment, ...]
    library: PhotoLibrary

    def person(
        self, model: MorphableModel, appearance: Appearance, rng: np.random.Generator, texture_width: int
    ) -> FaceRenderer:
        """A renderer of a person from photographs close to the appearance."""
        skins = list(self.skins)
        tones = skin_tones(skins, head_geometry(model, texture_width))
        skin = random_skin(skins, tones, appearance.skin, rng)
        photo = self.library.parts(skin, appearance, rng)
        return FaceRenderer(model, muted(appearance, rng), texture_width=texture_width, photo=photo)

    def scene(self, rng: np.random.Generator, side: int) -> tuple[Light, NDArray[np.uint8]]:
        """Light, and a defocused background (side, side, 3) from the same environment."""
        surroundings = self.surroundings(rng)
        exposure = random_exposure(rng)
        seen = background_from(surroundings, side, float(rng.uniform(20, 50)), float(np.exp(rng.normal(0, 0.4))))
        return light_from(surroundings, exposure), defocused(seen, side * float(rng.uniform(0.004, 0.03)))

    def surroundings(self, rng: np.random.Generator) -> Environment:
        """A random environment, rotated by a random angle."""
        return self.environments[int(rng.integers(len(self.environments)))].turned(float(rng.random()))

    def light(self, rng: np.random.Generator) -> Light:
        """The light of a random environment with a random exposure."""
        return light_from(self.surroundings(rng), random_exposure(rng))


def muted(appearance: Appearance, rng: np.random.Generator) -> Appearance:
    """The appearance with the colors of most clothes, darker and grayer, and a beard as short as paint can show."""
    clothes, beard, headwear = _muted(appearance.clothes, rng), appearance.beard, appearance.headwear
    if beard is not None:
        beard = replace(beard, length=min(beard.length, _LONGEST_BEARD), density=_BEARD_DENSITY * beard.density)
    if headwear is not None:
        colors = [_muted(color, rng) for color in (headwear.color, headwear.second_color)]
        headwear = replace(headwear, color=colors[0], second_color=colors[1])
    spots = _BLEMISHES * appearance.blemishes
    return replace(appearance, clothes=clothes, beard=beard, headwear=headwear, blemishes=spots)


def _muted(color: Color, rng: np.random.Generator) -> Color:
    gray, level = sum(color) / 3, float(rng.uniform(0.2, 1.0))
    share = float(rng.uniform(0.1, 0.6))
    blue, green, red = (level * (gray + share * (channel - gray)) for channel in color)
    return blue, green, red


def random_exposure(rng: np.random.Generator) -> float:
    """Random exposure of a white surface that faces the camera."""
    return float(np.exp(rng.uniform(*np.log(_EXPOSURE))))


@functools.lru_cache(maxsize=1)
def open_materials(folder: Path) -> Materials:
    """The materials in a folder.

    Raises:
        ValueError: the folder has no skins or no environment maps, or one of them cannot be read.
    """
    maps = sorted([*(folder / "hdri").glob("*.exr"), *(folder / "hdri").glob("*.hdr")])
    if not maps:
        raise ValueError(f"expected environment maps (.exr, .hdr) in {str(folder / 'hdri')!r}, got none")
    environments = tuple(read_environment(path) for path in maps)
    return Materials(tuple(skin_files(folder / "skins")), environments, open_library(folder))
