"""Cameras that are mounted upside down or sideways: the stages process a rotated image, the results refer to the given
one."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from face_expr_ros.core.types import Camera, DepthImage, Face, FaceFit, FloatArray, Frame, Roi

_OPENCV = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_QUARTER: FloatArray = np.array([[0.0, -1.0], [1.0, 0.0]])  # clockwise, x right and y down


class ImageRotation:
    """Rotates frames clockwise by 0, 90, 180 or 270 degrees, and faces back."""

    def __init__(self, degrees: int) -> None:
        self._degrees = degrees
        self._turn = np.linalg.matrix_power(_QUARTER, degrees // 90)
        self._cameras: tuple[Camera, Camera] | None = None  # the last given one, and the rotated one

    def frame(self, frame: Frame) -> Frame:
        """The rotated frame with the camera that would have taken it."""
        if not self._degrees:
            return frame
        if self._cameras is None or self._cameras[0] is not frame.camera:
            self._cameras = frame.camera, self._camera(frame.camera)
        image = np.asarray(cv2.rotate(frame.image, _OPENCV[self._degrees]), dtype=np.uint8)
        return replace(frame, image=image, camera=self._cameras[1], depth=self._depth(frame.depth))

    def faces(self, faces: tuple[Face, ...], camera: Camera) -> tuple[Face, ...]:
        """Faces of the rotated frame in the given one, which ``camera`` took."""
        return tuple(self._face(face, camera) for face in faces) if self._degrees else faces

    def _depth(self, depth: DepthImage | None) -> DepthImage | None:
        if depth is None:
            return None
        width, height = np.abs(self._turn @ depth.size).astype(int).tolist()
        return replace(depth, values=cv2.rotate(depth.values, _OPENCV[self._degrees]), size=(width, height))

    def _camera(self, camera: Camera) -> Camera:
        focal = np.abs(self._turn @ np.diag(camera.matrix)[:2])
        matrix = np.diag([*focal, 1.0])
        matrix[:2, 2] = self._turn @ camera.matrix[:2, 2] - self._turn @ self._origin(camera)
        width, height = np.abs(self._turn @ [camera.width, camera.height]).astype(int).tolist()
        distortion = camera.distortion if camera.lens == "fisheye" else self._distortion(camera.distortion)
        return Camera(width, height, matrix, distortion, camera.metric, camera.lens)

    def _origin(self, camera: Camera) -> FloatArray:
        """The pixel (2,) of the given image that is the first one of the rotated image."""
        turned = self._turn @ [camera.width - 1, camera.height - 1]
        return self._turn.T @ np.minimum(turned, 0.0)

    def _distortion(self, coefficients: FloatArray) -> FloatArray:
        """Radial coefficients stay; (p2, p1), (s1, s3), (s2, s4) and the tilt are vectors in the image plane."""
        turned = coefficients.copy()
        for pair in ([3, 2], [8, 10], [9, 11], [12, 13]):
            if max(pair) < len(turned):
                turned[pair] = self._turn @ coefficients[pair]
        return turned

    def _face(self, face: Face, camera: Camera) -> Face:
        landmarks = face.landmarks
        if landmarks is not None:
            points = self._pixels(landmarks.points, camera).astype(np.float32)
            landmarks = replace(landmarks, points=points)
        return replace(face, roi=self._roi(face.roi, camera), landmarks=landmarks, fit=self._fit(face.fit, camera))

    def _pixels(self, points: FloatArray, camera: Camera) -> FloatArray:
        """Pixels (n, >= 2) of the rotated image in the given one; further columns stay."""
        result = points.copy()
        result[:, :2] = points[:, :2] @ self._turn + self._origin(camera)
        return result

    def _roi(self, roi: Roi, camera: Camera) -> Roi:
        corners = np.array([[roi.x, roi.y], [roi.x + roi.width, roi.y + roi.height]])
        turned = self._pixels(corners, camera)
        (x, y), (right, bottom) = turned.min(axis=0).tolist(), turned.max(axis=0).tolist()
        return Roi(x, y, right - x, bottom - y)

    def _fit(self, fit: FaceFit, camera: Camera) -> FaceFit:
        back = np.eye(3)
        back[:2, :2] = self._turn.T
        pose = replace(fit.pose, rotation=back @ fit.pose.rotation, position=back @ fit.pose.position)
        return replace(
            fit,
            pose=pose,
            landmarks68=self._pixels(fit.landmarks68, camera),
            weak_perspective=self._weak_perspective(fit.weak_perspective, camera),
        )

    def _weak_perspective(self, matrix: FloatArray, camera: Camera) -> FloatArray:
        """See `geometry.weak_perspective`: x is counted from 1, y upwards from the bottom."""
        height = abs((self._turn @ [camera.width, camera.height])[1])  # of the rotated image
        pixels = matrix * [[1.0], [-1.0], [1.0]]
        pixels[:2, 3] += [-1.0, height]
        pixels[:2, :3] = self._turn.T @ pixels[:2, :3]
        pixels[:2, 3] = self._turn.T @ pixels[:2, 3] + self._origin(camera)
        pixels[:2, 3] += [1.0, -camera.height]
        result: FloatArray = pixels * [[1.0], [-1.0], [1.0]]
        return result
