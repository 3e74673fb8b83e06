"""Settings of the node ``avatar_bridge`` and its targets file: who is sent what, where and how often."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from face_expr_ros.core.resources import resource_path
from face_expr_ros.core.settings import ConfigError, from_mapping, setting, settings
from face_expr_ros.retargeting.config import FOLLOWED
from face_expr_ros.retargeting.yaml_files import read_yaml

# Protocol -> its usual port.
PORTS = {"vmc": 39539, "live_link": 11111, "ifacialmocap": 49983, "openseeface": 11573}

_HOST = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?")
_LONGEST_SUBJECT = 255  # bytes; longer ones make a datagram that no network carries whole


@dataclass(frozen=True)
class AvatarBridgeConfig:
    """Settings of the node ``avatar_bridge``; what goes where is in the targets file."""

    targets: str = setting("", "targets file; empty is config/avatars.yaml of the package")
    lost_after: float = setting(
        0.5, "a face that is not seen for this long is lost", unit="s", minimum=0.0, maximum=60.0
    )
    relax: float = setting(
        0.7, "from then on the avatar goes back to rest in this time", unit="s", minimum=0.0, maximum=60.0
    )


@dataclass(frozen=True)
class VmcConfig:
    """What a target of the protocol ``vmc`` may set."""

    names: str = setting(
        "arkit",
        "names of the blendshapes: ARKit's 52 (perfect sync), VRM 0's A I U E O Joy ..., or both",
        choices=("arkit", "vrm0", "both"),
    )
    neck_share: float = setting(0.3, "part of the head's rotation that the neck makes", minimum=0.0, maximum=1.0)
    eye_bones: bool = setting(
        False, "send the bones LeftEye and RightEye too, for avatars whose blendshapes do not turn the eyes"
    )


@dataclass(frozen=True)
class LiveLinkConfig:
    """What a target of the protocol ``live_link`` may set."""

    subject: str = setting("face_expr", "name under which the face appears in Unreal")
    full_angle: float = setting(
        57.29578,
        "angle of head and eyes that is sent as 1: 57.29578 sends radians, 180 half turns",
        unit="degrees",
        minimum=1.0,
        maximum=360.0,
    )


@dataclass(frozen=True)
class IFacialMocapConfig:
    """What a target of the protocol ``ifacialmocap`` may set."""

    wait_for_hello: bool = setting(
        False,
        "as the phone does: listen at the target's port and send to whoever says hello, instead of to host",
    )
    reply_port: int = setting(49983, "wait_for_hello: port at which the receiver listens", minimum=1, maximum=65535)


@dataclass(frozen=True)
class OpenSeeFaceConfig:
    """What a target of the protocol ``openseeface`` may set."""

    width: int = setting(640, "of the image, which the packet names", unit="pixels", minimum=1, maximum=16384)
    height: int = setting(480, "of the image, which the packet names", unit="pixels", minimum=1, maximum=16384)


@dataclass(frozen=True)
class TargetConfig:
    """One receiver: an entry of the targets file."""

    protocol: str = setting("vmc", "what the receiver speaks", choices=tuple(PORTS))
    name: str = setting("", "in messages of the node; empty is protocol, host and port")
    host: str = setting("127.0.0.1", "name or IPv4 address of the receiver's machine, without a port")
    port: int = setting(0, "of the receiver; 0 is the protocol's usual one", minimum=0, maximum=65535)
    rate: float = setting(60.0, "packets sent", unit="Hz", minimum=0.1, maximum=240.0)
    face: str = setting("nearest", "which face: nearest, largest, speaker or an id such as f1")
    mirror: bool = setting(
        False, "as in a mirror: the avatar's left does what the person's right does; not with openseeface"
    )
    interpolate: bool = setting(
        True, "between two images show what lies between them, later by one image; false repeats the newest"
    )
    vmc: VmcConfig = VmcConfig()
    live_link: LiveLinkConfig = LiveLinkConfig()
    ifacialmocap: IFacialMocapConfig = IFacialMocapConfig()
    openseeface: OpenSeeFaceConfig = OpenSeeFaceConfig()

    @property
    def port_number(self) -> int:
        """The port, or the protocol's usual one."""
        return self.port or PORTS[self.protocol]

    @property
    def label(self) -> str:
        """How messages name it."""
        return self.name or f"{self.protocol} {self.host}:{self.port_number}"


def load_targets(path: str = "") -> tuple[TargetConfig, ...]:
    """The targets of a file; empty is the one that comes with the package.

    Raises:
        ConfigError: the file cannot be read, is no list of targets, or a target has a setting that does not exist or
            cannot have its value; the text names file and target.
    """
    file = Path(path) if path else resource_path("config/avatars.yaml")
    try:
        content = read_yaml(file)
    except ConfigError as error:
        raise ConfigError(f"targets: {error}") from None
    entries = content.get("targets") if isinstance(content, Mapping) and set(content) == {"targets"} else None
    if not isinstance(entries, list) or not entries:
        raise ConfigError(
            f"targets: in {str(file)!r} a list under the one key targets was wanted, see docs/avatars.md; "
            f"{content!r:.80} was given"
        )
    targets = tuple(_target(entry, f"{file.name}, target {number}") for number, entry in enumerate(entries, 1))
    _refuse_doubles(targets, file.name)
    return targets


def _target(entry: Any, place: str) -> TargetConfig:
    if not isinstance(entry, Mapping) or "protocol" not in entry:
        raise ConfigError(f"{place}: settings with a protocol of {', '.join(PORTS)} were wanted, {entry!r} was given")
    try:
        target = from_mapping(TargetConfig, _flat(entry))
        _check_texts(target)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error
    others = set(PORTS).intersection(entry) - {target.protocol}
    if others:
        raise ConfigError(f"{place}: {', '.join(sorted(others))} was given, the protocol is {target.protocol}")
    if target.mirror and target.protocol == "openseeface":
        raise ConfigError(
            f"{place}: mirror must be false for openseeface, whose points are not mirrored; the receiver can"
        )
    return target


def _flat(entry: Mapping[Any, Any]) -> dict[str, Any]:
    """The protocol's section as dotted names."""
    flat: dict[str, Any] = {}
    for name, value in entry.items():
        section, _, inner = str(name).partition(".")
        if section not in PORTS:
            flat[str(name)] = value
        elif inner:
            raise ConfigError(f"{inner} must be a key under the key {section}, {name!r} was given")
        elif isinstance(value, Mapping):
            flat |= {f"{name}.{key}": content for key, content in value.items()}
        else:
            known = ", ".join(entry.name for entry in settings(TargetConfig) if entry.name.startswith(f"{name}."))
            raise ConfigError(f"{name} must be a table of settings ({known}), {value!r} was given")
    return flat


def _check_texts(target: TargetConfig) -> None:
    """What bounds and choices cannot say."""
    if not target.host or not target.face:
        raise ConfigError(f"host and face must not be empty, {target.host!r} and {target.face!r} were given")
    if not _HOST.fullmatch(target.host):
        raise ConfigError(
            f"host must be a name or an IPv4 address, without the port, which is a setting of its own; "
            f"{target.host!r:.80} was given"
        )
    meant = get_close_matches(target.face.lower(), FOLLOWED, n=1, cutoff=0.7)
    if meant and target.face not in FOLLOWED:
        raise ConfigError(
            f"face must be {', '.join(FOLLOWED)} or an id, {target.face!r} was given, did you mean {meant[0]}?"
        )
    if not 1 <= len(target.live_link.subject.encode()) <= _LONGEST_SUBJECT:
        raise ConfigError(
            f"live_link.subject must have 1 to {_LONGEST_SUBJECT} bytes, {target.live_link.subject!r:.80} was given"
        )


def _refuse_doubles(targets: tuple[TargetConfig, ...], file: str) -> None:
    places: set[tuple[str, int]] = set()
    labels: set[str] = set()
    for target in targets:
        place = (target.host.lower(), target.port_number)
        if place in places:
            raise ConfigError(f"{file}: two targets at {target.host}:{target.port_number}, one was wanted")
        if target.label in labels:  # the log and /diagnostics would mix them up
            raise ConfigError(f"{file}: two targets of the name {target.label!r}, one was wanted")
        places.add(place)
        labels.add(target.label)
