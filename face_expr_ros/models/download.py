"""Downloading a file whose size and hash are known: with progress, resuming what an earlier attempt has brought."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.progress import byte_progress
from face_expr_ros.models.bundle import sha256_of

CHUNK = 1 << 16  # bytes
TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 3  # in a row that bring nothing
PARTIAL_CONTENT = 206


class _Lost(Exception):
    """The connection could not be made or has ended with an error."""


def download(url: str, target: Path, *, size: int, sha256: str) -> None:
    """Bring a file to `target`, which appears only when it is whole and its hash is right.

    What has arrived is kept as `target` with `.part` added when the connection ends, and is continued by the next
    attempt (HTTP Range), or begun anew where the server does not know ranges.

    Raises:
        BundleError: the server refuses, the connection ends again and again, or another file arrives; the last leaves
            nothing behind.
    """
    part = target.with_name(f"{target.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    while _size_of(part) < size:
        before, reason = _size_of(part), ""
        try:
            _continue(url, part, size)
        except _Lost as error:
            reason = f" ({error})"
        failures = 0 if _size_of(part) > before else failures + 1
        if failures == ATTEMPTS:
            text = f"{_size_of(part)} of {size} bytes of {url} have arrived and no more come{reason}"
            raise BundleError(f"{text}; run the same command again to continue")
    _accept(url, part, target, size, sha256)


def _continue(url: str, part: Path, size: int) -> None:
    """Append what is missing, or begin anew; ends without an error when the connection ends."""
    have = _size_of(part)
    with _request(url, have) as response:
        resumed = response.status == PARTIAL_CONTENT and _first_byte(response) == have
        with part.open("ab" if resumed else "wb") as file:
            arrived = have if resumed else 0
            for chunk in byte_progress(_chunks(response), part.stem, total=size, done=arrived):
                arrived += len(chunk)
                file.write(chunk)
                if arrived > size:  # it is another file, and may be endless
                    return


def _request(url: str, first: int) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, headers={"Range": f"bytes={first}-"} if first else {})
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        raise BundleError(f"{url} cannot be fetched: the server answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _Lost(str(error)) from error
    return response


def _first_byte(response: http.client.HTTPResponse) -> int | None:
    """Where a partial answer begins, from the header `Content-Range: bytes FIRST-LAST/SIZE`."""
    unit, _, place = response.headers.get("Content-Range", "").partition(" ")
    first = place.partition("-")[0]
    return int(first) if unit == "bytes" and first.isdecimal() else None


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := response.read(CHUNK):
            yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise _Lost(str(error)) from error


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _accept(url: str, part: Path, target: Path, size: int, sha256: str) -> None:
    given = sha256_of(part)
    if given != sha256:
        length = _size_of(part)
        part.unlink()
        raise BundleError(
            f"{url} is not the file that was wanted: {size} bytes with sha256 {sha256} were expected, "
            f"{length} bytes with {given} arrived; nothing was kept"
        )
    part.replace(target)
