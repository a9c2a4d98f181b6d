"""`ace-assets`: what each command is called and prints; everything is done elsewhere. Imports are late for speed.

Exit status: 0 when all went well, 1 on any failure, 2 for a wrong call. An error is one line on standard error.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from ace_assets import __version__
from ace_assets.errors import AceAssetsError, ConfigError, shorten

if TYPE_CHECKING:
    from rich.progress import TaskID

    from ace_assets.commands.campaign_run import CampaignReport
    from ace_assets.scoring.files import FileResult
    from ace_assets.store import Store

app = typer.Typer(
    name="ace-assets",
    help="From a genre matrix to finished background music.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
matrix_app = typer.Typer(help="The genre matrix.", no_args_is_help=True)
servers_app = typer.Typer(help="ACE-Step servers.", no_args_is_help=True)
catalog_app = typer.Typer(help="The DuckDB catalog.", no_args_is_help=True)
package_app = typer.Typer(help="Packages for venues.", no_args_is_help=True)
preview_app = typer.Typer(help="The embedded preview engine.", no_args_is_help=True)
review_app = typer.Typer(help="Verdicts of people who listened.", no_args_is_help=True)
for name, group in (
    ("matrix", matrix_app),
    ("servers", servers_app),
    ("catalog", catalog_app),
    ("package", package_app),
    ("preview", preview_app),
    ("review", review_app),
):
    app.add_typer(group, name=name)

LINE_EVERY_S = 3.0
DEBUG_ENV = "ACE_DEBUG"  # 1: show where an unexpected error came from
PIPED_WIDTH = 160  # columns where nobody's terminal says how wide it is
_width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
out = Console(highlight=False, width=_width)
err = Console(stderr=True, highlight=False, width=_width)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ServersOption = Annotated[
    str | None,
    typer.Option("--servers", metavar="URL,...", help="ACE-Step servers, or a servers.toml. Default: ACE_SERVERS."),
]
CampaignOption = Annotated[str | None, typer.Option("--campaign", metavar="NAME", help="Campaign of campaigns.toml.")]


def main() -> None:
    """Run the command; a deliberate error becomes one line and status 1."""
    try:
        app()
    except AceAssetsError as error:
        _fail(error)
    except KeyboardInterrupt:
        err.print("interrupted; what is finished is kept, run again to go on", markup=False, soft_wrap=True)
        raise SystemExit(130) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        _fail(ConfigError(f"cannot use{place}", value=error.strerror or error, remedy="check the path and the disk"))
    except Exception as error:
        if os.environ.get(DEBUG_ENV):
            raise
        _fail(
            AceAssetsError(
                f"unexpected {type(error).__name__}",
                value=error,
                remedy=f"this is a bug: set {DEBUG_ENV}=1 and report it",
            )
        )


def _fail(error: AceAssetsError) -> NoReturn:
    err.print(f"error: {error}", markup=False, soft_wrap=True)
    raise SystemExit(1)


def _say(text: str) -> None:
    out.print(text, markup=False, soft_wrap=True)


def _print_json(document: Any) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def _store() -> Store:
    from ace_assets.store import Store

    return Store.open()


def _ended(failed: bool) -> None:
    if failed:
        raise SystemExit(1)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        _say(__version__)
        raise typer.Exit


# ---- making music --------------------------------------------------------------------------------------------------


@app.command()
def run(
    campaign: CampaignOption = None,
    cells: Annotated[str | None, typer.Option(metavar="GLOB", help="Only the planned cells that match.")] = None,
    servers: ServersOption = None,
    workers: Annotated[int, typer.Option(min=1, max=32, help="Cells at a time.")] = 2,
    yes: Annotated[bool, typer.Option("--yes", help="Allow a change larger than the brakes do.")] = False,
) -> None:
    """Run a campaign from the matrix to the venues' packages; only what is missing is made."""
    _run(campaign=campaign, cells=cells, servers=servers, workers=workers, allow=yes)


@app.command("rerun-failed")
def rerun_failed(
    servers: ServersOption = None,
    workers: Annotated[int, typer.Option(min=1, max=32, help="Cells at a time.")] = 2,
) -> None:
    """Run exactly the cells of the present plan that failed or are unfinished, then catalog and packages."""
    _run(campaign=None, cells=None, servers=servers, workers=workers, allow=False, replan=False)


def _run(
    *, campaign: str | None, cells: str | None, servers: str | None, workers: int, allow: bool, replan: bool = True
) -> None:
    from ace_assets.assets.needs import pinned_plan
    from ace_assets.automation.recovery import recover_here
    from ace_assets.commands import campaign_run
    from ace_assets.commands.home import ensure_home
    from ace_assets.display import Display, waiting
    from ace_assets.matrix.planning import Brakes
    from ace_assets.settings import SERVERS_ENV, configured_servers, engine_of

    store = _store()
    log_folder = ensure_home(store) / "logs"
    log_folder.mkdir(parents=True, exist_ok=True)
    report = campaign_run.CampaignReport()
    with waiting(out, "checking servers, store and matrix"):
        chosen = configured_servers(servers)
        if servers:
            os.environ[SERVERS_ENV] = servers
        engine = engine_of(chosen)
        store.check_writable()
        store.sweep_partials()
        recover_here(store)
        if replan:
            brakes = Brakes(max_takes_per_refresh=0, allow_large_change=allow)
            report.plan_id = campaign_run.plan(
                store, campaign=campaign, engine=engine, brakes=brakes, log=log_folder / "dagster.log"
            )
        else:
            report.plan_id = pinned_plan(store)
        report.campaign = str(store.plan_facts(report.plan_id)["campaign"])
        work = campaign_run.work_of(store, report.plan_id, cells)
    report.cells = work.cells
    _say(
        f"campaign {report.campaign}, plan {report.plan_id}: {len(work.cells)} cells to do, "
        f"{work.takes} takes to make, up to {work.tracks} tracks"
    )
    totals = {
        "cells": len(work.cells),
        "takes made": work.takes,
        "takes scored": work.takes,
        "tracks mastered": work.tracks,
    }
    display = Display(out, totals)
    with display.shown():
        if work.cells:
            report.failures = campaign_run.make_cells(
                work, chosen, listener=display.listen, workers=workers, log_folder=log_folder
            )
            report.failures = [outcome for outcome in report.failures if not outcome.success]
        campaign_run.publish(store, listener=display.listen, log_folder=log_folder, report=report)
    _closing(store, report, preview=engine == "preview")
    _ended(bool(report.failures))


def _closing(store: Store, report: CampaignReport, *, preview: bool) -> None:
    """Say what there is now, where it is, and what went wrong."""
    from ace_assets.commands.status import plan_status

    status = plan_status(store, report.plan_id)
    _say("")
    _say(
        f"{status.tracks} of {status.planned_tracks} tracks mastered in {status.cells_done} of {status.cells} cells "
        f"({status.audio_hours:.2f} hours of music)"
    )
    for prompt in status.prompts_without_track:
        _say(f"  no track yet: {prompt}")
    root = store.local_root
    place = str(_relative(root)) if root else store.uri
    _say(f"catalog    {place}/catalog.duckdb")
    _say('           ask it: ace-assets sql "select zone, count(*) from tracks group by 1"')
    _say(f"packages   {place}/packages/   ({', '.join(report.packages) or 'nothing changed'})")
    if root and (root / "listen.html").exists():
        _say(f"listen     open {place}/listen.html in a browser, or index.html in a package")
    _say("look       make ui   (the Dagster UI on the same data)")
    if preview:
        _say(
            "These are PREVIEW tracks by the embedded engine, not ACE-Step's: packages are marked as not for delivery."
        )
        _say("For real music: ace-assets run --servers http://GPU-SERVER:8001")
    for outcome in report.failures:
        err.print(f"error: {outcome.message or outcome.partition}", markup=False, soft_wrap=True)
    if report.failures:
        err.print("run `ace-assets rerun-failed` to make only what is missing", markup=False)


def _relative(path: Path) -> Path:
    with contextlib.suppress(ValueError):
        return path.relative_to(Path.cwd())
    return path


@app.command()
def status(json_: Json = False) -> None:
    """Cells done, failed and running, yield, hours of music, the next refresh."""
    from ace_assets.commands.home import ensure_home
    from ace_assets.commands.status import lineage_status

    store = _store()
    ensure_home(store)
    found = lineage_status(store)
    if json_:
        _print_json(found.to_dict())
        return
    table = Table(show_header=False, box=None)
    for label, value in found.lines():
        table.add_row(label, value)
    out.print(table)


@app.command()
def plan(campaign: CampaignOption = None, servers: ServersOption = None, json_: Json = False) -> None:
    """What would be made, superseded and spent; nothing is changed."""
    from ace_assets.matrix.planning import plan_campaign
    from ace_assets.settings import config_file, configured_servers

    planned = plan_campaign(
        _store(),
        config_file("campaigns.toml"),
        campaign=campaign,
        engine=_planning_engine(configured_servers(servers)),
        matrix_file=config_file("genre_matrix.csv"),
    )
    facts = dict(planned.plan.facts)
    if json_:
        changes = {
            "prompts_made": planned.changes.prompts_made,
            "prompts_superseded": planned.changes.prompts_superseded,
            "takes_to_make": planned.changes.takes_to_make,
            "audio_s": planned.changes.audio_s,
            "top_up_takes": planned.top_up_takes,
        }
        _print_json({"plan_id": planned.plan.plan_id, **facts, "changes": changes})
        return
    _say(f"campaign {facts['campaign']} for {facts['engine']} ({facts['model']}): plan {planned.plan.plan_id}")
    _say(f"{facts['cells']} cells, {facts['prompts']} prompts, {facts['tracks']} tracks, {facts['takes']} takes")
    for line in planned.changes.lines():
        _say(line)
    if planned.top_up_takes:
        _say(f"{planned.top_up_takes} of these takes are top-ups of prompts without an accepted take")
    _say(f"what it costs: ace-assets estimate --campaign {facts['campaign']}")


def _planning_engine(servers: tuple[Any, ...]) -> str:
    """Return the engine to plan for: what servers are, else what the present plan is for, else preview."""
    from ace_assets.settings import engine_of

    if servers:
        return engine_of(servers)
    store = _store()
    plan_id = store.current_plan_id()
    return str(store.plan_facts(plan_id)["engine"]) if plan_id else "preview"


@app.command()
def estimate(
    campaign: CampaignOption = None,
    gpu: Annotated[str | None, typer.Option(metavar="NAME", help="One GPU; every one without.")] = None,
    servers: Annotated[int, typer.Option(min=1, help="GPUs side by side.")] = 1,
    claims: Annotated[bool, typer.Option("--claims", help="Show every figure of the customer's document.")] = False,
    json_: Json = False,
) -> None:
    """Hours, money and gigabytes of a campaign per GPU, the customer's figures recomputed, and the year."""
    from ace_assets.acestep.estimate_report import estimate_report
    from ace_assets.commands.sizes import campaign_sizes, measured_takes

    report = estimate_report(
        campaign_sizes(campaign), [gpu] if gpu else None, measured=measured_takes(_store()), servers=servers
    )
    if json_:
        _print_json(report.to_dict())
    else:
        out.print(report.render(all_claims=claims))


@app.command()
def recover() -> None:
    """Mend what a host crash left: orphaned runs, their pool slots, half-written files. Safe beside live workers."""
    from ace_assets.automation.recovery import recover_here
    from ace_assets.commands.home import ensure_home

    store = _store()
    ensure_home(store)
    mended = recover_here(store)
    swept = store.sweep_partials()
    for run_ in mended:
        _say(f"ended orphaned run {run_.run_id} {run_.partition or run_.job}")
    _say(f"{len(mended)} orphaned runs ended, {swept} half-written files removed")


@app.command()
def init(
    folder: Annotated[Path | None, typer.Argument(help="Where to; ACE_CONFIG_DIR or config/ without.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
) -> None:
    """Copy the files that people edit (matrix, campaigns, venues, lexicon) to a folder of yours."""
    from ace_assets import shipped
    from ace_assets.settings import CONFIG_ENV

    target = folder or Path(os.environ.get(CONFIG_ENV) or "config")
    target.mkdir(parents=True, exist_ok=True)
    for source in sorted(shipped.path("config").iterdir()):
        if not source.is_file() or source.suffix == ".py":
            continue
        if (target / source.name).exists() and not force:
            _say(f"kept   {target / source.name} (it was there; --force overwrites)")
            continue
        shutil.copyfile(source, target / source.name)
        _say(f"wrote  {target / source.name}")
    _say(f"edit them, then: {CONFIG_ENV}={target} ace-assets matrix check && {CONFIG_ENV}={target} ace-assets run")


@app.command()
def retire(track: str, reason: Annotated[str, typer.Option(help="Why, for the history.")]) -> None:
    """Retire a track: it leaves the catalog and the packages; its prompt is topped up at the next refresh."""
    from ace_assets.catalog.history import retire as retire_track

    retire_track(_store(), track, reason, actor="ace-assets retire")
    _say(f"retired {track}; `ace-assets run` updates catalog and packages")


@app.command()
def restore(track: str, reason: Annotated[str, typer.Option(help="Why, for the history.")]) -> None:
    """Take a retirement back."""
    from ace_assets.catalog.history import restore as restore_track

    restore_track(_store(), track, reason, actor="ace-assets restore")
    _say(f"restored {track}; `ace-assets run` updates catalog and packages")


@matrix_app.command("check")
def matrix_check(
    file: Annotated[Path | None, typer.Argument(help="The CSV; the configured one without.")] = None,
) -> None:
    """Lint a genre matrix: every finding with row, column, value, rule and what to do."""
    from ace_assets.matrix import check_matrix, report
    from ace_assets.settings import config_file

    path = file or config_file("genre_matrix.csv")
    matrix, findings = check_matrix(path)
    status_ = report(findings, out)
    if matrix is not None:
        _say(f"{path.name}: {len(matrix.rows)} cells, {sum(row.target_tracks for row in matrix.rows):,} target tracks")
    _ended(bool(status_))


# ---- servers -------------------------------------------------------------------------------------------------------


@servers_app.command("probe")
def servers_probe(
    urls: Annotated[list[str] | None, typer.Argument(help="Addresses; ACE_SERVERS without.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Ask only; generate no test clips.")] = False,
    json_: Json = False,
) -> None:
    """Measure what servers can do: flavour, models, language model, queue, seeds, lengths, batch, seconds per take."""
    from ace_assets.acestep.capabilities import as_table, probe
    from ace_assets.acestep.servers import servers_at
    from ace_assets.display import waiting
    from ace_assets.settings import configured_servers

    chosen = servers_at(urls) if urls else configured_servers()
    if not chosen:
        raise ConfigError("servers", value="none", expected="at least one", remedy="name a URL or set ACE_SERVERS")
    found, failed = [], False
    for server in chosen:
        try:
            with waiting(err, f"probing {server.name}"):
                found.append(probe(server, clips=not quick, tier=not quick, store=_store()))
        except AceAssetsError as error:
            failed = True
            err.print(f"error: {error}", markup=False, soft_wrap=True)
    if json_:
        for one in found:
            _print_json(asdict(one))
    elif found:
        table = Table()
        rows = as_table(found)
        for column in rows[0]:
            table.add_column(column)
        for row in rows[1:]:
            table.add_row(*row)
        out.print(table)
    _ended(failed)


@preview_app.command("serve")
def preview_serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8001,
    host: Annotated[str, typer.Option(help="Loopback unless you mean it.")] = "127.0.0.1",
    faults: Annotated[
        str, typer.Option(metavar="SPEC", help="Faults to inject, e.g. service_s=2,drop=0.02,seed=7.")
    ] = "",
) -> None:
    """Serve the embedded preview engine: ACE-Step's API without a GPU; its key comes from ACE_PREVIEW_API_KEY."""
    from ace_assets.preview.server import serve

    serve(host, port, faults, on_ready=lambda url: _say(f"preview engine (not ACE-Step) at {url}"))


# ---- sound ---------------------------------------------------------------------------------------------------------


@app.command()
def analyze(
    files: Annotated[list[Path], typer.Argument(help="WAV, FLAC, MP3 or Ogg.")],
    bpm: Annotated[float | None, typer.Option(help="Tempo that was asked for.")] = None,
    key: Annotated[str | None, typer.Option(help='Key that was asked for, e.g. "A minor".')] = None,
    duration: Annotated[float | None, typer.Option(metavar="S", help="Length that was asked for, seconds.")] = None,
    zone: Annotated[str | None, typer.Option(help="Judge the fit by this zone's policy.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Files at a time; one per core without.")] = None,
    json_: Json = False,
) -> None:
    """Measure audio files: loudness, peaks, tempo, key, defects, fit, score."""
    from ace_assets.scoring.files import analyze_files

    failed = False
    table = Table("file", "LUFS", "dBTP", "LRA", "tempo", "key", "defects", "fit", "score")
    with _counting("analysing", len(files)) as step:
        results = analyze_files(files, bpm=bpm, key=key, duration_s=duration, zone=zone, jobs=jobs)
        for result in results:
            step()
            if result.error is not None or result.analysis is None:
                failed = True
                err.print(f"error: {result.error}", markup=False, soft_wrap=True)
                continue
            found = result.analysis.as_json()
            if json_:
                _print_json({"path": str(result.path), **found})
            else:
                table.add_row(*_analysis_row(result.path, found))
    if not json_ and table.row_count:
        out.print(table)
    _ended(failed)


def _analysis_row(path: Path, found: dict[str, Any]) -> list[str]:
    def number(name: str) -> str:
        value = found[name]
        return "" if value is None else f"{value:.1f}"

    return [
        path.name,
        number("integrated_loudness_lufs"),
        number("true_peak_dbtp"),
        number("loudness_range_lu"),
        number("tempo_bpm"),
        found["key"] or "",
        ", ".join(found["gate_failures"]) or "-",
        ", ".join(found["fit_failures"]) or "-",
        number("signal_score"),
    ]


@contextlib.contextmanager
def _counting(what: str, total: int) -> Iterator[Any]:
    """Show on standard error how many are done, where that is a terminal."""
    from rich.progress import Progress

    with Progress(console=err, transient=True, disable=not err.is_terminal) as bars:
        task = bars.add_task(what, total=total)
        yield lambda: bars.advance(task)


@app.command()
def master(
    source: Annotated[Path, typer.Argument(metavar="IN", help="WAV, FLAC, MP3 or Ogg.")],
    outputs: Annotated[list[Path], typer.Argument(metavar="OUT.flac [OUT.mp3 ...]", help="Files to write.")],
    target_lufs: Annotated[float, typer.Option(help="Integrated loudness wanted.")] = -16.0,
    ceiling_dbtp: Annotated[float, typer.Option(help="Highest true peak after decoding.")] = -1.0,
    json_: Json = False,
) -> None:
    """Master one file: gain, limiter, fades, dither; every written file is decoded again and verified."""
    from ace_assets.audio.codecs import decode
    from ace_assets.mastering.files import master_file
    from ace_assets.mastering.settings import MasteringSettings

    settings = MasteringSettings(target_lufs=target_lufs, ceiling_dbtp=ceiling_dbtp)
    found = master_file(source, decode(source), outputs, settings)
    if json_:
        _print_json(found)
        return
    _say(
        f"{found['integrated_loudness_lufs']:.2f} LUFS, {found['true_peak_dbtp']:.2f} dBTP, "
        f"gain {found['gain_db']:+.2f} dB, limiter {found['limiter_max_reduction_db']:.2f} dB"
    )
    if found["loudness_shortfall_lu"] > 0:
        _say(f"{found['loudness_shortfall_lu']:.2f} LU below the target: its peaks reach the ceiling")
    for file in found["files"]:
        _say(f"wrote {file['path']}: {file['integrated_loudness_lufs']:.2f} LUFS, {file['true_peak_dbtp']:.2f} dBTP")


@app.command()
def duplicates(
    files: Annotated[list[Path], typer.Argument(help="WAV, FLAC, MP3 or Ogg.")],
    jobs: Annotated[int | None, typer.Option(min=1, help="Files at a time; one per core without.")] = None,
    json_: Json = False,
) -> None:
    """Find near-duplicates among audio files."""
    from ace_assets.scoring.files import find_duplicates

    failures: list[FileResult] = []
    with _counting("listening", len(files)) as step:
        pairs = find_duplicates(files, jobs=jobs, progress=lambda *_: step(), on_error=failures.append)
    for result in failures:
        err.print(f"error: {result.error}", markup=False, soft_wrap=True)
    for pair in pairs:
        if json_:
            _print_json({"a": str(pair.a), "b": str(pair.b), "similarity": round(pair.similarity, 4)})
        else:
            _say(f"{pair.similarity:.3f}  {pair.a}  {pair.b}")
    if not pairs and not json_:
        _say("no near-duplicates")
    _ended(bool(failures))


# ---- catalog -------------------------------------------------------------------------------------------------------


@app.command()
def sql(
    query: str,
    limit: Annotated[int, typer.Option(min=0, help="Most rows; 0 for all.")] = 200,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    json_: Json = False,
) -> None:
    """Query the catalog, read-only."""
    from ace_assets.catalog.query import run_query

    answer = run_query(_store(), query, limit=limit or None)
    _show_frame(answer.frame, csv=csv, json_=json_)
    if answer.note and not json_ and not csv:
        err.print(answer.note, markup=False, soft_wrap=True)


@app.command()
def ask(
    question: Annotated[str | None, typer.Argument(help="Its name; without one they are listed.")] = None,
    parameters: Annotated[list[str] | None, typer.Argument(metavar="[NAME=VALUE ...]")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    json_: Json = False,
) -> None:
    """The analysts' questions: list them, or answer one."""
    from ace_assets.catalog import ask as questions

    if question is None:
        listed = questions.list_questions()
        if json_:
            _print_json([entry.to_dict() for entry in listed])
            return
        table = Table("question", "what it answers", "parameters")
        for entry in listed:
            table.add_row(entry.name, entry.purpose, ", ".join(f"{k}={v}" for k, v in entry.parameters.items()))
        out.print(table)
        return
    given: dict[str, Any] = {}
    for text in parameters or []:
        name_, sign, value = text.partition("=")
        if not sign:
            raise ConfigError("parameter", value=text, expected="NAME=VALUE", remedy="see `ace-assets ask`")
        given[name_] = value
    _show_frame(questions.run(_store(), question, **given), csv=csv, json_=json_)


def _show_frame(frame: Any, *, csv: bool, json_: bool) -> None:
    if json_:
        for row in frame.iter_rows(named=True):
            _print_json(row)
    elif csv:
        from ace_assets.catalog.query import as_csv

        sys.stdout.write(as_csv(frame))
    else:
        table = Table(*frame.columns)
        for row in frame.iter_rows():
            table.add_row(*("" if value is None else shorten(_plain(value), 80) for value in row))
        out.print(table)


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@catalog_app.command("pull")
def catalog_pull(
    target: Annotated[Path, typer.Argument(help="Where the local copy goes.")] = Path("catalog.duckdb"),
) -> None:
    """Keep a verified local copy of the catalog, for stores on S3."""
    from ace_assets.catalog.query import pull

    found = pull(_store(), target)
    _say(f"{found} is release {_store().current_release_id()}")


@review_app.command("import")
def review_import(file: Path, reviewer: Annotated[str, typer.Option(help="Who listened.")] = "listening page") -> None:
    """Record the verdicts of a CSV from the listening page; rejected tracks are retired."""
    from ace_assets.catalog.verdicts import apply_verdicts, read_verdicts

    applied = apply_verdicts(_store(), read_verdicts(file), actor=reviewer)
    _say(str(applied))


@review_app.command("page")
def review_page(
    cells: Annotated[str, typer.Option(help="Which cells, e.g. 'lobby.*'; all when not given.")] = "*",
) -> None:
    """Write the listening page of the current release, or one with every kept track of some cells."""
    from ace_assets.catalog.listening import write_listening_page

    _say(f"open {write_listening_page(_store(), cells=cells)} in a browser")


# ---- packages ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _told() -> Iterator[Callable[[int, int, str], None]]:
    """Show how far long work is: a bar on a terminal, a line every few seconds elsewhere, on standard error."""
    from rich.progress import Progress

    last_s = time.monotonic()
    with Progress(console=err, transient=True, disable=not err.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(done: int, total: int, what: str) -> None:
            nonlocal last_s
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)
            if not err.is_terminal and time.monotonic() - last_s > LINE_EVERY_S:
                last_s = time.monotonic()
                err.print(f"{what} {done}/{total}", markup=False)

        yield tell


@package_app.command("verify")
def package_verify(folder: Annotated[Path, typer.Argument(metavar="DIR", help="A package folder or zip.")]) -> None:
    """Check a package: checksums, tags, loudness, playlists, rotation; names each problem."""
    from ace_assets.packages.verify import verify

    with _told() as tell:
        report = verify(folder, tell)
    for problem in report.problems:
        _say(str(problem))
    _say(f"{folder}: {'good' if not report.problems else f'{len(report.problems)} problems'}")
    _ended(bool(report.problems))


@package_app.command("deliver")
def package_deliver(
    venue: str,
    target: Annotated[str, typer.Argument(help="A folder, a .zip file or s3://bucket/prefix.")],
    force: Annotated[bool, typer.Option("--force", help="Deliver also what is marked as not for delivery.")] = False,
) -> None:
    """Deliver a venue's latest package: resumable, only what changed, never visible half done."""
    from ace_assets.packages.delivery import deliver

    with _told() as tell:
        done = deliver(_store(), venue, target, force=force, progress=tell)
    _say(f"{done.target}: package {done.package_id}, {done.files} files, {done.bytes / 1e6:,.1f} MB, complete")
    _say(f"sent now: {done.sent_files} files, {done.sent_bytes / 1e6:,.1f} MB")
    if done.forced:
        _say("it is marked NOT FOR DELIVERY and was delivered because of --force")


if __name__ == "__main__":
    main()
