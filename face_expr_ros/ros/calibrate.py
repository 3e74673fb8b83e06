"""Client of the perception node's service ``calibrate_neutral``."""

from __future__ import annotations

import sys

import rclpy
from rclpy.client import Client
from rclpy.context import Context
from rclpy.exceptions import NameValidationException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger

RESPONSE_TIMEOUT = 10.0  # seconds from the request to the response; the node first finishes the current image


class ServiceError(RuntimeError):
    """The service is unavailable or does not respond; the text is shown to the user."""


def calibrate_neutral(node_name: str, timeout: float) -> tuple[bool, str]:
    """Call ``<node_name>/calibrate_neutral``.

    Args:
        node_name: of the perception node with its namespace, such as "/perception".
        timeout: seconds to wait for the service to become available.

    Returns:
        Whether a neutral expression was stored, and the message of the node's response.

    Raises:
        ServiceError: the service is unavailable or does not respond.
    """
    context = Context()
    rclpy.init(args=sys.argv[:1], context=context)
    try:
        return _call(node_name, context, timeout)
    finally:
        rclpy.try_shutdown(context=context)


def _call(node_name: str, context: Context, timeout: float) -> tuple[bool, str]:
    service = f"{node_name.rstrip('/')}/calibrate_neutral"
    node = rclpy.create_node("face_expr_calibrate", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        client = _create_client(node, node_name, service)
        if not client.wait_for_service(timeout_sec=timeout):
            raise ServiceError(
                f"the service {service} is not available after {timeout:g} s: start the perception node, "
                "or pass its name including the namespace with --node"
            )
        response = client.call_async(Trigger.Request())
        executor.spin_until_future_complete(response, timeout_sec=RESPONSE_TIMEOUT)
        if not response.done():
            raise ServiceError(
                f"{service} did not respond within {RESPONSE_TIMEOUT:g} s: check the log of the perception node"
            )
        return response.result().success, response.result().message
    finally:
        executor.shutdown()
        node.destroy_node()


def _create_client(node: Node, node_name: str, service: str) -> Client:
    try:
        return node.create_client(Trigger, service)
    except NameValidationException as error:
        reason = str(error).splitlines()[0].rstrip(":")
        raise ServiceError(f"expected a node name such as /perception, got {node_name!r}: {reason}") from error
