"""The web server in its own thread; faces are handed over without waiting."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

import uvicorn
from fastapi import FastAPI

from face_expr_ros.core.calibration import Calibration
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.latest_item import LatestItem
from face_expr_ros.core.types import Camera, FaceState
from face_expr_ros.web.app import create_app
from face_expr_ros.web.calibration_routes import SetNeutral
from face_expr_ros.web.calibration_session import CalibrationSession
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.hub import Hub, Update, model_file
from face_expr_ros.web.limits import limited_protocol
from face_expr_ros.web.phone import network_url, uses_tls
from face_expr_ros.web.security import check_exposure, is_loopback
from face_expr_ros.web.tls import Certificate, server_certificate

START_TIMEOUT = 30.0  # seconds
STOP_TIMEOUT = 3  # seconds for closing the connections
BACKLOG = 128

_log = logging.getLogger(__name__)


class ServerError(RuntimeError):
    """The server cannot start."""


class FaceServer:
    """Serves the page, the model and the faces. Thread-safe.

    Args:
        config: settings.
        model: the initial face model; see :meth:`announce`.
        source: description of the source of the faces.
        calibration: of the person in view; clients may replace it.
        set_neutral: stores neutral expressions where the faces are tracked, see `add_calibration`.

    Raises:
        ConfigError: the settings would expose the server without a token, or there is no certificate for TLS.
        ServerError: the server cannot listen on the address.
    """

    def __init__(
        self,
        config: WebConfig,
        model: MorphableModel,
        source: str,
        calibration: Calibration | None = None,
        set_neutral: SetNeutral | None = None,
    ) -> None:
        check_exposure(config)
        self.calibration = CalibrationSession(calibration)
        self.hub = Hub(model_file(model), source)
        self._config = config
        certificate = server_certificate(config)
        self._socket = _listen(config)
        self._loop = asyncio.new_event_loop()
        self._updates: LatestItem[Update] = LatestItem()
        fingerprint = certificate.fingerprint if certificate else ""
        app = create_app(config, self.hub, self.calibration, set_neutral, fingerprint)
        self._server = uvicorn.Server(_uvicorn_config(config, app, certificate))
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()
        self._wait_until_started()

    @property
    def url(self) -> str:
        """URL of the page, with the token."""
        host, port = self._socket_name[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
        scheme = "https" if uses_tls(self._config) else "http"
        return f"{scheme}://{host}:{port}/" + (f"?token={self._config.token}" if self._config.token else "")

    @property
    def network_url(self) -> str:
        """URL of the page for other devices in the network, with the token; empty if they cannot reach the server."""
        return "" if is_loopback(self._config.host) else network_url(self._config, self._socket_name[1])

    @property
    def camera_clients(self) -> int:
        """Number of clients that are connected to the camera stream."""
        return len(self.hub.cameras)

    def publish(self, states: Sequence[FaceState], stamp_ns: int, camera: Camera | None) -> tuple[FaceState, ...]:
        """Send the faces of an image; an earlier update that is still waiting is dropped. Returns the calibrated faces.

        Call it from one thread.
        """
        calibrated = self.calibration(states)
        self._call(self._updates.put, Update(calibrated, stamp_ns, camera))
        return calibrated

    def publish_picture(self, picture: bytes) -> None:
        """Send a camera picture, encoded by `picture.camera_picture`."""
        self._call(self.hub.publish_picture, picture)

    def announce(self, model: MorphableModel) -> None:
        """Replace the face model."""
        self._call(self.hub.announce, model_file(model))

    def close(self) -> None:
        """Close all streams and the port."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def _call(self, function: Callable[..., object], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and so are all connections
            self._loop.call_soon_threadsafe(function, *arguments)

    async def _serve(self) -> None:
        publishing = asyncio.ensure_future(self._publish_updates())
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            publishing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await publishing

    async def _publish_updates(self) -> None:
        while True:
            update = await self._updates.take()
            try:
                if update is not None:
                    self.hub.publish(update)
            except Exception:  # the next update may be valid
                _log.exception("faces not published")

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    def _wait_until_started(self) -> None:
        self._socket_name = self._socket.getsockname()
        ended = threading.Event()
        deadline = START_TIMEOUT
        while not self._server.started:
            if not self._thread.is_alive() or deadline <= 0:
                raise ServerError("the server did not start; see the log above")
            ended.wait(0.02)
            deadline -= 0.02


def _listen(config: WebConfig) -> socket.socket:
    """A listening socket on the configured address."""
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
            f"cannot listen on {config.host} port {config.port}: {error.strerror}; "
            "another program may use the port: choose another one, or 0 for a free one"
        ) from error
    return listening


def _is_application_error(record: logging.LogRecord) -> bool:
    """False for refused handshakes, which uvicorn logs as errors and with which clients could fill the log."""
    return "without completing handshake" not in record.getMessage()


def _uvicorn_config(config: WebConfig, app: FastAPI, certificate: Certificate | None) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").addFilter(_is_application_error)
    return uvicorn.Config(
        app,
        ssl_certfile=certificate.certificate if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
        http=limited_protocol(config),
        ws="websockets-sansio",
        ws_max_size=int(config.upload_megabytes * 1e6),
        ws_per_message_deflate=False,  # frames hardly compress
        ws_ping_interval=config.slow_timeout,
        ws_ping_timeout=config.slow_timeout,
        proxy_headers=False,
        server_header=False,
        access_log=False,  # would contain tokens
        log_level="error",
        log_config=None,
        backlog=BACKLOG,
        timeout_graceful_shutdown=STOP_TIMEOUT,
    )
