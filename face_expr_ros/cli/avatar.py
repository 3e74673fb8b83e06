"""The verb avatar, and the options of web for avatars: faces to avatar applications without ROS."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from face_expr_ros.cli.common import bundle_option, camera_info_option, perception_config, source_option

if TYPE_CHECKING:
    from face_expr_ros.core.types import FaceState
    from face_expr_ros.retargeting.avatar_config import TargetConfig
    from face_expr_ros.retargeting.avatar_senders import AvatarSenders

REPORT_INTERVAL = 5.0  # seconds between two lines about network errors
_THIS_MACHINE = "127.0.0.1"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
avatars_option = click.option("--avatars", type=_FILE, help="Also send the faces to the avatars of a targets file.")
calibration_option = click.option(
    "--calibration", type=_FILE, help="calibration.yaml of the person, from face_expr calibrate."
)


def _receiver(flag: str, application: str) -> Callable[[Any], Any]:
    return click.option(
        flag,
        is_flag=False,
        flag_value=_THIS_MACHINE,
        metavar="[HOST[:PORT]]",
        help=f"Send to {application}; without HOST to this machine.",
    )


@click.command()
@source_option
@_receiver("--vmc", "VSeeFace, Warudo, VMagicMirror, Godot, Blender and others by the VMC protocol")
@_receiver("--live-link", "Unreal as Live Link Face")
@_receiver("--ifacialmocap", "receivers of iFacialMocap")
@_receiver("--openseeface", "receivers of OpenSeeFace")
@click.option("--targets", type=_FILE, help="YAML file of receivers with all settings, as config/avatars.yaml.")
@click.option(
    "--names", type=click.Choice(("perfect_sync", "arkit", "vrm0", "vrm1")), help="Blendshape names of --vmc."
)
@click.option("--mirror", is_flag=True, help="Swap left and right, as in a mirror; not for --openseeface.")
@calibration_option
@camera_info_option
@bundle_option
@click.option("--once", is_flag=True, help="Play a file or folder once instead of repeating it.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after this many seconds.")
def avatar(
    source: str, targets: Path | None, names: str | None, mirror: bool, calibration: Path | None,
    camera_info: Path | None, bundle: str, once: bool, seconds: float | None, **receivers: str | None,
) -> int:  # fmt: skip
    """Send the face in front of a camera to avatar applications, without ROS.

    Give one or more receivers, such as --vmc or --live-link 192.168.1.20, or a file with --targets.
    """
    from face_expr_ros.core.config import CameraConfig
    from face_expr_ros.core.settings import from_mapping
    from face_expr_ros.retargeting.avatar_config import load_targets
    from face_expr_ros.sources.live_faces import LiveFaces

    chosen = list(load_targets(str(targets))) if targets else []
    chosen += _targets({flag: address for flag, address in receivers.items() if address}, names, mirror)
    if not chosen:
        raise click.UsageError("expected a receiver: --vmc, --live-link, --ifacialmocap, --openseeface or --targets")
    camera = from_mapping(CameraConfig, {"source": source, "loop": not once})
    show = _Presence()
    images = 0
    with closing(open_avatars(chosen, calibration)) as avatars:
        click.echo(f"sending to {', '.join(target.label for target in chosen)} (stop with Ctrl-C)")
        try:
            with LiveFaces(camera, perception_config(bundle), _warn, camera_info) as live:
                for tracked in live.frames(seconds):
                    show(tracked.states)
                    put(avatars, tracked.states)
                    images += 1
        except KeyboardInterrupt:
            pass
        for sender in avatars.senders:
            click.echo(f"{sender.target.label}: {sender.stats.sent} packets sent, {sender.stats.failed} failed")
    return 0 if images else 1


def open_avatars(targets: Sequence[TargetConfig], calibration: Path | None = None) -> AvatarSenders:
    """Start the senders; network errors are printed from time to time."""
    from face_expr_ros.retargeting.avatar_config import AvatarBridgeConfig
    from face_expr_ros.retargeting.avatar_senders import AvatarSenders

    defaults = AvatarBridgeConfig()
    path = str(calibration) if calibration else ""
    return AvatarSenders(targets, defaults.lost_after, defaults.relax, _Throttled(), path)


def put(avatars: AvatarSenders, states: Sequence[FaceState]) -> None:
    """Pass the faces of one image on; faces that cannot be sent are reported and skipped."""
    error = avatars.put(states)
    if error:
        _warn(f"faces skipped: {error}")


def _targets(receivers: dict[str, str], names: str | None, mirror: bool) -> list[TargetConfig]:
    """Targets of the receivers by their protocol."""
    from face_expr_ros.retargeting.avatar_config import parse_target

    if names and "vmc" not in receivers:
        raise click.UsageError("--names is for --vmc; in a targets file it is the key names under vmc")
    targets = []
    for protocol, address in receivers.items():
        entry: dict[str, Any] = {"protocol": protocol, "mirror": mirror and protocol != "openseeface"}
        entry["host"], port = _host_and_port(address, f"--{protocol.replace('_', '-')}")
        entry |= {"port": port} if port else {}
        entry |= {"vmc": {"names": names}} if names and protocol == "vmc" else {}
        targets.append(parse_target(entry, f"--{protocol.replace('_', '-')}"))
    return targets


def _host_and_port(address: str, option: str) -> tuple[str, int]:
    host, colon, port = address.partition(":")
    if colon and not (port.isdecimal() and 1 <= int(port) <= 65535):
        raise click.UsageError(f"{option}: expected HOST or HOST:PORT with a port from 1 to 65535, got {address!r}")
    return host, int(port) if colon else 0


def _warn(text: str) -> None:
    click.echo(text, err=True)


class _Throttled:
    """Prints a message, but not more than one per REPORT_INTERVAL."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, text: str) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + REPORT_INTERVAL
            _warn(text)


class _Presence:
    """Prints when faces come into view and when the last one is lost."""

    def __init__(self) -> None:
        self._count = -1

    def __call__(self, states: Sequence[FaceState]) -> None:
        if len(states) != self._count:
            self._count = len(states)
            ids = ", ".join(state.id for state in states)
            click.echo(f"in view: {ids}" if states else "no face in view")
