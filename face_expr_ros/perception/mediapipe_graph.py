"""Runs MediaPipe graphs on arrays, with all settings accessible.

MediaPipe's Python classes do not offer what is needed here: FaceMesh runs its own detector and does not return its
presence score, and face detection ignores its minimum score.
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

from face_expr_ros.core.native_output import native_output_hidden

# Paths of networks in the graphs are relative to this folder.
resource_util.set_resource_dir(str(Path(mediapipe.__file__).parents[1]))


class Graph:
    """A graph with the input stream ``input``, for use by one thread.

    Args:
        config: the graph as text.
        outputs: names of the output streams to observe.
        min_score: replaces ``min_score_thresh`` in the graph; None keeps it.
    """

    def __init__(self, config: str, outputs: Sequence[str], min_score: float | None = None) -> None:
        if min_score is not None:
            with native_output_hidden():
                expanded = mediapipe.CalculatorGraph(graph_config=config).text_config  # includes all subgraphs
            config = re.sub(r"\bmin_score_thresh: [0-9.]+", f"min_score_thresh: {min_score}", expanded)
        with native_output_hidden():
            self._graph = mediapipe.CalculatorGraph(graph_config=config)
        self._packets: dict[str, Any] = {}
        self._timestamp = 0
        for name in outputs:
            self._graph.observe_output_stream(name, self._packets.__setitem__)
        with native_output_hidden():  # the networks are opened
            self._graph.start_run()
            self._graph.wait_until_idle()

    def __call__(self, packet: Any) -> dict[str, Any]:
        """Process a packet; returns the output packets by stream name, of which some may be missing."""
        self._packets.clear()
        self._timestamp += 1
        self._graph.add_packet_to_input_stream("input", packet.at(self._timestamp))
        self._graph.wait_until_idle()
        return dict(self._packets)

    def close(self) -> None:
        """Free the network."""
        self._graph.close()


def image_packet(image: NDArray[np.uint8]) -> Any:
    """A packet of a contiguous (height, width, 3) RGB image, which becomes read-only."""
    image.flags.writeable = False  # MediaPipe copies a writeable array
    return mediapipe.packet_creator.create_image_frame(image_format=mediapipe.ImageFormat.SRGB, data=image)


def values_packet(values: NDArray[np.float32]) -> Any:
    """A packet of a network's input values in memory order."""
    return mediapipe.packet_creator.create_matrix(values.reshape(-1, 1))


def message_bytes(packet: Any) -> bytes:
    """The serialized Protocol Buffers message in a packet; MediaPipe's public function would parse it."""
    data: bytes = _packet_getter._get_serialized_proto(packet)
    return data
