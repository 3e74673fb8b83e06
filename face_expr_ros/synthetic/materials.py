"""A folder of photographic materials: skins, hair, brows, lashes, eyes, teeth, and environment maps in ``hdri/``."""

from __future__ import annotations

import functools
from dataclasses import dataclass
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
        return FaceRenderer(model, appearance, texture_width=texture_width, photo=photo)

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
