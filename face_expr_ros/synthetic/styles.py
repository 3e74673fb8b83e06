"""Styles of hair, beards, glasses, headwear and occluders."""

from __future__ import annotations

from dataclasses import dataclass

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Hairstyle:
    """Hair with volume, in addition to the hair painted on the scalp. Lengths in meters, angles in radians.

    Attributes:
        length: from the center of the skull, slightly above the eyes, down to the tips of hanging hair; 0 is hair that
            ends at the hairline.
        face_edge: azimuth of the foremost hanging hair: 1.0 covers the sides of the cheeks, 1.5 the ears, 2.0 neither.
        parting: azimuth of the parting.
        top, side: height of the hair above the skin on top and at the sides.
        waves: amplitude of waves along the strands; curls: amplitude of bumps.
        fall: how fast hanging hair approaches the neck on its way down, meters per meter; 0 hangs straight down.
        bangs: length of the bangs, from 0 at the hairline to 1 at the brows and more.
        sweep: azimuth by which bangs are combed to the side.
        tail: "" (none), "bun", "top" (top knot) or "pony" (ponytail).
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
    """A beard; values in 0..1 except the length.

    Attributes:
        density: 0 (sparse) to 1 (dense).
        length: at the chin, meters.
        mustache, chin, cheeks: density on the upper lip, on the chin, on jaw and cheeks.
        sideburns: density in front of the ears.
        gray: 0 has the color of the hair, 1 is gray.
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
        width, height: size of a lens.
        roundness: exponent of the superellipse; 2 is an ellipse, 6 nearly a rectangle.
        rim: thickness of the rims, 0 is rimless; half_rim: rims only above the lenses.
        color: color of the frame; shiny: glossy material.
        lens: color of the lenses; opacity: 0.04 (clear) to 0.97.
        glare: strength of reflections on the lenses, 0..1.
        slip: distance by which the glasses have slipped down the nose.
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
    """Headwear.

    Attributes:
        kind: "beanie", "cap", "brim", "hood", "scarf" (around face and neck), "band", "turban" or "headphones".
        color: color of the cloth; second_color: color of stripes, visor or band.
        height: offset of the edge from its usual height, meters.
        turn: azimuth of a visor, radians; 0 is forwards.
    """

    kind: str = "beanie"
    color: Color = (60, 50, 44)
    second_color: Color = (90, 90, 90)
    height: float = 0.0
    turn: float = 0.0


@dataclass(frozen=True)
class Occluder:
    """An object in front of the face.

    Attributes:
        kind: "hand", "fingers", "microphone", "mug" or "phone".
        side: 1 comes from the subject's left, -1 from the right.
        position: (3,) center of the object, or of the fingertips, on the mean head, model axes, meters.
        color: color of the object; hands have the color of the skin.
        tilt: angle to the side, radians.
    """

    kind: str = "hand"
    side: int = 1
    position: tuple[float, float, float] = (0.02, -0.11, 0.02)
    color: Color = (40, 40, 40)
    tilt: float = 0.0
