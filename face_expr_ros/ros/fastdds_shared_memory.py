"""Inspection of Fast DDS's shared memory: profile, segment size, stale segments, and files of other users.

Without a profile a segment has 512 KB, less than one 640x480 color image, and best-effort images between processes are
lost.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping, MutableMapping
from pathlib import Path

DEFAULT_SEGMENT = 512 * 1024  # bytes, Fast DDS's default
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")  # up to Jazzy; from Kilted


class ProfileError(ValueError):
    """A Fast DDS profile that cannot be read."""


def profile_path(environment: Mapping[str, str]) -> str:
    """Path of the Fast DDS profile of processes with this environment; empty without a profile."""
    return next((environment[name] for name in PROFILE_VARIABLES if environment.get(name)), "")


def use_small_segment(environment: MutableMapping[str, str], profile: Path, small: Path) -> None:
    """Replace ``profile`` by ``small`` in an environment, for a node that publishes no camera images; others stay.

    Fast DDS writes zeros to the whole segment of a process when it starts, so that all of it counts as its memory.
    Profiles are read when the first node of a process is created.
    """
    for name in PROFILE_VARIABLES:
        try:
            if environment.get(name) and Path(environment[name]).read_bytes() == profile.read_bytes():
                environment[name] = str(small)
        except OSError:  # Fast DDS reports a profile that it cannot read
            continue


def segment_size(profile: Path) -> int:
    """Size in bytes of the shared-memory segment of a process with this profile.

    Raises:
        ProfileError: the file cannot be read, is not XML, or its segment size is not a number.
    """
    from xml.etree import ElementTree  # not in every node

    try:
        elements = list(ElementTree.parse(profile).iter())
        for descriptor in elements:
            children = {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in descriptor}
            if children.get("type") == "SHM" and "segment_size" in children:
                return int(children["segment_size"])
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise ProfileError(f"{profile} cannot be read ({error})") from error
    return DEFAULT_SEGMENT


def stale_segments(folder: Path, processes: Path = Path("/proc")) -> list[Path]:
    """This user's Fast DDS segments in `folder` that no running process has mapped."""
    mapped: set[str] = set()
    for maps in processes.glob("[0-9]*/maps"):
        try:
            lines = maps.read_text(errors="replace").splitlines()
        except OSError:  # the process has exited or belongs to another user
            continue
        mapped.update(line.rpartition(" ")[2] for line in lines)
    return [path for path in _segments(folder) if str(path) not in mapped]


def other_users(folder: Path, user: int | None = None) -> list[str]:
    """Names of the users other than `user` (default: this one) who own files of Fast DDS in `folder`.

    Fast DDS creates its files readable by everyone and writable by their owner, and opens them for writing: processes
    of different users discover each other, but messages to a process of another user are lost. Only root can open all.
    """
    own = os.getuid() if user is None else user
    owners = {path.stat().st_uid for path in _files(folder)} - {own}
    return sorted(_user_name(owner) for owner in owners)


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # of a container
        return f"user {number}"


def _files(folder: Path) -> list[Path]:
    return [path for prefix in ("fastdds", "fastrtps") for path in folder.glob(f"{prefix}_*")]


def _segments(folder: Path) -> list[Path]:
    """Segments only: the next process reuses ports, and `_el` files are locks, which are never mapped."""
    segments = [path for path in _files(folder) if not path.name.endswith("_el") and "_port" not in path.name]
    return sorted(path for path in segments if path.stat().st_uid == os.getuid())
