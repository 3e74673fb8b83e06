"""The services of the perception node that act on its tracks."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.lifecycle import LifecycleNode
from std_srvs.srv import Trigger

from face_expr_ros.ros.frame_processor import FrameProcessor

INACTIVE = "the node is not active; activate it with `ros2 lifecycle set`"
NO_FACE = "no face detected: look into the camera with a neutral expression and try again"


class TrackingServices:
    """~/reset and ~/calibrate_neutral.

    Args:
        node: offers the services.
        processor: returns the frame processor of an active node, else None.
    """

    def __init__(self, node: LifecycleNode, processor: Callable[[], FrameProcessor | None]) -> None:
        self._processor = processor
        node.create_service(Trigger, "~/reset", self._reset)
        node.create_service(Trigger, "~/calibrate_neutral", self._calibrate_neutral)

    def _reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        processor = self._processor()
        if processor is None:
            return _fill(response, False, INACTIVE)
        count = processor.reset()
        return _fill(response, True, f"deleted {_number(count, 'track')}" if count else "no tracks to delete")

    def _calibrate_neutral(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        processor = self._processor()
        if processor is None:
            return _fill(response, False, INACTIVE)
        problem = processor.input_problem()
        if problem:
            return _fill(response, False, problem)
        count = processor.calibrate_neutral()
        return _fill(
            response, count > 0, f"stored the neutral expression of {_number(count, 'face')}" if count else NO_FACE
        )


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _fill(response: Trigger.Response, success: bool, message: str) -> Trigger.Response:
    response.success, response.message = success, message
    return response
