"""`face_expr calibrate` beside a node that offers the service: its answer, its exit status, and nobody there."""

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
    """Offers ``calibrate_neutral`` with a fixed answer under a node's name, in a thread of its own."""
    context = Context()
    rclpy.init(args=[], context=context)
    executor = SingleThreadedExecutor(context=context)
    thread = threading.Thread(target=executor.spin)

    def offer(name: str, success: bool, message: str) -> None:
        node = rclpy.create_node("stand_in", context=context)

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
    ("name", "arguments", "success", "status"),
    [("/perception", [], True, 0), ("/robot/eyes", ["--node", "/robot/eyes"], True, 0), ("/perception", [], False, 1)],
    ids=["default", "in a namespace", "nobody in view"],
)
def test_the_nodes_own_sentence_is_printed_and_its_success_is_the_exit_status(
    serve: Serve, monkeypatch, capsys, name: str, arguments: list[str], success: bool, status: int
) -> None:
    serve(name, success, "what the node says")
    assert run(monkeypatch, *arguments, "--timeout", "30") == status
    assert capsys.readouterr().out == "what the node says\n"


def test_a_node_that_is_not_there_is_one_sentence_and_status_2(monkeypatch, capsys) -> None:
    assert run(monkeypatch, "--node", "/nowhere", "--timeout", "0.2") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert (
        "/nowhere/calibrate_neutral was wanted and is not there after 0.2 s: start the perception node" in captured.err
    )


@pytest.mark.parametrize("name", ["", "two words", "/a//b"])
def test_a_name_that_no_node_can_have_is_one_sentence_and_status_2(monkeypatch, capsys, name: str) -> None:
    assert run(monkeypatch, "--node", name, "--timeout", "0.2") == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
