"""The page in a real browser with a real server, and the committed build."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page
from support.browser import Person, needs_chromium, until
from support.page_fixtures import CLOSED, OPEN
from support.paths import ROOT

SOURCES = ("index.html", "package-lock.json", "package.json", "public", "src", "tsconfig.json", "vite.config.ts")
STATIC = ROOT / "face_expr_ros/web/static"
MAX_VISIT, MAX_SIZE = 250e3, 2e6  # bytes, compressed: what every visit loads, and everything
ON_DEMAND = re.compile(
    r"avatars/|(avatar|glb|take_motion|camera_encoder|meshopt_decoder.module|\w+Loader|ktx2|draco_\w+|basis_\w+)\.(js|wasm)$"
)
in_browser = [pytest.mark.slow, needs_chromium]


def files_under(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]


def hash_of(root: Path, files: list[Path]) -> str:
    """The hash computed by web/vite.config.ts."""
    sha256 = hashlib.sha256()
    for name, file in sorted((file.relative_to(root).as_posix(), file) for file in files):
        sha256.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return sha256.hexdigest()


def built_hash(folder: Path) -> str:
    return hash_of(folder, [file for file in files_under(folder) if file.name != "build.json"])


def test_the_committed_build_belongs_to_the_sources() -> None:
    stamp = json.loads((STATIC / "build.json").read_text())
    sources = hash_of(ROOT / "web", [file for name in SOURCES for file in files_under(ROOT / "web" / name)])
    assert stamp["sources_sha256"] == sources, "web/ has changed: run `npm run build` there"
    assert stamp["build_sha256"] == built_hash(STATIC), "static/ was edited: run `npm run build` in web/"


def test_the_page_is_small_and_loads_nothing_from_other_hosts() -> None:
    # Fonts are already compressed.
    sizes = {file: len(gzip.compress(file.read_bytes(), 9)) for file in files_under(STATIC)}
    visit = {file: size for file, size in sizes.items() if not ON_DEMAND.search(file.relative_to(STATIC).as_posix())}
    print(f"\nthe page, compressed: {sum(visit.values()) / 1e3:.0f} kB; all files: {sum(sizes.values()) / 1e3:.0f} kB")
    assert sum(visit.values()) < MAX_VISIT
    assert sum(sizes.values()) < MAX_SIZE
    page = (STATIC / "index.html").read_text()
    assert "://" not in page
    assert "three.js" in (STATIC / "licenses.txt").read_text()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("node"), reason="Node.js is not installed")
@pytest.mark.skipif(not (ROOT / "web/node_modules").is_dir(), reason="packages are not installed: npm ci in web/")
def test_building_the_sources_gives_the_committed_files(tmp_path: Path) -> None:
    command = ["npx", "vite", "build", "--outDir", str(tmp_path / "static"), "--logLevel", "error"]
    done = subprocess.run(command, cwd=ROOT / "web", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "static/build.json").read_text()) == json.loads((STATIC / "build.json").read_text())


def pixels(page: Page) -> bytes:
    return page.locator("#canvas").screenshot()


class TestPage:
    pytestmark = in_browser

    def test_a_visit_loads_only_what_it_needs(self, page: Page) -> None:
        loaded = page.evaluate("performance.getEntriesByType('resource').map(entry => new URL(entry.name).pathname)")
        assert [path for path in loaded if ON_DEMAND.search(path.removeprefix("/"))] == []

    def test_the_mouth_follows_the_stream(self, page: Page, person: Person) -> None:
        until(page, f"faceExpr.mouthOpening() < {CLOSED}")
        closed = pixels(page)
        person.jaw = 0.9
        until(page, f"faceExpr.mouthOpening() > {OPEN}")
        assert pixels(page) != closed
        person.jaw = 0.0
        until(page, f"faceExpr.mouthOpening() < {CLOSED}")

    def test_faces_appear_and_disappear(self, page: Page, person: Person) -> None:
        person.count = 2
        until(page, "faceExpr.faces.join() === '1,2'")
        page.get_by_role("button", name="Face 2").evaluate("button => button.click()")
        person.count = 1
        until(page, "faceExpr.faces.join() === '1'")
        person.count = 0
        until(page, "faceExpr.faces.join() === '0'")
        until(page, "document.getElementById('hint').textContent === 'No face in view'")
        assert page.locator("#mouth").inner_text() == "Mouth \N{EN DASH}", "the mouth state is unknown without a face"

    def test_a_slider_switches_to_manual_and_m_back_to_live(self, page: Page, person: Person) -> None:
        page.locator("input[data-name=jawOpen]").press("End")
        until(page, f"faceExpr.source === 'manual' && faceExpr.mouthOpening() > {OPEN}")
        page.locator("#reset-sliders").click()
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

    def test_all_controls_have_names_and_are_reachable_by_keyboard(self, page: Page) -> None:
        reached = set()
        for _ in range(140):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.id || document.activeElement.name || ''"))
        assert {
            "connection",
            "theme",
            "help",
            "mode",
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
        for key, mode in (("2", "wireframe"), ("3", "landmarks"), ("4", "texture"), ("1", "mesh")):
            page.keyboard.press(key)
            assert page.evaluate("document.querySelector('input[name=mode]:checked').value") == mode
        page.keyboard.press("?")
        assert page.get_by_role("dialog").is_visible()
        page.keyboard.press("Escape")
        theme = page.evaluate("document.documentElement.dataset.theme")
        page.keyboard.press("t")
        assert page.evaluate("document.documentElement.dataset.theme") != theme

    def test_the_device_camera_requires_consent_and_is_processed(self, page: Page) -> None:
        page.get_by_text("My camera", exact=True).click()
        assert page.get_by_role("dialog").is_visible()
        page.get_by_role("button", name="Start camera").click()
        until(page, "faceExpr.source === 'webcam'")
        before = page.evaluate("faceExpr.frames")
        until(page, f"faceExpr.frames > {before + 3} && faceExpr.lastFrame().width === 640")
        assert page.locator("#mirror").get_attribute("aria-pressed") == "true", (
            "people expect a mirror image of themselves"
        )
        assert page.locator("#camera-list option").count() >= 1
        page.keyboard.press("m")
        until(page, "faceExpr.source === 'manual'")
        assert page.locator("#mirror").get_attribute("aria-pressed") == "false"

    def test_a_refused_camera_is_explained(self, page: Page) -> None:
        refuse = "void (navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', '{}')))"
        original = "delete navigator.mediaDevices.getUserMedia"
        for name, words in (("NotAllowedError", "was not allowed"), ("NotReadableError", "another program")):
            page.evaluate(refuse.format(name))
            page.get_by_text("My camera", exact=True).click()
            page.get_by_role("button", name="Start camera").click()
            until(page, "document.getElementById('notice').open")
            assert words in page.locator("#notice-text").inner_text()
            page.get_by_role("button", name="OK", exact=True).click()
            until(page, "faceExpr.source === 'stream'")
        page.evaluate(original)

    def test_theme_and_color_scheme_are_set_before_the_first_paint(self, page: Page) -> None:
        assert page.evaluate("document.querySelector('script').getAttribute('src')") == "./theme.js"
        scheme = page.locator("meta[name=color-scheme]").get_attribute("content")
        assert scheme == page.evaluate("document.documentElement.dataset.theme")

    def test_the_phone_button_explains_how_to_reach_the_page(self, page: Page) -> None:
        page.locator("#phone").evaluate("button => button.click()")
        until(page, "document.getElementById('phone-dialog').open")
        assert "face_expr web --tls" in page.locator("#phone-content").inner_text()
        page.keyboard.press("Escape")

    def test_script_time_and_latency_are_measured(self, page: Page) -> None:
        begun, drawn = time.monotonic(), page.evaluate("faceExpr.drawn")
        until(page, f"faceExpr.drawn > {drawn + 120}")  # the medians are those of 120 frames
        rate = 120 / (time.monotonic() - begun)
        script, latency = page.evaluate("[faceExpr.scriptMs, faceExpr.latencyMs]")
        print(
            f"\nscript {script:.1f} ms per frame, stamp to render {latency:.0f} ms (medians); {rate:.0f} Hz in software"
        )
        assert script > 0
        assert latency > 0
