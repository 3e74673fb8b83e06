"""Parameters of the node ``avatar_bridge`` and its targets file: the receivers, their protocols and rates."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from face_expr_ros.core.resources import resource_path
from face_expr_ros.core.settings import setting
from face_expr_ros.core.yaml_files import StrictModel, load_yaml, parse_yaml
from face_expr_ros.retargeting.config import FOLLOW_MODES

# Default port of each protocol.
PORTS = {"vmc": 39539, "live_link": 11111, "ifacialmocap": 49983, "openseeface": 11573}

_HOST = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?")
_MAX_SUBJECT = 255  # bytes; a longer one does not fit into one datagram


@dataclass(frozen=True)
class AvatarBridgeConfig:
    """Parameters of the node ``avatar_bridge``; the receivers are in the targets file."""

    targets: str = setting("", "targets file; empty is config/avatars.yaml of the package")
    lost_after: float = setting(
        0.5, "time without a detection after which a face is lost", unit="s", minimum=0.0, maximum=60.0
    )
    calibration: str = setting(
        "",
        "path of the calibration.yaml of the person, for targets without one of their own; not together with that of "
        "the node perception; empty is none",
    )
    relax: float = setting(
        0.7, "time in which the avatar then returns to the neutral pose", unit="s", minimum=0.0, maximum=60.0
    )


def _check_host(host: str) -> str:
    if not _HOST.fullmatch(host):
        raise ValueError(f"expected a host name or an IPv4 address without the port, got {host!r:.80}")
    return host


def _check_face(face: str) -> str:
    nearest = get_close_matches(face.lower(), FOLLOW_MODES, n=1, cutoff=0.7)
    if not face or (nearest and face not in FOLLOW_MODES):
        hint = f", did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(f"expected {', '.join(FOLLOW_MODES)} or a face id, got {face!r}{hint}")
    return face


def _check_subject(subject: str) -> str:
    if not 1 <= len(subject.encode()) <= _MAX_SUBJECT:
        raise ValueError(f"expected 1 to {_MAX_SUBJECT} bytes, got {subject!r:.80}")
    return subject


_Pixels = Annotated[int, Field(ge=1, le=16384)]


VmcNames = Literal["arkit", "perfect_sync", "vrm0", "vrm1"]


def _as_list(names: Any) -> Any:
    return [names] if isinstance(names, str) else names


class VmcConfig(StrictModel):
    """Settings of the protocol ``vmc``.

    Attributes:
        names: blendshape names, one convention or a list: ARKit's 52 in Pascal case (perfect_sync), as ARKit has them
            (arkit), A I U E O Joy ... (vrm0), aa ih ou ee oh happy ... (vrm1).
        neck_share: part of the head rotation that the neck bone makes.
        eye_bones: send the bones LeftEye and RightEye, for avatars whose blendshapes do not rotate the eyes.
        torso: send the bones from the hips to the upper chest at rest, for receivers that add up positions.
    """

    names: Annotated[tuple[VmcNames, ...], BeforeValidator(_as_list), Field(strict=False, min_length=1)] = (
        "perfect_sync",
    )
    neck_share: Annotated[float, Field(ge=0, le=1)] = 0.3
    eye_bones: bool = False
    torso: bool = False


class LiveLinkConfig(StrictModel):
    """Settings of the protocol ``live_link``.

    Attributes:
        subject: name of the face in Unreal.
        full_angle: degrees of head and eyes that are sent as 1: 57.29578 sends radians, 180 half turns.
    """

    subject: Annotated[str, AfterValidator(_check_subject)] = "face_expr"
    full_angle: Annotated[float, Field(ge=1, le=360)] = 57.29578


class IFacialMocapConfig(StrictModel):
    """Settings of the protocol ``ifacialmocap``.

    Attributes:
        wait_for_hello: as the phone app does: listen on the target's port, and send to the receiver that sends the
            start message, instead of to host.
        reply_port: with wait_for_hello: port of the receiver.
    """

    wait_for_hello: bool = False
    reply_port: Annotated[int, Field(ge=1, le=65535)] = 49983


class OpenSeeFaceConfig(StrictModel):
    """Settings of the protocol ``openseeface``.

    Attributes:
        width, height: image size given in the packet, pixels.
    """

    width: _Pixels = 640
    height: _Pixels = 480


class TargetConfig(StrictModel):
    """One receiver: an entry of the targets file.

    Attributes:
        protocol: of the receiver.
        name: used in log and diagnostics; empty is protocol, host and port.
        host: name or IPv4 address of the receiver, without a port.
        port: of the receiver; 0 is the protocol's default.
        rate: packets per second.
        face: the face to send: nearest, largest, speaker or an id such as f1.
        mirror: swap left and right, as in a mirror; not for openseeface.
        interpolate: interpolate between two images, which adds one image interval of delay; False repeats the latest.
        calibration: path of the calibration.yaml of the person whose face is sent; empty is that of the bridge.
    """

    protocol: Literal["vmc", "live_link", "ifacialmocap", "openseeface"]
    name: str = ""
    host: Annotated[str, AfterValidator(_check_host)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    rate: Annotated[float, Field(ge=0.1, le=240)] = 60.0
    face: Annotated[str, AfterValidator(_check_face)] = "nearest"
    mirror: bool = False
    interpolate: bool = True
    calibration: str = ""
    vmc: VmcConfig = VmcConfig()
    live_link: LiveLinkConfig = LiveLinkConfig()
    ifacialmocap: IFacialMocapConfig = IFacialMocapConfig()
    openseeface: OpenSeeFaceConfig = OpenSeeFaceConfig()

    @model_validator(mode="after")
    def _check_protocol(self) -> TargetConfig:
        others = sorted(self.model_fields_set & PORTS.keys() - {self.protocol})
        if others:
            raise ValueError(f"expected settings of the protocol {self.protocol} only, got {', '.join(others)}")
        if self.mirror and self.protocol == "openseeface":
            raise ValueError("mirror: expected false for openseeface, whose points are not mirrored, got true")
        return self

    @property
    def port_number(self) -> int:
        """The port, or the protocol's default."""
        return self.port or PORTS[self.protocol]

    @property
    def label(self) -> str:
        """The name for log and diagnostics."""
        return self.name or f"{self.protocol} {self.host}:{self.port_number}"


def _check_distinct(targets: list[TargetConfig]) -> list[TargetConfig]:
    for index, target in enumerate(targets):
        address = f"{target.host.lower()}:{target.port_number}"
        for other in targets[:index]:
            if address == f"{other.host.lower()}:{other.port_number}":
                raise ValueError(f"expected one target per address, got two for {address}")
            if target.label == other.label:  # log and diagnostics could not tell them apart
                raise ValueError(f"expected distinct names, got two targets named {target.label!r}")
    return targets


class _TargetsFile(StrictModel):
    targets: Annotated[list[TargetConfig], Field(min_length=1), AfterValidator(_check_distinct)]


def load_targets(path: str = "") -> tuple[TargetConfig, ...]:
    """Load the targets file; an empty path is the one of the package.

    Raises:
        ConfigError: the file cannot be read, or a target is not valid; the text names file, line and key.
    """
    file = Path(path) if path else resource_path("config/avatars.yaml")
    return tuple(load_yaml(file, _TargetsFile, "the parameter targets is the path of a YAML file").targets)


def parse_target(entry: dict[str, Any], name: str) -> TargetConfig:
    """One target with the keys of the targets file.

    Args:
        entry: its keys and values.
        name: where it comes from, for errors.

    Raises:
        ConfigError: the target is not valid.
    """
    return parse_yaml(json.dumps(entry), TargetConfig, name)
