"""Asking a running perception node to take the faces in view as neutral."""

from __future__ import annotations

import sys

import rclpy
from rclpy.client import Client
from rclpy.context import Context
from rclpy.exceptions import NameValidationException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger

ANSWER_TIMEOUT = 10.0  # seconds that an image in work and its answer may take


class ServiceError(RuntimeError):
    """A node does not answer; the text is the sentence for the user."""


def calibrate_neutral(node_name: str, timeout: float) -> tuple[bool, str]:
    """Call ``<node_name>/calibrate_neutral``.

    Args:
        node_name: of the perception node with its namespace, such as "/perception".
        timeout: seconds to wait for the node to be there.

    Returns:
        Whether a rest was taken, and the node's own sentence.

    Raises:
        ServiceError: there is no such node, or it does not answer.
    """
    service = f"{node_name.rstrip('/')}/calibrate_neutral"
    context = Context()
    rclpy.init(args=sys.argv[:1], context=context)
    try:
        return _call(service, context, timeout)
    finally:
        rclpy.try_shutdown(context=context)


def _call(service: str, context: Context, timeout: float) -> tuple[bool, str]:
    node = rclpy.create_node("face_expr_calibrate", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        client = _client(node, service)
        if not client.wait_for_service(timeout_sec=timeout):
            raise ServiceError(
                f"the service {service} was wanted and is not there after {timeout:g} s: start the perception node, "
                "or name it with --node, its namespace before it"
            )
        answer = client.call_async(Trigger.Request())
        executor.spin_until_future_complete(answer, timeout_sec=ANSWER_TIMEOUT)
        if not answer.done():
            raise ServiceError(f"{service} gave no answer for {ANSWER_TIMEOUT:g} s: see what the perception node says")
        return answer.result().success, answer.result().message
    finally:
        executor.shutdown()
        node.destroy_node()


def _client(node: Node, service: str) -> Client:
    try:
        return node.create_client(Trigger, service)
    except NameValidationException as error:
        reason = str(error).splitlines()[0].rstrip(":")
        raise ServiceError(f"no node can offer {service!r}, name one such as /perception: {reason}") from error
