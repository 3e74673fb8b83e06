"""Settings of the node ``web_bridge`` and of ``face_expr web``."""

from __future__ import annotations

from dataclasses import dataclass

from face_expr_ros.core.settings import setting


@dataclass(frozen=True)
class WebConfig:
    """Settings of the node ``web_bridge``."""

    host: str = setting("127.0.0.1", "address to listen on; any but a loopback one needs a token, 0.0.0.0 is all")
    port: int = setting(8765, "port to listen on; 0 takes a free one", minimum=0, maximum=65535)
    token: str = setting("", "what a client must know; at least 16 letters, digits, - . _ ~")
    allowed_origins: str = setting(
        "", "other origins whose pages may connect, such as https://robot.example:8443, separated by commas"
    )
    bundle: str = setting(
        "open",
        "face model of the pictures that clients send, and of the page until faces come",
        choices=("open", "3ddfa_v2"),
    )
    camera_picture: bool = setting(True, "offer the camera's picture to the page, at most 640 pixels wide and 15 Hz")
    image_transport: str = setting("raw", "take it from image or from image/compressed", choices=("raw", "compressed"))
    field_of_view: float = setting(
        63.0,
        "vertical field of view assumed without CameraInfo, as in perception",
        unit="degrees",
        minimum=5.0,
        maximum=170.0,
    )
    max_clients: int = setting(64, "streams at the same time; more are refused", minimum=1, maximum=1000)
    max_webcams: int = setting(2, "browsers whose own webcam is looked at, at the same time", minimum=0, maximum=16)
    max_connections: int = setting(256, "connections of any kind at the same time", minimum=4, maximum=10000)
    request_rate: float = setting(
        30.0, "requests that one address may make in the long run", unit="1/s", minimum=0.1, maximum=100000.0
    )
    request_burst: int = setting(120, "requests that one address may make at once", minimum=1, maximum=100000)
    upload_megabytes: float = setting(10.0, "largest picture that is taken", unit="MB", minimum=0.01, maximum=1000.0)
    upload_megapixels: float = setting(
        40.0, "largest picture that is decoded", unit="Mpixel", minimum=0.01, maximum=268.0
    )
    upload_timeout: float = setting(20.0, "a picture must have come after this", unit="s", minimum=0.1, maximum=3600.0)
    slow_timeout: float = setting(
        10.0, "a client that takes nothing for this long is closed", unit="s", minimum=0.1, maximum=3600.0
    )
    idle_timeout: float = setting(
        60.0, "a webcam that sends nothing for this long is closed", unit="s", minimum=0.1, maximum=3600.0
    )
