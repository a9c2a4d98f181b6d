"""`export_packages[venue]`: what an installer copies into a venue's player. Storage: packages/<venue>/.

Cadence: after a catalog, for the venues whose content changed. Source: the current release, venues.toml.
"""

from typing import TYPE_CHECKING

import dagster as dg

from ace_assets import progress
from ace_assets.assets.catalog import catalog
from ace_assets.assets.matrix import OWNERS
from ace_assets.assets.partitions import VENUES
from ace_assets.assets.work import working
from ace_assets.resources import ConfigFiles, StoreResource
from ace_assets.settings import config_file
from ace_assets.store import Store

if TYPE_CHECKING:
    from ace_assets.packages.rows import ReleaseRows

PROMISE_CHECK = "rotation_promise_kept"
DELIVERABLE_CHECK = "package_is_deliverable"
VENUES_FILE = "venues.toml"


def current_rows(store: Store) -> "ReleaseRows":
    """Return the rows that packages are made of now."""
    from ace_assets.catalog.package_input import release_rows  # late, here and below: a cell's worker needs no database
    from ace_assets.packages.rows import ReleaseRows

    found = release_rows(store)
    return ReleaseRows.checked(found.frame, found.release_id, found.released_at, found.cells)


def venues_needing_packages(store: Store) -> list[str]:
    """Return the venues whose latest package differs from what the current release would give, sorted.

    A venue that may not play a single track yet needs none: its cells are a gap, not a fault.
    """
    from ace_assets.packages.build import package_needed
    from ace_assets.packages.rows import select
    from ace_assets.packages.venues import read_venues

    rows = current_rows(store)
    venues = read_venues(config_file(VENUES_FILE))
    playable = {name: venue for name, venue in venues.items() if select(rows, venue).frame.height}
    return sorted(name for name, venue in playable.items() if package_needed(store, venue, rows))


def venues_without_tracks(store: Store) -> list[str]:
    """Return the venues that may not play a single track of the current release, sorted."""
    from ace_assets.packages.rows import select
    from ace_assets.packages.venues import read_venues

    rows = current_rows(store)
    venues = read_venues(config_file(VENUES_FILE))
    return sorted(name for name, venue in venues.items() if not select(rows, venue).frame.height)


@dg.asset(
    partitions_def=VENUES,
    group_name="packages",
    owners=OWNERS,
    kinds={"mp3"},
    code_version="1",
    deps=[catalog],
    check_specs=[
        dg.AssetCheckSpec(
            PROMISE_CHECK, asset="export_packages", description="No track again within the venue's hours, proved anew."
        ),
        dg.AssetCheckSpec(
            DELIVERABLE_CHECK, asset="export_packages", description="Neither preview tracks nor quarantined cells."
        ),
    ],
)
def export_packages(
    context: dg.AssetExecutionContext, store: StoreResource, config_files: ConfigFiles
) -> dg.MaterializeResult:
    """Audio, playlists, schedule, manifest with checksums, rights and what changed, for one venue."""
    from ace_assets.packages.build import build_package
    from ace_assets.packages.venues import read_venues, venue_named

    name = context.partition_key
    with working(context, venue=name):
        opened = store.open()
        venue = venue_named(read_venues(config_files.path(VENUES_FILE)), name)
        built = build_package(
            opened,
            venue,
            current_rows(opened),
            progress=lambda done, total, what: progress.emit(
                "package_progress", venue=name, done=done, total=total, what=what
            ),
        )
    progress.emit("package_done", venue=name)
    missing = sum(part.missing for part in built.shortfall)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": built.tracks,
            "package_id": built.package_id,
            "path": built.path,
            "not_for_delivery": built.marked_preview,
            "tracks_short": missing,
            "changed": built.changed,
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=PROMISE_CHECK,
                passed=built.promise_kept,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"tracks_short": missing},
            ),
            dg.AssetCheckResult(
                check_name=DELIVERABLE_CHECK,
                passed=not built.marked_preview,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"tracks": built.tracks},
            ),
        ],
    )
