"""MediaPipe's own graphs, run on arrays: what its face detection and FaceMesh are made of, with every setting open.

MediaPipe's Python classes hide what is needed here: FaceMesh looks for faces by itself and keeps its presence score,
and face detection ignores the least score that it is given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mediapipe
import numpy as np
from mediapipe.python._framework_bindings import _packet_getter, resource_util
from numpy.typing import NDArray

# The graphs name their networks relative to this folder.
resource_util.set_resource_dir(str(Path(mediapipe.__file__).parents[1]))


class Graph:
    """A graph with the input stream ``input`` that belongs to one thread.

    Args:
        config: the graph as text.
        outputs: names of the streams whose packets are wanted; those of subgraphs have names of their own.
        least_score: replaces the value of ``min_score_thresh`` in the graph; None leaves it.
    """

    def __init__(self, config: str, outputs: Sequence[str], least_score: float | None = None) -> None:
        if least_score is not None:
            written_out = mediapipe.CalculatorGraph(graph_config=config).text_config  # with all its subgraphs
            config = re.sub(r"\bmin_score_thresh: [0-9.]+", f"min_score_thresh: {least_score}", written_out)
        self._graph = mediapipe.CalculatorGraph(graph_config=config)
        self._answer: dict[str, Any] = {}
        self._clock = 0
        for name in outputs:
            self._graph.observe_output_stream(name, self._answer.__setitem__)
        self._graph.start_run()

    def __call__(self, packet: Any) -> dict[str, Any]:
        """The packets that a packet gives, by the names of their streams; some may be missing."""
        self._answer.clear()
        self._clock += 1
        self._graph.add_packet_to_input_stream("input", packet.at(self._clock))
        self._graph.wait_until_idle()
        return dict(self._answer)

    def close(self) -> None:
        """Free the network."""
        self._graph.close()


def image_packet(image: NDArray[np.uint8]) -> Any:
    """A (height, width, 3) RGB image in one piece, which cannot be written from now on."""
    image.flags.writeable = False  # MediaPipe then takes it as it is, and copies it otherwise
    return mediapipe.packet_creator.create_image_frame(image_format=mediapipe.ImageFormat.SRGB, data=image)


def values_packet(values: NDArray[np.float32]) -> Any:
    """What a network wants, in its order; the shape does not matter."""
    return mediapipe.packet_creator.create_matrix(values.reshape(-1, 1))


def message_bytes(packet: Any) -> bytes:
    """The Protocol Buffers message in a packet, as bytes: MediaPipe's own way to the message parses them at once."""
    data: bytes = _packet_getter._get_serialized_proto(packet)
    return data
