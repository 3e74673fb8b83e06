"""Responses conform to the OpenAPI description for generated requests."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.web_clients import TIMEOUT, port_of, running_server

from face_expr_ros.serialization.image_headers import JPEG_END, JPEG_START, PNG_SIGNATURE
from face_expr_ros.web.server import FaceServer

pytestmark = pytest.mark.slow
CALIBRATION = "/api/calibration"
PATHS = {
    "GET": (
        "/api/health", "/api/model", "/api/phone", "/metrics", CALIBRATION, f"{CALIBRATION}.yaml",
        f"{CALIBRATION}/steps",
    ),
    "POST": ("/api/infer", "/api/neutral", f"{CALIBRATION}/finish"),
    "DELETE": (CALIBRATION,),
}  # fmt: skip
LASTING = {f"{CALIBRATION}/steps/{{name}}"}  # records for seconds; see test_calibration.py


@pytest.fixture(scope="module")
def server() -> Iterator[FaceServer]:
    running = running_server(upload_megapixels=0.5)
    yield running
    running.close()


@pytest.fixture(scope="module")
def description(server: FaceServer) -> schemathesis.schemas.BaseSchema:
    """The OpenAPI description of the server."""
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{port_of(server)}/openapi.json")


# schemathesis's own parametrize does not support all pytest versions of this package.
@pytest.mark.parametrize(("method", "path"), [(method, path) for method, paths in PATHS.items() for path in paths])
def test_responses_conform_to_the_description(
    description: schemathesis.schemas.BaseSchema, method: str, path: str
) -> None:
    operation = description[path][method]

    @settings(max_examples=15, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def check(case: schemathesis.Case) -> None:
        case.call_and_validate()

    check()


def test_every_route_is_tested(description: schemathesis.schemas.BaseSchema) -> None:
    routes = {path for paths in PATHS.values() for path in paths}
    assert description.raw_schema["paths"].keys() == routes | LASTING


def test_random_image_files_are_processed_or_refused(server: FaceServer) -> None:
    url = f"http://127.0.0.1:{port_of(server)}/api/infer"
    heads = st.sampled_from([JPEG_START, PNG_SIGNATURE, PNG_SIGNATURE + b"\0\0\0\rIHDR\0\0\0\x09\0\0\0\x07"])
    tails = st.sampled_from([b"", JPEG_END, b"\0\0\0\0IEND\xaeB`\x82"])

    @settings(max_examples=25)
    @given(heads, st.binary(max_size=300), tails, st.sampled_from(["image/jpeg", "image/png"]))
    def check(head: bytes, body: bytes, tail: bytes, kind: str) -> None:
        headers = {"Content-Type": kind}
        answer = httpx.post(url, content=head + body + tail, headers=headers, timeout=TIMEOUT, trust_env=False)
        assert answer.status_code in (200, 400, 413)

    check()
