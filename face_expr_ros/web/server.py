"""The server in a thread of its own; whoever has faces hands them over and goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

import uvicorn

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Camera, FaceState
from face_expr_ros.web.app import create_app
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.hub import Hub, Update, model_file
from face_expr_ros.web.limits import limited_protocol
from face_expr_ros.web.security import check_exposure

START_TIMEOUT = 30.0  # seconds
STOP_TIMEOUT = 3  # seconds that clients get to say goodbye
BACKLOG = 128


class ServerError(RuntimeError):
    """The server cannot start; the text says why and what to do."""


class FaceServer:
    """Serves the page, the model and the faces. All methods may be called from any thread.

    Args:
        config: settings.
        model: the face model that is shown until another is announced.
        source: what the faces come from, in words.

    Raises:
        ConfigError: the settings would let others in without a token.
        ServerError: the address cannot be listened on.
    """

    def __init__(self, config: WebConfig, model: MorphableModel, source: str) -> None:
        check_exposure(config)
        self.hub = Hub(model_file(model), source)
        self._config = config
        self._socket = _listen(config)
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._update: Update | None = None
        self._server = uvicorn.Server(_uvicorn_config(config, self.hub))
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()
        self._wait_until_started()

    @property
    def url(self) -> str:
        """Where the page is, with the token."""
        host, port = self._socket_name[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
        return f"http://{host}:{port}/" + (f"?token={self._config.token}" if self._config.token else "")

    @property
    def picture_wanted(self) -> bool:
        """Whether a client looks at the camera's picture."""
        return bool(self.hub.cameras)

    def publish(self, states: Sequence[FaceState], stamp_ns: int, camera: Camera | None) -> None:
        """Send the faces of an image; what the server did not come to before is dropped."""
        with self._lock:
            waiting, self._update = self._update, Update(tuple(states), stamp_ns, camera)
        if waiting is None:
            self._call(self._hand_over)

    def show(self, picture: bytes) -> None:
        """Send a camera picture, made by `picture.camera_picture`."""
        self._call(self.hub.show, picture)

    def announce(self, model: MorphableModel) -> None:
        """Another face model from now on."""
        self._call(self.hub.announce, model_file(model))

    def close(self) -> None:
        """End the streams and free the port."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def _hand_over(self) -> None:
        with self._lock:
            update, self._update = self._update, None
        if update is not None:
            self.hub.publish(update)

    def _call(self, work: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, with everybody who could have listened
            self._loop.call_soon_threadsafe(work, *arguments)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._server.serve(sockets=[self._socket]))
        finally:
            self._loop.close()

    def _wait_until_started(self) -> None:
        self._socket_name = self._socket.getsockname()
        ended = threading.Event()
        deadline = START_TIMEOUT
        while not self._server.started:
            if not self._thread.is_alive() or deadline <= 0:
                raise ServerError("the server did not start; the lines above say why")
            ended.wait(0.02)
            deadline -= 0.02


def _listen(config: WebConfig) -> socket.socket:
    """A socket on the address of the settings."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            config.host.strip("[]"), config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise ServerError(
            f"{config.host} port {config.port} cannot be listened on ({error.strerror}): "
            "another program may use it; choose another port, or 0 for a free one"
        ) from error
    return listening


def _worth_a_line(record: logging.LogRecord) -> bool:
    """uvicorn calls every refused handshake an error of the application; nobody may fill the log that way."""
    return "without completing handshake" not in record.getMessage()


def _uvicorn_config(config: WebConfig, hub: Hub) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").addFilter(_worth_a_line)
    return uvicorn.Config(
        create_app(config, hub),
        http=limited_protocol(config),
        ws="websockets-sansio",
        ws_max_size=int(config.upload_megabytes * 1e6),
        ws_per_message_deflate=False,  # the frames are dense; it would only cost time
        ws_ping_interval=config.slow_timeout,
        ws_ping_timeout=config.slow_timeout,
        proxy_headers=False,
        server_header=False,
        access_log=False,  # would write tokens
        log_level="error",
        log_config=None,
        backlog=BACKLOG,
        timeout_graceful_shutdown=STOP_TIMEOUT,
    )
