"""Opening the page on a phone: the URL with the token as a QR code, on the page and on a terminal."""

from __future__ import annotations

import io
from dataclasses import dataclass

from fastapi import FastAPI, Request

from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.tls import local_address

ALL_ADDRESSES = ("0.0.0.0", "::", "")
ONLY_HERE = (
    "This server can be reached only from this computer. Start it with --tls to open the page on a phone: "
    "face_expr web --tls"
)
MISSING_PACKAGE = "QR codes require the package segno: pip install segno"


@dataclass(frozen=True)
class PhoneLink:
    """The link for other devices in the network.

    Attributes:
        url: of the page, with the token; empty if other devices cannot reach it.
        svg: its QR code; empty without the package segno.
        fingerprint: SHA-256 of the certificate that the server made; empty otherwise.
        problem: what is missing, and what to do; empty if nothing is.
    """

    url: str = ""
    svg: str = ""
    fingerprint: str = ""
    problem: str = ""


def network_url(config: WebConfig, port: int) -> str:
    """URL of the page for other devices, with the token."""
    host = config.host.strip("[]")
    host = local_address() if host in ALL_ADDRESSES else host
    host = f"[{host}]" if ":" in host else host
    scheme = "https" if uses_tls(config) else "http"
    return f"{scheme}://{host}:{port}/" + (f"?token={config.token}" if config.token else "")


def uses_tls(config: WebConfig) -> bool:
    """Whether connections are encrypted."""
    return config.tls or bool(config.tls_certificate)


def terminal_code(url: str) -> str:
    """The QR code of a URL in half-block characters for a terminal; empty if the package segno is not installed."""
    try:
        import segno
    except ImportError:
        return ""
    text = io.StringIO()
    segno.make(url, error="l", micro=False).terminal(text, border=2, compact=True)
    return text.getvalue()


def add_phone_route(app: FastAPI, config: WebConfig, fingerprint: str, loopback: bool) -> None:
    """Add ``GET /api/phone``.

    Args:
        app: the application.
        config: settings.
        fingerprint: of the certificate that the server made; empty otherwise.
        loopback: the server can be reached only from this machine.
    """

    @app.get("/api/phone", tags=["state"])
    def phone(request: Request) -> PhoneLink:
        """The link that opens the page on another device, and its QR code."""
        if loopback:
            return PhoneLink(problem=ONLY_HERE)
        url = network_url(config, request.scope["server"][1])
        try:
            import segno
        except ImportError:
            return PhoneLink(url, "", fingerprint, MISSING_PACKAGE)
        code = io.BytesIO()
        segno.make(url, error="m", micro=False).save(
            code, kind="svg", border=3, xmldecl=False, omitsize=True, light="#fff"
        )
        return PhoneLink(url, code.getvalue().decode(), fingerprint)

    app.add_api_route("/api/phone", phone, methods=["HEAD"], include_in_schema=False)
