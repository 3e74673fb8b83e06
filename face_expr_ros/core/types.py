"""The data types of the pipeline: frozen dataclasses of arrays, with shapes and units.

Pixel coordinates follow OpenCV and CameraInfo: the center of the first pixel is (0, 0).
The camera frame is REP-103's optical frame: x right, y down, z forward, meters.
Model axes are: x to the subject's left, y up, z out of the face, origin at the sellion, meters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]


@dataclass(frozen=True)
class Camera:
    """A camera with OpenCV's distortion.

    Attributes:
        width, height: size of the image in pixels.
        matrix: (3, 3) intrinsic matrix K, pixels.
        distortion: (n,) OpenCV coefficients k1 k2 p1 p2 [k3 ...], n of 0, 4, 5, 8, 12 or 14; of a fisheye k1 k2 k3 k4.
        metric: False if the matrix is computed from an assumed field of view.
        lens: model of the distortion: "pinhole", or "fisheye" for OpenCV's fisheye model, ROS's ``equidistant``.
    """

    width: int
    height: int
    matrix: FloatArray
    distortion: FloatArray
    metric: bool
    lens: Literal["pinhole", "fisheye"] = "pinhole"


@dataclass(frozen=True)
class DepthImage:
    """Depths along the optical axis, aligned with the color image; its resolution may differ.

    Attributes:
        values: (height, width) uint16 or float32; 0, NaN and infinity are holes.
        unit: meters per value.
        stamp_ns: time of exposure in nanoseconds.
        size: width and height of the color image in pixels.
    """

    values: NDArray[np.uint16] | NDArray[np.float32]
    unit: float
    stamp_ns: int
    size: tuple[int, int]

    def at(self, pixels: FloatArray) -> FloatArray:
        """Depths (n,) in meters at pixels (n, 2) of the color image; NaN in holes and outside."""
        height, width = self.values.shape
        x, y = ((pixels + 0.5) * (width / self.size[0], height / self.size[1])).T
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)  # False for NaN
        depths = np.full(len(pixels), np.nan)
        found = self.values[y[inside].astype(int), x[inside].astype(int)] * self.unit
        depths[inside] = np.where(np.isfinite(found) & (found > 0), found, np.nan)
        return depths


@dataclass(frozen=True)
class Frame:
    """One image with its stamp and camera.

    Attributes:
        image: (height, width, 3) uint8, BGR.
        stamp_ns: time of exposure in nanoseconds.
        frame_id: name of the camera's optical frame.
        camera: of the image.
        arrival_ns: when it was received, in nanoseconds of any clock; used where stamps stand still. None if unknown.
        depth: the latest depth image, which may be older than the image; None without a depth camera.
    """

    image: NDArray[np.uint8]
    stamp_ns: int
    frame_id: str
    camera: Camera
    arrival_ns: int | None = None
    depth: DepthImage | None = None


@dataclass(frozen=True)
class Landmarks:
    """The FaceMesh points of one face.

    Attributes:
        points: (478, 3) float32; x, y in image pixels, z relative, in the scale of x, smaller is nearer.
        confidence: 0..1.
        appearance: (n,) hidden features of the network that found the points: what it sees of eyes, mouth and skin;
            None if the backend does not give them.
    """

    points: NDArray[np.float32]
    confidence: float
    appearance: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Roi:
    """An axis-aligned box in image pixels: its top left corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Detection:
    """The result of a face detector for one face.

    Attributes:
        roi: the face from forehead to chin and from ear to ear, image pixels; may reach outside the image.
        score: 0..1.
        roll: radians, positive where the eye line is clockwise in the image; 0.0 if the detector does not estimate it.
    """

    roi: Roi
    score: float
    roll: float


@dataclass(frozen=True)
class Track:
    """One face over time: a persistent id, and the current position of the face.

    Attributes:
        id: "f1", "f2", ...
        crop: the square input region of a network, image pixels; may reach outside the image.
        landmarks: FaceMesh's points in this frame; None where FaceMesh does not find the face, as in profile.
        fresh: the crop is approximate, from a detector or after a jump, so that a network should run twice.
        roll: radians, positive where the eye line is clockwise in the image; 0.0 if unknown.
    """

    id: str
    crop: Roi
    landmarks: Landmarks | None
    fresh: bool
    roll: float = 0.0


@dataclass(frozen=True)
class Pose:
    """A head in the camera frame.

    Attributes:
        rotation: (3, 3) from model axes to the camera frame.
        position: (3,) the sellion in the camera frame, meters.
        metric: False if the camera is assumed.
        depth_used: whether the position is scaled by a depth image.
    """

    rotation: FloatArray
    position: FloatArray
    metric: bool
    depth_used: bool = False


@dataclass(frozen=True)
class FaceFit:
    """A face model fitted to one face.

    Attributes:
        pose: the head in the camera frame.
        shape: (identity_count,) coefficients in standard deviations.
        expression: (expression_count,) coefficients in the model's own basis.
        residual: root mean square distance of the fitted points from the landmarks, in meters at the face.
        landmarks68: (68, 3) iBUG points of the fit; x, y in image pixels, z in the same scale, smaller is nearer.
        weak_perspective: (3, 4) ``[f R | t]`` in the convention of `geometry.weak_perspective`.
        confidence: 0..1, of the fitter: whether this is a face and the fit is valid.
    """

    pose: Pose
    shape: FloatArray
    expression: FloatArray
    residual: float
    landmarks68: FloatArray
    weak_perspective: FloatArray
    confidence: float


@dataclass(frozen=True)
class Blendshapes:
    """Named expression values in 0..1.

    Attributes:
        names: ARKit names, left and right are the subject's own.
        values: (len(names),) float.
    """

    names: tuple[str, ...]
    values: FloatArray


@dataclass(frozen=True)
class Readouts:
    """Values derived from a face's blendshapes and pose.

    Attributes:
        action_unit_names: FACS's, such as "AU12", and "AU12L" for the subject's own left; empty if not available.
        action_units: (len(action_unit_names),) intensities in 0..1.
        valence: -1..1, unpleasant to pleasant.
        arousal: -1..1, calm to excited.
        label: of the expression, one of `expression.affect.LABELS`; empty if not available.
        mouth_open: with hysteresis.
        looking_at_camera: 0..1, from head and eyes together; 0.5 at the edge of the cone.
        speaking: 0..1, from the motion of the lips; at least 0.5: the person speaks, with hysteresis.
    """

    action_unit_names: tuple[str, ...]
    action_units: FloatArray
    valence: float
    arousal: float
    label: str
    mouth_open: bool
    looking_at_camera: float = 0.0
    speaking: float = 0.0


NO_READOUTS = Readouts((), np.zeros(0), 0.0, 0.0, "", False)
NOD, SHAKE, BLINK = "nod", "shake", "blink"  # the types of events


@dataclass(frozen=True)
class FaceEvent:
    """Something that a face did, recognized in one frame.

    Attributes:
        type: one of NOD, SHAKE and BLINK.
        duration: from its begin to the stamp of the frame, seconds.
    """

    type: str
    duration: float


@dataclass(frozen=True)
class Face:
    """The result of the pipeline for one face in one frame.

    Attributes:
        id: "f1", "f2", ...
        confidence: 0..1.
        roi: the box of the landmarks, or of the fit's 68 points where there are no landmarks; image pixels.
        landmarks: FaceMesh's points; None where FaceMesh does not find the face, as in profile.
        fit: the face model fitted to the face.
        blendshapes: the expression, relative to the person's neutral one.
        readouts: derived from the blendshapes and the pose by the last stage.
        events: those recognized in this frame.
    """

    id: str
    confidence: float
    roi: Roi
    landmarks: Landmarks | None
    fit: FaceFit
    blendshapes: Blendshapes
    readouts: Readouts = NO_READOUTS
    events: tuple[FaceEvent, ...] = ()


@dataclass(frozen=True)
class FaceState:
    """One face at one time, with the contents of the message Face.

    Attributes:
        id: "f1", "f2", ...
        stamp_ns: of the image.
        confidence: 0..1.
        roi: box in image pixels.
        pose: the head in the camera's optical frame, meters; its rotation is from model axes.
        model: name of the face model that the coefficients refer to.
        shape: (identity_count,) standard deviations.
        expression: (expression_count,) in the model's own basis.
        blendshapes: 0..1, ARKit names.
        readouts: action units, valence, arousal, label, whether the mouth is open, attention and speech.
        landmarks: (478, 3) float32, x and y in image pixels; (0, 3) where FaceMesh does not find the face.
    """

    id: str
    stamp_ns: int
    confidence: float
    roi: Roi
    pose: Pose
    model: str
    shape: FloatArray
    expression: FloatArray
    blendshapes: Blendshapes
    readouts: Readouts
    landmarks: NDArray[np.float32]


def face_state(face: Face, stamp_ns: int, model: str) -> FaceState:
    """The state of a face that the pipeline found in the image of ``stamp_ns`` with the face model ``model``."""
    fit = face.fit
    landmarks = np.zeros((0, 3), np.float32) if face.landmarks is None else face.landmarks.points
    return FaceState(
        id=face.id,
        stamp_ns=stamp_ns,
        confidence=face.confidence,
        roi=face.roi,
        pose=fit.pose,
        model=model,
        shape=fit.shape,
        expression=fit.expression,
        blendshapes=face.blendshapes,
        readouts=face.readouts,
        landmarks=landmarks,
    )
