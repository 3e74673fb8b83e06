"""The topics that the perception node publishes for an image, as serialized messages of a bag."""

from __future__ import annotations

from collections.abc import Iterator

from face_expr_ros.bags.messages import (
    FACE_ARRAY,
    FACE_EVENT,
    FACE_EXPRESSION,
    FACE_MODEL,
    FACE_POSE,
    FACE_SHAPE,
    TF,
    Addition,
    cdr,
    check_time,
)
from face_expr_ros.bags.writing import Topic, new_topic
from face_expr_ros.core.config import OutputConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Face, Frame
from face_expr_ros.serialization.message_dicts import (
    Values,
    face_array_values,
    face_event_values,
    face_expression_values,
    face_model_values,
    face_pose_values,
    face_shape_values,
    header_values,
    transform_values,
)


def face_topics(namespace: str, config: OutputConfig) -> list[Topic]:
    """The topics that are added to a bag, in ``namespace`` ("" or "/robot")."""
    topics = [
        new_topic(f"{namespace}/faces", FACE_ARRAY),
        new_topic(f"{namespace}/face_events", FACE_EVENT),
        new_topic(f"{namespace}/pose", FACE_POSE),
        new_topic(f"{namespace}/shape", FACE_SHAPE),
        new_topic(f"{namespace}/expression", FACE_EXPRESSION),
        new_topic(f"{namespace}/face_model", FACE_MODEL, depth=1, latched=True),
    ]
    return [*topics, new_topic("/tf", TF, depth=100)] if config.tf else topics


class FaceMessages:
    """Creates the messages of an image.

    Args:
        model: the face model that coefficients refer to.
        namespace: as in `face_topics`.
        config: whether to write tf and the names of the blendshapes.
    """

    def __init__(self, model: MorphableModel, namespace: str, config: OutputConfig) -> None:
        self._model, self._namespace, self._config = model, namespace, config

    def model(self, time_ns: int) -> Iterator[Addition]:
        """The face model; ``time_ns`` is its stamp and its recording time.

        Raises:
            BagError: a ROS time stamp cannot represent the time.
        """
        check_time(time_ns)
        values = face_model_values(self._model, self._model.expression_names, header_values(time_ns, ""))
        yield self._addition("face_model", FACE_MODEL, time_ns, values)

    def __call__(self, frame: Frame, faces: tuple[Face, ...], time_ns: int) -> Iterator[Addition]:
        """All messages of one image, with the header of the image and its recording time ``time_ns``."""
        name, header = self._model.name, header_values(frame.stamp_ns, frame.frame_id)
        yield self._addition("faces", FACE_ARRAY, time_ns, face_array_values(faces, frame.camera, name, header))
        if self._config.tf and faces and frame.frame_id:
            transforms = [transform_values(face, header) for face in faces]
            yield "/tf", TF, time_ns, cdr(TF, {"transforms": transforms})
        for face in faces:
            expression = face_expression_values(face, name, header, self._config.names)
            for event in face.events:
                yield self._addition("face_events", FACE_EVENT, time_ns, face_event_values(face.id, event, header))
            yield self._addition("pose", FACE_POSE, time_ns, face_pose_values(face, header))
            yield self._addition("shape", FACE_SHAPE, time_ns, face_shape_values(face, name, header))
            yield self._addition("expression", FACE_EXPRESSION, time_ns, expression)

    def _addition(self, topic: str, kind: str, time_ns: int, values: Values) -> Addition:
        return f"{self._namespace}/{topic}", kind, time_ns, cdr(kind, values)
