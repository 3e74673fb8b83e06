"""Makes the built-in avatars of the page: web/public/avatars/*.glb.

    ./run exec python scripts/make_avatars.py

All three have the 52 ARKit blendshapes as morph targets. The alien is the open model with another head shape and other
colors; the robot and the cat are made of simple solids. They are licensed as CC0-1.0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from avatar_glb import glb_bytes
from avatar_solids import Part, Points, rotation, scale, shift, solid, turned

from face_expr_ros.models.bundle import open_face_model

FOLDER = Path(__file__).resolve().parents[1] / "web/public/avatars"
CUT = -0.165  # meters: lower end of the alien


def eye(side: float, white: Any, pupil: Any, place: tuple[float, float, float], size: float, slit: float) -> list[Part]:
    """A flat eye with a pupil; the side is +1 for the subject's left."""
    center = (side * place[0], place[1], place[2])
    front = (center[0], center[1], center[2] + 0.35 * size)
    name = "Left" if side > 0 else "Right"
    ball = solid(center, (size, 1.15 * size, 0.4 * size), white, glow=True)
    dot = solid(front, (slit * size, 0.55 * size, 0.1 * size), pupil, glow=True, count=14)
    for part in (ball, dot):
        part.on(scale(1.05, 0.07, center), f"eyeBlink{name}").on(scale(1.0, 0.6, center), f"eyeSquint{name}")
        part.on(scale(1.1, 1.25, center), f"eyeWide{name}")
    outward = side * 0.4 * size
    dot.on(shift(outward, 0), f"eyeLookOut{name}").on(shift(-outward, 0), f"eyeLookIn{name}")
    dot.on(shift(0, 0.4 * size), f"eyeLookUp{name}").on(shift(0, -0.4 * size), f"eyeLookDown{name}")
    return [ball, dot]


def brow(side: float, color: Any, place: tuple[float, float, float]) -> Part:
    """A bar above the eye."""
    center = (side * place[0], place[1], place[2])
    inner = (center[0] - side * 0.02, center[1], center[2])
    outer = (center[0] + side * 0.02, center[1], center[2])
    name = "Left" if side > 0 else "Right"
    bar = solid(center, (0.022, 0.0045, 0.006), color, power=0.5, count=12)
    bar.on(rotation(-side * 22, 2, outer), "browInnerUp").on(shift(0, 0.005), "browInnerUp")
    bar.on(rotation(side * 18, 2, inner), f"browOuterUp{name}").on(shift(0, 0.008), f"browOuterUp{name}")
    bar.on(rotation(side * 18, 2, outer), f"browDown{name}").on(shift(0, -0.008), f"browDown{name}")
    return bar


def mouth(part: Part, center: tuple[float, float, float], width: float) -> Part:
    """Add the mouth shapes to a flat part: its upper and lower half are the lips, its ends the corners."""
    x, y = center[:2]
    lower = lambda p: (p[:, 1] < y).astype(float)[:, None]  # noqa: E731
    upper = lambda p: 1 - lower(p)  # noqa: E731
    middle = lambda p: np.sqrt(np.clip(1 - ((p[:, 0] - x) / width) ** 2, 0, 1))[:, None]  # noqa: E731
    corner = lambda s: lambda p: (np.clip(s * (p[:, 0] - x) / width, 0, 1) ** 1.5)[:, None]  # noqa: E731
    along = lambda weight, way: lambda p: weight(p) * np.array(way)  # noqa: E731
    part.on(along(lambda p: lower(p) * middle(p), (0, -0.036, 0)), "jawOpen").on(scale(0.85, 1, center), "jawOpen")
    part.on(scale(0.45, 1.7, center), "mouthPucker").on(scale(0.6, 3.2, center), "mouthFunnel")
    part.on(scale(1.0, 0.35, center), "mouthRollLower", "mouthRollUpper", "mouthClose")
    part.on(shift(0.012, 0), "mouthLeft", "jawLeft").on(shift(-0.012, 0), "mouthRight", "jawRight")
    part.on(along(lower, (0, 0.004, 0)), "mouthShrugLower").on(along(upper, (0, 0.004, 0)), "mouthShrugUpper")
    part.on(shift(0, 0, 0.006), "jawForward").on(scale(0.92, 1.15, center), "cheekPuff")
    for s, name in ((1.0, "Left"), (-1.0, "Right")):
        at = corner(s)
        part.on(along(at, (s * 0.006, 0.02, 0)), f"mouthSmile{name}").on(along(at, (0, -0.018, 0)), f"mouthFrown{name}")
        part.on(along(at, (s * 0.008, 0.004, 0)), f"mouthDimple{name}").on(
            along(at, (s * 0.012, -0.004, 0)), f"mouthStretch{name}"
        )
        part.on(along(lambda p, a=at: upper(p) * (0.4 * middle(p) + 0.4 * a(p)), (0, 0.012, 0)), f"mouthUpperUp{name}")
        part.on(
            along(lambda p, a=at: lower(p) * (0.4 * middle(p) + 0.4 * a(p)), (0, -0.012, 0)), f"mouthLowerDown{name}"
        )
        part.on(along(lambda p, a=at: a(p) * (lower(p) - upper(p)), (0, 0.002, 0)), f"mouthPress{name}")
    return part


def tongue(center: tuple[float, float, float]) -> Part:
    """A tongue that is hidden behind the mouth until it comes out."""
    part = solid((center[0], center[1], center[2] - 0.012), (0.011, 0.007, 0.006), (0.75, 0.12, 0.16), count=12)
    return (
        part.on(shift(0, -0.012, 0.017), "tongueOut")
        .on(scale(1, 1.6, center), "tongueOut")
        .on(shift(0, -0.014), "jawOpen")
    )


def cheeks(color: Any, place: tuple[float, float, float], radius: float) -> list[Part]:
    """Round cheeks that swell and rise."""
    found = []
    for s, name in ((1.0, "Left"), (-1.0, "Right")):
        center = (s * place[0], place[1], place[2])
        part = solid(center, (radius, radius * 0.75, radius * 0.35), color, count=14)
        part.on(scale(1.25, 1.25, center), "cheekPuff").on(shift(0, 0, 0.01), "cheekPuff")
        part.on(shift(0, 0.007), f"cheekSquint{name}", f"mouthSmile{name}")
        found.append(part)
    return found


def robot() -> list[Part]:
    """A head of painted steel with a dark face plate, glowing eyes and mouth, and an antenna."""
    steel, dark, cyan, orange = (0.55, 0.62, 0.68), (0.035, 0.045, 0.06), (0.25, 0.95, 1.0), (1.0, 0.42, 0.2)
    lips = (0.0, -0.078, 0.0285)
    jaw = solid((0, -0.112, -0.06), (0.062, 0.022, 0.072), (0.42, 0.48, 0.53), power=0.4)
    jaw.on(shift(0, -0.02), "jawOpen").on(shift(0.01, 0), "jawLeft").on(shift(-0.01, 0), "jawRight").on(
        shift(0, 0, 0.012), "jawForward"
    )
    nose = solid((0, -0.04, 0.032), (0.007, 0.007, 0.006), orange, count=12)
    nose.on(shift(0.0015, 0.004), "noseSneerLeft").on(shift(-0.0015, 0.004), "noseSneerRight")
    parts = [
        solid((0, -0.018, -0.075), (0.086, 0.102, 0.095), steel, power=0.42, count=30),
        solid((0, -0.03, 0.0), (0.07, 0.074, 0.026), dark, power=0.4, count=24),
        jaw, nose, tongue(lips),
        mouth(solid(lips, (0.034, 0.006, 0.004), cyan, power=0.7, glow=True), lips, 0.034),
        solid((0, 0.1, -0.07), (0.004, 0.022, 0.004), dark, count=10),
        solid((0, 0.127, -0.07), (0.011, 0.011, 0.011), orange, glow=True, count=14),
        solid((0, -0.165, -0.085), (0.04, 0.035, 0.04), dark, power=0.6),
        *cheeks((0.1, 0.13, 0.17), (0.05, -0.055, 0.02), 0.012),
    ]  # fmt: skip
    for s in (1.0, -1.0):
        parts += [solid((s * 0.092, -0.02, -0.075), (0.012, 0.028, 0.028), orange, power=0.6, count=16)]
        parts += [*eye(s, cyan, dark, (0.032, -0.006, 0.026), 0.018, 0.42), brow(s, cyan, (0.032, 0.03, 0.03))]
    return parts


def cat() -> list[Part]:
    """A round ginger head with ears, whiskers and slit pupils."""
    ginger, cream, pink, black = (0.78, 0.36, 0.1), (0.93, 0.82, 0.66), (0.85, 0.35, 0.38), (0.03, 0.02, 0.02)
    lips = (0.0, -0.082, 0.038)
    chin = solid((0, -0.106, 0.004), (0.036, 0.024, 0.028), cream)
    chin.on(shift(0, -0.022), "jawOpen").on(shift(0.008, 0), "jawLeft").on(shift(-0.008, 0), "jawRight").on(
        shift(0, 0, 0.01), "jawForward"
    )
    nose = solid((0, -0.05, 0.047), (0.011, 0.008, 0.007), pink, count=12)
    nose.on(shift(0.001, 0.004), "noseSneerLeft").on(shift(-0.001, 0.004), "noseSneerRight")
    parts = [solid((0, -0.028, -0.07), (0.112, 0.096, 0.095), ginger, count=32), chin, nose, tongue(lips)]
    parts += [mouth(solid(lips, (0.026, 0.004, 0.004), (0.16, 0.03, 0.03), power=0.8, glow=True), lips, 0.026)]
    parts += cheeks(cream, (0.02, -0.068, 0.024), 0.025)
    for s in (1.0, -1.0):
        for color, size, depth in ((ginger, 1.0, -0.065), (pink, 0.62, -0.05)):
            ear = solid((s * 0.07, 0.075, depth), (0.034 * size, 0.05 * size, 0.014), color, power=1.35, count=18)
            parts.append(turned(ear, -s * 22, 2, (s * 0.07, 0.05, depth)))
        for tilt in (-9, 4, 17):
            hair = solid((s * 0.085, -0.066, 0.03), (0.05, 0.0008, 0.0008), (0.95, 0.95, 0.92), count=6)
            hair = turned(hair, s * tilt, 2, (s * 0.035, -0.066, 0.03))
            parts.append(hair.on(shift(0, 0.006), f"mouthSmile{'Left' if s > 0 else 'Right'}"))
        parts += eye(s, (0.62, 0.85, 0.25), black, (0.042, -0.008, 0.012), 0.022, 0.24)
        parts += [brow(s, (0.4, 0.16, 0.04), (0.044, 0.034, 0.012))]
        stripe = solid((s * 0.022, 0.052, -0.005), (0.005, 0.018, 0.008), (0.42, 0.17, 0.04), count=10)
        parts.append(turned(stripe, -s * 10, 2, (s * 0.022, 0.05, 0)))
    return parts


def alien() -> list[Part]:
    """The open model with a tall cranium, a narrow jaw, large black eyes and green skin."""
    model = open_face_model("open")
    green, dark = np.array([0.17, 0.42, 0.24]), np.array([0.02, 0.05, 0.04])
    colors = {"left_eyeball": (0.004, 0.006, 0.008), "right_eyeball": (0.004, 0.006, 0.008), "eyelashes": tuple(dark),
              "upper_teeth": (0.75, 0.8, 0.6), "lower_teeth": (0.7, 0.75, 0.55), "tongue": (0.25, 0.1, 0.35),
              "inner_mouth": (0.08, 0.03, 0.09)}  # fmt: skip
    kept = model.mean[:, 1] > CUT  # without the shoulders
    triangles = model.triangles[kept[model.triangles].any(axis=1)]
    parts = []
    for number, name in enumerate(model.part_names):
        own = triangles[(model.vertex_part[triangles] == number).all(axis=1)]
        used, corners = np.unique(own, return_inverse=True)
        mean = model.mean[used].astype(float)
        low = mean[:, 1] < CUT  # vertices below the cut are moved towards the neck, so that its edge is even
        mean[low] = mean[low] * [0.8, 0, 0.9] + [0, CUT, -0.008]
        shade = np.clip(1.15 - 2.2 * np.abs(mean[:, 2:3] + 0.03), 0.55, 1.15)
        color = colors.get(name, green * shade + dark * (1 - shade))
        part = Part(alien_shape(mean), corners.reshape(-1, 3), color)
        for index, blendshape in enumerate(model.expression_names):
            part.moves[blendshape] = alien_shape(mean + model.expression[index][used]) - part.points
        parts.append(part)
    return parts


def alien_shape(points: Points) -> Points:
    """Moves points of a human head to where they are on the alien."""
    x, y, z = points.T
    above = np.clip((y + 0.01) / 0.12, 0, 1.5)
    below = np.clip((-0.03 - y) / 0.1, 0, 1)
    width = 1 + 0.35 * above**1.2 - 0.34 * below * (z > -0.1)
    moved = np.stack([x * width, y + 0.045 * above**1.5 - 0.012 * below, z - 0.02 * above], 1)
    nose = np.exp(-((x / 0.016) ** 2) - ((y + 0.035) / 0.02) ** 2) * np.clip(z / 0.02 + 0.3, 0, 1)
    moved[:, 2] -= 0.014 * nose
    for side in (1.0, -1.0):  # larger, slanted eyes
        center = np.array([side * 0.033, -0.005, -0.005])
        near = np.exp(-(((points - center) / [0.034, 0.028, 0.05]) ** 2).sum(1))[:, None]
        offset = points - center
        grown = offset * [0.42, 0.55, 0.12] + np.stack([0 * x, side * 0.55 * offset[:, 0], 0 * x], 1)
        moved += near * (grown + np.array([side * 0.006, 0.002, 0.004]))
    return moved


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for make in (robot, cat, alien):
        data = glb_bytes(make.__name__, make())
        (FOLDER / f"{make.__name__}.glb").write_bytes(data)
        print(f"{make.__name__}.glb: {len(data) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
