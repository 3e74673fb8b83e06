"""Who may ask: host, origin, token and rate of every request, and the headers of every answer. docs/web.md says why."""

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
from face_expr_ros.web.limits import RateLimit, Refused

SUBPROTOCOL, TOKEN_PREFIX = "face-expr", "token."
LEAST_TOKEN = 16  # characters
PROTECTED = ("/api/", "/ws/", "/metrics")  # the page itself holds no secret and cannot send a token for its files

_POLICY = (
    "default-src 'self'; connect-src 'self' blob:; img-src 'self' blob: data:; media-src blob:; "
    "style-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def check_exposure(config: WebConfig) -> None:
    """Raise ConfigError where the server would be open to others without a good token, or an origin is none."""
    if config.token and not re.fullmatch(rf"[A-Za-z0-9._~-]{{{LEAST_TOKEN},}}", config.token):
        raise ConfigError(
            f"token must be at least {LEAST_TOKEN} letters, digits and - . _ ~, {len(config.token)} characters were "
            "given; make one with: python3 -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    if not is_loopback(config.host) and not config.token:
        raise ConfigError(
            f"host {config.host!r} lets other machines in, and that wants a token, which was not given; "
            "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    for origin in allowed_origins(config):
        if not _is_origin(origin):
            raise ConfigError(
                f"allowed_origins must be origins such as https://robot.example:8443, separated by commas, "
                f"{origin!r} was given"
            )


def _is_origin(text: str) -> bool:
    """Whether it is a scheme, a name and perhaps a port, and nothing else."""
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port
        return False
    return named and parts.scheme in ("http", "https") and text == f"{parts.scheme}://{parts.netloc}"


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is this machine's own alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def allowed_origins(config: WebConfig) -> tuple[str, ...]:
    """The origins of the setting."""
    return tuple(origin.strip().lower() for origin in config.allowed_origins.split(",") if origin.strip())


class Guard:
    """Refuses what may not ask, before anything else sees it.

    A name in the Host header that is not this machine's belongs to a page that has pointed its own name here (DNS
    rebinding). Numeric addresses cannot be forged that way.
    """

    def __init__(self, app: ASGIApp, config: WebConfig, hub: Hub) -> None:
        self._app = app
        self._token = config.token
        self._origins = allowed_origins(config)
        self._hub = hub
        self._rate = RateLimit(config.request_rate, config.request_burst)
        own = {"localhost", config.host, socket.gethostname(), f"{socket.gethostname()}.local", socket.getfqdn()}
        self._hosts = {name.lower() for name in own} | {urlsplit(origin).hostname or "" for origin in self._origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on with the headers added."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        guarded = _with_headers(send)
        try:
            self._check(scope)
        except Refused as error:
            self._hub.refused[error.status] = self._hub.refused.get(error.status, 0) + 1
            await refusal(error)(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        address = scope["client"][0] if scope.get("client") else ""
        if not self._rate.take(address):
            raise Refused(429, "too many requests from this address", retry_after=1)
        host = headers.get("host", "")
        if not self._knows(host):
            raise Refused(421, "this server does not go by that Host; name it in allowed_origins")
        origin = headers.get("origin")
        if origin is not None and not self._allows(origin.lower(), host.lower()):
            raise Refused(403, "pages of that Origin may not connect; name it in allowed_origins")
        if self._wants_token(scope) and not self._has_token(scope, headers):
            raise Refused(401, "a token was wanted: Authorization: Bearer TOKEN, or ?token=TOKEN")

    def _wants_token(self, scope: Scope) -> bool:
        """Browsers ask with OPTIONS whether they may send a token at all, and without it."""
        asks_first = scope["type"] == "http" and scope["method"] == "OPTIONS"
        return bool(self._token) and scope["path"].startswith(PROTECTED) and not asks_first

    def _knows(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            urlsplit(f"//{host}").port  # noqa: B018  raises for what is no port
        except ValueError:
            return False
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _allows(self, origin: str, host: str) -> bool:
        scheme, _, netloc = origin.partition("://")
        return (scheme in ("http", "https") and netloc == host) or origin in self._origins

    def _has_token(self, scope: Scope, headers: Headers) -> bool:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        scheme, _, value = headers.get("authorization", "").partition(" ")
        given += [value] if scheme.lower() == "bearer" else []
        given += [
            name.removeprefix(TOKEN_PREFIX) for name in scope.get("subprotocols", []) if name.startswith(TOKEN_PREFIX)
        ]
        return any(hmac.compare_digest(token.encode(), self._token.encode()) for token in given)


def refusal(error: Refused) -> JSONResponse:
    """The answer to a refused request, also to the handshake of a WebSocket."""
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"detail": str(error)}, error.status, headers)


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-cache")  # ask whether it is still the same
        await send(message)

    return guarded
