"""All senders of a targets file together: one thread each, fed with the faces of each image."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from face_expr_ros.core.calibration import CalibratedResponse, open_calibration
from face_expr_ros.core.types import FaceState
from face_expr_ros.retargeting.avatar_config import TargetConfig
from face_expr_ros.retargeting.avatar_sender import Sender
from face_expr_ros.retargeting.avatar_stream import AvatarStream
from face_expr_ros.retargeting.calibrated_faces import calibrated


class AvatarError(RuntimeError):
    """A sender cannot start; the text is for the user."""


class AvatarSenders:
    """Sends faces to avatar applications until it is closed.

    Args:
        targets: the receivers.
        lost_after, relax: seconds, see `AvatarBridgeConfig`.
        report: called with a message for each network error; may be called at the sending rate, from any thread.
        calibration: path of the ``calibration.yaml`` for targets without one of their own; empty is none.

    Attributes:
        senders: one for each target.

    Raises:
        ConfigError: a calibration cannot be read.
        AvatarError: the port for a receiver's start message is in use.
    """

    def __init__(
        self,
        targets: Sequence[TargetConfig],
        lost_after: float,
        relax: float,
        report: Callable[[str], None],
        calibration: str = "",
    ) -> None:
        self.senders: list[Sender] = []
        self._streams: list[AvatarStream] = []
        self._responses = [open_calibration(target.calibration or calibration) for target in targets]
        try:
            for target in targets:
                self._add(target, AvatarStream(target, lost_after, relax), report)
        except AvatarError:
            self.close()
            raise

    def put(self, faces: Sequence[FaceState]) -> str:
        """Update with the faces of one image; the first error message if they are invalid for a target, else empty."""
        now = time.monotonic()
        pairs = zip(self._streams, self._responses, strict=True)
        errors = [error for stream, response in pairs if (error := _try_put(stream, response, faces, now))]
        return errors[0] if errors else ""

    def close(self) -> None:
        """Stop the threads; may be called twice."""
        for sender in self.senders:
            sender.close()

    def _add(self, target: TargetConfig, stream: AvatarStream, report: Callable[[str], None]) -> None:
        try:
            self.senders.append(Sender(target, stream, report))
        except OSError as error:
            purpose = f"on which {target.label} waits for a hello packet"
            raise AvatarError(f"cannot open port {target.port_number}, {purpose}: {error.strerror}") from error
        self._streams.append(stream)


def _try_put(stream: AvatarStream, response: CalibratedResponse | None, faces: Sequence[FaceState], now: float) -> str:
    try:
        stream.put(faces if response is None else calibrated(faces, response), now)
    except ValueError as error:
        return str(error)
    return ""
