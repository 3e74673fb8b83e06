"""Decoders of the avatar protocols, written from the format descriptions, independent of the encoders."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

_EYE = ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
LIVE_LINK_NAMES = (
    *(f"Eye{name}Left" for name in _EYE),
    *(f"Eye{name}Right" for name in _EYE),
    *("JawForward", "JawLeft", "JawRight", "JawOpen", "MouthClose", "MouthFunnel", "MouthPucker"),
    *("MouthLeft", "MouthRight", "MouthSmileLeft", "MouthSmileRight", "MouthFrownLeft", "MouthFrownRight"),
    *("MouthDimpleLeft", "MouthDimpleRight", "MouthStretchLeft", "MouthStretchRight", "MouthRollLower"),
    *("MouthRollUpper", "MouthShrugLower", "MouthShrugUpper", "MouthPressLeft", "MouthPressRight"),
    *("MouthLowerDownLeft", "MouthLowerDownRight", "MouthUpperUpLeft", "MouthUpperUpRight"),
    *("BrowDownLeft", "BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight"),
    *("CheekPuff", "CheekSquintLeft", "CheekSquintRight", "NoseSneerLeft", "NoseSneerRight", "TongueOut"),
    *("HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll"),
    *("RightEyeYaw", "RightEyePitch", "RightEyeRoll"),
)


@dataclass
class VmcAvatar:
    """State of a VMC marionette; blendshapes take effect with Apply."""

    ok: tuple[int, ...] = ()
    seconds: float = -1.0
    root: tuple[float, ...] = ()
    bones: dict[str, tuple[float, ...]] = field(default_factory=dict)
    blendshapes: dict[str, float] = field(default_factory=dict)
    waiting: dict[str, float] = field(default_factory=dict)
    applied: int = 0

    def receive(self, datagram: bytes) -> None:
        for address, arguments in osc_messages(datagram):
            if address == "/VMC/Ext/OK":
                self.ok = tuple(arguments)
            elif address == "/VMC/Ext/T":
                (self.seconds,) = arguments
            elif address == "/VMC/Ext/Root/Pos":
                assert arguments[0] == "root"
                self.root = tuple(arguments[1:])
            elif address == "/VMC/Ext/Bone/Pos":
                self.bones[arguments[0]] = tuple(arguments[1:])
            elif address == "/VMC/Ext/Blend/Val":
                self.waiting[arguments[0]] = arguments[1]
            else:
                assert (address, arguments) == ("/VMC/Ext/Blend/Apply", [])
                self.blendshapes, self.waiting = self.waiting, {}
                self.applied += 1


def osc_messages(datagram: bytes) -> list[tuple[str, list[Any]]]:
    """The messages of an OSC 1.0 bundle or message: addresses and arguments of the types i, f and s."""
    if not datagram.startswith(b"#bundle\0"):
        return [_osc_message(datagram)]
    messages, place = [], 16
    while place < len(datagram):
        (size,) = struct.unpack_from(">i", datagram, place)
        assert size % 4 == 0
        messages += osc_messages(datagram[place + 4 : place + 4 + size])
        place += 4 + size
    assert place == len(datagram)
    return messages


def _osc_message(data: bytes) -> tuple[str, list[Any]]:
    address, place = _osc_string(data, 0)
    types, place = _osc_string(data, place)
    assert types[0] == ","
    arguments: list[Any] = []
    for kind in types[1:]:
        if kind == "s":
            text, place = _osc_string(data, place)
            arguments.append(text)
        else:
            arguments.append(struct.unpack_from({"i": ">i", "f": ">f"}[kind], data, place)[0])
            place += 4
    assert place == len(data)
    return address, arguments


def _osc_string(data: bytes, place: int) -> tuple[str, int]:
    end = data.index(b"\0", place)
    assert place % 4 == 0
    return data[place:end].decode(), end + 4 - end % 4  # at least one zero, padded to a multiple of four


def live_link(packet: bytes) -> tuple[dict[str, Any], dict[str, float]]:
    """Header and values of a Live Link Face packet."""
    assert struct.unpack_from("<I", packet) == (6,)
    (length,) = struct.unpack_from("!i", packet, 41)
    place = 45 + length
    frame, subframe, rate, denominator, count = struct.unpack_from("!IfIIB", packet, place)
    assert count == len(LIVE_LINK_NAMES) == 61
    values = struct.unpack("!61f", packet[place + 17 :])
    header = {
        "device": packet[4:41].decode(),
        "subject": packet[45:place].decode(),
        "frame": frame,
        "subframe": subframe,
        "rate": (rate, denominator),
    }
    return header, dict(zip(LIVE_LINK_NAMES, values, strict=True))


def ifacialmocap(packet: bytes, separator: str = "-") -> tuple[dict[str, int], dict[str, list[float]]]:
    """Blendshapes in percent, and the numbers of head, rightEye and leftEye."""
    text = packet.decode("ascii")
    assert text.endswith("|")
    shapes, parts = text.split("=")
    percents = dict(part.split(separator) for part in shapes.rstrip("|").split("|"))
    angles = dict(part.split("#") for part in parts.rstrip("|").split("|"))
    return (
        {name: int(value) for name, value in percents.items()},
        {name: [float(number) for number in numbers.split(",")] for name, numbers in angles.items()},
    )


@dataclass
class OpenSeeData:
    """The fields of an OpenSeeFace packet, in order."""

    time: float
    id: int
    width: float
    height: float
    right_eye: float
    left_eye: float
    success: int
    error: float
    quaternion: tuple[float, ...]
    euler: tuple[float, ...]
    translation: tuple[float, ...]
    confidence: tuple[float, ...]
    pixels: list[tuple[float, float]]
    points: list[tuple[float, float, float]]
    features: tuple[float, ...]


def openseeface(packet: bytes) -> OpenSeeData:
    assert len(packet) == 1785
    time, face, width, height, right, left, success, error = struct.unpack_from("<diffffBf", packet)
    numbers = struct.unpack_from("<424f", packet, 33)
    pixels, points = numbers[78:214], numbers[214:424]
    return OpenSeeData(
        time=time,
        id=face,
        width=width,
        height=height,
        right_eye=right,
        left_eye=left,
        success=success,
        error=error,
        quaternion=numbers[:4],
        euler=numbers[4:7],
        translation=numbers[7:10],
        confidence=numbers[10:78],
        pixels=list(zip(pixels[::2], pixels[1::2], strict=True)),
        points=list(zip(points[::3], points[1::3], points[2::3], strict=True)),
        features=struct.unpack_from("<14f", packet, 1729),
    )
