"""Delivers a venue's package: to a folder, into a zip, to S3.

A delivery is never visible as complete before it is. A folder is filled under a hidden name and renamed; a zip is
written beside and renamed; on S3 the pointer `current.json` is written last, after every object was checked.
Running a delivery again takes up what is there and sends only what is missing. Only a completed delivery is
recorded in the store, where it becomes the base of the next package's changes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ace_assets.errors import PackageError
from ace_assets.packages.build import MARK, current_manifest
from ace_assets.packages.deliver_folder import deliver_folder
from ace_assets.packages.deliver_s3 import deliver_s3
from ace_assets.packages.deliver_zip import deliver_zip
from ace_assets.packages.parcel import Parcel, read_parcel
from ace_assets.packages.progress import Progress, silent
from ace_assets.packages.venues import Venue
from ace_assets.store import Store


@dataclass(frozen=True)
class DeliveryResult:
    """What a delivery did.

    Attributes:
        venue, package_id: what was delivered.
        target: where it is now: the folder, the zip or the address on S3.
        files, bytes: how much the package holds.
        sent_files, sent_bytes: how much of it had to be sent this time.
        forced: it was marked NOT FOR DELIVERY and delivered all the same.
    """

    venue: str
    package_id: str
    target: str
    files: int
    bytes: int
    sent_files: int
    sent_bytes: int
    forced: bool


def deliver(
    store: Store,
    venue: Venue | str,
    target: str,
    *,
    force: bool = False,
    progress: Progress = silent,
    s3_client: Any = None,
    now: dt.datetime | None = None,
) -> DeliveryResult:
    """Deliver the venue's latest package.

    Args:
        store: where the package lies.
        venue: the venue, or its id.
        target: a folder, a path ending in `.zip`, or `s3://bucket/prefix`.
        force: deliver also a package that is marked NOT FOR DELIVERY.
        progress: told after every file.
        s3_client: a boto3 client; by default one from the environment.
        now: when this happens; for the record only.

    Raises:
        PackageError: there is no package, it is marked, it is damaged, or the target cannot be written.
    """
    venue_id = venue if isinstance(venue, str) else venue.venue_id
    manifest = current_manifest(store, venue_id)
    if manifest is None:
        raise PackageError(
            f"venue {venue_id}", value="no package", expected="a built package", remedy="build it with ace-assets run"
        )
    package_id = str(manifest["package_id"])
    if manifest.get("not_for_delivery", True) and not force:
        raise PackageError(
            f"package {package_id} of {venue_id}",
            value="NOT FOR DELIVERY",
            expected="no preview tracks and no withheld cells",
            remedy="generate with ACE-Step servers and build again, or force it for a trial",
        )
    with (
        store.lease(f"delivery-{venue_id}", what=f"the delivery of venue {venue_id}"),
        store.package_folder(venue_id, package_id) as folder,
    ):
        parcel = read_parcel(folder, venue_id, package_id)
        if target.startswith("s3://"):
            sent_files, sent_bytes, where = deliver_s3(parcel, target, progress, client=s3_client)
        elif target.lower().endswith(".zip"):
            sent_files, sent_bytes, where = deliver_zip(parcel, Path(_marked(target, parcel)), progress)
        else:
            sent_files, sent_bytes, where = deliver_folder(parcel, Path(target), progress)
    _record(store, parcel, manifest, where, now or dt.datetime.now(dt.UTC))
    return DeliveryResult(
        venue=venue_id,
        package_id=package_id,
        target=where,
        files=len(parcel.files),
        bytes=sum(file.size_bytes for file in parcel.files),
        sent_files=sent_files,
        sent_bytes=sent_bytes,
        forced=bool(manifest.get("not_for_delivery", True)),
    )


def _marked(target: str, parcel: Parcel) -> str:
    """Return a zip's path, marked in its name where its package is."""
    path = Path(target)
    if parcel.package_id.startswith(MARK) and MARK not in path.name:
        return str(path.with_name(f"{MARK}-{path.name}"))
    return target


def _record(store: Store, parcel: Parcel, manifest: dict[str, Any], where: str, now: dt.datetime) -> None:
    """Remember the delivery, once per package and target; a marked package is never the base of another."""
    known = [(d.get("package_id"), d.get("target")) for d in store.deliveries(parcel.venue_id)]
    if parcel.package_id.startswith(MARK) or (parcel.package_id, where) in known:
        return
    store.record_delivery(
        parcel.venue_id,
        f"{now.astimezone(dt.UTC):%Y%m%dT%H%M%S%f}-{parcel.package_id}",
        {
            "package_id": parcel.package_id,
            "release_id": manifest["release_id"],
            "target": where,
            "delivered_at": now.astimezone(dt.UTC).isoformat(),
            "tracks": {entry["track_id"]: entry["sha256"] for entry in manifest["tracks"]},
        },
    )
