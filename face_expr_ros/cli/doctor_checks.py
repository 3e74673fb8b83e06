"""Checks of the installation for `face_expr doctor`: each finding is one sentence with the fix, if any."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from face_expr_ros.core.config import DetectionConfig, LandmarksConfig
from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.resources import resource_path
from face_expr_ros.models import bundle
from face_expr_ros.perception.mediapipe_version import INSTALL as INSTALL_MEDIAPIPE
from face_expr_ros.perception.mediapipe_version import INSTALL_ANY, has_mediapipe, has_solutions
from face_expr_ros.ros.fastdds_shared_memory import (
    ProfileError,
    other_users,
    profile_path,
    segment_size,
    stale_segments,
)

HD_IMAGE = 1280 * 720 * 3  # bytes
MIN_IMAGES_IN_SEGMENT = 4  # one being written, others still being read
MIN_FREE_SHARED_MEMORY = 128 * 2**20  # bytes: the segments of four processes with this package's profile
PROBE_SECONDS = 2.0
MIN_RECEIVED = 0.8  # share of the images sent; a loaded machine may lose a few
MAX_DOMAIN = 101  # the UDP ports of higher domains overlap Linux's ephemeral ports
RCLPY_DISTROS = {3: "humble", 7: "jazzy", 9: "kilted"}  # by the major version of rclpy
INSTALL = "run ./run build, or pip install -r requirements/run.txt"
SPARSE = "sparse: the face model has 68 points and no mesh; fetch-models did not get the file of the dense model"
BUILD = "run ./run build, or colcon build and source install/setup.bash"
# Module, distributions that may provide it, advice when it cannot be imported.
IMPORTS = (
    ("cv2", ("opencv-contrib-python", "opencv-python", "opencv-python-headless"), INSTALL),
    ("ai_edge_litert", ("ai-edge-litert",), INSTALL),
    ("face_expr_ros.kernels.rasterizer", (), BUILD),
)
# Module, distributions, what needs it.
OPTIONAL_IMPORTS = (
    ("scipy", ("scipy",), "the synthetic camera, fetch-models, evaluate and train"),
    ("onnxruntime", ("onnxruntime", "onnxruntime-gpu"), "the bundle 3ddfa_v2, and networks on a GPU"),
)
# Of the nodes, and of the verbs demo, calibrate, replay and bench.
ROS_IMPORTS = (
    ("rclpy", ("rclpy", "ros-rclpy"), "start this through ./run exec, or source a ROS 2 installation"),
    ("face_expr_ros.msg", (), BUILD),
)
WITHOUT_ROS = (
    "not installed; needed by the nodes and by demo, calibrate, replay and bench only: start those through ./run, or "
    "source a ROS 2 installation"
)
Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """Result of one check; ``text`` includes the fix of a problem."""

    level: Level
    subject: str
    text: str

    def line(self) -> str:
        """The finding as one line of text."""
        return f"{self.level:8}{self.subject}: {self.text}"


@dataclass(frozen=True)
class Report:
    """All findings, and values for other programs."""

    findings: tuple[Finding, ...]
    values: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        """Whether no finding is a problem."""
        return all(finding.level != "problem" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """``ok``, the values, and the findings as lines."""
        return {"ok": self.ok, **self.values, "findings": [finding.line() for finding in self.findings]}


def examine(*, probe: bool = True) -> Report:
    """Run all checks; ``probe`` also sends images between two processes for about two seconds."""
    bundles = {name: examine_bundle(name) for name in bundle.manifest()}
    findings = [
        Finding("ok", "Python", platform.python_version()),
        *(examine_import(*entry) for entry in IMPORTS),
        *(examine_optional(*entry) for entry in OPTIONAL_IMPORTS),
        examine_backends(),
        examine_providers(),
        *(bundle_finding(name, state) for name, state in bundles.items()),
        examine_cameras(Path("/dev")),
        *(examine_ros(probe) if has_ros(os.environ) else (Finding("note", "ROS 2", WITHOUT_ROS),)),
    ]
    values = {
        "python": platform.python_version(),
        "ros_distro": ros_distro(os.environ),
        "backends": {"landmarks": LandmarksConfig().backend, "detection": DetectionConfig().backend},
        "litert": version("ai-edge-litert"),
        "mediapipe": version("mediapipe"),
        "onnxruntime": version("onnxruntime", "onnxruntime-gpu"),
        "providers": providers(),
        "bundles": bundles,
    }
    return Report(tuple(findings), values)


def providers() -> list[str]:
    """What can run the networks on ONNX Runtime; empty without it."""
    try:
        from face_expr_ros.models.onnx_session import available_providers
    except ImportError:
        return []
    return available_providers()


def examine_providers() -> Finding:
    """The values that the parameters ``*.provider`` may have on this machine."""
    found = providers()
    return Finding("ok" if found else "note", "providers", ", ".join(found) or "cpu; ONNX Runtime has others")


def has_ros(environment: Mapping[str, str]) -> bool:
    """Whether ROS 2 is installed or sourced; without it the package is complete but for the nodes."""
    try:
        found = importlib.util.find_spec("rclpy") is not None
    except (ImportError, ValueError):
        found = False
    return found or bool(environment.get("ROS_DISTRO"))


def examine_ros(probe: bool) -> Iterator[Finding]:
    """Check ROS 2 and the transport of images between processes; see `examine`."""
    yield from (examine_import(*entry) for entry in ROS_IMPORTS)
    yield from examine_ros_settings(os.environ)
    yield examine_profile(os.environ)
    yield examine_shared_memory(Path("/dev/shm"))
    yield examine_other_users(Path("/dev/shm"))
    if probe:
        yield examine_transport(os.environ)


def version(*distributions: str) -> str | None:
    """Version of the first installed one of these Python distributions; None if there is none."""
    for name in distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def ros_distro(environment: Mapping[str, str]) -> str | None:
    """Name of the ROS 2 distribution: the sourced one, or the one of the wheels; None without rclpy."""
    rclpy_version = version("rclpy", "ros-rclpy")
    if environment.get("ROS_DISTRO") or rclpy_version is None:
        return environment.get("ROS_DISTRO")
    return RCLPY_DISTROS.get(int(rclpy_version.split(".")[0]), f"unknown (rclpy {rclpy_version})")


def examine_import(module: str, distributions: tuple[str, ...], advice: str) -> Finding:
    """Check that a module can be imported. It is named as text because this module must not depend on it."""
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken installation can raise anything
        return Finding("problem", module, f"cannot be imported ({error}); {advice}")
    return Finding("ok", module, version(*distributions) or "can be imported")


def examine_optional(module: str, distributions: tuple[str, ...], users: str) -> Finding:
    """Check for a module that only some uses need, without importing it."""
    if importlib.util.find_spec(module) is None:
        return Finding("note", module, f"not installed; only needed by {users}: pip install {distributions[0]}")
    return Finding("ok", module, version(*distributions) or "installed")


def examine_backends() -> Finding:
    """The default landmark and detection backends, and how to get the others."""
    in_use = f"{LandmarksConfig().backend} and {DetectionConfig().backend} on LiteRT {version('ai-edge-litert')}"
    why = "the defaults, with the landmarks of MediaPipe up to 0.10.21"
    names, installed = "mediapipe_solutions, mediapipe_tasks and mediapipe", f"of MediaPipe {version('mediapipe')}"
    if has_solutions():
        others = f"{names}, {installed}, are available, too"
    elif has_mediapipe():
        others = f"mediapipe_tasks, {installed}, is available, too; mediapipe_solutions needs {INSTALL_MEDIAPIPE}"
    else:
        others = f"mediapipe_tasks needs {INSTALL_ANY}; mediapipe_solutions and mediapipe need {INSTALL_MEDIAPIPE}"
    return Finding("ok", "landmarks and detection", f"{in_use}, {why}; {others}")


def examine_bundle(name: str) -> dict[str, Any]:
    """Check that the files of a bundle exist, have the right hash and are consistent."""
    try:
        sparse = bundle.open_bundle(name).sparse
    except (BundleError, OSError) as error:
        return {"available": False, "sparse": False, "reason": str(error)}
    return {"available": True, "sparse": sparse, "reason": SPARSE if sparse else ""}


def bundle_finding(name: str, state: Mapping[str, Any]) -> Finding:
    """The state of a bundle as a finding; only the default bundle is required."""
    if state["available"]:
        return Finding("ok", f"bundle {name}", state["reason"] or "complete, and the sha256 of every file is correct")
    return Finding("problem" if name == "open" else "note", f"bundle {name}", state["reason"])


def examine_ros_settings(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check the variables that determine which other nodes are discovered."""
    yield Finding("ok", "ROS 2", ros_distro(environment) or "not found")
    domain = environment.get("ROS_DOMAIN_ID") or "0"
    if domain.isdecimal() and int(domain) <= MAX_DOMAIN:
        yield Finding("ok", "ROS_DOMAIN_ID", f"{domain}; nodes discover each other only within one domain")
    else:
        yield Finding("problem", "ROS_DOMAIN_ID", f"expected an integer from 0 to {MAX_DOMAIN}, got {domain!r}")
    rmw = environment.get("RMW_IMPLEMENTATION") or "rmw_fastrtps_cpp"
    yield Finding("ok", "RMW_IMPLEMENTATION", f"{rmw}; all nodes should use the same")


def examine_profile(environment: Mapping[str, str]) -> Finding:
    """Check that images fit into the shared-memory segments of Fast DDS."""
    subject, profile = "Fast DDS profile", profile_path(environment)
    if "fastrtps" not in (environment.get("RMW_IMPLEMENTATION") or "rmw_fastrtps_cpp"):
        return Finding("note", subject, "not used by this RMW_IMPLEMENTATION")
    advice = (
        "export FASTDDS_DEFAULT_PROFILES_FILE (before Kilted: FASTRTPS_DEFAULT_PROFILES_FILE) as "
        f"{resource_path('config/fastdds.xml')} for every node"
    )
    if not profile:
        return Finding("problem", subject, f"no profile is set, so images between processes are lost; {advice}")
    try:
        size = segment_size(Path(profile))
    except ProfileError as error:
        return Finding("problem", subject, f"{error}, so images between processes are lost; {advice}")
    room = f"{profile} sets {size / 2**20:.1f} MB of shared memory, room for {size // HD_IMAGE} images of 1280x720"
    if size < MIN_IMAGES_IN_SEGMENT * HD_IMAGE:
        return Finding("problem", subject, f"{room}; raise its segment_size, or {advice}")
    return Finding("ok", subject, room)


def examine_shared_memory(folder: Path) -> Finding:
    """Check the free space of the shared-memory file system, and for segments left by killed processes."""
    free = shutil.disk_usage(folder).free
    stale = stale_segments(folder)
    remove = f"rm -f {folder}/*fastdds_* {folder}/*fastrtps_*"
    leftovers = f"killed processes left {len(stale)} segment(s); remove them while no ROS 2 node is running: {remove}"
    if free < MIN_FREE_SHARED_MEMORY:
        text = f"{free / 2**20:.0f} MB are free and each process uses 32 MB; enlarge it (docker run --shm-size=1g)"
        return Finding("problem", str(folder), f"{text}; {leftovers}" if stale else text)
    if stale:
        return Finding("note", str(folder), leftovers)
    return Finding("ok", str(folder), f"{free / 2**20:.0f} MB free, no segments left by killed processes")


def examine_other_users(folder: Path) -> Finding:
    """Check whether nodes of other users, such as root in a container, use the shared-memory file system."""
    users, subject = other_users(folder), "users of shared memory"
    if not users:
        return Finding("ok", subject, f"no other user's nodes use {folder}")
    profile = resource_path("config/fastdds_udp.xml")
    return Finding(
        "note",
        subject,
        f"nodes of {', '.join(users)} use {folder}, and Fast DDS does not share memory between users: their topics are "
        "listed but no messages arrive. Run all nodes as the same user (docker run --user $(id -u)), or start yours "
        f"with the profile {profile} and without ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST",
    )


def examine_cameras(folder: Path) -> Finding:
    """List the cameras that the source device:N can open."""
    devices = sorted(folder.glob("video[0-9]*"))
    closed = [str(device) for device in devices if not os.access(device, os.R_OK | os.W_OK)]
    if not devices:
        return Finding(
            "note", "cameras", "none found; the sources synthetic, a video file and a folder of images are available"
        )
    if closed:
        text = f"no permission to open {', '.join(closed)}; join the group: sudo usermod -aG video $USER"
        return Finding("problem", "cameras", text)
    return Finding("ok", "cameras", ", ".join(f"device:{device.name.removeprefix('video')}" for device in devices))


def examine_transport(environment: Mapping[str, str], probe: Callable[[str, float], Any] | None = None) -> Finding:
    """Send images from a second process and count those that arrive.

    Args:
        environment: environment variables, examined for the cause of a loss.
        probe: replaces `ros.image_probe.probe_images` in tests.
    """
    subject = "images between processes"
    try:
        probe = probe or importlib.import_module("face_expr_ros.ros.image_probe").probe_images
        result = probe(f"/face_expr_probe_{os.getpid()}", PROBE_SECONDS)
    except Exception as error:  # a missing or broken rclpy can raise anything
        return Finding("problem", subject, f"not tested ({error}); see the findings above")
    if result.error:
        return Finding("problem", subject, f"the second process failed ({result.error}); see the findings above")
    if result.sent == 0:
        text = "two processes did not discover each other; check for a firewall on UDP ports from 7400 or a loopback "
        return Finding("problem", subject, text + "interface that is down, and unset ROS_AUTOMATIC_DISCOVERY_RANGE")
    count = f"{result.received} of {result.sent} best-effort images of 1280x720 arrived"
    if result.received >= MIN_RECEIVED * result.sent:
        return Finding("ok", subject, count)
    profile = examine_profile(environment)
    busy = "the machine may be overloaded: close other programs and try again"
    return Finding(
        "problem", subject, f"{count}; {f'Fast DDS profile: {profile.text}' if profile.level == 'problem' else busy}"
    )
