"""What Fast DDS does with shared memory, read from the outside: its profile, its segments, what killed processes left.

The numbers that matter: without a profile a segment has 512 KB, less than one 640x480 color image, and best-effort
images between processes are lost.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

DEFAULT_SEGMENT = 512 * 1024  # bytes, Fast DDS without a profile
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")  # up to Jazzy; from Kilted


class ProfileError(ValueError):
    """A Fast DDS profile that cannot be read."""


def profile_path(environment: Mapping[str, str]) -> str:
    """The Fast DDS profile of processes that are started from here; empty without one."""
    return next((environment[name] for name in PROFILE_VARIABLES if environment.get(name)), "")


def segment_size(profile: Path) -> int:
    """Bytes of shared memory that a process takes under this profile.

    Raises:
        ProfileError: there is no such file, it is no XML, or its size is no number.
    """
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
        except OSError:  # it ended meanwhile, or is another user's
            continue
        mapped.update(line.rpartition(" ")[2] for line in lines)
    return [path for path in _segments(folder) if str(path) not in mapped]


def _segments(folder: Path) -> list[Path]:
    """Segments only: ports are used again by the next process, `_el` files are locks and never mapped."""
    files = [path for prefix in ("fastdds", "fastrtps") for path in folder.glob(f"{prefix}_*")]
    segments = [path for path in files if not path.name.endswith("_el") and "_port" not in path.name]
    return sorted(path for path in segments if path.stat().st_uid == os.getuid())
