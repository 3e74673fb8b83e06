"""Access control by host, origin, token and request rate, and security headers; docs/web.md has the reasons."""

from __future__ import annotations

import hmac
import ipaddress
import re
import socket
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from face_expr_ros.core.settings import ConfigError
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.hub import Hub
from face_expr_ros.web.limits import RateLimiter, RequestError

SUBPROTOCOL, TOKEN_PREFIX = "face-expr", "token."
MIN_TOKEN_LENGTH = 16  # characters
PROTECTED = ("/api/", "/ws/", "/metrics")  # the files of the page are public, and browsers cannot send a token for them

# WebAssembly decodes compressed avatars; JavaScript is allowed only from the server's own files.
_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' blob:; "
    "img-src 'self' blob: data:; media-src blob:; "
    "style-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
# The transcoder of KTX2 textures creates functions at run time; its worker has no access to page or network.
_TRANSCODER = "/assets/basis_worker.js"
_TRANSCODER_POLICY = "default-src 'none'; script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval'"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def check_exposure(config: WebConfig) -> None:
    """Raise ConfigError for an invalid token or origin, and for a non-loopback host without a token."""
    if config.token and not re.fullmatch(rf"[A-Za-z0-9._~-]{{{MIN_TOKEN_LENGTH},}}", config.token):
        raise ConfigError(
            f"token: expected at least {MIN_TOKEN_LENGTH} letters, digits, - . _ ~, got {len(config.token)}; "
            "create one with: python3 -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    if not is_loopback(config.host) and not config.token:
        raise ConfigError(
            f"host {config.host!r} is reachable from other machines and requires a token; "
            "create one with: python3 -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    for origin in allowed_origins(config):
        if not _is_origin(origin):
            raise ConfigError(
                f"allowed_origins: expected origins such as https://robot.example:8443, separated by commas, "
                f"got {origin!r}"
            )


def _is_origin(text: str) -> bool:
    """Whether the text consists of a scheme, a host name and optionally a port."""
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:  # invalid port
        return False
    return has_host and parts.scheme in ("http", "https") and text == f"{parts.scheme}://{parts.netloc}"


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reachable only from this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def allowed_origins(config: WebConfig) -> tuple[str, ...]:
    """The origins in the setting."""
    return tuple(origin.strip().lower() for origin in config.allowed_origins.split(",") if origin.strip())


class AccessControl:
    """Middleware that refuses unauthorized requests before they reach the application.

    An unknown name in the Host header indicates DNS rebinding: a page that has pointed its own name to this server.
    Numeric addresses cannot be forged that way.
    """

    def __init__(self, app: ASGIApp, config: WebConfig, hub: Hub) -> None:
        self._app = app
        self._token = config.token
        self._origins = allowed_origins(config)
        self._hub = hub
        self._rate = RateLimiter(config.request_rate, config.request_burst)
        names = {"localhost", config.host, socket.gethostname(), f"{socket.gethostname()}.local", socket.getfqdn()}
        self._hosts = {name.lower() for name in names} | {urlsplit(origin).hostname or "" for origin in self._origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or run the application and add the security headers."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        send_with_headers = _with_headers(send, _TRANSCODER_POLICY if scope["path"] == _TRANSCODER else _POLICY)
        try:
            self._check(scope)
        except RequestError as error:
            self._hub.refused[error.status] = self._hub.refused.get(error.status, 0) + 1
            await error_response(error)(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        address = scope["client"][0] if scope.get("client") else ""
        if not self._rate.take(address):
            raise RequestError(429, "too many requests from this address", retry_after=1)
        host = headers.get("host", "")
        if not self._is_known_host(host):
            raise RequestError(421, "unknown Host; add it to allowed_origins")
        origin = headers.get("origin")
        if origin is not None and not self._is_allowed_origin(origin.lower(), host.lower()):
            raise RequestError(403, "Origin not allowed; add it to allowed_origins")
        if self._requires_token(scope) and not self._has_token(scope, headers):
            raise RequestError(401, "expected a valid token: Authorization: Bearer TOKEN, or ?token=TOKEN")

    def _requires_token(self, scope: Scope) -> bool:
        """Whether a path is protected; CORS preflight requests (OPTIONS) carry no token."""
        preflight = scope["type"] == "http" and scope["method"] == "OPTIONS"
        return bool(self._token) and scope["path"].startswith(PROTECTED) and not preflight

    def _is_known_host(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            urlsplit(f"//{host}").port  # noqa: B018  raises for an invalid port
        except ValueError:
            return False
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _is_allowed_origin(self, origin: str, host: str) -> bool:
        scheme, _, netloc = origin.partition("://")
        return (scheme in ("http", "https") and netloc == host) or origin in self._origins

    def _has_token(self, scope: Scope, headers: Headers) -> bool:
        tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        scheme, _, value = headers.get("authorization", "").partition(" ")
        tokens += [value] if scheme.lower() == "bearer" else []
        tokens += [
            name.removeprefix(TOKEN_PREFIX) for name in scope.get("subprotocols", []) if name.startswith(TOKEN_PREFIX)
        ]
        return any(hmac.compare_digest(token.encode(), self._token.encode()) for token in tokens)


def error_response(error: RequestError) -> JSONResponse:
    """The response to a refused request or WebSocket handshake."""
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"detail": str(error)}, error.status, headers)


def _with_headers(send: Send, policy: str) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers["Content-Security-Policy"] = policy
            headers.setdefault("Cache-Control", "no-cache")  # revalidate before reuse
        await send(message)

    return send_with_headers
