"""The face alone on a transparent background, for OBS."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser
from support.browser import PICTURES, Person, needs_chromium, open_page, settle, until
from support.web_clients import running_server

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.mark.parametrize("options", ["", "&avatar=robot", "&view=camera&mirror"])
def test_the_overlay_shows_only_the_face(browser: Browser, options: str) -> None:
    server = running_server()
    person = Person(server)
    with open_page(browser, f"{server.url}?overlay{options}", size=(480, 360)) as (page, errors):
        until(page, "faceExpr.faces.join() === '1'")
        if "avatar" in options:
            until(page, "!Number.isNaN(faceExpr.avatarWeight('jawOpen'))")
            page.locator("#toast").evaluate("toast => toast.hidden = true")
        settle(page)
        picture = page.screenshot(omit_background=True)
        visible = "[...document.querySelectorAll('header, aside, .dock')].filter(e => e.checkVisibility()).length"
        assert page.evaluate(visible) == 0
        assert errors == []
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"overlay{options.replace('&', '_').replace('=', '_')}.png").write_bytes(picture)
    alpha = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_UNCHANGED)[..., 3]
    assert (alpha[:40, :40] == 0).all(), "the background is transparent"
    assert (alpha == 255).mean() > 0.02, "the face is opaque"
    person.leave()
    server.close()
