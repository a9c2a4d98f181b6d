"""The page in the package plays it: in a real browser, from a disk, with nothing fetched from anywhere."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ace_assets.packages.build import build_package
from tests.packages.support import release, short_venue, stored_catalog
from tests.requires import needs

pytestmark = [pytest.mark.browser, needs("chromium")]
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--autoplay-policy=user-gesture-required",
]  # fmt: skip
SIZES = {"desktop": {"width": 1200, "height": 800}, "phone": {"width": 375, "height": 740}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        made = driver.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield made
        made.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tmp_path = tmp_path_factory.mktemp("player")
    titles = {0: "</script><b>Bold</b> & \u2028 'quotes'", 1: "شب آرام", 2: "🎷 " + "very long " * 30}
    store, rows = stored_catalog(tmp_path, 12, changes={n: {"title": title} for n, title in titles.items()})
    place = short_venue(
        dayparts={"morning": "09:00-09:01", "rest": {"hours": "09:01-09:00", "accepts": ["day"]}},
        opening_hours={"daily": "09:00-09:02"},
    )
    return Path(build_package(store, place, release(rows)).path)


class Opened:
    """The page, open, with everything that it asked for and complained about."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto((folder / "index.html").resolve().as_uri())

    def audio(self, name: str) -> Any:
        return self.page.evaluate(f"document.getElementById('audio').{name}")

    def wait(self, condition: str) -> None:
        # Playwright's own waiting evaluates text inside the page, which the page's policy rightly forbids.
        for _ in range(300):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"never true: {condition}")


@pytest.fixture(params=sorted(SIZES))
def opened(browser: Browser, folder: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    context = browser.new_context(viewport=SIZES[request.param], color_scheme="light")
    yield Opened(context.new_page(), folder)
    context.close()


def test_it_plays_and_goes_on_to_the_next_track_by_itself(opened: Opened) -> None:
    assert opened.audio("paused")
    first = opened.page.locator("#title").inner_text()
    following = opened.page.locator("#next-title").inner_text()
    opened.page.locator("#play").click()
    opened.wait("document.getElementById('audio').currentTime > 0.5")
    assert opened.page.locator("#play").inner_text() == "Pause"
    opened.wait(f"document.getElementById('title').textContent !== {json.dumps(first)}")
    assert following.removeprefix("Next: ")[:20] == opened.page.locator("#title").inner_text()[:20]
    opened.wait("document.getElementById('audio').currentTime > 0.2")
    assert not opened.audio("error")
    assert opened.complaints == []


def test_nothing_is_fetched_but_the_page_and_its_music(opened: Opened) -> None:
    opened.page.locator("#play").click()
    opened.wait("document.getElementById('audio').currentTime > 0.2")
    assert all(url.startswith("file://") for url in opened.asked)
    assert all(re.search(r"/index\.html$|/data/audio/ACE-[^/]+\.mp3$", url) for url in opened.asked)


def test_titles_are_text_and_never_markup(opened: Opened) -> None:
    assert opened.page.locator("#list b").count() == 0
    assert opened.page.get_by_text("</script><b>Bold</b>").count() > 0
    assert opened.page.get_by_text("شب آرام").count() > 0


def test_next_back_seek_and_daypart_do_what_they_say(opened: Opened) -> None:
    page = opened.page
    names = page.locator("#list td.n").all_inner_texts()
    assert len(names) == 40
    page.locator("#next").click()
    assert page.locator("#title").inner_text()[:20] == names[1][:20]
    page.locator("#back").click()
    assert page.locator("#title").inner_text()[:20] == names[0][:20]
    opened.wait("document.getElementById('audio').readyState > 0")
    box = page.locator("#wave").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 10)
    opened.wait("Math.abs(document.getElementById('audio').currentTime - 1.5) < 0.3")
    page.locator("#parts button", has_text="morning").click()
    assert page.locator("#list tr").count() == 20
    page.locator("#day").select_option("1")
    page.locator("#list tr").nth(3).click()
    opened.wait("!document.getElementById('audio').paused")
    assert (
        page.locator("#list tr[aria-current=true] td.n").inner_text() == page.locator("#list td.n").nth(3).inner_text()
    )


def test_the_button_for_this_hour_plays_something(opened: Opened) -> None:
    opened.page.locator("#on-now").click()
    opened.wait("document.getElementById('audio').currentTime > 0.1")
    assert opened.complaints == []


def test_it_fits_the_screen_and_shows_the_waveform(opened: Opened) -> None:
    page = opened.page
    wide = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide[0] <= wide[1], "nothing reaches beyond the screen"
    drawn = page.evaluate(
        "(() => { const c = document.getElementById('wave');"
        " return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v > 0); })()"
    )
    assert drawn
    for name in ("#play", "#next", "#back", "#on-now"):
        box = page.locator(name).bounding_box()
        assert box is not None
        assert box["height"] >= 44


def test_a_missing_file_is_named_and_skipped(browser: Browser, folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    name = json.loads((copy / "data" / "schedule.json").read_text())["plays"][0]["file"]
    (copy / name).unlink()
    context = browser.new_context()
    page = Opened(context.new_page(), copy)
    page.page.locator("#problem").wait_for(state="visible")
    assert name in page.page.locator("#problem").inner_text()
    page.page.locator("#play").click()
    page.wait("document.getElementById('audio').currentTime > 0.2")
    context.close()


def test_a_package_that_may_not_be_delivered_says_so_on_top(browser: Browser, tmp_path: Path) -> None:
    store, rows = stored_catalog(tmp_path, 2, preview=True, engine="preview", rights_status="preview")
    context = browser.new_context()
    page = Opened(context.new_page(), Path(build_package(store, short_venue(), release(rows)).path))
    assert "NOT FOR DELIVERY" in page.page.locator("#marked").inner_text()
    assert page.page.locator("#marked").is_visible()
    context.close()


def test_a_deliverable_package_shows_no_warning(opened: Opened) -> None:
    assert not opened.page.locator("#marked").is_visible()
