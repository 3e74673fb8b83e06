"""The neutral expression and the calibration over HTTP, for the server's source and for a browser's own camera."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from support.avatar_faces import make_state
from support.web_clients import TIMEOUT, open_socket, port_of, running_server, until

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.calibration import Calibration, parse_calibration
from face_expr_ros.core.types import FaceState
from face_expr_ros.perception.guided_calibration import STEPS, Step, find_step
from face_expr_ros.web.calibration_session import CalibrationSession
from face_expr_ros.web.server import FaceServer


@pytest.fixture
def server() -> Iterator[FaceServer]:
    running = running_server()
    yield running
    running.close()


def call(server: FaceServer, method: str, path: str, **options: Any) -> httpx.Response:
    url = f"http://127.0.0.1:{port_of(server)}{path}"
    return httpx.request(method, url, timeout=TIMEOUT, trust_env=False, **options)


def value(states: tuple[FaceState, ...], name: str = "browInnerUp") -> float:
    return float(states[0].blendshapes.values[ARKIT_NAMES.index(name)])


def store_neutral(server: FaceServer, faces: list[FaceState]) -> httpx.Response:
    """Publish faces and store them as neutral; again where a busy machine took longer than faces are in view."""
    for _ in range(10):
        server.publish(faces, 0, None)
        answer = call(server, "POST", "/api/neutral")
        if answer.status_code != 409:
            break
    return answer


def test_neutral_maps_what_a_face_shows_to_zero(server: FaceServer) -> None:
    face = make_state(browInnerUp=0.2)
    answer = store_neutral(server, [face])
    assert answer.json() == {"faces": 1, "message": "neutral expression stored for 1 face"}
    assert value(server.publish([face], 0, None)) == pytest.approx(0.0)
    assert value(server.publish([make_state(browInnerUp=0.6)], 0, None)) == pytest.approx(0.5)
    assert call(server, "GET", "/api/calibration").json()["neutral"] == {"browInnerUp": 0.2}


def test_neutral_without_a_face_is_refused(server: FaceServer) -> None:
    answer = call(server, "POST", "/api/neutral")
    assert answer.status_code == 409
    assert "no face in view" in answer.json()["detail"]


def test_several_faces_keep_neutral_expressions_of_their_own(server: FaceServer) -> None:
    from dataclasses import replace

    faces = [make_state(browInnerUp=0.2), replace(make_state(browInnerUp=0.4), id="f2")]
    assert store_neutral(server, faces).json()["faces"] == 2
    assert [value((face,)) for face in server.publish(faces, 0, None)] == pytest.approx([0.0, 0.0])
    assert call(server, "GET", "/api/calibration").json()["neutral"] == {}


def test_put_and_delete_replace_the_calibration(server: FaceServer) -> None:
    document = {"version": 1, "blendshapes": {"jawOpen": {"gain": 2.0}}}
    answer = call(server, "PUT", "/api/calibration", json=document)
    assert answer.json()["blendshapes"] == {"jawOpen": {"gain": 2.0, "dead_zone": 0.0, "curve": 1.0}}
    face = make_state(jawOpen=0.3)
    assert value(server.publish([face], 0, None), "jawOpen") == pytest.approx(0.6)
    assert call(server, "DELETE", "/api/calibration").json() == Calibration().model_dump()
    assert value(server.publish([face], 0, None), "jawOpen") == pytest.approx(0.3)


def test_the_yaml_file_can_be_downloaded_and_put_again(server: FaceServer) -> None:
    call(
        server, "PUT", "/api/calibration", json={"neutral": {"jawOpen": 0.1}, "blendshapes": {"jawOpen": {"curve": 2}}}
    )
    answer = call(server, "GET", "/api/calibration.yaml")
    assert answer.headers["content-type"].startswith("application/yaml")
    assert parse_calibration(answer.text) == server.calibration.calibration
    call(server, "DELETE", "/api/calibration")
    call(server, "PUT", "/api/calibration", content=answer.content, headers={"Content-Type": "application/yaml"})
    assert server.calibration.calibration == parse_calibration(answer.text)


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b'{"blendshapes": {"jawopen": {}}}', 422, "did you mean 'jawOpen'?"),
        (b'{"neutral": {"jawOpen": 2}}', 422, "neutral.jawOpen: expected less than or equal to 0.9, got 2"),
        (b"a: &b [1]\nc: *b", 422, "without anchors"),
        (b"\xff\xfe", 400, "expected UTF-8 text"),
        (b"#" * 40000, 413, "at most 32768 bytes"),
    ],
)
def test_invalid_calibrations_are_refused(server: FaceServer, body: bytes, status: int, text: str) -> None:
    answer = call(server, "PUT", "/api/calibration", content=body)
    assert (answer.status_code, text in answer.json()["detail"]) == (status, True), answer.text


def test_the_steps_are_listed_in_order(server: FaceServer) -> None:
    steps = call(server, "GET", "/api/calibration/steps").json()
    assert [step["name"] for step in steps] == [step.name for step in STEPS]
    assert steps[0]["blendshapes"] == []
    assert {name for step in steps for name in step["blendshapes"]} <= set(ARKIT_NAMES)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/calibration/steps/frown", 404),
        ("/api/calibration/finish", 409),
        ("/api/neutral?client=nobody-here", 404),
        ("/api/calibration/finish?client=nobody-here", 404),
    ],
)
def test_what_cannot_be_done_is_refused(server: FaceServer, path: str, status: int) -> None:
    assert call(server, "POST", path).status_code == status


def test_a_step_is_recorded_over_http(server: FaceServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("face_expr_ros.web.calibration_routes.find_step", lambda name: Step(name, "", (), 0.5))
    stopped = threading.Event()

    def feed() -> None:
        while not stopped.wait(0.02):
            server.publish([make_state(browInnerUp=0.1)], 0, None)

    feeding = threading.Thread(target=feed)
    feeding.start()
    answer = call(server, "POST", "/api/calibration/steps/neutral").json()
    stopped.set()
    feeding.join()
    assert (answer["name"], answer["good"]) == ("neutral", True)
    assert answer["frames"] >= 8
    made = call(server, "POST", "/api/calibration/finish").json()["calibration"]
    assert made["neutral"] == {"browInnerUp": 0.1}


def test_the_guided_calibration_maps_the_strongest_expression_to_1() -> None:
    session = CalibrationSession()
    noise = np.random.default_rng(1)

    def show(**shapes: float) -> tuple[FaceState, ...]:
        noisy = {name: each + noise.normal(0, 0.004) for name, each in {"browInnerUp": 0.15, **shapes}.items()}
        return session([make_state(**noisy)])

    async def record(name: str, **shapes: float) -> bool:
        step = find_step(name)
        assert step is not None

        async def sleep(seconds: float) -> None:
            for _ in range(round(seconds * 30)):
                show(**shapes)

        return (await session.record(step, sleep)).good

    async def minute() -> list[bool]:
        return [
            await record("neutral"),
            await record("smile", mouthSmileLeft=0.5, mouthSmileRight=0.6),
            await record("mouth_open", jawOpen=0.1),
        ]

    assert asyncio.run(minute()) == [True, True, False]
    calibration, _ = session.finish()
    assert calibration.blendshapes["mouthSmileLeft"].gain == pytest.approx(2.0, abs=0.05)
    assert "jawOpen" not in calibration.blendshapes
    assert value(show(), "browInnerUp") <= 0.01
    assert value(show(mouthSmileLeft=0.55, mouthSmileRight=0.65), "mouthSmileLeft") == 1.0


def test_a_browser_with_its_own_camera_has_its_own_calibration(server: FaceServer) -> None:
    with open_socket(server, "/ws/infer?client=page-1234"):
        url = "/api/calibration?client=page-1234"
        until(lambda: call(server, "GET", url).status_code == 200, "the camera's session")
        call(server, "PUT", url, json={"blendshapes": {"jawOpen": {"gain": 2}}})
        assert call(server, "GET", url).json()["blendshapes"]["jawOpen"]["gain"] == 2
        assert call(server, "GET", "/api/calibration").json()["blendshapes"] == {}
    until(lambda: call(server, "GET", url).status_code == 404, "the end of the session")
