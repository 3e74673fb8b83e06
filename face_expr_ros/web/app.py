"""The routes of the server: page, health, metrics, model, images and streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse

from face_expr_ros import __version__
from face_expr_ros.core.face_model import BundleError
from face_expr_ros.web.calibration_routes import SetNeutral, add_calibration
from face_expr_ros.web.calibration_session import CalibrationSession
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.content_encoding import ENCODERS, select_encoding
from face_expr_ros.web.counts import Health, health_of, metrics_text
from face_expr_ros.web.hub import Hub
from face_expr_ros.web.inference import Inference
from face_expr_ros.web.limits import IMAGE_TYPES, DiscardBody, RequestError
from face_expr_ros.web.model_file import MEDIA_TYPE
from face_expr_ros.web.page_files import PageFiles
from face_expr_ros.web.phone import add_phone_route
from face_expr_ros.web.problems import problems
from face_expr_ros.web.security import AccessControl, allowed_origins, error_response, is_loopback
from face_expr_ros.web.streams import Streams

# Resolved, because a symlink install links this file into another folder.
STATIC = Path(__file__).resolve().parent / "static"
METHODS, HEADERS = (
    ("GET", "HEAD", "POST", "PUT", "DELETE"),
    ("Authorization", "Content-Type", "If-None-Match"),
)  # allowed for pages of other origins
BINARY = {"type": "string", "format": "binary"}  # OpenAPI schema
NO_PAGE = "<!doctype html><title>face_expr</title><p>The page is not built; streams and API are available.</p>\n"


def create_app(
    config: WebConfig,
    hub: Hub,
    calibration: CalibrationSession | None = None,
    set_neutral: SetNeutral | None = None,
    fingerprint: str = "",
) -> FastAPI:
    """The application for the given settings.

    Args:
        config: settings.
        hub: provides model, frames and counters.
        calibration: of the faces that the hub receives; None: without routes for it.
        set_neutral: see `add_calibration`.
        fingerprint: of the certificate that the server made, which the page shows; empty without one.
    """
    streams, inference = Streams(hub, config), Inference(config)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        watchdog = asyncio.create_task(streams.abort_stuck_clients())
        yield
        watchdog.cancel()
        with suppress(asyncio.CancelledError):
            await watchdog
        await inference.close()

    statuses = problems(
        {401: "Missing or wrong token", 403: "Origin not allowed", 421: "Unknown host", 429: "Too many requests"}
    )
    app = FastAPI(
        title="face_expr", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False,
        lifespan=lifespan, responses=statuses,
    )  # fmt: skip
    _add_streams(app, streams, inference)
    _add_state(app, hub)
    _add_model(app, hub)
    _add_inference(app, inference)
    add_calibration(app, lambda client: inference.sessions.get(client) if client else calibration, set_neutral)
    add_phone_route(app, config, fingerprint, is_loopback(config.host))
    _add_page(app)
    app.add_exception_handler(RequestError, _request_error)
    app.add_exception_handler(BundleError, _unavailable)
    if origins := allowed_origins(config):
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=METHODS, allow_headers=HEADERS)
    app.add_middleware(AccessControl, config=config, hub=hub)
    app.add_middleware(DiscardBody)
    return app


def _add_streams(app: FastAPI, streams: Streams, inference: Inference) -> None:
    app.add_api_websocket_route("/ws/stream", streams.stream)
    app.add_api_websocket_route("/ws/camera", streams.camera)
    app.add_api_websocket_route("/ws/infer", inference.webcam)
    app.add_api_websocket_route("/{path:path}", _unknown_stream)


def _add_state(app: FastAPI, hub: Hub) -> None:
    @app.get("/api/health", tags=["state"])
    async def health() -> Health:
        """Health of the server."""
        return health_of(hub)

    @app.get("/metrics", tags=["state"], response_class=PlainTextResponse)
    async def metrics() -> PlainTextResponse:
        """Counters in the Prometheus text format."""
        return PlainTextResponse(metrics_text(hub), media_type="text/plain; version=0.0.4; charset=utf-8")

    _add_head_route(app, "/api/health", health)
    _add_head_route(app, "/metrics", metrics)


def _add_model(app: FastAPI, hub: Hub) -> None:
    compressed: dict[str, tuple[str, bytes]] = {}  # by encoding: ETag and bytes of the last requested model

    @app.get(
        "/api/model",
        tags=["model"],
        response_class=Response,
        responses={200: {"content": {MEDIA_TYPE: {"schema": BINARY}}}, 304: {"description": "Not modified"}},
    )
    def model(request: Request) -> Response:
        """The face model: mean, bases, triangles, names; docs/web.md defines the layout."""
        file = hub.model
        headers = {"ETag": file.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if _contains_etag(request.headers.get("if-none-match", ""), file.etag):
            return Response(status_code=304, headers=headers)
        encoding = select_encoding(request.headers.get("accept-encoding", ""))
        if not encoding:
            return Response(file.data, headers=headers, media_type=MEDIA_TYPE)
        tag, data = compressed.get(encoding, ("", b""))
        if tag != file.etag:
            data = ENCODERS[encoding](file.data)
            compressed[encoding] = file.etag, data
        headers["Content-Encoding"] = encoding
        return Response(data, headers=headers, media_type=MEDIA_TYPE)

    _add_head_route(app, "/api/model", model)


def _add_inference(app: FastAPI, inference: Inference) -> None:
    bodies = {kind: {"schema": BINARY} for kind in IMAGE_TYPES}

    @app.post(
        "/api/infer",
        tags=["inference"],
        responses=problems(
            {
                400: "Incomplete or damaged image",
                408: "Upload timeout",
                413: "Image too large",
                415: "Neither JPEG nor PNG",
                503: "Busy; retry after Retry-After seconds",
            }
        ),
        openapi_extra={"requestBody": {"required": True, "content": bodies}},
    )
    async def infer(request: Request) -> dict[str, Any]:
        """The faces in an image; the body is a JPEG or PNG file."""
        return await inference.infer(request)


def _add_head_route(app: FastAPI, path: str, endpoint: Callable[..., Any]) -> None:
    """Add a HEAD route; unlike Starlette, FastAPI does not add one for each GET route."""
    app.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)


def _contains_etag(tags: str, etag: str) -> bool:
    """Whether the value of If-None-Match contains an entity tag; ``*`` matches any."""
    return any(tag.strip().removeprefix("W/") in (etag, "*") for tag in tags.split(","))


def _add_page(app: FastAPI) -> None:
    """Serve the files of the page at all other paths. A mount would hide 405 responses of POST routes."""
    if (STATIC / "index.html").is_file():
        app.router.default = PageFiles(directory=STATIC, html=True)
        return

    @app.get("/", include_in_schema=False)
    def placeholder() -> Response:
        return Response(NO_PAGE, media_type="text/html")


async def _unknown_stream(websocket: WebSocket) -> None:
    """Refuse other WebSocket paths, which would otherwise reach the files of the page."""
    await websocket.send_denial_response(error_response(RequestError(404, "unknown stream")))


async def _request_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestError)
    return error_response(error)


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    return error_response(RequestError(503, str(error), retry_after=60))
