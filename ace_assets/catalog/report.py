"""The report of a release: one self-contained page of plotly figures that needs no network, light and dark.

What belongs here: which figures there are and how the page looks. The numbers come from `sql/report`, one file each,
and ride along in the page as JSON (`#numbers`), so that a test or a person can check what is drawn.
"""

from __future__ import annotations

import datetime as dt
import html
import json
from importlib import resources
from typing import Any

import duckdb

from ace_assets.catalog import sql_files

Rows = list[dict[str, Any]]
Figure = dict[str, Any]


def numbers(connection: duckdb.DuckDBPyConnection) -> dict[str, Rows]:
    """Return the numbers of the report: the name of a file of `sql/report` (without its number) -> its rows."""
    found: dict[str, Rows] = {}
    for name, text in sql_files.texts("report"):
        found[name.partition("_")[2]] = connection.sql(text).pl().to_dicts()
    return found


def render(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the page of the release being built on this connection."""
    return page(numbers(connection))


def page(found: dict[str, Rows]) -> str:
    """Return the page that shows these numbers."""
    summary = found["summary"][0]
    figures = {
        **coverage_figures(found["coverage"]),
        "yield": yield_figure(found["yield"]),
        "reject_reasons": reject_figure(found["reject_reasons"]),
        "loudness": loudness_figure(found["loudness"]),
        "tempo": tempo_figure(found["tempo"]),
        "throughput": throughput_figure(found["throughput"]),
        "cost": cost_figure(found["cost"]),
    }
    return _PAGE.format(
        title=f"Catalog {_text(summary['release_id'])}",
        style=_STYLE,
        banner=_banner(summary),
        built=_text(f"{summary['built_at']:%Y-%m-%d %H:%M} UTC"),
        reason=_text(summary["reason"]),
        cards=_cards(summary),
        coverage="".join(
            _panel(name, f"Coverage, {name.removeprefix('coverage_')}")
            for name in figures
            if name.startswith("coverage_")
        )
        or "<p class=note>No plan yet: nothing to cover.</p>",
        yield_=_panel("yield", "Takes that passed their gates, by genre", empty=not found["yield"]),
        rejects=_panel("reject_reasons", "Why takes were rejected", empty=not found["reject_reasons"]),
        loudness=_panel("loudness", "Integrated loudness of the masters", empty=not found["loudness"]),
        tempo=_panel("tempo", "Tempo, asked for and measured", empty=not found["tempo"]),
        throughput=_panel("throughput", "Seconds per take, measured and claimed", empty=not found["throughput"]),
        cost=_cost_panel(found["cost"]),
        changes=_changes(found["changes"], found["changed_tracks"], summary),
        quarantine=_quarantine(found["quarantine"]),
        figures=_script_json(figures),
        numbers=_script_json(found),
        plotly=resources.files("plotly").joinpath("package_data/plotly.min.js").read_text(encoding="utf-8"),
        script=_SCRIPT,
    )


# ---- figures -------------------------------------------------------------------------------------------------------


def coverage_figures(rows: Rows) -> dict[str, Figure]:
    """Return a heat map per zone: genre by daypart, the share of the target that is exportable."""
    order = ("morning", "midday", "afternoon", "evening", "night")
    figures: dict[str, Figure] = {}
    for zone in sorted({row["zone"] for row in rows}):
        of_zone = {(row["genre"], row["daypart"]): row for row in rows if row["zone"] == zone}
        genres = sorted({genre for genre, _ in of_zone}, reverse=True)
        dayparts = sorted({part for _, part in of_zone}, key=lambda p: (order.index(p) if p in order else 99, p))
        shares, labels = [], []
        for genre in genres:
            line = [of_zone.get((genre, part)) for part in dayparts]
            shares.append([_share(row) for row in line])
            labels.append([f"{row['exportable_tracks']} / {row['target_tracks']}" if row else "" for row in line])
        trace = {
            "type": "heatmap",
            "x": dayparts,
            "y": genres,
            "z": shares,
            "text": labels,
            "texttemplate": "%{text}",
            "hovertemplate": "%{y}, %{x}: %{text} exportable<extra></extra>",
            "zmin": 0,
            "zmax": 1,
            "xgap": 2,
            "ygap": 2,
            "colorscale": [[0, "#f3d9c9"], [0.5, "#8fc1b5"], [1, "#1f7a6d"]],
            "colorbar": {"tickformat": ".0%", "thickness": 10, "outlinewidth": 0},
        }
        height = 110 + 30 * len(genres)
        figures[f"coverage_{zone}"] = {"data": [trace], "layout": {"height": height, "margin": {"l": 110, "t": 10}}}
    return figures


def _share(row: dict[str, Any] | None) -> float | None:
    if row is None or not row["target_tracks"]:
        return None
    return min(1.0, float(row["exportable_tracks"] / row["target_tracks"]))


def yield_figure(rows: Rows) -> Figure:
    """Return the share of scored takes that passed, a bar per genre."""
    ordered = sorted(rows, key=lambda row: (row["passed_share"] or 0, row["genre"]))
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [row["passed_share"] for row in ordered],
        "y": [row["genre"] for row in ordered],
        "text": [f"{row['passed_takes']:,} of {row['scored_takes']:,}, {row['kept_tracks']:,} kept" for row in ordered],
        "textposition": "auto",
        "marker": {"color": "#2a8c7d"},
        "hovertemplate": "%{y}: %{x:.1%} (%{text})<extra></extra>",
    }
    height = 90 + 26 * len(rows)
    axis = {"tickformat": ".0%", "range": [0, 1]}
    return {"data": [trace], "layout": {"height": height, "xaxis": axis, "margin": {"l": 110}}}


def reject_figure(rows: Rows) -> Figure:
    """Return the number of takes per reason, coloured by kind."""
    colours = {"technical": "#c8553d", "fit": "#d9a441", "duplicate": "#7a86b8"}
    ordered = sorted(rows, key=lambda row: (row["takes"], row["gate"]))
    data = []
    for kind, colour in colours.items():
        of_kind = [row for row in ordered if row["kind"] == kind]
        if of_kind:
            data.append(
                {
                    "type": "bar",
                    "orientation": "h",
                    "name": kind,
                    "x": [row["takes"] for row in of_kind],
                    "y": [row["gate"].replace("_", " ") for row in of_kind],
                    "marker": {"color": colour},
                    "hovertemplate": "%{y}: %{x:,} takes<extra></extra>",
                }
            )
    return {"data": data, "layout": {"height": 110 + 26 * len(rows), "margin": {"l": 130}}}


def loudness_figure(rows: Rows) -> Figure:
    """Return a histogram of the masters' integrated loudness."""
    trace = {
        "type": "bar",
        "x": [row["integrated_loudness_lufs"] for row in rows],
        "y": [row["tracks"] for row in rows],
        "width": 0.23,
        "marker": {"color": "#3d6fb4"},
        "hovertemplate": "%{x} LUFS: %{y:,} tracks<extra></extra>",
    }
    layout = {"height": 300, "xaxis": {"title": {"text": "LUFS"}}, "yaxis": {"title": {"text": "tracks"}}}
    return {"data": [trace], "layout": layout}


def tempo_figure(rows: Rows) -> Figure:
    """Return the tempo asked for and measured, side by side."""
    data = []
    for tempo, colour in (("requested", "#9aa3ad"), ("measured", "#8a5fb0")):
        of_tempo = [row for row in rows if row["tempo"] == tempo]
        data.append(
            {
                "type": "bar",
                "name": tempo,
                "x": [row["bpm"] for row in of_tempo],
                "y": [row["tracks"] for row in of_tempo],
                "marker": {"color": colour},
                "hovertemplate": "%{x} bpm: %{y:,} tracks<extra></extra>",
            }
        )
    layout = {"height": 300, "xaxis": {"title": {"text": "beats per minute"}}, "yaxis": {"title": {"text": "tracks"}}}
    return {"data": data, "layout": layout}


def throughput_figure(rows: Rows) -> Figure:
    """Return the mean seconds per take, a bar per GPU and model, and what was claimed as a mark."""
    labels = [f"{row['gpu'] or 'no GPU'}<br>{row['requested_model']}" for row in rows]
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": "measured",
            "x": [row["mean_take_s"] for row in rows],
            "y": labels,
            "marker": {"color": "#3d6fb4"},
            "text": [f"{row['mean_take_s']:.1f} s, {row['takes']:,} takes" for row in rows],
            "textposition": "auto",
            "hovertemplate": "%{y}: %{x:.2f} s<extra></extra>",
        }
    ]
    claimed = [(row["claimed_high_s"], label) for row, label in zip(rows, labels, strict=True) if row["claimed_high_s"]]
    if claimed:
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "claimed at most",
                "x": [high for high, _ in claimed],
                "y": [label for _, label in claimed],
                "marker": {"symbol": "line-ns-open", "size": 24, "color": "#c8553d", "line": {"width": 3}},
                "hovertemplate": "claimed %{x} s<extra></extra>",
            }
        )
    layout = {"height": 130 + 46 * len(rows), "margin": {"l": 200}, "xaxis": {"title": {"text": "s per take"}}}
    return {"data": data, "layout": layout}


def cost_figure(rows: Rows) -> Figure:
    """Return the cost of a kept track by genre, a bar per zone, and Mureka's price as a line."""
    priced = [row for row in rows if row["usd_per_kept_track"] is not None]
    colours = ("#2a8c7d", "#d9a441", "#7a86b8", "#c8553d")
    data: list[dict[str, Any]] = []
    for number, zone in enumerate(sorted({row["zone"] for row in priced})):
        of_zone = [row for row in priced if row["zone"] == zone]
        data.append(
            {
                "type": "bar",
                "name": zone,
                "x": [row["genre"] for row in of_zone],
                "y": [row["usd_per_kept_track"] for row in of_zone],
                "marker": {"color": colours[number % len(colours)]},
                "hovertemplate": f"{zone}, %{{x}}: $%{{y:.4f}}<extra></extra>",
            }
        )
    mureka = next((row["mureka_usd_per_track"] for row in priced), None)
    genres = sorted({row["genre"] for row in priced})
    if mureka is not None:
        line = {"color": "#c8553d", "dash": "dash"}
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": "Mureka",
                "x": genres,
                "y": [mureka] * len(genres),
                "line": line,
            }
        )
    axis = {"title": {"text": "USD per kept track"}, "tickprefix": "$"}
    return {"data": data, "layout": {"height": 340, "yaxis": axis, "margin": {"b": 80}}}


# ---- the page ------------------------------------------------------------------------------------------------------


def _text(value: object) -> str:
    return html.escape(str(value))


def _script_json(value: object) -> str:
    text = json.dumps(
        value, default=lambda v: v.isoformat() if isinstance(v, dt.datetime) else str(v), ensure_ascii=False
    )
    return text.replace("<", "\\u003c")


def _panel(name: str, title: str, *, empty: bool = False) -> str:
    body = "<p class=note>Nothing measured yet.</p>" if empty else f"<div class=figure id='figure-{_text(name)}'></div>"
    return f"<section class=panel><h2>{_text(title)}</h2>{body}</section>"


def _cost_panel(rows: Rows) -> str:
    unpriced = sum(row["unpriced_takes"] for row in rows)
    takes = sum(row["takes"] for row in rows)
    priced = any(row["usd_per_kept_track"] is not None for row in rows)
    note = (
        f"<p class=note>{unpriced:,} of {takes:,} takes have no price: their genres are left out.</p>"
        if unpriced
        else ""
    )
    if not priced:
        empty = note or "<p class=note>Nothing measured yet.</p>"
        return f"<section class=panel><h2>Cost of a kept track</h2>{empty}</section>"
    return (
        f"<section class=panel><h2>Cost of a kept track</h2><div class=figure id='figure-cost'></div>{note}</section>"
    )


def _banner(summary: dict[str, Any]) -> str:
    preview = summary["preview_tracks"]
    if not preview:
        return ""
    return (
        f"<p class=banner>{preview:,} of {summary['tracks']:,} tracks were made by the preview engine, not by ACE-Step: "
        "for trying things out, never for a venue.</p>"
    )


def _cards(summary: dict[str, Any]) -> str:
    spend = "not known" if summary["spend_usd"] is None else f"${summary['spend_usd']:,.2f}"
    cards = (
        ("tracks kept", f"{summary['tracks']:,}"),
        ("exportable", f"{summary['exportable_tracks']:,}"),
        ("may go to venues", f"{summary['deliverable_tracks']:,}"),
        ("hours exportable", f"{summary['exportable_h']:,.1f}"),
        ("target of the matrix", f"{summary['target_tracks']:,}"),
        ("takes made", f"{summary['takes']:,}"),
        ("cells held back", f"{summary['held_back_cells']:,} of {summary['cells']:,}"),
        ("spent on generation", spend),
    )
    return "".join(f"<div class=card><b>{_text(value)}</b><span>{_text(name)}</span></div>" for name, value in cards)


def _table(rows: Rows, columns: tuple[str, ...]) -> str:
    head = "".join(f"<th>{_text(name.replace('_', ' '))}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text('' if row[name] is None else row[name])}</td>" for name in columns) + "</tr>"
        for row in rows
    )
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _changes(counts: Rows, changed: Rows, summary: dict[str, Any]) -> str:
    before = summary["previous_release_id"]
    if before is None:
        lead = "This is the first release."
    elif not counts:
        lead = f"No track changed since {before}."
    else:
        lead = f"Since {before}: " + ", ".join(f"{row['tracks']:,} {row['change']}" for row in counts) + "."
    table = _table(changed, ("track_id", "cell", "change", "status_before", "status_after", "why")) if changed else ""
    return f"<section class=panel><h2>What changed</h2><p id=changes>{_text(lead)}</p>{table}</section>"


def _quarantine(rows: Rows) -> str:
    if not rows:
        return ""
    table = _table(rows, ("finding", "cell", "thing", "problem", "remedy"))
    return f"<section class=panel><h2>In quarantine</h2>{table}</section>"


_STYLE = """
:root { color-scheme: light dark; --page: #f6f5f2; --panel: #ffffff; --ink: #22272e; --soft: #626b76; --line: #dedbd4;
  --warn: #7a3b00; --warn-page: #ffe9cf; }
@media (prefers-color-scheme: dark) { :root { --page: #15181c; --panel: #1d2227; --ink: #e6e8ea; --soft: #98a2ad;
  --line: #343b43; --warn: #ffd9a8; --warn-page: #4a2f10; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 28px; max-width: 1500px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 24px; margin: 0; font-weight: 650; }
h2 { font-size: 16px; margin: 0 0 8px; font-weight: 600; }
.sub, .note { color: var(--soft); margin: 4px 0 0; }
.banner { background: var(--warn-page); color: var(--warn); padding: 12px 16px; border-radius: 8px; margin: 18px 0 0; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 12px; margin: 20px 0; }
.card, .panel { background: var(--panel); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; }
.card b { display: block; font-size: 22px; font-weight: 650; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: 13px; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(430px, 100%), 1fr)); gap: 14px; }
.panel { min-width: 0; margin-bottom: 14px; }
.panels .panel { margin-bottom: 0; }
.panels + .panels, .panels + .panel { margin-top: 14px; }
.scroll { overflow-x: auto; max-height: 420px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; margin-top: 8px; }
th, td { text-align: left; padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 500; }
"""

_SCRIPT = """
const figures = JSON.parse(document.getElementById('figures').textContent);
const dark = window.matchMedia('(prefers-color-scheme: dark)');
function themed(layout) {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue('--ink').trim(), line = style.getPropertyValue('--line').trim();
  const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true };
  return { ...layout, paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
    font: { color: ink, family: 'system-ui, sans-serif', size: 12 }, bargap: 0.25,
    legend: { orientation: 'h', y: 1.12, x: 0 },
    margin: { l: 60, r: 20, t: 24, b: 44, ...(layout.margin || {}) },
    xaxis: { ...axis, ...(layout.xaxis || {}) }, yaxis: { ...axis, ...(layout.yaxis || {}) } };
}
function draw() {
  for (const [name, figure] of Object.entries(figures)) {
    const place = document.getElementById('figure-' + name);
    if (place) Plotly.react(place, figure.data, themed(figure.layout), { responsive: true, displayModeBar: false });
  }
  document.documentElement.dataset.drawn = dark.matches ? 'dark' : 'light';
}
draw();
dark.addEventListener('change', draw);
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{title}</h1><p class="sub">built {built}; {reason}</p></header>
{banner}
<div class="cards">{cards}</div>
<div class="panels">{coverage}</div>
<div class="panels">{yield_}{rejects}</div>
<div class="panels">{loudness}{tempo}</div>
<div class="panels">{throughput}{cost}</div>
{changes}
{quarantine}
<script type="application/json" id="figures">{figures}</script>
<script type="application/json" id="numbers">{numbers}</script>
<script>{plotly}</script>
<script>{script}</script>
</body>
</html>
"""
