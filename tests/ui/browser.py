"""A real Chromium on the Dagster UI."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator

from playwright.sync_api import Page, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
PATIENCE_MS = 60_000


def chromium() -> str:
    """Return the installed Chromium's path."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert found is not None, f"none of {', '.join(PROGRAMS)} is installed"
    return found


@contextlib.contextmanager
def browsing(*, width: int = 1400, height: int = 900) -> Iterator[Page]:
    """Give a page of a headless Chromium for the length of the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(PATIENCE_MS)
            yield page
        finally:
            browser.close()


def rerun_failed_and_missing(page: Page, base_url: str, *, failed: int, materialized: int) -> None:
    """Do what a person does who finds failed cells: see how many there are, then backfill what failed or is missing."""
    page.goto(f"{base_url}/assets/generated_audio?view=partitions")
    page.get_by_text(f"Failed ({failed})").wait_for()
    page.get_by_text(f"Materialized ({materialized})").wait_for()
    page.goto(f"{base_url}/locations/ace_assets/jobs/cell")
    page.get_by_role("button", name="Materialize all…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Failed and missing", exact=True).click()
    dialog.get_by_text(f"{failed} partitions").first.wait_for()
    dialog.get_by_role("button", name=re.compile("Launch .*(backfill|runs)")).click()
    dialog.wait_for(state="hidden")
