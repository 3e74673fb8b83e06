"""Settings, each written once: ROS parameters, the YAML files, their check and the docs table all come from here."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, TypeVar, get_type_hints

ConfigClass = TypeVar("ConfigClass")

# What can be drawn of a frame and its faces: rendering/kinds.py says what each is.
DRAW_MODES = ("annotated", "2d_sparse", "2d_dense", "3d", "pose", "depth", "pncc", "uv_tex")

# Parameters that rclpy itself declares and reads, in every node; the last is a section.
_RCLPY_PARAMETERS = ("use_sim_time", "start_type_description_service", "qos_overrides")


class ConfigError(ValueError):
    """A setting that does not exist or has a value that cannot be used."""


def setting(
    default: Any,
    help: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that knows its meaning, unit and bounds."""
    metadata = {"help": help, "unit": unit, "minimum": minimum, "maximum": maximum, "choices": choices}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Setting:
    """One setting under its dotted name, e.g. ``smoothing.minimum_cutoff``."""

    name: str
    type: type
    default: Any
    help: str
    unit: str
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]

    def check(self, value: Any) -> Any:
        """``value`` in the setting's type, or a ConfigError that says what was wanted and what was given."""
        if self.type is float and type(value) is int and self._within_bounds(value):
            value = float(value)
        good = type(value) is self.type and (not self.choices or value in self.choices) and self._within_bounds(value)
        if not good:
            raise ConfigError(f"{self.name} must be {self.wanted()}, {value!r} was given")
        return value

    def _within_bounds(self, value: Any) -> bool:
        if self.type not in (int, float):
            return True
        low = -sys.float_info.max if self.minimum is None else self.minimum
        high = sys.float_info.max if self.maximum is None else self.maximum
        return bool(low <= value <= high)  # which NaN and infinity are not, and whole numbers beyond any float neither

    def wanted(self) -> str:
        """What a good value is, in words."""
        if self.choices:
            return "one of " + ", ".join(choice or '""' for choice in self.choices)
        words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[self.type]
        if self.minimum is not None and self.maximum is not None:
            words += f" from {self.minimum:g} to {self.maximum:g}"
        elif self.minimum is not None:
            words += f" of at least {self.minimum:g}"
        return words + (f" ({self.unit})" if self.unit else "")


@dataclass(frozen=True)
class LandmarksConfig:
    backend: str = setting(
        "mediapipe_solutions", "who finds the 478 landmarks", choices=("mediapipe_solutions", "mediapipe_tasks")
    )
    model_path: str = setting("", "face_landmarker.task for the backend mediapipe_tasks")
    max_faces: int = setting(4, "faces looked for in one image", minimum=1, maximum=20)
    presence: float = setting(0.5, "least score of FaceMesh for a face to be there", minimum=0.5, maximum=1.0)


@dataclass(frozen=True)
class DetectionConfig:
    backend: str = setting(
        "mediapipe",
        "who finds new faces; mediapipe is its short-range network and, where that finds nobody, its full-range one; "
        "faceboxes comes with 3ddfa_v2 and is slower",
        choices=("mediapipe", "mediapipe_short", "mediapipe_full", "faceboxes"),
    )
    confidence: float = setting(0.3, "least score of a face that is then looked at", minimum=0.05, maximum=1.0)
    interval: float = setting(
        0.25, "between two looks for more faces while some are followed", unit="s", minimum=0.0, maximum=60.0
    )


@dataclass(frozen=True)
class TrackerConfig:
    max_distance: float = setting(
        0.75, "a face may move this far between two images", unit="face widths", minimum=0.05, maximum=5.0
    )
    lost_track_timeout: float = setting(
        1.0, "time after which a lost track and its id are deleted", unit="s", minimum=0.0, maximum=60.0
    )
    init_threshold: float = setting(
        0.925,
        "minimum confidence to start a track: 1 - (1 - detection score) (1 - fit confidence)",
        minimum=0.0,
        maximum=1.0,
    )
    min_confidence: float = setting(0.3, "minimum fit confidence to keep a track", minimum=0.0, maximum=1.0)
    unconfirmed_timeout: float = setting(
        3.0,
        "time after which a track is deleted that neither FaceMesh nor the detector confirms",
        unit="s",
        minimum=0.0,
        maximum=3600.0,
    )


@dataclass(frozen=True)
class FittingConfig:
    backend: str = setting(
        "auto",
        "how the face model is fitted: by a network, to FaceMesh's landmarks, to both (fused), or (auto) as is best "
        "for the bundle",
        choices=("auto", "tddfa", "least_squares", "fused"),
    )
    network: str = setting("", "tddfa: which of the bundle's networks; empty is its first", choices=("", "mb05", "mb1"))
    provider: str = setting("cpu", "tddfa: where the network runs", choices=("cpu", "cuda"))
    threads: int = setting(1, "tddfa: threads of the network on the processor", minimum=1, maximum=64)
    iterations: int = setting(4, "Gauss-Newton steps of a frame", minimum=1, maximum=50)
    landmark_noise: float = setting(
        0.008,
        "standard deviation of a landmark on the face; less for lids, irises, lips and brows, more for the outline",
        unit="m",
        minimum=0.0001,
        maximum=0.1,
    )
    depth_noise: float = setting(
        0.008, "standard deviation of a landmark's relative depth", unit="m", minimum=0.0001, maximum=1.0
    )
    expression_prior_std: float = setting(
        0.2, "standard deviation of a blendshape before anything is seen", minimum=0.001, maximum=100.0
    )
    symmetry: float = setting(
        0.8,
        "correlation expected between a blendshape of the left and its twin of the right",
        minimum=0.0,
        maximum=0.99,
    )
    shape_memory: float = setting(
        0.97, "weight of earlier frames in a face's shape, per frame", minimum=0.0, maximum=0.999
    )
    field_of_view: float = setting(
        63.0, "vertical field of view assumed without CameraInfo", unit="degrees", minimum=5.0, maximum=170.0
    )


@dataclass(frozen=True)
class ExpressionConfig:
    backend: str = setting(
        "fused",
        "expression backend: the learned fusion of pictures, landmarks, head and fit; the expression head alone; or "
        "the coefficients of a fitted model that has ARKit's basis",
        choices=("fused", "head", "coefficients"),
    )
    neutral_time_constant: float = setting(
        0.0,
        "a face's rest follows what it shows while it shows little, with this time constant; 0 is off",
        unit="s",
        minimum=0.0,
        maximum=3600.0,
    )
    mouth_open_threshold: float = setting(
        0.2, "jawOpen less mouthClose from which on a mouth is open", minimum=0.0, maximum=1.0
    )
    mouth_close_threshold: float = setting(
        0.1, "jawOpen less mouthClose at which an open mouth is closed again", minimum=0.0, maximum=1.0
    )


@dataclass(frozen=True)
class SmoothingConfig:
    """The One-Euro filter (Casiez, Roussel and Vogel, 2012), or a mean over what was seen last."""

    method: str = setting(
        "one_euro",
        "filter of pose, shape, expression and landmarks; window is a mean over the last moments",
        choices=("none", "one_euro", "window"),
    )
    minimum_cutoff: float = setting(1.5, "one_euro: less is smoother at rest", unit="Hz", minimum=0.01, maximum=1000.0)
    beta: float = setting(0.5, "one_euro: more follows faster movement with less delay", minimum=0.0, maximum=1000.0)
    derivative_cutoff: float = setting(1.0, "one_euro: smoothing of the speed", unit="Hz", minimum=0.01, maximum=1000.0)
    blendshape_cutoff: float = setting(
        0.2, "one_euro: minimum_cutoff of the blendshapes", unit="Hz", minimum=0.01, maximum=1000.0
    )
    blendshape_beta: float = setting(1.0, "one_euro: beta of the blendshapes", minimum=0.0, maximum=1000.0)
    blendshape_dead_zone: float = setting(
        1.2,
        "one_euro: a blendshape that seems to change more slowly than this is taken for still; more is smoother at "
        "rest and lags more behind slow changes",
        unit="1/s",
        minimum=0.0,
        maximum=1000.0,
    )
    window: float = setting(
        0.15, "window: how far back it reaches; the delay is a third of it", unit="s", minimum=0.001, maximum=1.0
    )


@dataclass(frozen=True)
class OutputConfig:
    """What the node publishes. Images and meshes that nobody subscribes to are not computed."""

    tf: bool = setting(True, "broadcast the frames face_<id>, where tf2_msgs is installed")
    names: bool = setting(
        True, "false leaves the names of the blendshapes, and the action units, out of the topic expression"
    )
    mesh_opacity: float = setting(1.0, "of mesh_markers", minimum=0.0, maximum=1.0)
    mesh_detail: str = setting(
        "full",
        "triangles of mesh_markers and points of mesh_cloud: all, a quarter of the vertices, or FaceMesh's",
        choices=("full", "decimated", "facemesh"),
    )
    mesh_style: str = setting(
        "shaded",
        "mesh_markers and mesh_cloud: colors of the parts under a lamp, colors of the image, or edges alone",
        choices=("shaded", "textured", "wireframe"),
    )
    mesh_landmarks: bool = setting(False, "mesh_markers: FaceMesh's points on the fitted face, too")
    mesh_axes: bool = setting(False, "mesh_markers: the axes of the face frame, too")
    annotated: str = setting("annotated", "what the topic annotated shows", choices=DRAW_MODES)
    annotated_mesh: bool = setting(True, "draw the mesh in the kind annotated, see-through, where the model has one")


@dataclass(frozen=True)
class PerceptionConfig:
    """Settings of the node ``perception``."""

    bundle: str = setting(
        "open",
        "face model and weights; 3ddfa_v2 is fetched first, with face_expr fetch-models",
        choices=("open", "3ddfa_v2"),
    )
    image_transport: str = setting("raw", "subscribe image or image/compressed", choices=("raw", "compressed"))
    input_timeout: float = setting(
        2.0, "an image topic that is silent for this long is reported", unit="s", minimum=0.1, maximum=3600.0
    )
    autostart: bool = setting(True, "configure and activate at start; false waits for a lifecycle manager")
    detection: DetectionConfig = DetectionConfig()
    landmarks: LandmarksConfig = LandmarksConfig()
    tracker: TrackerConfig = TrackerConfig()
    fitting: FittingConfig = FittingConfig()
    expression: ExpressionConfig = ExpressionConfig()
    smoothing: SmoothingConfig = SmoothingConfig()
    output: OutputConfig = OutputConfig()


@dataclass(frozen=True)
class CameraConfig:
    """Settings of the node ``camera``."""

    source: str = setting("synthetic", "synthetic, device:N, a video file or a folder of images")
    rate: float = setting(
        30.0, "images published; fewer where they cannot be made as fast", unit="Hz", minimum=0.1, maximum=240.0
    )
    width: int = setting(1280, "of the synthetic image, and asked of a device", unit="pixels", minimum=16, maximum=7680)
    height: int = setting(720, "of the synthetic image, and asked of a device", unit="pixels", minimum=16, maximum=4320)
    loop: bool = setting(
        True, "begin a file or folder again at its end; false plays it once, from the first subscriber on"
    )
    frame_id: str = setting("camera_optical_frame", "name of the optical frame")
    field_of_view: float = setting(
        45.0, "vertical field of view of the synthetic camera", unit="degrees", minimum=5.0, maximum=170.0
    )
    faces: int = setting(1, "faces in the synthetic image", minimum=0, maximum=4)
    seed: int = setting(7, "identity and looks of the synthetic faces", minimum=0, maximum=2147483647)


def settings(config: Any, prefix: str = "") -> Iterator[Setting]:
    """Every setting of a config class, sections as dotted names, in the order they are written."""
    hints = get_type_hints(config)
    for entry in fields(config):
        kind = hints[entry.name]
        if is_dataclass(kind):
            yield from settings(kind, f"{prefix}{entry.name}.")
        else:
            yield Setting(name=prefix + entry.name, type=kind, default=entry.default, **entry.metadata)


def from_mapping(config: type[ConfigClass], values: Mapping[str, Any]) -> ConfigClass:
    """A config of dotted names and values; the rest keeps its defaults.

    Raises:
        ConfigError: a name does not exist or a value is of the wrong type or out of its bounds.
    """
    known = {entry.name: entry for entry in settings(config)}
    for name in values:
        if name not in known:
            nearest = get_close_matches(name, known, n=1)
            hint = f", did you mean {nearest[0]}?" if nearest else f"; there are {', '.join(known)}"
            raise ConfigError(f"there is no setting {name!r}{hint}")
    return _build(config, {name: known[name].check(value) for name, value in values.items()})


def without_rclpy_parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a node or a parameter file gives, by dotted names, less what rclpy reads itself."""
    return {name: value for name, value in values.items() if name.split(".")[0] not in _RCLPY_PARAMETERS}


def _build(config: type[ConfigClass], values: Mapping[str, Any]) -> ConfigClass:
    hints = get_type_hints(config)
    arguments = {name: value for name, value in values.items() if "." not in name}
    for entry in fields(config):  # type: ignore[arg-type]
        if is_dataclass(hints[entry.name]):
            section = entry.name + "."
            inner = {name[len(section) :]: value for name, value in values.items() if name.startswith(section)}
            arguments[entry.name] = _build(hints[entry.name], inner)
    return config(**arguments)
