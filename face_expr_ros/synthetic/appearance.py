"""What a person looks like beyond the shape of the head: colors of skin, hair, eyes and clothes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face_expr_ros.synthetic.styles import Beard, Color, Glasses, Hairdo, Headwear, Occluder

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
    """Colors are sRGB blue, green, red in 0..255.

    Attributes:
        seed: of the strokes and the grain.
        skin: of the cheek in white light.
        hair: of the scalp hair; the brows and lashes are a little darker.
        iris: of the middle of the iris.
        clothes: of the pullover.
        redness: of cheeks, nose and ears, 0..1.
        lip_color: how far the lips differ from the skin, 0..1.
        brow_density: 0.5 (sparse) to 1.5.
        brow_width: factor on the brow's height.
        lashes: length factor.
        stubble: 0 (none) to 1.
        hair_volume: meters of hair above the scalp.
        hairline: meters up (positive) or down.
        freckles: 0..1.
        brows: of the brows before they are darkened; None is the hair's color.
        bald: how far hair has left the crown and the forehead, 0..1.
        hairdo, beard, glasses, headwear, occluder: what stands off the head; None is nothing.
        wrinkles: lines of age, 0..1; blemishes: spots, 0..1; eye_bags: dark skin below the eyes, 0..1.
        gloss: factor on the skin's reflections.
        lipstick, eye_shadow: their color, or None.
        collar: meters by which a scarf or a high collar rises over the pullover's.
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
    bald: float = 0.0
    hairdo: Hairdo | None = None
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
        """A person's looks from a seed: tones vary together, as they do in people, and independently of the shape."""
        rng = np.random.default_rng([seed, 77])
        tone = float(np.clip(rng.beta(1.3, 1.9) * (len(_SKINS) - 1), 0, len(_SKINS) - 1))
        darkness = tone / (len(_SKINS) - 1)
        hair = rng.integers(0, len(_HAIRS)) if darkness < 0.45 else rng.choice([0, 0, 1, 2])
        iris = rng.integers(0, len(_IRISES)) if darkness < 0.45 and hair > 1 else rng.integers(0, 3)
        return Appearance(
            seed=seed,
            skin=_varied(rng, _between(_SKINS, tone), 0.03),
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


def _between(colors: tuple[Color, ...], place: float) -> Color:
    index = np.arange(len(colors))
    blue, green, red = (float(np.interp(place, index, [color[k] for color in colors])) for k in range(3))
    return blue, green, red


def _varied(rng: np.random.Generator, color: Color, amount: float) -> Color:
    blue, green, red = np.clip(np.array(color) * (1 + rng.normal(0, amount) + rng.normal(0, amount / 3, 3)), 4, 250)
    return float(blue), float(green), float(red)
