"""What works on this machine, what does not, and what to do about it: each finding one sentence."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.resources import resource_path
from face_expr_ros.models import bundle
from face_expr_ros.ros.fastdds_shared_memory import ProfileError, profile_path, segment_size, stale_segments

HD_IMAGE = 1280 * 720 * 3  # bytes
IMAGES_IN_SEGMENT = 4  # room for a few images: one being written, others still being read
ROOM_IN_SHARED_MEMORY = 128 * 2**20  # bytes: the segments of four processes with the project's profile
PROBE_SECONDS = 2.0
ENOUGH_RECEIVED = 0.8  # of the images sent; a loaded machine may lose a few
LAST_DOMAIN = 101  # higher domains collide with the ports that Linux hands out itself
RCLPY_DISTROS = {3: "humble", 7: "jazzy", 9: "kilted"}  # by the major version of rclpy
INSTALL = "run ./run build, or pip install -r requirements/run.txt"
SPARSE = "sparse: its face model is 68 points, without a mesh; fetch-models lacked the file of the dense one"
BUILD = "run ./run build, or colcon build and source install/setup.bash"
# Module, the distributions that may bring it, and what to do when it cannot be imported.
IMPORTS = (
    ("cv2", ("opencv-contrib-python", "opencv-python"), INSTALL),
    ("mediapipe", ("mediapipe",), INSTALL),
    ("onnxruntime", ("onnxruntime",), INSTALL),
    ("rclpy", ("rclpy", "ros-rclpy"), "start this through ./run exec, or source a ROS 2 installation"),
    ("face_expr_ros.msg", (), BUILD),
    ("face_expr_ros.kernels.rasterizer", (), BUILD),
)
Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `text` says what to do where something is to be done."""

    level: Level
    subject: str
    text: str

    def line(self) -> str:
        """The finding as a line of a terminal."""
        return f"{self.level:8}{self.subject}: {self.text}"


@dataclass(frozen=True)
class Report:
    """All findings, and the same as values for programs."""

    findings: tuple[Finding, ...]
    values: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        """No finding is a problem."""
        return all(finding.level != "problem" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """`ok`, the values, and the findings as lines."""
        return {"ok": self.ok, **self.values, "findings": [finding.line() for finding in self.findings]}


def examine(*, probe: bool = True) -> Report:
    """Look at everything; `probe` also sends images between two processes for about two seconds."""
    bundles = {name: examine_bundle(name) for name in bundle.manifest()}
    findings = [
        Finding("ok", "Python", platform.python_version()),
        *(examine_import(*entry) for entry in IMPORTS),
        *(bundle_finding(name, state) for name, state in bundles.items()),
        *examine_ros_settings(os.environ),
        examine_profile(os.environ),
        examine_shared_memory(Path("/dev/shm")),
        examine_cameras(Path("/dev")),
    ]
    if probe:
        findings.append(examine_transport(os.environ))
    values = {
        "python": platform.python_version(),
        "ros_distro": ros_distro(os.environ),
        "mediapipe": version("mediapipe"),
        "onnxruntime": version("onnxruntime"),
        "bundles": bundles,
    }
    return Report(tuple(findings), values)


def version(*distributions: str) -> str | None:
    """Version of the first of these Python distributions that is installed."""
    for name in distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def ros_distro(environment: Mapping[str, str]) -> str | None:
    """Name of the ROS 2 distribution: the sourced one, or that of the wheels; None without rclpy."""
    rclpy_version = version("rclpy", "ros-rclpy")
    if environment.get("ROS_DISTRO") or rclpy_version is None:
        return environment.get("ROS_DISTRO")
    return RCLPY_DISTROS.get(int(rclpy_version.split(".")[0]), f"unknown (rclpy {rclpy_version})")


def examine_import(module: str, distributions: tuple[str, ...], advice: str) -> Finding:
    """Whether a module can be imported. By name: it is looked at and not used, so no wall is crossed."""
    try:
        importlib.import_module(module)
    except Exception as error:  # whatever a broken installation raises is the finding
        return Finding("problem", module, f"cannot be imported ({error}); {advice}")
    return Finding("ok", module, version(*distributions) or "can be imported")


def examine_bundle(name: str) -> dict[str, Any]:
    """Whether a bundle's files are there, are the right ones and fit each other."""
    try:
        sparse = bundle.open_bundle(name).sparse
    except (BundleError, OSError) as error:
        return {"available": False, "sparse": False, "reason": str(error)}
    return {"available": True, "sparse": sparse, "reason": SPARSE if sparse else ""}


def bundle_finding(name: str, state: Mapping[str, Any]) -> Finding:
    """A bundle as a finding; only the default one is needed."""
    if state["available"]:
        return Finding("ok", f"bundle {name}", state["reason"] or "complete, and the sha256 of every file is right")
    return Finding("problem" if name == "open" else "note", f"bundle {name}", state["reason"])


def examine_ros_settings(environment: Mapping[str, str]) -> Iterator[Finding]:
    """The variables that decide which other nodes are seen."""
    yield Finding("ok", "ROS 2", ros_distro(environment) or "not found")
    domain = environment.get("ROS_DOMAIN_ID") or "0"
    if domain.isdecimal() and int(domain) <= LAST_DOMAIN:
        yield Finding("ok", "ROS_DOMAIN_ID", f"{domain}; nodes see each other only within one domain")
    else:
        yield Finding("problem", "ROS_DOMAIN_ID", f"{domain!r} is given, export a whole number from 0 to {LAST_DOMAIN}")
    rmw = environment.get("RMW_IMPLEMENTATION") or "rmw_fastrtps_cpp"
    yield Finding("ok", "RMW_IMPLEMENTATION", f"{rmw}; all nodes should use the same")


def examine_profile(environment: Mapping[str, str]) -> Finding:
    """Whether images fit into the shared memory that Fast DDS will use."""
    subject, profile = "Fast DDS profile", profile_path(environment)
    if "fastrtps" not in (environment.get("RMW_IMPLEMENTATION") or "rmw_fastrtps_cpp"):
        return Finding("note", subject, "not used by this RMW_IMPLEMENTATION")
    advice = (
        "export FASTDDS_DEFAULT_PROFILES_FILE (before Kilted: FASTRTPS_DEFAULT_PROFILES_FILE) as "
        f"{resource_path('config/fastdds.xml')} for every node"
    )
    if not profile:
        return Finding("problem", subject, f"there is none, so images between processes are lost; {advice}")
    try:
        size = segment_size(Path(profile))
    except ProfileError as error:
        return Finding("problem", subject, f"{error}, so images between processes are lost; {advice}")
    room = f"{profile} gives {size / 2**20:.1f} MB of shared memory, room for {size // HD_IMAGE} images of 1280x720"
    if size < IMAGES_IN_SEGMENT * HD_IMAGE:
        return Finding("problem", subject, f"{room}; raise its segment_size, or {advice}")
    return Finding("ok", subject, room)


def examine_shared_memory(folder: Path) -> Finding:
    """Free space and leftovers of killed processes in the shared-memory file system."""
    free = shutil.disk_usage(folder).free
    stale = stale_segments(folder)
    remove = f"rm -f {folder}/*fastdds_* {folder}/*fastrtps_*"
    leftovers = f"killed processes left {len(stale)} segment(s); while no ROS 2 node runs, remove them: {remove}"
    if free < ROOM_IN_SHARED_MEMORY:
        text = f"{free / 2**20:.0f} MB are free and each process takes 32 MB; enlarge it (docker run --shm-size=1g)"
        return Finding("problem", str(folder), f"{text}; {leftovers}" if stale else text)
    if stale:
        return Finding("note", str(folder), leftovers)
    return Finding("ok", str(folder), f"{free / 2**20:.0f} MB free, nothing left by killed processes")


def examine_cameras(folder: Path) -> Finding:
    """The cameras that the source `device:N` can open."""
    devices = sorted(folder.glob("video[0-9]*"))
    closed = [str(device) for device in devices if not os.access(device, os.R_OK | os.W_OK)]
    if not devices:
        return Finding(
            "note", "cameras", "there is none; the sources synthetic, a video file and a folder of images work"
        )
    if closed:
        text = f"{', '.join(closed)} may not be opened; join the group: sudo usermod -aG video $USER"
        return Finding("problem", "cameras", text)
    return Finding("ok", "cameras", ", ".join(f"device:{device.name.removeprefix('video')}" for device in devices))


def examine_transport(environment: Mapping[str, str], probe: Callable[[str, float], Any] | None = None) -> Finding:
    """Send images from a second process and count what arrives.

    Args:
        environment: the variables in which the reason for a loss is looked for.
        probe: stands in for `ros.image_probe.probe_images` in tests.
    """
    subject = "images between processes"
    try:
        probe = probe or importlib.import_module("face_expr_ros.ros.image_probe").probe_images
        result = probe(f"/face_expr_probe_{os.getpid()}", PROBE_SECONDS)
    except Exception as error:  # rclpy missing or broken in any way: that is the finding
        return Finding("problem", subject, f"could not be tried ({error}); see the findings above")
    if result.error:
        return Finding("problem", subject, f"the second process failed ({result.error}); see the findings above")
    if result.sent == 0:
        text = "two processes did not find each other; look for a firewall on UDP ports from 7400 or a loopback "
        return Finding("problem", subject, text + "interface that is down, and unset ROS_AUTOMATIC_DISCOVERY_RANGE")
    count = f"{result.received} of {result.sent} best-effort images of 1280x720 arrived"
    if result.received >= ENOUGH_RECEIVED * result.sent:
        return Finding("ok", subject, count)
    profile = examine_profile(environment)
    busy = "the machine may be too busy: close other programs and try again"
    return Finding(
        "problem", subject, f"{count}; {f'Fast DDS profile: {profile.text}' if profile.level == 'problem' else busy}"
    )
