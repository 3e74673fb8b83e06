"""`face_expr calibrate`: output and exit status with and without a node that provides the service."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from std_srvs.srv import Trigger

from face_expr_ros.cli import main

Serve = Callable[[str, bool, str], None]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Provides ``calibrate_neutral`` with a fixed response under a node's name, in a separate thread."""
    context = Context()
    rclpy.init(args=[], context=context)
    executor = SingleThreadedExecutor(context=context)
    thread = threading.Thread(target=executor.spin)

    def offer(name: str, success: bool, message: str) -> None:
        node = rclpy.create_node("calibration_server", context=context)

        def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            response.success, response.message = success, message
            return response

        node.create_service(Trigger, f"{name}/calibrate_neutral", answer)
        executor.add_node(node)
        thread.start()

    yield offer
    executor.shutdown()
    if thread.is_alive():
        thread.join()
    for node in executor.get_nodes():
        node.destroy_node()
    rclpy.try_shutdown(context=context)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["face_expr", "calibrate", *arguments])
    return main()


@pytest.mark.parametrize(
    ("name", "success", "status"),
    [("/perception", True, 0), ("/robot/eyes", True, 0), ("/perception", False, 1)],
    ids=["stored", "in a namespace", "no face"],
)
def test_the_response_is_printed_and_determines_the_exit_status(
    serve: Serve, monkeypatch, capsys, name: str, success: bool, status: int
) -> None:
    serve(name, success, "the message of the node")
    assert run(monkeypatch, "--node", name, "--timeout", "30") == status
    assert capsys.readouterr().out == "the message of the node\n"


def test_a_missing_node_is_reported_with_exit_status_2(monkeypatch, capsys) -> None:
    assert run(monkeypatch, "--node", "/nowhere", "--timeout", "0.2") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "/nowhere/calibrate_neutral is not available after 0.2 s: start the perception node" in captured.err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "the service /calibrate_neutral is not available"),
        ("two words", "expected a node name such as /perception, got 'two words'"),
        ("/a//b", "expected a node name such as /perception, got '/a//b'"),
    ],
)
def test_an_invalid_node_name_is_reported_with_exit_status_2(monkeypatch, capsys, name: str, message: str) -> None:
    assert run(monkeypatch, "--node", name, "--timeout", "0.2") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
