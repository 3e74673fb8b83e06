"""Ground truth of rendered faces as a FaceArray."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from std_msgs.msg import Header

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import bounding_box, pixels_with_depth, to_camera, weak_perspective
from face_expr_ros.core.ibug import apparent_turn
from face_expr_ros.core.types import Blendshapes, Camera, Face, FaceFit, Landmarks
from face_expr_ros.msg import FaceArray
from face_expr_ros.perception.expression.readouts import read_once
from face_expr_ros.ros.encode import face_array
from face_expr_ros.sources.source_frame import Truth


def truth_array(truths: Sequence[Truth], model: MorphableModel, camera: Camera, header: Header) -> FaceArray:
    """True pose, shape, expression and landmarks of the rendered faces, in the message type of the results.

    Ids are "t1", "t2", ... in the order of ``truths``; they are unrelated to the tracker's ids.
    """
    faces = [true_face(f"t{number}", truth, model, camera) for number, truth in enumerate(truths, start=1)]
    return face_array(faces, camera, model.name, header)


def true_face(face_id: str, truth: Truth, model: MorphableModel, camera: Camera) -> Face:
    """One rendered face; its landmarks are the model's FaceMesh points, including occluded ones.

    Depth is relative to the sellion, see `geometry.pixels_with_depth`.
    """
    projection = weak_perspective(truth.pose, camera)
    vertices = model.vertices(truth.shape, truth.expression)
    landmarks, landmarks68 = (
        pixels_with_depth(to_camera(points, truth.pose), truth.pose, camera)
        for points in (model.facemesh_points(vertices), model.ibug_points(vertices, apparent_turn(projection)))
    )
    landmarks = landmarks.astype(np.float32)
    blendshapes = Blendshapes(model.expression_names, truth.expression)
    return Face(
        id=face_id,
        confidence=1.0,
        roi=bounding_box(landmarks),
        landmarks=Landmarks(landmarks, 1.0),
        fit=FaceFit(truth.pose, truth.shape, truth.expression, 0.0, landmarks68, projection, confidence=1.0),
        blendshapes=blendshapes,
        readouts=read_once(blendshapes, ExpressionConfig()),
    )
