"""The true parameters of rendered faces as a FaceArray."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from std_msgs.msg import Header

from face_expr_ros.face_model import MorphableModel
from face_expr_ros.geometry import bounding_box, project, to_camera
from face_expr_ros.msg import FaceArray
from face_expr_ros.ros.encode import face_array
from face_expr_ros.sources.synthetic import Truth
from face_expr_ros.values import Blendshapes, Camera, Face, FaceFit, Landmarks


def truth_array(truths: Sequence[Truth], model: MorphableModel, camera: Camera, header: Header) -> FaceArray:
    """What was rendered, in the message of what is found: true pose, shape, expression and landmarks.

    Ids are "t1", "t2", ... in the order of the truths; they have nothing to do with the ids of the tracker.
    """
    faces = [true_face(f"t{number}", truth, model, camera) for number, truth in enumerate(truths, start=1)]
    return face_array(faces, camera, model.name, header)


def true_face(face_id: str, truth: Truth, model: MorphableModel, camera: Camera) -> Face:
    """One rendered face; its landmarks are the model's FaceMesh points, hidden ones included.

    Depth is counted from the sellion and scaled with the weak perspective there, as x and y are.
    """
    points = to_camera(model.facemesh_points(model.vertices(truth.shape, truth.expression)), truth.pose)
    depth = (points[:, 2] - truth.pose.position[2]) * camera.matrix[0, 0] / truth.pose.position[2]
    landmarks = np.column_stack([project(points, camera), depth]).astype(np.float32)
    return Face(
        id=face_id,
        confidence=1.0,
        roi=bounding_box(landmarks),
        landmarks=Landmarks(landmarks, 1.0),
        fit=FaceFit(truth.pose, truth.shape, truth.expression, residual=0.0),
        blendshapes=Blendshapes(model.expression_names, truth.expression),
    )
