"""A layout for Foxglove and Lichtblick that shows an annotated bag: image, meshes, curves of blendshapes and pose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from rosbags.interfaces import Connection

from face_expr_ros.bags.messages import FACE_ARRAY, MARKER, types_of
from face_expr_ros.bags.reading import Recording
from face_expr_ros.bags.topics import TRANSPORTS, camera_info_connection

SHOWN = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "eyeBlinkLeft", "eyeBlinkRight", "browInnerUp")
_ANNOTATED = "annotated"  # the topic of annotated images, below the namespace
_SEARCHED = 1000  # messages in which a face is searched
_COLORS = ("#4e98e2", "#f5774d", "#f7df71", "#5cd6a9", "#a395e2", "#d65c9d")
# The view from behind the camera, a little above its axis, onto a point between the camera and a face, meters.
VIEW = {"perspective": True, "phi": 155.0, "thetaOffset": 0.0, "distance": 1.0, "fovy": 45.0, "near": 0.01, "far": 50}
TARGET = [0.0, 0.0, 0.45]


def foxglove_layout(recording: Recording, faces: Connection) -> dict[str, Any]:
    """The layout as JSON values, for the topics of a bag and the first face in it.

    Args:
        recording: the bag.
        faces: its FaceArray topic.
    """
    namespace = faces.topic.rpartition("/")[0]
    frame_id, face_id, names = _first_face(recording, faces)
    markers = [entry.topic for entry in recording.connections if entry.msgtype == MARKER]
    image = _image(recording, namespace)
    info = None if image is None else camera_info_connection(recording, image)
    expression = {name: f"blendshapes[{names.index(name)}]" for name in SHOWN if name in names}
    pose = {name: f"{name}.@rad2deg" for name in ("yaw", "pitch", "roll")}
    face = f'{{face_id=="{face_id}"}}'
    panels = {
        "Image!image": _image_panel(image, info, markers),
        "3D!meshes": _scene_panel(frame_id, markers),
        "Plot!expression": _plot("Blendshapes", f"{namespace}/expression{face}", expression, (0.0, 1.0)),
        "Plot!pose": _plot("Head, degrees", f"{namespace}/pose{face}", pose, None),
    }
    columns = [_split("column", *pair) for pair in zip(list(panels)[::2], list(panels)[1::2], strict=True)]
    settings: dict[str, Any] = {"globalVariables": {}, "userNodes": {}, "playbackConfig": {"speed": 1}}
    return {"configById": panels, **settings, "layout": _split("row", *columns)}


def _first_face(recording: Recording, faces: Connection) -> tuple[str, str, Sequence[str]]:
    """frame_id of the images, id and blendshape names of the first face; defaults for a bag without faces."""
    types, frame_id = types_of(faces), ""
    for message in islice(recording.messages([faces]), _SEARCHED):
        try:
            array: Any = types.deserialize_cdr(message.data, FACE_ARRAY)
        except Exception:  # damaged, or of another version: the topic may still have others
            continue
        frame_id = frame_id or array.header.frame_id
        for face in array.faces:
            return frame_id, face.face_id, list(face.expression.blendshape_names)
    return frame_id, "f1", []


def _image(recording: Recording, namespace: str) -> Connection | None:
    """The camera's image topic, preferably one with a CameraInfo, otherwise the annotated image."""
    images = [entry for entry in recording.connections if entry.msgtype in TRANSPORTS.values()]
    annotated = f"{namespace}/{_ANNOTATED}"
    ranked = sorted(
        images, key=lambda entry: (entry.topic.startswith(annotated), camera_info_connection(recording, entry) is None)
    )
    return ranked[0] if ranked else None


def _image_panel(image: Connection | None, info: Connection | None, markers: Iterable[str]) -> dict[str, Any]:
    mode: dict[str, Any] = {"imageTopic": "" if image is None else image.topic}
    if info is not None:  # without it, a viewer cannot project the meshes into the image
        mode["calibrationTopic"] = info.topic
    return {"imageMode": mode, "topics": _visible(markers)}


def _scene_panel(frame_id: str, markers: Iterable[str]) -> dict[str, Any]:
    return {
        "cameraState": {**VIEW, "target": [0.0, 0.0, 0.0], "targetOffset": TARGET, "targetOrientation": [0, 0, 0, 1]},
        "followMode": "follow-pose",
        "followTf": frame_id,
        "scene": {"backgroundColor": "#282a2e", "transforms": {"axisScale": 0.2}},
        "topics": _visible(markers),
        "layers": {},
    }


def _visible(topics: Iterable[str]) -> dict[str, Any]:
    return {topic: {"visible": True} for topic in topics}


def _plot(title: str, prefix: str, paths: dict[str, str], limits: tuple[float, float] | None) -> dict[str, Any]:
    series = [
        {
            "value": f"{prefix}.{path}",
            "label": label,
            "color": color,
            "enabled": True,
            "timestampMethod": "headerStamp",
        }
        for (label, path), color in zip(paths.items(), _COLORS, strict=False)
    ]
    bounds = {} if limits is None else {"minYValue": limits[0], "maxYValue": limits[1]}
    return {
        "title": title, "foxglovePanelTitle": title, "paths": series, "xAxisVal": "timestamp", "isSynced": True,
        "showLegend": True, "legendDisplay": "floating", **bounds,
    }  # fmt: skip


def _split(direction: str, first: Any, second: Any) -> dict[str, Any]:
    return {"direction": direction, "first": first, "second": second, "splitPercentage": 50}
