"""Take the pictures of the README: `python -m tests.ui.screenshots [--url URL_OF_A_RUNNING_UI]`.

Without an address, twelve cells are made in a tmp folder by the preview engine, three of which fail at the server.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import polars as pl
from playwright.sync_api import Page

from ace_assets.preview.process import running_preview
from tests.automation.deployment import REPOSITORY, Deployment, deployed, set_faults
from tests.ui.browser import browsing

FOLDER = REPOSITORY / "dagster_home" / "pictures"
MOST_BYTES = 150_000
SETTLE_S = 3.0
FAILED_CELL = """query { assetNodeOrError(assetKey: {path: ["generated_audio"]}) { ... on AssetNode {
  assetPartitionStatuses { ... on DefaultPartitionStatuses { failedPartitions materializedPartitions } } } } }"""
FAILED_RUN = """query($t: [ExecutionTag!]) { runsOrError(filter: {tags: $t, statuses: [FAILURE]}, limit: 1) {
  ... on Runs { results { runId } } } }"""


@contextlib.contextmanager
def example() -> Iterator[str]:
    """Give the address of a UI with twelve cells, three of which failed."""
    with tempfile.TemporaryDirectory(prefix="ace-screenshots-") as folder, running_preview() as preview:
        made = Deployment(Path(folder) / "example", preview.url)
        made.prepare(cells=12)
        takes = made.planned()
        bad = takes["cell"].unique(maintain_order=True).to_list()[1::4]
        seeds = takes.filter(pl.col("cell").is_in(bad) & (pl.col("take_index") == 1))["seed"]
        set_faults(preview.url, "fail_match=" + "|".join(map(str, seeds)))
        made.command("run", "--yes", check=False)
        with deployed(made, "code", "web"):
            yield made.url


def ask(url: str, query: str, **variables: object) -> dict[str, object]:
    """Ask the webserver; the answer's `data`."""
    reply = httpx.post(f"{url}/graphql", json={"query": query, "variables": variables}, timeout=60, trust_env=False)
    found: dict[str, object] = reply.json()["data"]
    return found


def take_pictures(page: Page, url: str, folder: Path) -> list[Path]:
    """Take every picture of a running UI that shows failed cells; return the files."""
    statuses = ask(url, FAILED_CELL)["assetNodeOrError"]["assetPartitionStatuses"]  # type: ignore[index, call-overload]
    failed, good = statuses["failedPartitions"][0], statuses["materializedPartitions"][0]
    runs = ask(url, FAILED_RUN, t=[{"key": "dagster/partition", "value": failed}])["runsOrError"]
    run_id = runs["results"][0]["runId"]  # type: ignore[index, call-overload]
    folder.mkdir(parents=True, exist_ok=True)

    def picture(name: str) -> Path:
        file = folder / f"{name}.png"
        page.screenshot(path=file)
        return file

    def show(address: str) -> None:
        page.goto(f"{url}/{address}")
        page.wait_for_load_state("networkidle")
        time.sleep(SETTLE_S)

    files = []
    page.set_viewport_size({"width": 1700, "height": 420})
    show("asset-groups")
    page.get_by_role("button", name="Hide navigation").click()
    page.mouse.click(340, 80)  # the list of groups gives its place to the graph
    page.keyboard.press("Alt+e")  # expands every group
    time.sleep(SETTLE_S)
    files.append(picture("lineage"))
    page.set_viewport_size({"width": 1280, "height": 800})
    show(f"assets/generated_audio?view=partitions&partition={failed}")
    time.sleep(SETTLE_S)  # the cell's own status comes last
    files.append(picture("failed_cells"))
    show(f"runs/{run_id}")
    page.get_by_text("[Show Markdown]").first.click()
    page.get_by_role("dialog").wait_for()
    time.sleep(1)
    files.append(picture("failed_takes"))
    show(f"assets/masters?view=partitions&partition={good}")
    page.get_by_text("loudness_within_tolerance").or_(page.get_by_text("tracks_made")).first.wait_for()
    files.append(picture("metadata"))
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a UI that runs already and has failed cells")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    given = contextlib.nullcontext(options.url) if options.url else example()
    with given as url, browsing(width=1280, height=800) as page:
        for file in take_pictures(page, url, options.folder):
            size = file.stat().st_size
            print(f"{file} {size / 1000:.0f} KB{'' if size < MOST_BYTES else ', too large'}")


if __name__ == "__main__":
    main()
