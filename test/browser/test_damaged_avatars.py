"""Damaged glTF and VRM files never raise errors on the page: each is shown, or rejected with a message."""

from __future__ import annotations

import json
import random
import struct
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Page
from support.browser import Person, needs_chromium, until
from support.mutations import mutated
from support.paths import ROOT
from support.timed_runs import count_input
from support.web_avatars import small_head, vrm1_head, vrm_triangle

pytestmark = [pytest.mark.slow, needs_chromium]
FILES = 60  # without --minutes
TURN = 60.0  # seconds with --minutes
MOUTH = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight")
SEEDS: dict[str, Callable[[], bytes]] = {
    "head.glb": small_head,
    "triangle.vrm": vrm_triangle,
    "head.vrm": partial(vrm1_head, MOUTH, {"aa": ("jawOpen",), "blink": ("eyeBlinkLeft", "eyeBlinkRight")}),
    **{
        f"{kind}.glb": partial((ROOT / f"test/browser/data/{kind}.glb").read_bytes)
        for kind in ("draco", "meshopt", "ktx2")
    },
}
VALUES: tuple[Any, ...] = (None, -1, 0, 1, 2**31, 2**53, 1e300, "", "x", [], {}, [[]], True, 5121, 5126)


def parts(data: bytes) -> tuple[Any, bytes]:
    """The document and the binary part of a .glb file."""
    (length,) = struct.unpack_from("<I", data, 12)
    return json.loads(data[20 : 20 + length]), data[20 + length :]


def joined(document: Any, binary: bytes) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text) + len(binary), len(text), b"JSON")
    return head + text + binary


def edit(value: Any, rng: random.Random) -> None:
    """Replace, remove or repeat one entry of a JSON document."""
    while True:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        if not keys:
            return
        key = rng.choice(keys)
        if isinstance(value[key], (dict, list)) and value[key] and rng.random() < 0.85:
            value = value[key]
            continue
        kind = rng.randrange(4)
        if kind == 0:
            del value[key]
        elif kind == 1 and isinstance(value, list):
            value.append(value[key])
        elif kind == 2 and isinstance(value[key], (int, float)):
            value[key] = value[key] * rng.choice((-1, 2, 1000)) + rng.choice((0, 1))
        else:
            value[key] = rng.choice(VALUES)
        return


def damaged_file(data: bytes, rng: random.Random) -> bytes:
    """Damaged in its document, its binary part, or anywhere."""
    kind = rng.randrange(3)
    if kind == 0:
        return mutated(data, rng)
    document, binary = parts(data)
    if kind == 1:
        return joined(document, mutated(binary, rng))
    for _ in range(rng.choice((1, 1, 2, 4))):
        edit(document, rng)
    return joined(document, binary)


def test_damaged_avatars_are_shown_or_rejected(
    page: Page, person: Person, live_page: tuple[Page, Person, list[str]], request: pytest.FixtureRequest
) -> None:
    timed = bool(request.config.getoption("--minutes"))
    seeds, rng = {name: make() for name, make in SEEDS.items()}, random.Random(None if timed else 1)
    end, count, shown = time.monotonic() + TURN, 0, 0
    while count < FILES or (timed and time.monotonic() < end):
        name = rng.choice(list(seeds))
        message = choose(page, name, damaged_file(seeds[name], rng))
        assert message.startswith(name), message
        shown += "driven by" in message
        drawn = page.evaluate("faceExpr.drawn")
        until(page, f"faceExpr.drawn > {drawn + 2}")
        count += 1
    count_input(count)
    assert 0 < shown < count
    choose(page, "head.glb", seeds["head.glb"])
    person.jaw = 0.75
    until(page, "Math.abs(faceExpr.avatarWeight('jawOpen') - 0.75) < 0.01")
    errors = live_page[2]  # Three.js writes to the console about damaged textures and meshes; uncaught errors remain
    errors[:] = [text for text in errors if "THREE." not in text]


def choose(page: Page, name: str, data: bytes) -> str:
    """Choose a file; returns the message of the page."""
    page.locator("#toast").evaluate("toast => toast.textContent = ''")
    page.locator("#avatar-file").set_input_files([{"name": name, "mimeType": "model/gltf-binary", "buffer": data}])
    until(page, "document.getElementById('toast').textContent !== ''")
    return page.locator("#toast").inner_text()
