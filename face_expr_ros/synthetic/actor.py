"""Motion of the synthetic face: a scripted 30-second performance, and random states for evaluation and training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.arkit import GAZE_RANGE
from face_expr_ros.core.geometry import euler_angles, rotation_from_euler, rotation_to_axis
from face_expr_ros.core.types import Camera, FloatArray, Pose

LOOP = 30.0  # seconds
_DISTANCE = 0.58  # meters
_BLINKS = (1.6, 4.7, 8.3, 9.4, 12.2, 14.9, 15.3, 18.6, 21.0, 22.9, 25.4, 28.2)

# Start of the rise, full, start of the fall, end (seconds), and blendshapes; names without a side stand for both sides.
_EXPRESSIONS: tuple[tuple[float, float, float, float, dict[str, float]], ...] = (
    (2.0, 2.5, 5.8, 6.2, {"mouthSmile": 0.15, "browInnerUp": 0.2}),
    (6.2, 6.9, 8.6, 9.2, {"mouthSmile": 0.85, "cheekSquint": 0.5, "eyeSquint": 0.25, "mouthDimple": 0.2}),
    (9.6, 9.9, 11.2, 11.7, {"browInnerUp": 0.9, "browOuterUp": 0.85, "eyeWide": 0.6, "jawOpen": 0.12}),
    (12.0, 12.4, 13.8, 14.3, {"browDown": 0.9, "noseSneer": 0.35, "mouthPress": 0.4, "eyeSquint": 0.3}),
    (14.8, 15.2, 16.2, 16.6, {"mouthPucker": 0.95, "browInnerUp": 0.25}),
    (16.9, 17.4, 19.0, 19.7, {"jawOpen": 0.42, "mouthSmile": 0.9, "cheekSquint": 0.6, "eyeSquint": 0.35}),
    (20.0, 20.3, 22.0, 22.4, {"browOuterUpLeft": 0.6, "mouthLeft": 0.3}),
    (22.5, 22.9, 25.2, 25.6, {"browInnerUp": 0.3, "mouthStretch": 0.15}),
    (25.8, 26.1, 26.5, 26.8, {"cheekPuff": 0.8, "mouthPress": 0.3}),
    (27.0, 27.5, 28.4, 29.4, {"mouthSmile": 0.45, "cheekSquint": 0.2}),
)  # fmt: skip
_SPEECH = ((2.2, 5.8), (22.6, 25.4))
# Glances away from the camera: begin, end (seconds), angle to the right of and above the camera (radians).
_GLANCES = (
    (3.6, 4.6, 0.30, 0.05),
    (11.9, 12.6, -0.25, -0.1),
    (20.1, 20.9, 0.55, 0.12),
    (21.1, 21.9, -0.5, 0.2),
    (24.0, 24.6, 0.1, -0.35),
)


@dataclass(frozen=True)
class ActorState:
    """Pose and expression at one time of the script.

    Attributes:
        pose: pose of the head in the camera frame.
        expression: (E,) in 0..1, in the order of the given names.
    """

    pose: Pose
    expression: FloatArray


def state_at(t: float, names: tuple[str, ...]) -> ActorState:
    """The state at time t, seconds. The script repeats every LOOP seconds and starts neutral and frontal at 0.58 m."""
    t = float(t) % LOOP
    yaw, pitch, roll, moved = _head_motion(t)
    values = dict.fromkeys(names, 0.0)
    for begin, full, ease, end, expression in _EXPRESSIONS:
        _add(values, expression, _plateau(t, begin, full, ease, end))
    _speak(values, t)
    _direct_gaze(values, t, yaw, pitch)
    blink = max(_plateau(t, at, at + 0.08, at + 0.12, at + 0.24) for at in _BLINKS)
    for side in ("Left", "Right"):
        _raise(values, f"eyeBlink{side}", blink)
        # A closing lid is neither wide open nor squinting.
        for other in ("eyeWide", "eyeSquint"):
            if f"{other}{side}" in values:
                values[f"{other}{side}"] *= 1 - blink
    pose = Pose(rotation_from_euler(yaw, pitch, roll), np.array([0.0, 0.0, _DISTANCE]) + moved, True)
    return ActorState(pose, np.clip(np.array([values[name] for name in names]), 0.0, 1.0))


def _head_motion(t: float) -> tuple[float, float, float, FloatArray]:
    """Yaw, pitch, roll in radians and translation in meters: waves whose periods divide the loop."""

    def wave(turns: int, phase: float = 0.0) -> float:
        return float(np.sin(2 * np.pi * turns * t / LOOP + phase) - np.sin(phase))

    # Speech and laughter move the head; glances turn it.
    yaw = 0.10 * wave(1) + 0.06 * wave(3) + 0.03 * wave(7)
    yaw += 0.42 * (_plateau(t, 20.0, 20.7, 20.9, 21.3) - _plateau(t, 20.9, 21.6, 22.0, 22.8))
    pitch = 0.035 * wave(2) + 0.02 * wave(5) + 0.16 * _plateau(t, 17.0, 17.5, 18.4, 19.6)
    pitch -= 0.14 * (_plateau(t, 12.0, 12.5, 13.6, 14.3) + _plateau(t, 24.0, 24.3, 24.5, 25.0))
    roll = (
        0.03 * wave(2) + 0.02 * wave(3) + 0.16 * (_plateau(t, 6.3, 7.2, 8.4, 9.3) - _plateau(t, 14.8, 15.4, 16.1, 16.8))
    )
    moved = np.array([0.012 * wave(1) + 0.008 * wave(4), 0.004 * wave(3), 0.02 * wave(2)])
    moved[2] -= 0.05 * _plateau(t, 9.7, 10.3, 11.0, 12.0)
    return yaw, pitch, roll, moved


def _plateau(t: float, begin: float, full: float, ease: float, end: float) -> float:
    """0, a smooth rise to 1, a constant 1, a smooth fall to 0."""
    x = float(np.interp(t, [begin, full, ease, end], [0.0, 1.0, 1.0, 0.0]))
    return x * x * (3 - 2 * x)


def _add(values: dict[str, float], expression: dict[str, float], weight: float) -> None:
    for name, amount in expression.items():
        for each in (name, f"{name}Left", f"{name}Right"):
            _raise(values, each, amount * weight)


def _raise(values: dict[str, float], name: str, amount: float) -> None:
    if name in values:
        values[name] = max(values[name], amount)


def _speak(values: dict[str, float], t: float) -> None:
    """Speech: the jaw opens about four times a second, the lips alternate between round and wide."""
    for begin, end in _SPEECH:
        weight = _plateau(t, begin, begin + 0.3, end - 0.3, end)
        syllable = 0.5 - 0.5 * np.cos(2 * np.pi * 3.7 * (t - begin))
        stress = 0.55 + 0.45 * np.sin(2 * np.pi * 0.9 * (t - begin)) * np.sin(2 * np.pi * 0.37 * (t - begin) + 1)
        vowel = np.sin(2 * np.pi * 1.3 * (t - begin) + 0.7)
        jaw = weight * syllable * stress
        spoken = {"jawOpen": 0.42 * jaw, "mouthFunnel": 0.5 * weight * max(0.0, vowel) * syllable,
                  "mouthStretch": 0.35 * weight * max(0.0, -vowel) * syllable, "mouthLowerDown": 0.4 * jaw,
                  "mouthUpperUp": 0.2 * jaw, "mouthPucker": 0.3 * weight * max(0.0, vowel - 0.6)}  # fmt: skip
        _add(values, spoken, 1.0)


def _direct_gaze(values: dict[str, float], t: float, yaw: float, pitch: float) -> None:
    """Keep the gaze on the camera while the head turns, except during glances."""
    left, above = yaw, -pitch  # yaw > 0 turns the nose to the subject's right: the eyes go left
    for begin, end, right, up in _GLANCES:
        weight = _plateau(t, begin, begin + 0.07, end - 0.07, end)
        left += weight * (-right)
        above += weight * up
    set_gaze(values, left, above)


def set_gaze(values: dict[str, float], left: float, up: float) -> None:
    """Set both eyes' blendshapes for a gaze to the subject's left and up, radians from straight ahead."""
    across, above = np.clip([left / GAZE_RANGE, up / GAZE_RANGE], -1.0, 1.0)
    _raise(values, "eyeLookOutLeft", across)
    _raise(values, "eyeLookInRight", across)
    _raise(values, "eyeLookInLeft", -across)
    _raise(values, "eyeLookOutRight", -across)
    for side in ("Left", "Right"):
        _raise(values, f"eyeLookUp{side}", above)
        _raise(values, f"eyeLookDown{side}", -above)


# Maximum distance from the sellion to the edge of the face, and towards the camera, in any pose; meters.
_HALF_FACE, _DEPTH = 0.135, 0.06
_FACE_WIDTH, _MIN_WIDTH = 0.14, 0.11  # meters; minimum fraction of the image's width

_CLOSED_JAW = 0.35  # jawOpen at which the lips can still stay closed

# Mutually exclusive movements; a random expression has at most one of each row, with the row's probability.
_CHOICES: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.60, ("eyeBlink", "eyeBlink", "eyeWide", "eyeSquint")),
    (0.45, ("browDown", "browInnerUp", "browOuterUp", "browUp")),
    (0.35, ("cheekSquint", "cheekPuff", "noseSneer")),
    (0.40, ("jawOpen",)),
    (0.20, ("jawLeft", "jawRight", "jawForward")),
    (0.55, ("mouthSmile", "mouthSmile", "mouthFrown", "mouthStretch", "mouthDimple")),
    (
        0.45,
        (
            "mouthPucker",
            "mouthPucker",
            "mouthPucker",
            "mouthFunnel",
            "mouthFunnel",
            "mouthRollLower",
            "mouthRollUpper",
            "mouthPress",
            "mouthPress",
            "mouthClose",
        ),
    ),
    (0.30, ("mouthLowerDown", "mouthUpperUp", "mouthShrugLower", "mouthShrugUpper")),
    (0.15, ("mouthLeft", "mouthRight")),
    (0.06, ("tongueOut",)),
)


def random_expression(rng: np.random.Generator, names: tuple[str, ...]) -> FloatArray:
    """A sparse, natural mixture of blendshapes (E,) in 0..1, mostly symmetric; every name occurs over many samples."""
    values = dict.fromkeys(names, 0.0)
    for probability, choice in _CHOICES:
        if rng.random() >= probability:
            continue
        amount = float(rng.beta(1.6, 1.1))
        for name in ("browInnerUp", "browOuterUp") if (picked := str(rng.choice(choice))) == "browUp" else (picked,):
            _raise(values, name, amount)
            one_sided = rng.random() < 0.25
            for side, share in zip(("Left", "Right"), rng.permutation([1.0, rng.uniform(0.0, 0.4)]), strict=True):
                _raise(values, name + side, amount * (share if one_sided else rng.uniform(0.88, 1.0)))
    # Lips stay closed only while the jaw opens a little, and the tongue needs an open mouth.
    values["mouthClose"] *= _CLOSED_JAW
    for name, factor in (("mouthClose", 1.0), ("tongueOut", 0.5)):
        _raise(values, "jawOpen", factor * values[name])
    set_gaze(values, *rng.normal(0, [0.22, 0.14]))
    return np.clip(np.array([values[name] for name in names]), 0.0, 1.0)


def random_pose(rng: np.random.Generator, camera: Camera, max_angle: float = 40.0) -> Pose:
    """A random pose with yaw and pitch within `max_angle` degrees, roll within 20 degrees, 0.35 to 1.2 m away.

    Yaw and pitch are uniform relative to the ray to the face, and within the limit in the camera frame too. The whole
    face is in the image and wide enough to be detected: MediaPipe's detector misses faces, real ones too, that are
    narrower than a tenth of the image's width.
    """
    while True:
        yaw, pitch = np.radians(rng.uniform(-max_angle, max_angle, 2))
        along_ray = rotation_from_euler(yaw, pitch, float(np.radians(rng.uniform(-20, 20))))
        position = _random_position(rng, camera)
        rotation = rotation_to_axis(position).T @ along_ray
        if np.degrees(np.abs(euler_angles(rotation)[:2])).max() <= max_angle:
            return Pose(rotation, position, True)


def _random_position(rng: np.random.Generator, camera: Camera) -> FloatArray:
    focal, size = camera.matrix[[0, 1], [0, 1]], np.array([camera.width, camera.height])
    nearest = max(0.35, _DEPTH + float((focal * 2 * _HALF_FACE / size).max()) * 1.02)
    farthest = min(1.2, float(focal[0]) * _FACE_WIDTH / (_MIN_WIDTH * camera.width))
    distance = float(np.exp(rng.uniform(np.log(nearest), np.log(max(farthest, nearest)))))
    margin = _HALF_FACE * focal / (distance - _DEPTH)
    pixel = rng.uniform(margin, np.maximum(size - 1 - margin, margin))
    position: FloatArray = np.append((pixel - camera.matrix[:2, 2]) / focal, 1.0) * distance
    return position


def random_shape(rng: np.random.Generator, count: int, spread: float = 1.0) -> NDArray[np.float64]:
    """Normally distributed identity coefficients (count,) in standard deviations, clipped at 2.5."""
    return np.clip(rng.normal(0.0, spread, count), -2.5, 2.5)
