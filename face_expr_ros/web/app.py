"""The routes of the server: page, health, metrics, model, pictures and streams."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles

from face_expr_ros import __version__
from face_expr_ros.core.face_model import BundleError
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.counts import Health, health_of, metrics_text
from face_expr_ros.web.hub import Hub
from face_expr_ros.web.inference import Inference
from face_expr_ros.web.limits import PICTURE_TYPES, Discard, Refused
from face_expr_ros.web.model_file import MEDIA_TYPE
from face_expr_ros.web.security import Guard, allowed_origins, refusal
from face_expr_ros.web.streams import Streams

# Resolved: a build may have put a link to this file into its own folder.
STATIC = Path(__file__).resolve().parent / "static"
METHODS, HEADERS = (
    ("GET", "HEAD", "POST"),
    ("Authorization", "Content-Type", "If-None-Match"),
)  # of pages of other origins
BINARY = {"type": "string", "format": "binary"}  # a schema of OpenAPI
NO_PAGE = "<!doctype html><title>face_expr</title><p>The page is not built; the streams and the API work.</p>\n"


@dataclass(frozen=True)
class Problem:
    """Why a request was refused."""

    detail: str


def create_app(config: WebConfig, hub: Hub) -> FastAPI:
    """The application: a pure function of its settings, with the hub as what it shows."""
    streams, inference = Streams(hub, config), Inference(config)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        watch = asyncio.create_task(streams.watch())
        yield
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        await inference.close()

    problems = _problems({401: "Without the token", 403: "Other origin", 421: "Other host", 429: "Too often"})
    app = FastAPI(
        title="face_expr", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False,
        lifespan=lifespan, responses=problems,
    )  # fmt: skip
    app.add_api_websocket_route("/ws/stream", streams.stream)
    app.add_api_websocket_route("/ws/camera", streams.camera)
    app.add_api_websocket_route("/ws/infer", inference.webcam)
    app.add_api_websocket_route("/{path:path}", _no_stream)
    _add_state(app, hub)
    _add_model(app, hub)
    _add_pictures(app, inference)
    _add_page(app)
    app.add_exception_handler(Refused, _refuse)
    app.add_exception_handler(BundleError, _unavailable)
    if origins := allowed_origins(config):
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=METHODS, allow_headers=HEADERS)
    app.add_middleware(Guard, config=config, hub=hub)
    app.add_middleware(Discard)
    return app


def _add_state(app: FastAPI, hub: Hub) -> None:
    @app.get("/api/health", tags=["state"])
    async def health() -> Health:
        """How the server does."""
        return health_of(hub)

    @app.get("/metrics", tags=["state"], response_class=PlainTextResponse)
    async def metrics() -> PlainTextResponse:
        """The counts, for Prometheus."""
        return PlainTextResponse(metrics_text(hub), media_type="text/plain; version=0.0.4; charset=utf-8")

    _answer_head(app, "/api/health", health)
    _answer_head(app, "/metrics", metrics)


def _add_model(app: FastAPI, hub: Hub) -> None:
    packed: dict[str, tuple[str, bytes]] = {}  # by the encoding: tag and bytes of the model that was last asked for

    @app.get(
        "/api/model",
        tags=["model"],
        response_class=Response,
        responses={200: {"content": {MEDIA_TYPE: {"schema": BINARY}}}, 304: {"description": "Not changed"}},
    )
    def model(request: Request) -> Response:
        """The face model: mean, bases, triangles, names. docs/web.md has the layout."""
        file = hub.model
        headers = {"ETag": file.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if _has(request.headers.get("if-none-match", ""), file.etag):
            return Response(status_code=304, headers=headers)
        encoding = _encoding(request.headers.get("accept-encoding", ""))
        if not encoding:
            return Response(file.data, headers=headers, media_type=MEDIA_TYPE)
        tag, data = packed.get(encoding, ("", b""))
        if tag != file.etag:
            data = _ENCODERS[encoding](file.data)
            packed[encoding] = file.etag, data
        headers["Content-Encoding"] = encoding
        return Response(data, headers=headers, media_type=MEDIA_TYPE)

    _answer_head(app, "/api/model", model)


def _add_pictures(app: FastAPI, inference: Inference) -> None:
    bodies = {kind: {"schema": BINARY} for kind in PICTURE_TYPES}

    @app.post(
        "/api/infer",
        tags=["pictures"],
        responses=_problems(
            {
                400: "No whole picture",
                408: "Too slow",
                413: "Too large",
                415: "Neither JPEG nor PNG",
                503: "Busy: ask again after Retry-After seconds",
            }
        ),
        openapi_extra={"requestBody": {"required": True, "content": bodies}},
    )
    async def infer(request: Request) -> dict[str, Any]:
        """The faces of a picture: the body is a JPEG or a PNG."""
        return await inference.infer(request)


def _answer_head(app: FastAPI, path: str, endpoint: Callable[..., Any]) -> None:
    """FastAPI, unlike Starlette, does not answer HEAD where it answers GET."""
    app.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)


def _problems(texts: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """How a route refuses, for the description: texts by their status."""
    return {status: {"model": Problem, "description": text} for status, text in texts.items()}


def _has(tags: str, etag: str) -> bool:
    """Whether a list of entity tags, as in If-None-Match, has this one; ``*`` is any."""
    return any(tag.strip().removeprefix("W/") in (etag, "*") for tag in tags.split(","))


_ENCODERS = {"gzip": lambda data: gzip.compress(data, 6, mtime=0), "deflate": zlib.compress}


def _encoding(accepted: str) -> str:
    """The first of the server's encodings that the client takes, or an empty text."""
    wanted = {}
    for entry in accepted.lower().split(","):
        name, _, rest = entry.strip().partition(";")
        wanted[name.strip()] = rest.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return next((name for name in _ENCODERS if wanted.get(name)), "")


def _add_page(app: FastAPI) -> None:
    """The files of the page, for every path that is no route. Mounted, they would hide that a route wants POST."""
    if (STATIC / "index.html").is_file():
        app.router.default = StaticFiles(directory=STATIC, html=True)
        return

    @app.get("/", include_in_schema=False)
    def placeholder() -> Response:
        return Response(NO_PAGE, media_type="text/html")


async def _no_stream(websocket: WebSocket) -> None:
    """A WebSocket of another name; without this route it would get to the files of the page."""
    await websocket.send_denial_response(refusal(Refused(404, "there is no such stream")))


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return refusal(error)


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    return refusal(Refused(503, str(error), retry_after=60))
