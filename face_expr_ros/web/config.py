"""Parameters of the node ``web_bridge`` and of ``face_expr web``."""

from __future__ import annotations

from dataclasses import dataclass

from face_expr_ros.core.settings import setting


@dataclass(frozen=True)
class WebConfig:
    """Parameters of the node ``web_bridge``."""

    host: str = setting("127.0.0.1", "address to listen on; 0.0.0.0 is all; only loopback addresses need no token")
    port: int = setting(8765, "port to listen on; 0 selects a free port", minimum=0, maximum=65535)
    token: str = setting("", "token that clients must send; at least 16 letters, digits, - . _ ~")
    allowed_origins: str = setting(
        "", "other origins that may connect, such as https://robot.example:8443, separated by commas"
    )
    tls: bool = setting(False, "encrypt connections (https) with a certificate that the server makes itself")
    tls_certificate: str = setting("", "certificate file (PEM) to use instead; requires tls_key")
    tls_key: str = setting("", "private key file (PEM) of tls_certificate")
    bundle: str = setting(
        "open",
        "face model for images sent by clients, and of the page until the first face_model message",
        choices=("open", "3ddfa_v2"),
    )
    calibration: str = setting(
        "",
        "path of the calibration.yaml of the person in view, for the page only, which may replace it; empty is none",
    )
    camera_picture: bool = setting(True, "send the camera image to the page, at most 640 pixels wide and at 15 Hz")
    image_transport: str = setting("raw", "subscribe to image or image/compressed", choices=("raw", "compressed"))
    field_of_view: float = setting(
        63.0,
        "vertical field of view assumed without CameraInfo, as in perception",
        unit="degrees",
        minimum=5.0,
        maximum=170.0,
    )
    max_clients: int = setting(64, "maximum number of streams", minimum=1, maximum=1000)
    max_webcams: int = setting(2, "maximum number of browsers that send webcam images", minimum=0, maximum=16)
    max_connections: int = setting(256, "maximum number of connections of any kind", minimum=4, maximum=10000)
    request_rate: float = setting(
        30.0, "sustained request rate of one address", unit="1/s", minimum=0.1, maximum=100000.0
    )
    request_burst: int = setting(120, "maximum burst of requests of one address", minimum=1, maximum=100000)
    upload_megabytes: float = setting(10.0, "size limit of an uploaded image", unit="MB", minimum=0.01, maximum=1000.0)
    upload_megapixels: float = setting(
        40.0, "pixel limit of an uploaded image", unit="Mpixel", minimum=0.01, maximum=268.0
    )
    upload_timeout: float = setting(20.0, "maximum duration of an upload", unit="s", minimum=0.1, maximum=3600.0)
    slow_timeout: float = setting(
        10.0, "a client that reads nothing for this long is disconnected", unit="s", minimum=0.1, maximum=3600.0
    )
    idle_timeout: float = setting(
        60.0, "a webcam connection that sends nothing for this long is closed", unit="s", minimum=0.1, maximum=3600.0
    )
