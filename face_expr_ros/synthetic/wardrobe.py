"""Builds the geometry of everything that a person wears from an appearance."""

from __future__ import annotations

import numpy as np

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.glasses import glasses_pieces
from face_expr_ros.synthetic.hair import hair_pieces
from face_expr_ros.synthetic.headwear import collar_pieces, headwear_pieces, pressed_hair_drop
from face_expr_ros.synthetic.occluders import occluder_pieces
from face_expr_ros.synthetic.shell import head_shell
from face_expr_ros.synthetic.worn import Piece, WornItems, assemble


def build_worn_items(model: MorphableModel, appearance: Appearance) -> WornItems | None:
    """The items of an appearance that have geometry of their own; None if there are none."""
    rng = np.random.default_rng([appearance.seed, 6])
    shell = head_shell(model)
    pieces: list[Piece] = []
    if appearance.hairstyle is not None:
        under = pressed_hair_drop(appearance.headwear) if appearance.headwear is not None else 0.0
        pieces += hair_pieces(shell, appearance.hairstyle, appearance.hair, rng, under)
    if appearance.headwear is not None:
        pieces += headwear_pieces(shell, appearance.headwear, rng)
    if appearance.collar > 0:
        pieces += collar_pieces(shell, appearance.clothes, appearance.collar, rng)
    if appearance.occluder is not None:
        pieces += occluder_pieces(appearance.occluder, appearance.skin, appearance.clothes, rng)
    if appearance.glasses is not None:
        pieces += glasses_pieces(appearance.glasses, rng)
    return assemble(model, pieces)
