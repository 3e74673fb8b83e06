"""Everything that one person wears, made from the looks."""

from __future__ import annotations

import numpy as np

from face_expr_ros.face_model import MorphableModel
from face_expr_ros.rendering.appearance import Appearance
from face_expr_ros.rendering.glasses import glasses_pieces
from face_expr_ros.rendering.hair import hair_pieces
from face_expr_ros.rendering.shell import shell_of
from face_expr_ros.rendering.worn import Piece, Worn, assemble


def wear(model: MorphableModel, look: Appearance) -> Worn | None:
    """What a person wears besides the painted skin; None where that is nothing."""
    rng = np.random.default_rng([look.seed, 6])
    pieces: list[Piece] = []
    if look.hairdo is not None:
        pieces += hair_pieces(shell_of(model), look.hairdo, look.hair, rng)
    if look.glasses is not None:
        pieces += glasses_pieces(model, look.glasses, rng)
    return assemble(model, pieces)
