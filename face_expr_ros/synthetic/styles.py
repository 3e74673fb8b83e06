"""What a person may have on the head: hair, a beard, glasses, something over the hair, something before the face."""

from __future__ import annotations

from dataclasses import dataclass

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Hairdo:
    """Hair as a surface of its own, over the hair painted on the scalp. Lengths in meters, angles in radians.

    Attributes:
        length: from the middle of the skull (a finger above the eyes) down to the tips of what hangs; 0 is hair that
            ends at the hairline.
        face_edge: azimuth of the foremost hanging hair: 1.0 covers the cheeks' sides, 1.5 the ears, 2.0 hangs behind.
        parting: azimuth at which the front hair parts.
        top, side: height of the hair over the skin on top and at the sides.
        waves: amplitude of waves along the strands; curls: of bumps all over.
        fall: how fast hanging hair follows the head inwards; 0 hangs straight down.
        bangs: how far hair falls into the forehead, from the hairline 0 to the brows 1 and farther.
        sweep: azimuth by which bangs are combed aside.
        tail: a bunch at the back: "", "bun", "top" or "pony".
    """

    length: float = 0.0
    face_edge: float = 1.15
    parting: float = 0.0
    top: float = 0.012
    side: float = 0.012
    waves: float = 0.0
    curls: float = 0.0
    fall: float = 0.25
    bangs: float = 0.0
    sweep: float = 0.0
    tail: str = ""


@dataclass(frozen=True)
class Beard:
    """A beard. Everything 0..1 but the length.

    Attributes:
        density: from a shadow to closed.
        length: meters at the chin.
        mustache, chin, cheeks: how much grows on the upper lip, on the chin, on jaw and cheeks.
        sideburns: how much grows before the ears.
        gray: how gray it is against the hair.
    """

    density: float = 0.9
    length: float = 0.008
    mustache: float = 1.0
    chin: float = 1.0
    cheeks: float = 1.0
    sideburns: float = 1.0
    gray: float = 0.0


@dataclass(frozen=True)
class Glasses:
    """Glasses; lengths in meters.

    Attributes:
        width, height: of a lens.
        roundness: 2 is an ellipse, 6 nearly a rectangle.
        rim: thickness of the rims; 0 has none. half_rim: only above the lenses.
        color: of the frame; shiny: metal or lacquer.
        lens: color of the lenses; opacity: 0.04 (clear) to 0.97.
        glare: brightness of what the lenses mirror, 0..1.
        slip: how far they have slid down the nose.
    """

    width: float = 0.050
    height: float = 0.038
    roundness: float = 3.5
    rim: float = 0.0022
    half_rim: bool = False
    color: Color = (20, 20, 24)
    shiny: bool = True
    lens: Color = (200, 200, 200)
    opacity: float = 0.06
    glare: float = 0.3
    slip: float = 0.0


@dataclass(frozen=True)
class Headwear:
    """Something over the hair.

    Attributes:
        kind: "beanie", "cap", "brim", "hood", "scarf" (around face and neck), "band", "turban" or "headphones".
        color: of the cloth; second: of stripes, visor or band.
        height: of its edge over the usual one, meters.
        turn: azimuth of a visor; 0 is forwards.
    """

    kind: str = "beanie"
    color: Color = (60, 50, 44)
    second: Color = (90, 90, 90)
    height: float = 0.0
    turn: float = 0.0


@dataclass(frozen=True)
class Occluder:
    """Something before the face that does not belong to it.

    Attributes:
        kind: "hand", "fingers", "microphone", "mug" or "phone".
        side: 1 comes from the subject's left, -1 from the right.
        place: (3,) of its middle, or of the fingertips, on the mean head, model axes, meters.
        color: of a thing; a hand has the color of the skin.
        tilt: radians it leans to the side.
    """

    kind: str = "hand"
    side: int = 1
    place: tuple[float, float, float] = (0.02, -0.11, 0.02)
    color: Color = (40, 40, 40)
    tilt: float = 0.0
