"""The store: the only file that spells an artefact's path.

Everything lives under one root, `ACE_DATA_DIR`: a folder, or `s3://bucket/prefix`. Publishing is atomic (see
`ace_assets.blobs`), writing a cell needs its lease (`ace_assets.leases`). What a table's columns mean is said in
`ace_assets.tables`.

    matrix/<content_hash>/, matrix/current.json     the matrix as it was planned from
    plans/current.json                       which plan is pinned by new runs
    plans/<plan_id>/{plan.json, cells, prompts, planned_takes .parquet}
    takes/<ab>/<take_id>.{flac, json}        audio by identity, and the server's facts beside it
    journal/<cell>/<take_id>.json            jobs submitted and not yet stored
    cells/<cell>/{takes, take_scores, masters}.parquet   the manifests of a cell
    masters/<ab>/<master_id>.{flac, mp3, json}
    renditions/<ab>/<rendition_id>.{mp3, flac, wav}, .json   tagged files for packages, read-only; facts beside them
    events/<cell>/<event_id>.parquet         append-only history
    runs/<cell>/<run_id>.parquet
    leases/<name>.json    servers/<name>.json
    releases/<release_id>.duckdb, releases/<release_id>/<table>.parquet, releases/<release_id>/report.html
    catalog.duckdb -> releases/...           (catalog.json on S3)
    packages/<venue> -> .versions/<venue>/<package_id>   (packages/<venue>.json on S3)
    digests/<day>.md                         failures of a day, for people
    listen.html, listen-<cells>.html         the listening page, and those of some cells, beside the masters they play
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime as dt
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ace_assets import leases, tables
from ace_assets.blobs import PARTIAL_SUFFIX, Blobs, LocalBlobs, open_blobs
from ace_assets.errors import SchemaError, StoreError

DEFAULT_DATA_DIR = "data"
STALE_PARTIAL_S = 3600.0


def new_event_id(now: dt.datetime | None = None) -> str:
    """Return a unique id that sorts by time."""
    moment = now or dt.datetime.now(dt.UTC)
    return f"{moment:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True)
class PinnedTable:
    """A stored table of a cell as it was at one moment: its name, its cell, its key in the store, and a local file."""

    table: str
    cell: str
    key: str
    path: Path


class Store:
    """The artefacts under one root."""

    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs

    @classmethod
    def open(cls, uri: str | None = None) -> Store:
        """Open `uri`, else `ACE_DATA_DIR`, else `data/`."""
        return cls(open_blobs(uri or os.environ.get("ACE_DATA_DIR") or DEFAULT_DATA_DIR))

    @property
    def uri(self) -> str:
        """The root as a person writes it."""
        return self.blobs.uri

    @property
    def local_root(self) -> Path | None:
        """The folder, or None on S3."""
        return self.blobs.root if isinstance(self.blobs, LocalBlobs) else None

    # ---- before and after work -------------------------------------------------------------------------------------

    def check_writable(self) -> None:
        """Raise StoreError unless a small object can be written, read and deleted here."""
        key = f"scratch/write-test-{uuid.uuid4().hex}"
        self.blobs.put(key, b"ok")
        if self.blobs.get(key) != b"ok":
            raise StoreError(
                self.uri, value="lost a write", expected="a working store", remedy="check the disk or bucket"
            )
        self.blobs.delete(key)

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A private local folder, deleted at the end of the block."""
        try:
            folder = Path(tempfile.mkdtemp(prefix="work-", dir=self.blobs.scratch_dir()))
        except OSError as error:
            raise StoreError(
                f"cannot write in {self.uri}",
                value=error.strerror,
                expected="a writable folder with free space",
                remedy="free some space or set ACE_DATA_DIR, then run again: everything finished is kept",
            ) from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def sweep_partials(self, *, older_than_s: float = STALE_PARTIAL_S) -> int:
        """Delete what killed processes left half written; return how many files. Final names are never touched."""
        root = self.local_root
        if root is None or not root.is_dir():
            return 0
        limit = time.time() - older_than_s
        swept = 0
        for folder, _, names in os.walk(root):
            for name in names:
                path = Path(folder, name)
                stale = name.endswith(PARTIAL_SUFFIX) or "/scratch/work-" in path.as_posix()
                with contextlib.suppress(OSError):
                    if stale and path.stat().st_mtime < limit:
                        path.unlink()
                        swept += 1
        for work in (root / "scratch").glob("work-*"):
            with contextlib.suppress(OSError):  # one that still holds something stays
                if work.stat().st_mtime < limit:
                    work.rmdir()
        return swept

    @contextlib.contextmanager
    def lease(
        self, name: str, *, what: str, wait_s: float = 0.0, term_s: float = leases.DEFAULT_TERM_S
    ) -> Iterator[leases.Lease]:
        """Hold a lease for the length of the block (see `ace_assets.leases.hold`)."""
        with leases.hold(self.blobs, f"leases/{name}.json", what=what, wait_s=wait_s, term_s=term_s) as lease:
            yield lease

    def cell_lease(self, cell: str, *, wait_s: float = 0.0) -> contextlib.AbstractContextManager[leases.Lease]:
        """Hold the lease of one cell."""
        return self.lease(f"cell-{cell}", what=f"cell {cell}", wait_s=wait_s)

    def cell_is_abandoned(self, cell: str, *, for_s: float) -> bool:
        """Say whether the last one who wrote a cell died at it, so long ago (see `ace_assets.leases.is_abandoned`)."""
        return leases.is_abandoned(self.blobs, f"leases/cell-{cell}.json", for_s=for_s)

    # ---- tables ----------------------------------------------------------------------------------------------------

    def _put_table(self, key: str, table: type[tables.Table], frame: pl.DataFrame, facts: Mapping[str, Any]) -> None:
        self.blobs.put(key, tables.to_parquet(table, frame, facts=facts))

    def _get_table(self, key: str, table: type[tables.Table]) -> tuple[pl.DataFrame, dict[str, Any]] | None:
        data = self.blobs.get(key)
        return None if data is None else tables.from_parquet(table, data, name=f"{self.uri}/{key}")

    def _get_json(self, key: str) -> dict[str, Any] | None:
        data = self.blobs.get(key)
        if data is None:
            return None
        try:
            found: dict[str, Any] = json.loads(data)
        except ValueError as error:
            raise SchemaError(
                f"{self.uri}/{key}",
                value="unreadable",
                expected="JSON written by ace_assets",
                remedy="delete it and run again",
            ) from error
        return found

    def _put_json(self, key: str, document: Mapping[str, Any], *, if_absent: bool = False) -> bool:
        return self.blobs.put(key, json.dumps(document, sort_keys=True, indent=1).encode(), if_absent=if_absent)

    # ---- plans -----------------------------------------------------------------------------------------------------

    def publish_plan(
        self,
        plan_id: str,
        facts: Mapping[str, Any],
        *,
        cells: pl.DataFrame,
        prompts: pl.DataFrame,
        planned_takes: pl.DataFrame,
    ) -> None:
        """Publish a plan whole, then make it the current one. Plans never change: the id is a hash of their content."""
        folder = f"plans/{plan_id}"
        if self.blobs.stat(f"{folder}/plan.json") is None:
            self._put_table(f"{folder}/cells.parquet", tables.Cells, cells, {"plan_id": plan_id})
            self._put_table(f"{folder}/prompts.parquet", tables.Prompts, prompts, {"plan_id": plan_id})
            self._put_table(f"{folder}/planned_takes.parquet", tables.PlannedTakes, planned_takes, {"plan_id": plan_id})
            self._put_json(f"{folder}/plan.json", {**facts, "plan_id": plan_id})
        self._put_json("plans/current.json", {"plan_id": plan_id, "since": dt.datetime.now(dt.UTC).isoformat()})

    def publish_matrix(self, files: Mapping[str, bytes], *, content_hash: str) -> None:
        """Keep the matrix (and what is read beside it) as it is now, so that a plan is made of one state of it."""
        for name, data in files.items():
            self.blobs.put(f"matrix/{content_hash}/{name}", data)
        self._put_json("matrix/current.json", {"content_hash": content_hash, "files": sorted(files)})

    @contextlib.contextmanager
    def matrix_files(self) -> Iterator[Path]:
        """Give a local folder with the matrix as it was last kept, for the length of the block."""
        pointer = self._get_json("matrix/current.json")
        if pointer is None:
            raise StoreError("genre matrix", value="none kept", expected="one", remedy="materialize genre_matrix first")
        with self.scratch() as folder:
            for name in pointer["files"]:
                data = self.blobs.get(f"matrix/{pointer['content_hash']}/{name}")
                if data is None:
                    raise StoreError(
                        f"matrix {name}",
                        value="missing",
                        expected="a kept file",
                        remedy="materialize genre_matrix again",
                    )
                (folder / name).write_bytes(data)
            yield folder

    def current_plan_id(self) -> str | None:
        """Return the id of the plan that new runs pin, or None before the first."""
        pointer = self._get_json("plans/current.json")
        return None if pointer is None else str(pointer["plan_id"])

    def plan_facts(self, plan_id: str) -> dict[str, Any]:
        """Return plan.json: campaign, engine, profile, matrix hash, counts."""
        facts = self._get_json(f"plans/{plan_id}/plan.json")
        if facts is None:
            raise StoreError(f"plan {plan_id}", value="missing", expected="a published plan", remedy="run prompt_table")
        return facts

    def plan_table(self, plan_id: str, table: type[tables.Table], *, cell: str | None = None) -> pl.DataFrame:
        """Return one table of a plan (Cells, Prompts or PlannedTakes), or only one cell's rows of it."""
        key = f"plans/{plan_id}/{table.TABLE}.parquet"
        found = self._get_table(key, table)
        if found is None:
            raise StoreError(
                f"{self.uri}/{key}", value="missing", expected="a published plan", remedy="run prompt_table"
            )
        return found[0] if cell is None else found[0].filter(pl.col("cell") == cell)

    # ---- takes -----------------------------------------------------------------------------------------------------

    @staticmethod
    def _take_key(take_id: str, suffix: str) -> str:
        return f"takes/{take_id[:2]}/{take_id}.{suffix}"

    def publish_take(self, take_id: str, flac: Path, facts: Mapping[str, Any]) -> bool:
        """Publish a verified take: its facts first, then the audio, whose presence means done. False where it was."""
        if self.blobs.stat(self._take_key(take_id, "flac")) is not None:
            return False
        self._put_json(self._take_key(take_id, "json"), facts)
        return self.blobs.put_file(flac, self._take_key(take_id, "flac"), if_absent=True)

    def has_take(self, take_id: str) -> bool:
        """Say whether the take's audio is stored."""
        return self.blobs.stat(self._take_key(take_id, "flac")) is not None

    def take_facts(self, take_id: str) -> dict[str, Any] | None:
        """Return what was recorded when the take was stored (also after its audio was pruned), or None."""
        return self._get_json(self._take_key(take_id, "json"))

    def take_audio(self, take_id: str) -> contextlib.AbstractContextManager[Path]:
        """Give the take's FLAC as a local file for the length of the block."""
        return self.blobs.local(self._take_key(take_id, "flac"))

    def prune_take(self, take_id: str) -> None:
        """Delete a take's audio; its facts stay."""
        self.blobs.delete(self._take_key(take_id, "flac"))

    def quarantine_take(self, take_id: str) -> None:
        """Forget a stored take whose audio turned out to be damaged, so that it is made again."""
        self.blobs.delete(self._take_key(take_id, "flac"))
        self.blobs.delete(self._take_key(take_id, "json"))

    # ---- the journal of submitted jobs -----------------------------------------------------------------------------

    def journal_put(self, cell: str, take_id: str, entry: Mapping[str, Any]) -> None:
        """Remember a submitted job until its take is stored."""
        self._put_json(f"journal/{cell}/{take_id}.json", entry)

    def journal_delete(self, cell: str, take_id: str) -> None:
        """Forget a job: its take is stored, or the job is lost."""
        self.blobs.delete(f"journal/{cell}/{take_id}.json")

    def journal(self, cell: str) -> dict[str, dict[str, Any]]:
        """Return the jobs of a cell that were submitted and not stored, by take id."""
        entries = {}
        for key in self.blobs.keys(f"journal/{cell}/"):
            with contextlib.suppress(SchemaError):
                entry = self._get_json(key)
                if entry is not None:
                    entries[key.rsplit("/", 1)[-1].removesuffix(".json")] = entry
        return entries

    # ---- manifests of cells ----------------------------------------------------------------------------------------

    def publish_manifest(
        self,
        cell: str,
        table: type[tables.Table],
        frame: pl.DataFrame,
        *,
        lease: leases.Lease,
        plan_id: str,
        **facts: Any,
    ) -> None:
        """Publish a cell's Takes, TakeScores or Masters under its lease; the fencing number rides along."""
        key = f"cells/{cell}/{table.TABLE}.parquet"
        found = self.blobs.get(key)
        if found is not None:
            with contextlib.suppress(SchemaError):
                fence = int(tables.header_of(found, name=key)["facts"].get("fence", 0))
                if fence > lease.fence:
                    raise StoreError(
                        f"cell {cell}",
                        value=f"fencing number {lease.fence}",
                        expected=f"at least {fence}",
                        remedy="a newer run wrote it: nothing to do",
                    )
        lease.check()
        self._put_table(key, table, frame, {**facts, "cell": cell, "plan_id": plan_id, "fence": lease.fence})

    def manifest(self, cell: str, table: type[tables.Table]) -> pl.DataFrame | None:
        """Return a cell's manifest in the present schema version, or None."""
        found = self._get_table(f"cells/{cell}/{table.TABLE}.parquet", table)
        return None if found is None else found[0]

    def manifest_facts(self, cell: str, table: type[tables.Table]) -> dict[str, Any] | None:
        """Return the facts of a cell's manifest (plan_id, fence and what its stage added), or None."""
        found = self._get_table(f"cells/{cell}/{table.TABLE}.parquet", table)
        return None if found is None else found[1]

    def manifest_cells(self) -> list[str]:
        """Return every cell that has a manifest, sorted."""
        return sorted({key.split("/")[1] for key in self.blobs.keys("cells/")})

    # ---- masters ---------------------------------------------------------------------------------------------------

    @staticmethod
    def _master_key(master_id: str, audio_format: str) -> str:
        return f"masters/{master_id[:2]}/{master_id}.{audio_format}"

    def publish_master(self, master_id: str, files: Mapping[str, Path], facts: Mapping[str, Any]) -> None:
        """Publish a verified master: facts, files `{"flac": path, "mp3": path}`; the FLAC last, which means done."""
        self._put_json(self._master_key(master_id, "json"), facts)
        for audio_format in sorted(files, key=lambda name: name == "flac"):
            self.blobs.put_file(files[audio_format], self._master_key(master_id, audio_format))

    def has_master(self, master_id: str) -> bool:
        """Say whether a master is stored."""
        return self.blobs.stat(self._master_key(master_id, "flac")) is not None

    def master_facts(self, master_id: str) -> dict[str, Any] | None:
        """Return what was recorded when the master was stored, or None."""
        return self._get_json(self._master_key(master_id, "json"))

    def master_audio(self, master_id: str, audio_format: str = "flac") -> contextlib.AbstractContextManager[Path]:
        """Give a master's file as a local file for the length of the block."""
        return self.blobs.local(self._master_key(master_id, audio_format))

    def master_size_bytes(self, master_id: str, audio_format: str = "flac") -> int | None:
        """Return the size of a master's file, or None where it is missing."""
        stat = self.blobs.stat(self._master_key(master_id, audio_format))
        return None if stat is None else stat.size_bytes

    # ---- renditions ------------------------------------------------------------------------------------------------

    @staticmethod
    def _rendition_key(rendition_id: str, suffix: str) -> str:
        return f"renditions/{rendition_id[:2]}/{rendition_id}.{suffix}"

    def publish_rendition(self, rendition_id: str, audio_format: str, path: Path, facts: Mapping[str, Any]) -> None:
        """Publish a tagged file and its facts; the audio last, whose presence means done."""
        self._put_json(self._rendition_key(rendition_id, "json"), facts)
        self.blobs.put_file(path, self._rendition_key(rendition_id, audio_format))

    def rendition_facts(self, rendition_id: str) -> dict[str, Any] | None:
        """Return what was recorded when the rendition was made, or None."""
        return self._get_json(self._rendition_key(rendition_id, "json"))

    def rendition_into(self, rendition_id: str, audio_format: str, target: Path) -> bool:
        """Put a rendition at a local path (a hard link where the disk allows it); False where there is none."""
        key = self._rendition_key(rendition_id, audio_format)
        if self.blobs.stat(key) is None:
            return False
        with self.blobs.local(key) as source:
            try:
                os.link(source, target)
            except OSError:
                shutil.copyfile(source, target)
        return True

    def delete_rendition(self, rendition_id: str, audio_format: str) -> None:
        """Forget a rendition, so that it is made again."""
        self.blobs.delete(self._rendition_key(rendition_id, audio_format))
        self.blobs.delete(self._rendition_key(rendition_id, "json"))

    # ---- history and runs ------------------------------------------------------------------------------------------

    def append_events(self, cell: str, frame: pl.DataFrame) -> None:
        """Append rows to a cell's history; nothing is ever changed or deleted there."""
        if frame.height:
            self._put_table(f"events/{cell}/{new_event_id()}.parquet", tables.Events, frame, {"cell": cell})

    def events(self, cell: str | None = None) -> pl.DataFrame:
        """Return the history of one cell or of all, in order of time."""
        prefix = "events/" if cell is None else f"events/{cell}/"
        frames = [found[0] for key in self.blobs.keys(prefix) if (found := self._get_table(key, tables.Events))]
        return pl.concat([tables.empty(tables.Events), *frames]).sort("event_id")

    def publish_run(self, cell: str, run_id: str, frame: pl.DataFrame) -> None:
        """Record what one run did to a cell."""
        self._put_table(f"runs/{cell}/{run_id}.parquet", tables.Runs, frame, {"cell": cell})

    def runs(self, cell: str | None = None) -> pl.DataFrame:
        """Return the runs of one cell or of all."""
        prefix = "runs/" if cell is None else f"runs/{cell}/"
        frames = [found[0] for key in self.blobs.keys(prefix) if (found := self._get_table(key, tables.Runs))]
        return pl.concat([tables.empty(tables.Runs), *frames]).sort("started_at", "run_id")

    # ---- everything at once, for the catalog --------------------------------------------------------------------

    def pin_tables(self, folder: Path) -> list[PinnedTable]:
        """Put every cell's manifests, events and runs into a local folder, as they are now.

        The files are not opened: what is damaged is the reader's to find. On the store's own disk this is quick (see
        `scratch`).
        """
        wanted = []
        for key, _ in self.blobs.sizes("cells/"):
            parts = key.split("/")
            if len(parts) == 3 and key.endswith(".parquet"):
                wanted.append((parts[2].removesuffix(".parquet"), parts[1], key))
        for table in (tables.Events.TABLE, tables.Runs.TABLE):
            for key, _ in self.blobs.sizes(f"{table}/"):
                parts = key.split("/")
                if len(parts) == 3 and key.endswith(".parquet"):
                    wanted.append((table, parts[1], key))
        pinned = [
            PinnedTable(table, cell, key, folder / f"{number:07d}-{table}.parquet")
            for number, (table, cell, key) in enumerate(sorted(wanted))
        ]
        if self.local_root is not None:
            return [file for file in pinned if self.blobs.pin(file.key, file.path)]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            found = pool.map(lambda file: self.blobs.pin(file.key, file.path), pinned)
            return [file for file, there in zip(pinned, found, strict=True) if there]

    def pin_plan_table(self, plan_id: str, table: type[tables.Table], path: Path) -> str:
        """Put one table of a plan at a local path and return its key.

        Raises:
            StoreError: the plan has no such table.
        """
        key = f"plans/{plan_id}/{table.TABLE}.parquet"
        if not self.blobs.pin(key, path):
            raise StoreError(
                f"{self.uri}/{key}", value="missing", expected="a published plan", remedy="run prompt_table"
            )
        return key

    def plan_ids(self) -> list[str]:
        """Return every published plan, the newest first."""
        found = []
        for key, _ in self.blobs.sizes("plans/"):
            parts = key.split("/")
            if len(parts) == 3 and parts[2] == "plan.json" and (stat := self.blobs.stat(key)) is not None:
                found.append((stat.modified_at_s, parts[1]))
        return [plan_id for _, plan_id in sorted(found, reverse=True)]

    def plan_versions(self) -> list[tuple[str, str]]:
        """Return every published plan, sorted, with what tells whether its stored prompts were touched since."""
        found = []
        for plan_id in sorted(self.plan_ids()):
            stat = self.blobs.stat(f"plans/{plan_id}/{tables.Prompts.TABLE}.parquet")
            found.append((plan_id, "missing" if stat is None else stat.etag))
        return found

    def master_files(self) -> pl.DataFrame:
        """Return every stored file of a master: `master_id`, `format`, `bytes`."""
        keys, sizes = [], []
        for key, size_bytes in self.blobs.sizes("masters/"):
            keys.append(key)
            sizes.append(size_bytes)
        parts = pl.col("key").str.split("/").list.last().str.split_exact(".", 1).struct
        return pl.DataFrame({"key": keys, "bytes": sizes}, {"key": pl.String, "bytes": pl.Int64}).select(
            master_id=parts.field("field_0"), format=parts.field("field_1"), bytes="bytes"
        )

    def append_digest(self, day: str, line: str) -> None:
        """Add a line to a day's digest of failures."""
        key = f"digests/{day}.md"
        for _ in range(20):
            found = self.blobs.get_versioned(key)
            text = (found[0].decode() if found else f"# Failures of {day}\n\n") + f"- {line}\n"
            if self.blobs.compare_and_put(key, text.encode(), expected_etag=found[1] if found else None):
                return
        raise StoreError(f"{self.uri}/{key}", value="busy", expected="to be written", remedy="run again")

    # ---- servers ---------------------------------------------------------------------------------------------------

    def server_key(self, server: str, part: str = "state") -> str:
        """Return the key under which runs share what they know of a server."""
        return f"servers/{server}/{part}.json"

    # ---- releases of the catalog -----------------------------------------------------------------------------------

    def publish_release(self, release_id: str, database: Path, extras: Mapping[str, Path]) -> None:
        """Publish a release: its extra files (name -> path), the database, then the pointer that readers follow."""
        for name in sorted(extras):
            self.blobs.put_file(extras[name], f"releases/{release_id}/{name}")
        key = f"releases/{release_id}.duckdb"
        self.blobs.put_file(database, key)
        if isinstance(self.blobs, LocalBlobs):
            self.blobs.path(key).chmod(0o444)
            self._switch_link(self.blobs.root / "catalog.duckdb", Path("releases", f"{release_id}.duckdb"))
        else:
            self._put_json("catalog.json", {"release_id": release_id})

    @staticmethod
    def _switch_link(link: Path, target: Path) -> None:
        fresh = link.with_name(f".{link.name}.{uuid.uuid4().hex}{PARTIAL_SUFFIX}")
        try:
            link.parent.mkdir(parents=True, exist_ok=True)
            fresh.symlink_to(target)
            fresh.replace(link)
        except OSError as error:
            raise StoreError(
                f"cannot switch {link}",
                value=error.strerror,
                expected="a writable folder",
                remedy="make it writable and rerun",
            ) from error

    def current_release_id(self) -> str | None:
        """Return the id of the release that readers see, or None before the first."""
        if isinstance(self.blobs, LocalBlobs):
            link = self.blobs.root / "catalog.duckdb"
            return link.readlink().stem if link.is_symlink() else None
        pointer = self._get_json("catalog.json")
        return None if pointer is None else str(pointer["release_id"])

    def release_ids(self) -> list[str]:
        """Return the releases that are stored, oldest first."""
        names = [key.split("/", 1)[1] for key in self.blobs.keys("releases/")]
        return sorted(name.removesuffix(".duckdb") for name in names if name.endswith(".duckdb") and "/" not in name)

    def release_database(self, release_id: str) -> contextlib.AbstractContextManager[Path]:
        """Give a release's database as a local file for the length of the block (the link already resolved)."""
        return self.blobs.local(f"releases/{release_id}.duckdb")

    @staticmethod
    def release_key(release_id: str) -> str:
        """Return the key of a release's database."""
        return f"releases/{release_id}.duckdb"

    def release_file(self, release_id: str, name: str) -> contextlib.AbstractContextManager[Path]:
        """Give one of a release's extra files for the length of the block."""
        return self.blobs.local(f"releases/{release_id}/{name}")

    def delete_release(self, release_id: str) -> None:
        """Delete an old release; the current one is refused."""
        if release_id == self.current_release_id():
            raise StoreError(f"release {release_id}", value="current", expected="an old release", remedy="keep it")
        for key in list(self.blobs.keys(f"releases/{release_id}/")):
            self.blobs.delete(key)
        self.blobs.delete(f"releases/{release_id}.duckdb.wal")  # left by a reader that forgot read-only and was killed
        self.blobs.delete(f"releases/{release_id}.duckdb")
        self._remove_empty(f"releases/{release_id}")

    def sweep_unfinished_releases(self) -> list[str]:
        """Delete what killed builders left of releases without a database; call it under the catalog's lease."""
        whole = set(self.release_ids())
        folders = {key.split("/")[1] for key, _ in self.blobs.sizes("releases/") if key.count("/") == 2}
        for release_id in sorted(folders - whole):
            for key in list(self.blobs.keys(f"releases/{release_id}/")):
                self.blobs.delete(key)
            self._remove_empty(f"releases/{release_id}")
        return sorted(folders - whole)

    def _remove_empty(self, key: str) -> None:
        if self.local_root is not None:
            with contextlib.suppress(OSError):
                (self.local_root / key).rmdir()

    def release_json(self, release_id: str, name: str) -> dict[str, Any] | None:
        """Return one of a release's JSON files, or None."""
        return self._get_json(f"releases/{release_id}/{name}")

    def publish_listening_page(self, page: bytes, *, of: str = "") -> str:
        """Publish the listening page, or one `of` some cells, beside the masters that it plays; return where it is."""
        key = f"listen-{of}.html" if of else "listen.html"
        self.blobs.put(key, page)
        return f"{self.uri}/{key}"

    def master_link(self, master_id: str, audio_format: str) -> str:
        """Return a master's address relative to the root, as the listening page uses it."""
        return self._master_key(master_id, audio_format)

    # ---- packages --------------------------------------------------------------------------------------------------

    def publish_package(self, venue: str, package_id: str, folder: Path) -> str:
        """Publish a built package (moved on a disk, uploaded on S3), switch the venue to it, return where it is."""
        key = f"packages/.versions/{venue}/{package_id}"
        if isinstance(self.blobs, LocalBlobs):
            target = self.blobs.root / key
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists():
                    folder.rename(target)
            except OSError as error:
                raise StoreError(
                    f"cannot write {target}",
                    value=error.strerror,
                    expected="a writable folder",
                    remedy="free space and rerun",
                ) from error
            self._switch_link(self.blobs.root / "packages" / venue, Path(".versions", venue, package_id))
            return str(self.blobs.root / "packages" / venue)
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            self.blobs.put_file(path, f"{key}/{path.relative_to(folder).as_posix()}")
        self._put_json(f"packages/{venue}.json", {"package_id": package_id, "prefix": key})
        return f"{self.uri}/{key}"

    def current_package_id(self, venue: str) -> str | None:
        """Return the id of the venue's latest package, or None before the first."""
        if isinstance(self.blobs, LocalBlobs):
            link = self.blobs.root / "packages" / venue
            return link.readlink().name if link.is_symlink() else None
        pointer = self._get_json(f"packages/{venue}.json")
        return None if pointer is None else str(pointer["package_id"])

    def package_file(self, venue: str, package_id: str, name: str) -> bytes | None:
        """Return one small file of a built package, e.g. `package.json`, or None."""
        return self.blobs.get(f"packages/.versions/{venue}/{package_id}/{name}")

    def package_location(self, venue: str, package_id: str) -> str:
        """Return where a built package is: a folder, or an address on S3."""
        key = f"packages/.versions/{venue}/{package_id}"
        return str(self.blobs.root / key) if isinstance(self.blobs, LocalBlobs) else f"{self.uri}/{key}"

    @contextlib.contextmanager
    def package_folder(self, venue: str, package_id: str) -> Iterator[Path]:
        """Give a built package as a local folder to read for the length of the block (downloaded from S3)."""
        key = f"packages/.versions/{venue}/{package_id}"
        if isinstance(self.blobs, LocalBlobs):
            yield self.blobs.root / key
            return
        with self.scratch() as folder:
            for name in list(self.blobs.keys(f"{key}/")):
                target = folder / name.removeprefix(f"{key}/")
                target.parent.mkdir(parents=True, exist_ok=True)
                with self.blobs.local(name) as source:
                    shutil.move(source, target)
            yield folder

    def package_versions(self) -> list[tuple[str, str]]:
        """Return venue and package id of every package that is stored, sorted."""
        found = set()
        for key, _ in self.blobs.sizes("packages/.versions/"):
            parts = key.split("/")
            if len(parts) > 4:
                found.add((parts[2], parts[3]))
        return sorted(found)

    def record_delivery(self, venue: str, delivery_id: str, facts: Mapping[str, Any]) -> None:
        """Remember a completed delivery: the base of the next package's changes."""
        self._put_json(f"deliveries/{venue}/{delivery_id}.json", facts)

    def deliveries(self, venue: str) -> list[dict[str, Any]]:
        """Return the venue's completed deliveries, oldest first."""
        found = (self._get_json(key) for key in self.blobs.keys(f"deliveries/{venue}/"))
        return [facts for facts in found if facts is not None]
