"""The settings of the nodes `perception` and `camera`, each with default, description, unit and bounds."""

from __future__ import annotations

from dataclasses import dataclass

from face_expr_ros.core.settings import setting

# What can be drawn of a frame and its faces; drawing/modes.py draws each.
DRAW_MODES = ("annotated", "2d_sparse", "2d_dense", "3d", "pose", "depth", "pncc", "uv_tex")

# Execution providers of ONNX Runtime; models/onnx_session.py has their names there.
PROVIDERS = ("auto", "cpu", "cuda", "tensorrt", "openvino", "coreml")
_PROVIDERS_HELP = "auto is the first available of cuda, coreml and cpu; an unavailable one is replaced by cpu"


@dataclass(frozen=True)
class LandmarksConfig:
    backend: str = setting(
        "facemesh",
        "landmark backend: FaceMesh with attention (facemesh) or FaceMesh V2 (facemesh_v2) on LiteRT; the same two in "
        "MediaPipe up to 0.10.21 (mediapipe_solutions) and in any MediaPipe (mediapipe_tasks)",
        choices=("facemesh", "facemesh_v2", "mediapipe_solutions", "mediapipe_tasks"),
    )
    model_path: str = setting("", "facemesh_v2, mediapipe_tasks: path of face_landmarker.task")
    max_faces: int = setting(4, "maximum number of faces tracked in one image", minimum=1, maximum=20)
    presence: float = setting(0.5, "minimum presence confidence of FaceMesh", minimum=0.5, maximum=1.0)


@dataclass(frozen=True)
class DetectionConfig:
    backend: str = setting(
        "blazeface",
        "detection backend; blazeface (LiteRT) and mediapipe (MediaPipe up to 0.10.21) run the short-range network "
        "and, where that is not confident, the full-range one; faceboxes needs the bundle 3ddfa_v2 and is slower",
        choices=(
            "blazeface", "blazeface_short", "blazeface_full", "mediapipe", "mediapipe_short", "mediapipe_full",
            "faceboxes",
        ),
    )  # fmt: skip
    confidence: float = setting(0.3, "minimum detection score", minimum=0.05, maximum=1.0)
    interval: float = setting(
        0.25, "detection interval while at least one face is tracked", unit="s", minimum=0.0, maximum=60.0
    )
    idle_interval: float = setting(
        0.5, "detection interval after a second without a face; 0: every image", unit="s", minimum=0.0, maximum=60.0
    )


@dataclass(frozen=True)
class TrackerConfig:
    max_distance: float = setting(
        0.75,
        "maximum distance between a detection and the predicted face to match them",
        unit="face widths",
        minimum=0.05,
        maximum=5.0,
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
        "how the face model is fitted: by a network (tddfa), to FaceMesh's landmarks (least_squares), to both (fused), "
        "or the best of these for the bundle (auto)",
        choices=("auto", "tddfa", "least_squares", "fused"),
    )
    network: str = setting("", "tddfa: network of the bundle; empty is its first", choices=("", "mb05", "mb1"))
    provider: str = setting("cpu", f"tddfa: what runs the network; {_PROVIDERS_HELP}", choices=PROVIDERS)
    threads: int = setting(1, "tddfa: CPU threads of the network", minimum=1, maximum=64)
    iterations: int = setting(4, "least_squares: maximum Gauss-Newton iterations per frame", minimum=1, maximum=50)
    landmark_noise: float = setting(
        0.008,
        "standard deviation of a landmark on the face; scaled down for eyelids, irises, lips and brows, up for the "
        "outline",
        unit="m",
        minimum=0.0001,
        maximum=0.1,
    )
    depth_noise: float = setting(
        0.008, "standard deviation of a landmark's relative depth", unit="m", minimum=0.0001, maximum=1.0
    )
    expression_prior_std: float = setting(0.2, "prior standard deviation of a blendshape", minimum=0.001, maximum=100.0)
    symmetry: float = setting(
        0.8, "prior correlation of a blendshape with its counterpart on the other side", minimum=0.0, maximum=0.99
    )
    shape_memory: float = setting(
        0.97, "weight of earlier frames in the estimate of a face's shape, per frame", minimum=0.0, maximum=0.999
    )
    field_of_view: float = setting(
        63.0, "vertical field of view assumed without CameraInfo", unit="degrees", minimum=5.0, maximum=170.0
    )


@dataclass(frozen=True)
class ExpressionConfig:
    backend: str = setting(
        "fused",
        "expression backend: the learned fusion of image, landmarks, head and fit; the expression head alone; or the "
        "coefficients of a fitted model that has ARKit's basis",
        choices=("fused", "head", "coefficients"),
    )
    calibration: str = setting(
        "", "path of the calibration.yaml of the person in view, which face_expr calibrate makes; empty is none"
    )
    provider: str = setting("cpu", f"fused, head: what runs the networks; {_PROVIDERS_HELP}", choices=PROVIDERS)
    neutral_time_constant: float = setting(
        0.0,
        "time constant with which the neutral expression of a face adapts while it is nearly neutral; 0 disables it",
        unit="s",
        minimum=0.0,
        maximum=3600.0,
    )
    mouth_open_threshold: float = setting(
        0.2, "jawOpen minus mouthClose at or above which the mouth counts as open", minimum=0.0, maximum=1.0
    )
    mouth_close_threshold: float = setting(
        0.1, "jawOpen minus mouthClose at or below which an open mouth counts as closed", minimum=0.0, maximum=1.0
    )
    looking_half_angle: float = setting(
        12.0,
        "angle between the gaze and the direction to the camera at which looking_at_camera is 0.5",
        unit="degrees",
        minimum=1.0,
        maximum=90.0,
    )
    looking_softness: float = setting(
        6.0,
        "looking_at_camera falls from 1 to 0 between looking_half_angle minus and plus this angle",
        unit="degrees",
        minimum=0.0,
        maximum=90.0,
    )
    speaking_threshold: float = setting(
        0.6,
        "motion of the lips at or above which a person speaks, AU25 per second; speech ends at 0.4 of it",
        minimum=0.01,
        maximum=10.0,
    )
    gesture_min_swing: float = setting(
        7.0, "minimum size of each swing of a nod or a shake", unit="degrees", minimum=1.0, maximum=90.0
    )


@dataclass(frozen=True)
class SmoothingConfig:
    """The One-Euro filter (Casiez, Roussel and Vogel, 2012), or a weighted mean over a time window."""

    method: str = setting(
        "one_euro",
        "filter of pose, shape, expression and landmarks; window is a weighted mean over a time window",
        choices=("none", "one_euro", "window"),
    )
    minimum_cutoff: float = setting(
        1.5, "one_euro: cutoff frequency of a still face; lower is smoother", unit="Hz", minimum=0.01, maximum=1000.0
    )
    beta: float = setting(
        0.5, "one_euro: how the cutoff rises with speed; higher has less lag", minimum=0.0, maximum=1000.0
    )
    derivative_cutoff: float = setting(
        1.0, "one_euro: cutoff frequency of the speed", unit="Hz", minimum=0.01, maximum=1000.0
    )
    blendshape_cutoff: float = setting(
        0.2, "one_euro: minimum_cutoff of the blendshapes", unit="Hz", minimum=0.01, maximum=1000.0
    )
    blendshape_beta: float = setting(1.0, "one_euro: beta of the blendshapes", minimum=0.0, maximum=1000.0)
    blendshape_dead_zone: float = setting(
        1.2,
        "one_euro: rate of change below which a blendshape is treated as still; higher is smoother and has more lag "
        "on slow changes",
        unit="1/s",
        minimum=0.0,
        maximum=1000.0,
    )
    window: float = setting(
        0.15, "window: length of the window; the lag is a third of it", unit="s", minimum=0.001, maximum=1.0
    )


@dataclass(frozen=True)
class OutputConfig:
    """What the node publishes. Images and meshes without subscribers are not computed."""

    tf: bool = setting(True, "broadcast the frames face_<id>, if tf2_msgs is installed")
    names: bool = setting(
        True, "false omits the blendshape names and the action units from the topic expression to save bandwidth"
    )
    mesh_opacity: float = setting(1.0, "opacity of mesh_markers", minimum=0.0, maximum=1.0)
    mesh_detail: str = setting(
        "full",
        "resolution of mesh_markers and mesh_cloud: all vertices, a quarter of them, or FaceMesh's",
        choices=("full", "decimated", "facemesh"),
    )
    mesh_style: str = setting(
        "shaded",
        "look of mesh_markers and mesh_cloud: lit with the colors of the face parts, colored from the image, or edges",
        choices=("shaded", "textured", "wireframe"),
    )
    mesh_lifetime: float = setting(
        2.0,
        "time after which RViz removes a marker of mesh_markers that is not updated; 0 keeps it until it is deleted",
        unit="s",
        minimum=0.0,
        maximum=3600.0,
    )
    mesh_landmarks: bool = setting(False, "mesh_markers: add FaceMesh's points on the fitted face")
    mesh_axes: bool = setting(False, "mesh_markers: add the axes of the face frame")
    annotated: str = setting("annotated", "what the topic annotated shows", choices=DRAW_MODES)
    annotated_mesh: bool = setting(True, "mode annotated: draw the mesh half transparent, if the model has one")


@dataclass(frozen=True)
class PerceptionConfig:
    """Settings of the node ``perception``."""

    bundle: str = setting(
        "open",
        "face model and weights; 3ddfa_v2 must be fetched first, with face_expr fetch-models",
        choices=("open", "3ddfa_v2"),
    )
    image_transport: str = setting("raw", "subscribe to image or to image/compressed", choices=("raw", "compressed"))
    rectified: str = setting(
        "auto",
        "whether images are rectified, so that P of CameraInfo counts and D does not; auto: if a part of the topic's "
        "name is rect, as in image_rect",
        choices=("auto", "true", "false"),
    )
    image_rotation: int = setting(
        0,
        "clockwise rotation that makes the image of a camera upright that is mounted sideways or upside down; results "
        "refer to the image as it is",
        unit="degrees",
        choices=(0, 90, 180, 270),
    )
    use_depth: bool = setting(
        True, "scale distances by the topic depth/image, which must be aligned with the color image, if it is published"
    )
    input_timeout: float = setting(
        2.0,
        "time without images after which a warning is reported and all faces are removed from the outputs",
        unit="s",
        minimum=0.1,
        maximum=3600.0,
    )
    autostart: bool = setting(True, "configure and activate at start; false waits for a lifecycle manager")
    id_prefix: str = setting(
        "",
        "prefix of the ids and frames of faces; empty is made from the namespace: front_ for /front; none disables it",
    )
    first_id: int = setting(
        0,
        "number of the first face; 0 is made from the start time, so that ids are not reused after a restart",
        minimum=0,
        maximum=999999999,
    )
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

    source: str = setting(
        "synthetic",
        "synthetic, device:N, a URL such as rtsp://host/stream, a video file or a folder of images",
    )
    camera_info_url: str = setting(
        "",
        "calibration of a device, stream or file: file:///path, package://package/path or a path; empty is "
        "~/.ros/camera_info/<camera_name>.yaml, if it exists",
    )
    camera_name: str = setting("camera", "name of the camera, for its calibration file")
    rate: float = setting(
        30.0,
        "frame rate, lower where the source is slower; video files are played at their own times instead",
        unit="Hz",
        minimum=0.1,
        maximum=240.0,
    )
    width: int = setting(
        1280, "width of synthetic images, requested from a device", unit="pixels", minimum=16, maximum=7680
    )
    height: int = setting(
        720, "height of synthetic images, requested from a device", unit="pixels", minimum=16, maximum=4320
    )
    loop: bool = setting(
        True, "repeat a file or folder; false plays it once, starting when the first subscriber connects"
    )
    frame_id: str = setting("camera_optical_frame", "name of the optical frame")
    field_of_view: float = setting(
        45.0, "vertical field of view of the synthetic camera", unit="degrees", minimum=5.0, maximum=170.0
    )
    faces: int = setting(1, "number of synthetic faces", minimum=0, maximum=4)
    seed: int = setting(
        7, "random seed of identity and appearance of the synthetic faces", minimum=0, maximum=2147483647
    )
