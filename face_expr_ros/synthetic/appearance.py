"""Appearance of a synthetic person beyond the shape of the head: colors, skin details and everything worn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face_expr_ros.synthetic.styles import Beard, Color, Glasses, Hairstyle, Headwear, Occluder

_SKINS: tuple[Color, ...] = (
    (180, 199, 236), (166, 187, 228), (150, 176, 220), (128, 158, 207), (108, 140, 192), (86, 118, 170),
    (68, 96, 146), (52, 74, 116), (42, 58, 92),
)  # fmt: skip
_HAIRS: tuple[Color, ...] = (
    (22, 24, 28), (26, 32, 42), (28, 42, 62), (38, 60, 92), (52, 84, 124), (92, 138, 176),
    (40, 66, 128), (128, 132, 136),
)  # fmt: skip
_IRISES: tuple[Color, ...] = (
    (28, 46, 78), (34, 62, 104), (44, 84, 118), (70, 104, 112), (98, 116, 92), (148, 126, 92), (160, 146, 128),
)  # fmt: skip
_CLOTHES: tuple[Color, ...] = (
    (96, 72, 52), (74, 66, 60), (82, 92, 60), (58, 60, 112), (128, 118, 108), (60, 56, 54), (120, 92, 66),
)  # fmt: skip


@dataclass(frozen=True)
class Appearance:
    """Appearance parameters; colors are sRGB blue, green, red in 0..255.

    Attributes:
        seed: random seed of hair strands and texture noise.
        skin: color of the cheek in white light.
        hair: color of the scalp hair; brows and lashes are a little darker.
        iris: color of the middle of the iris.
        clothes: color of the pullover.
        redness: redness of cheeks, nose and ears, 0..1.
        lip_color: color difference between lips and skin, 0..1.
        brow_density: 0.5 (sparse) to 1.5.
        brow_width: factor on the brow's height.
        lashes: factor on the length of the lashes.
        stubble: 0 (none) to 1.
        hair_volume: thickness of the hair on the scalp, meters.
        hairline: offset of the hairline, meters, positive is up.
        freckles: 0..1.
        brows: color of the brows before darkening; None uses the hair color.
        baldness: hair loss at the crown and the forehead, 0..1; more than 1.15 is no hair.
        hairstyle, beard, glasses, headwear, occluder: items with geometry of their own; None is absent.
        wrinkles, blemishes, eye_bags: strength, 0..1.
        gloss: factor on the skin's reflections.
        lipstick, eye_shadow: colors, or None.
        collar: height of a high collar or a scarf above the pullover's collar, meters.
    """

    seed: int = 0
    skin: Color = (150, 176, 220)
    hair: Color = (28, 42, 62)
    iris: Color = (70, 104, 112)
    clothes: Color = (96, 72, 52)
    redness: float = 0.5
    lip_color: float = 0.55
    brow_density: float = 1.0
    brow_width: float = 1.0
    lashes: float = 1.0
    stubble: float = 0.0
    hair_volume: float = 0.011
    hairline: float = 0.0
    freckles: float = 0.0
    brows: Color | None = None
    baldness: float = 0.0
    hairstyle: Hairstyle | None = None
    beard: Beard | None = None
    glasses: Glasses | None = None
    headwear: Headwear | None = None
    occluder: Occluder | None = None
    wrinkles: float = 0.0
    blemishes: float = 0.0
    eye_bags: float = 0.0
    gloss: float = 1.0
    lipstick: Color | None = None
    eye_shadow: Color | None = None
    collar: float = 0.0

    @staticmethod
    def random(seed: int) -> Appearance:
        """A random appearance; skin, hair and iris colors are correlated as in people, independent of the shape."""
        rng = np.random.default_rng([seed, 77])
        tone = float(np.clip(rng.beta(1.3, 1.9) * (len(_SKINS) - 1), 0, len(_SKINS) - 1))
        darkness = tone / (len(_SKINS) - 1)
        hair = rng.integers(0, len(_HAIRS)) if darkness < 0.45 else rng.choice([0, 0, 1, 2])
        iris = rng.integers(0, len(_IRISES)) if darkness < 0.45 and hair > 1 else rng.integers(0, 3)
        return Appearance(
            seed=seed,
            skin=_varied(rng, _interpolate(_SKINS, tone), 0.03),
            hair=_varied(rng, _HAIRS[hair], 0.10),
            iris=_varied(rng, _IRISES[iris], 0.10),
            clothes=_varied(rng, _CLOTHES[rng.integers(0, len(_CLOTHES))], 0.2),
            redness=float(rng.uniform(0.2, 0.8)),
            lip_color=float(rng.uniform(0.35, 0.9)),
            brow_density=float(rng.uniform(0.7, 1.35)),
            brow_width=float(rng.uniform(0.75, 1.25)),
            lashes=float(rng.uniform(0.6, 1.3)),
            stubble=float(max(0.0, rng.uniform(-0.8, 0.8))),
            hair_volume=float(rng.uniform(0.007, 0.018)),
            hairline=float(rng.normal(0.0, 0.004)),
            freckles=float(max(0.0, rng.uniform(-1.2, 0.8))) * (1 - darkness),
        )


def _interpolate(colors: tuple[Color, ...], position: float) -> Color:
    index = np.arange(len(colors))
    blue, green, red = (float(np.interp(position, index, [color[k] for color in colors])) for k in range(3))
    return blue, green, red


def _varied(rng: np.random.Generator, color: Color, amount: float) -> Color:
    blue, green, red = np.clip(np.array(color) * (1 + rng.normal(0, amount) + rng.normal(0, amount / 3, 3)), 4, 250)
    return float(blue), float(green), float(red)
