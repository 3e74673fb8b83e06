"""Everything that one person wears, made from the looks."""

from __future__ import annotations

import numpy as np

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.glasses import glasses_pieces
from face_expr_ros.synthetic.hair import hair_pieces
from face_expr_ros.synthetic.headwear import collar_pieces, headwear_pieces, pressed_below
from face_expr_ros.synthetic.occluders import occluder_pieces
from face_expr_ros.synthetic.shell import shell_of
from face_expr_ros.synthetic.worn import Piece, Worn, assemble


def wear(model: MorphableModel, look: Appearance) -> Worn | None:
    """What a person wears besides the painted skin; None where that is nothing."""
    rng = np.random.default_rng([look.seed, 6])
    shell = shell_of(model)
    pieces: list[Piece] = []
    if look.hairdo is not None:
        under = pressed_below(look.headwear) if look.headwear is not None else 0.0
        pieces += hair_pieces(shell, look.hairdo, look.hair, rng, under)
    if look.headwear is not None:
        pieces += headwear_pieces(shell, look.headwear, rng)
    if look.collar > 0:
        pieces += collar_pieces(shell, look.clothes, look.collar, rng)
    if look.occluder is not None:
        pieces += occluder_pieces(look.occluder, look.skin, look.clothes, rng)
    if look.glasses is not None:
        pieces += glasses_pieces(look.glasses, rng)
    return assemble(model, pieces)
