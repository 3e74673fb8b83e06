"""The routes of the neutral expression and the calibration; docs/web.md describes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from face_expr_ros.core.calibration import MAX_TEXT, Calibration, calibration_yaml, parse_calibration
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.perception.guided_calibration import STEPS, find_step
from face_expr_ros.web.calibration_session import CalibrationSession, StepResult
from face_expr_ros.web.limits import RequestError
from face_expr_ros.web.problems import problems

YAML_TYPE = "application/yaml"
NO_FACE = "no face in view: look into the camera with a relaxed face and try again"
_UNKNOWN = {404: "No such camera", 422: "Not a calibration"}  # FastAPI's own 422 has another form
_ANY = problems(_UNKNOWN)
_STATE = problems({**_UNKNOWN, 409: "No face in view, or a step is missing"})
_UPLOAD = problems({**_UNKNOWN, 400: "Not UTF-8", 413: "Too long"})
Client = Annotated[
    str, Query(description="browser that sends its own camera to /ws/infer?client=...; empty: the server's source")
]
FindSession = Callable[[str], CalibrationSession | None]
SetNeutral = Callable[[], int | None]  # the number of faces; None if it cannot


def add_calibration(app: FastAPI, find: FindSession, set_neutral: SetNeutral | None = None) -> None:
    """Add the routes.

    Args:
        app: the application.
        find: the session of a client, of the server's source for "", or None.
        set_neutral: replaces the neutral expression of the server's source where its tracker stores it.
    """

    def session(client: str) -> CalibrationSession:
        found = find(client)
        if found is None:
            raise RequestError(404, f"no camera is connected as /ws/infer?client={client:.80}")
        return found

    @app.post("/api/neutral", tags=["calibration"], responses=_STATE)
    async def neutral(client: Client = "") -> dict[str, Any]:
        """Store what each face showed during the last second as its neutral expression."""
        chosen = session(client)
        count = await run_in_threadpool(set_neutral) if set_neutral is not None and not client else None
        if count is None:
            count = chosen.set_neutral()
        elif count:  # the faces that are received are relative to the new one
            chosen.set(chosen.calibration.with_neutral({}))
        if not count:
            raise RequestError(409, NO_FACE)
        faces = "1 face" if count == 1 else f"{count} faces"
        return {"faces": count, "message": f"neutral expression stored for {faces}"}

    _add_document(app, session)
    _add_steps(app, session)


def _add_document(app: FastAPI, session: Callable[[str], CalibrationSession]) -> None:
    @app.get("/api/calibration", tags=["calibration"], responses=_ANY)
    async def calibration(client: Client = "") -> Calibration:
        """The calibration in use."""
        return session(client).calibration

    @app.get(
        "/api/calibration.yaml",
        tags=["calibration"],
        response_class=Response,
        responses={**_ANY, 200: {"content": {YAML_TYPE: {"schema": {"type": "object"}}}}},
    )
    async def calibration_file(client: Client = "") -> Response:
        """The calibration in use as the file calibration.yaml."""
        text = calibration_yaml(session(client).calibration)
        headers = {"Content-Disposition": 'attachment; filename="calibration.yaml"'}
        return Response(text, media_type=YAML_TYPE, headers=headers)

    @app.put("/api/calibration", tags=["calibration"], responses=_UPLOAD, openapi_extra=_BODY)
    async def replace(request: Request, client: Client = "") -> Calibration:
        """Replace the calibration; the body is JSON, or the text of a calibration.yaml."""
        chosen, text = session(client), await _text(request)
        try:
            chosen.set(await run_in_threadpool(parse_calibration, text))
        except ConfigError as error:
            raise RequestError(422, str(error)) from error
        return chosen.calibration

    @app.delete("/api/calibration", tags=["calibration"], responses=_ANY)
    async def remove(client: Client = "") -> Calibration:
        """Send values as they are measured."""
        chosen = session(client)
        chosen.set(Calibration())
        return chosen.calibration


def _add_steps(app: FastAPI, session: Callable[[str], CalibrationSession]) -> None:
    @app.get("/api/calibration/steps", tags=["calibration"])
    async def steps() -> list[dict[str, Any]]:
        """The steps of the guided calibration, in order."""
        return [
            {"name": step.name, "text": step.text, "seconds": step.seconds, "blendshapes": step.blendshapes}
            for step in STEPS
        ]

    @app.post("/api/calibration/steps/{name}", tags=["calibration"], responses=_STATE)
    async def record(name: str, client: Client = "") -> StepResult:
        """Record a step; the response comes when it has ended."""
        chosen, step = session(client), find_step(name)
        if step is None:
            raise RequestError(404, f"expected a step of {', '.join(each.name for each in STEPS)}, got {name!r:.80}")
        try:
            result = await chosen.record(step)
        except ValueError as error:
            raise RequestError(409, str(error)) from error
        if not result.frames:
            raise RequestError(409, NO_FACE)
        return result

    @app.post("/api/calibration/finish", tags=["calibration"], responses=_STATE)
    async def finish(client: Client = "") -> dict[str, Any]:
        """Use the calibration of the recorded steps."""
        chosen = session(client)
        try:
            made, notes = chosen.finish()
        except ValueError as error:
            raise RequestError(409, str(error)) from error
        return {"calibration": made.model_dump(), "notes": notes}


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": Calibration.model_json_schema()},
            YAML_TYPE: {"schema": {"type": "object"}},
        },
    }
}


async def _text(request: Request) -> str:
    """The body as text.

    Raises:
        RequestError: it is too long or not UTF-8.
    """
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_TEXT:
            raise RequestError(413, f"expected a calibration of at most {MAX_TEXT} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(400, "expected UTF-8 text") from error
