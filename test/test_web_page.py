"""The page in a real browser, on a real server; and that the committed build is that of the sources."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import PICTURES, SMALL, Person, chromium, needs_chromium, open_page, until
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page
from web_clients import port_of, running_server

from face_expr_ros.open_model.blendshapes import ARKIT_NAMES
from face_expr_ros.web.server import FaceServer

ROOT = Path(__file__).parent.parent
SOURCES = ("index.html", "package-lock.json", "package.json", "public", "src", "tsconfig.json", "vite.config.ts")
STATIC = ROOT / "face_expr_ros/web/static"
LARGEST = 1.5e6  # bytes of the whole page, compressed
CLOSED, OPEN = 0.005, 0.012  # meters between the inner lips
MOVED = 0.004  # meters that the lips of the synthetic person move apart within its half minute
JAW = ARKIT_NAMES.index("jawOpen")
in_browser = [pytest.mark.slow, needs_chromium]


def files_under(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]


def hash_of(root: Path, files: list[Path]) -> str:
    """As web/vite.config.ts computes it."""
    found = hashlib.sha256()
    for name, file in sorted((file.relative_to(root).as_posix(), file) for file in files):
        found.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()


def built_hash(folder: Path) -> str:
    return hash_of(folder, [file for file in files_under(folder) if file.name != "build.json"])


def test_the_committed_build_belongs_to_the_sources() -> None:
    stamp = json.loads((STATIC / "build.json").read_text())
    sources = hash_of(ROOT / "web", [file for name in SOURCES for file in files_under(ROOT / "web" / name)])
    assert stamp["sources_sha256"] == sources, "web/ has changed: build it again with `npm run build` there"
    assert stamp["build_sha256"] == built_hash(STATIC), "static/ was changed by hand: build it again"


def test_the_page_is_small_and_needs_nobody_else() -> None:
    # A font is compressed as it is.
    sizes = {file: len(gzip.compress(file.read_bytes(), 9)) for file in files_under(STATIC)}
    print(f"\nthe page, compressed: {sum(sizes.values()) / 1e3:.0f} kB")
    assert sum(sizes.values()) < LARGEST
    page = (STATIC / "index.html").read_text()
    assert "://" not in page
    assert "three.js" in (STATIC / "licenses.txt").read_text()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("node"), reason="there is no Node.js here")
@pytest.mark.skipif(not (ROOT / "web/node_modules").is_dir(), reason="the page's packages are not here: npm ci in web/")
def test_the_sources_build_to_what_is_committed(tmp_path: Path) -> None:
    command = ["npx", "vite", "build", "--outDir", str(tmp_path / "static"), "--logLevel", "error"]
    done = subprocess.run(command, cwd=ROOT / "web", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "static/build.json").read_text()) == json.loads((STATIC / "build.json").read_text())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def server() -> Iterator[FaceServer]:
    one = running_server()
    yield one
    one.close()


@pytest.fixture(scope="module")
def shown(browser: Browser) -> Iterator[tuple[Page, Person, list[str]]]:
    """One page for many tests: on a machine without a graphics card a new one takes seconds."""
    server = running_server()
    person = Person(server)
    with open_page(browser, server.url) as (page, complaints):
        yield page, person, complaints
    person.leave()
    server.close()


@pytest.fixture
def page(shown: tuple[Page, Person, list[str]]) -> Iterator[Page]:
    """The page with one live face whose mouth is closed; at the end it must not have complained."""
    page, person, complaints = shown
    person.jaw, person.count = 0.0, 1
    page.locator("input[value=stream]").evaluate("source => source.click()")
    until(page, f"faceExpr.faces.join() === '1' && faceExpr.mouthOpening() < {CLOSED}")
    yield page
    assert complaints == []


@pytest.fixture
def person(shown: tuple[Page, Person, list[str]]) -> Person:
    return shown[1]


def pixels(page: Page) -> bytes:
    return page.locator("#canvas").screenshot()


class TestPage:
    pytestmark = in_browser

    def test_the_mouth_opens_as_the_stream_says(self, page: Page, person: Person) -> None:
        until(page, f"faceExpr.mouthOpening() < {CLOSED}")
        closed = pixels(page)
        person.jaw = 0.9
        until(page, f"faceExpr.mouthOpening() > {OPEN}")
        assert pixels(page) != closed
        person.jaw = 0.0
        until(page, f"faceExpr.mouthOpening() < {CLOSED}")

    def test_faces_come_and_go(self, page: Page, person: Person) -> None:
        person.count = 2
        until(page, "faceExpr.faces.join() === '1,2'")
        page.get_by_role("button", name="Face 2").evaluate("button => button.click()")
        person.count = 1
        until(page, "faceExpr.faces.join() === '1'")
        person.count = 0
        until(page, "faceExpr.faces.join() === '0'")
        until(page, "document.getElementById('hint').textContent === 'No face in view'")

    def test_a_slider_takes_the_face_over_and_live_gives_it_back(self, page: Page, person: Person) -> None:
        page.locator("input[data-name=jawOpen]").press("End")
        until(page, f"faceExpr.source === 'manual' && faceExpr.mouthOpening() > {OPEN}")
        page.get_by_role("button", name="Relax").click()
        until(page, f"faceExpr.mouthOpening() < {CLOSED}")
        page.evaluate("faceExpr.setManual('jawOpen', 0.8)")
        until(page, f"faceExpr.mouthOpening() > {OPEN}")
        page.keyboard.press("m")
        until(page, f"faceExpr.source === 'stream' && faceExpr.mouthOpening() < {CLOSED}")

    def test_one_button_opens_and_closes_the_mouth(self, page: Page) -> None:
        page.get_by_role("button", name="Open mouth").click()
        until(page, f"faceExpr.mouthOpening() > {OPEN}")
        page.get_by_role("button", name="Close mouth").click()
        until(page, f"faceExpr.mouthOpening() < {CLOSED}")

    def test_everything_is_reached_by_keyboard_and_has_a_name(self, page: Page) -> None:
        reached = set()
        for _ in range(140):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.id || document.activeElement.name || ''"))
        assert {
            "connection",
            "theme",
            "help",
            "look",
            "viewpoint",
            "mirror",
            "reset",
            "source",
            "record",
            "avatar",
        } <= reached
        nameless = "[...document.querySelectorAll('button, input, canvas')].filter(e => !e.hidden && !(e.ariaLabel || \
            e.textContent.trim() || e.labels?.length)).map(e => e.outerHTML)"
        assert page.evaluate(nameless) == []
        for key, look in (("2", "wireframe"), ("3", "landmarks"), ("4", "texture"), ("1", "mesh")):
            page.keyboard.press(key)
            assert page.evaluate("document.querySelector('input[name=look]:checked').value") == look
        page.keyboard.press("?")
        assert page.get_by_role("dialog").is_visible()
        page.keyboard.press("Escape")
        theme = page.evaluate("document.documentElement.dataset.theme")
        page.keyboard.press("t")
        assert page.evaluate("document.documentElement.dataset.theme") != theme

    @pytest.mark.parametrize("kind", ["glb", "vrm"])
    def test_an_avatar_moves_its_mouth(self, page: Page, person: Person, tmp_path: Path, kind: str) -> None:
        avatar = tmp_path / f"avatar.{kind}"
        avatar.write_bytes(small_avatar(vrm=kind == "vrm"))
        page.locator("#avatar-file").set_input_files(avatar)
        person.jaw = 0.75
        until(page, "Math.abs(faceExpr.avatarWeight('jawOpen') - 0.75) < 0.01")
        assert "1 of 52" in page.locator("#toast").inner_text()
        shown = pixels(page)
        page.get_by_role("button", name="Remove avatar").click()
        until(page, "Number.isNaN(faceExpr.avatarWeight('jawOpen'))")
        assert pixels(page) != shown

    def test_what_is_no_avatar_is_refused_with_a_sentence(self, page: Page) -> None:
        broken = {"name": "<b>broken<b>.glb", "mimeType": "model/gltf-binary", "buffer": b"glTF, but not really"}
        page.locator("#avatar-file").set_input_files([broken])
        until(page, "document.getElementById('toast').textContent.includes('is not a glTF or VRM file')")
        assert page.locator("#toast b").count() == 0

    def test_a_take_is_downloaded_as_json_csv_and_gltf(self, page: Page, person: Person) -> None:
        page.keyboard.press("r")
        person.jaw = 0.5
        before = page.evaluate("faceExpr.frames")
        until(page, f"faceExpr.frames > {before + 12}")
        page.keyboard.press("r")
        take = json.loads(downloaded(page, "#save-json"))
        assert take["blendshape_names"] == list(ARKIT_NAMES)
        frames = take["frames"]
        assert len(frames) > 10
        assert frames[-1]["faces"][0]["blendshapes"][JAW] == pytest.approx(0.5, abs=1e-4)
        assert frames[-1]["faces"][0]["position"] == pytest.approx([0, 0, 0.6], abs=1e-4)
        rows = list(csv.DictReader(io.StringIO(downloaded(page, "#save-csv").decode())))
        assert [float(row["jawOpen"]) for row in rows] == [frame["faces"][0]["blendshapes"][JAW] for frame in frames]
        check_animation(downloaded(page, "#save-glb"), frames)

    def test_the_own_camera_is_asked_for_and_looked_at(self, page: Page) -> None:
        page.get_by_text("My camera", exact=True).click()
        assert page.get_by_role("dialog").is_visible()
        page.get_by_role("button", name="Start camera").click()
        until(page, "faceExpr.source === 'webcam'")
        before = page.evaluate("faceExpr.frames")
        until(page, f"faceExpr.frames > {before + 3} && faceExpr.lastFrame().width === 640")
        page.keyboard.press("m")
        until(page, "faceExpr.source === 'manual'")

    def test_it_is_quick(self, page: Page) -> None:
        begun, drawn = time.monotonic(), page.evaluate("faceExpr.drawn")
        until(page, f"faceExpr.drawn > {drawn + 120}")  # the medians are those of 120 frames
        rate = 120 / (time.monotonic() - begun)
        script, latency = page.evaluate("[faceExpr.scriptMs, faceExpr.latencyMs]")
        print(f"\nscript {script:.1f} ms a frame, stamp to drawn {latency:.0f} ms (medians); {rate:.0f} Hz in software")
        assert script > 0
        assert latency > 0


@pytest.mark.slow
@needs_chromium
def test_the_page_comes_back_after_the_server_has_restarted(browser: Browser) -> None:
    first = running_server()
    port, person = port_of(first), Person(first)
    with open_page(browser, first.url) as (page, _):
        until(page, "faceExpr.faces.join() === '1'")
        person.leave()
        first.close()
        until(page, "faceExpr.state === 'closed'")
        second = running_server(port=port)
        person, before = Person(second), page.evaluate("faceExpr.frames")
        until(page, f"faceExpr.state === 'open' && faceExpr.frames > {before + 5} && faceExpr.faces.join() === '1'")
        person.leave()
        second.close()


@pytest.mark.slow
@needs_chromium
def test_the_page_asks_for_the_token_and_keeps_it_out_of_the_address(browser: Browser) -> None:
    server = running_server(token="a-token-of-some-length")
    context = browser.new_context(viewport={"width": SMALL[0], "height": SMALL[1]})
    page = context.new_page()
    page.goto(server.url.split("?")[0])
    page.locator("#token-input").fill("a-token-of-some-length")
    page.get_by_role("button", name="Connect", exact=True).click()
    until(page, "faceExpr.state === 'open' && faceExpr.model === 'open'")
    page.goto(server.url)
    until(page, "window.faceExpr?.state === 'open'")
    assert "token" not in page.url
    context.close()
    server.close()


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize(("device", "size"), [("desktop", (1280, 800)), ("phone", (390, 844))])
def test_it_fits_on_desktops_and_phones_in_dark_and_light(
    browser: Browser, server: FaceServer, portrait: NDArray[np.uint8], device: str, size: tuple[int, int]
) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    person = Person(server, lambda: portrait)
    with open_page(browser, server.url, size=size, scheme="light", phone=device == "phone") as (page, complaints):
        until(page, "faceExpr.faces.join() === '1' && document.getElementById('no-picture').hidden")
        for theme in ("light", "dark"):
            assert page.evaluate("document.documentElement.dataset.theme") == theme
            page.screenshot(path=PICTURES / f"{device}_{theme}.png")
            page.keyboard.press("t")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        box = page.locator("#canvas").bounding_box()
        assert box is not None
        assert box["width"] * box["height"] > 0.3 * size[0] * size[1], "the face has the largest part"
        assert complaints == []
    person.leave()


@pytest.mark.slow
@needs_chromium
def test_camera_perception_bridge_and_page_are_one_live_line(browser: Browser, start: Any, graph: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start("web_bridge", "-r", "__ns:=/page", "-p", f"port:={port}")
    start("perception", "-r", "__ns:=/page")
    start("camera", "-r", "__ns:=/page", "-p", "width:=640", "-p", "height:=480", "-p", "rate:=15.0")
    graph.until(lambda: listens(port), "the bridge")
    with open_page(browser, f"http://127.0.0.1:{port}/") as (page, complaints):
        until(page, "faceExpr.lastFrame()?.faces.length === 1 && document.getElementById('no-picture').hidden")
        openings: list[float] = []
        while not openings or max(openings) - min(openings) < MOVED:
            until(page, f"faceExpr.drawn > {page.evaluate('faceExpr.drawn')}")
            openings.append(page.evaluate("faceExpr.mouthOpening()"))
        settled = page.evaluate("faceExpr.drawn") + 30
        until(page, f"faceExpr.latencyMs > 0 && faceExpr.drawn > {settled}")
        print(
            "\nlive: script {:.1f} ms a frame, stamp to drawn {:.0f} ms".format(
                *page.evaluate("[faceExpr.scriptMs, faceExpr.latencyMs]")
            )
        )
        assert page.evaluate("faceExpr.lastFrame().camera[0]") > 100, "the camera is known"
        assert complaints == []


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def downloaded(page: Page, button: str) -> bytes:
    with page.expect_download() as download:
        page.locator(button).evaluate("button => button.click()")
    return Path(download.value.path()).read_bytes()


def glb_parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON and the binary chunk of a .glb file."""
    magic, version, length, text_length, kind = struct.unpack_from("<4sIII4s", data)
    assert (magic, version, length, kind) == (b"glTF", 2, len(data), b"JSON")
    begin = 20 + text_length
    binary_length, kind = struct.unpack_from("<I4s", data, begin)
    assert (kind, begin + 8 + binary_length) == (b"BIN\0", len(data))
    return json.loads(data[20:begin]), data[begin + 8 :]


def floats(document: dict[str, Any], binary: bytes, accessor: int) -> NDArray[np.float32]:
    entry = document["accessors"][accessor]
    view = document["bufferViews"][entry["bufferView"]]
    return np.frombuffer(binary, "<f4", view["byteLength"] // 4, view["byteOffset"])


def check_animation(data: bytes, frames: list[dict[str, Any]]) -> None:
    """The .glb moves its morph targets as the take's JSON says."""
    document, binary = glb_parts(data)
    mesh = document["meshes"][0]
    assert mesh["extras"]["targetNames"] == list(ARKIT_NAMES)
    assert len(mesh["primitives"][0]["targets"]) == 52
    animation = document["animations"][0]
    samplers = {
        channel["target"]["path"]: animation["samplers"][channel["sampler"]] for channel in animation["channels"]
    }
    times = floats(document, binary, samplers["weights"]["input"])
    assert times == pytest.approx([frame["stamp"] - frames[0]["stamp"] for frame in frames], abs=1e-3)
    weights = floats(document, binary, samplers["weights"]["output"]).reshape(len(frames), 52)
    assert weights == pytest.approx(np.array([frame["faces"][0]["blendshapes"] for frame in frames]), abs=1e-4)
    # A face that looks straight into the camera is not turned at all in glTF's axes.
    turns = floats(document, binary, samplers["rotation"]["output"]).reshape(-1, 4)
    assert np.abs(turns) == pytest.approx(np.tile([0, 0, 0, 1], (len(frames), 1)), abs=1e-4)


BONES = (
    "hips", "spine", "head", "leftUpperArm", "leftLowerArm", "leftHand", "rightUpperArm", "rightLowerArm", "rightHand",
    "leftUpperLeg", "leftLowerLeg", "leftFoot", "rightUpperLeg", "rightLowerLeg", "rightFoot",
)  # fmt: skip


def small_avatar(vrm: bool) -> bytes:
    """A triangle whose only morph target is jawOpen, as binary glTF; or with the bones and the expression of a VRM."""
    corners = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], "<f4")
    moved = np.array([[0, -0.05, 0], [0, 0, 0], [0, 0, 0]], "<f4")
    binary = corners.tobytes() + moved.tobytes()
    accessor = {"componentType": 5126, "count": 3, "type": "VEC3", "min": [-1, -1, -1], "max": [1, 1, 1]}
    primitive = {"attributes": {"POSITION": 0}, "targets": [{"POSITION": 1}]}
    names = {} if vrm else {"extras": {"targetNames": ["jawOpen"]}}
    document: dict[str, Any] = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "scene": 0,
        "nodes": [{"mesh": 0, "name": "face"}],
        "meshes": [{"primitives": [primitive], "weights": [0], **names}],
        "accessors": [accessor | {"bufferView": 0}, accessor | {"bufferView": 1}],
        "bufferViews": [{"buffer": 0, "byteOffset": 36 * k, "byteLength": 36} for k in range(2)],
        "buffers": [{"byteLength": len(binary)}],
    }
    if vrm:
        document["nodes"] += [{"name": bone, "translation": [0, 0.1 * k, 0]} for k, bone in enumerate(BONES)]
        document["scenes"][0]["nodes"] = list(range(len(BONES) + 1))
        document["extensionsUsed"] = ["VRMC_vrm"]
        opens = {"morphTargetBinds": [{"node": 0, "index": 0, "weight": 1.0}]}
        document["extensions"] = {
            "VRMC_vrm": {
                "specVersion": "1.0",
                "meta": {"name": "test", "authors": ["test"], "licenseUrl": "https://vrm.dev/licenses/1.0/"},
                "humanoid": {"humanBones": {bone: {"node": k + 1} for k, bone in enumerate(BONES)}},
                "expressions": {"custom": {"jawOpen": opens}},
            }
        }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    length = 12 + 8 + len(text) + 8 + len(binary)
    head = struct.pack("<4sIII4s", b"glTF", 2, length, len(text), b"JSON")
    return head + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
