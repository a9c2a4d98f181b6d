"""The expansion of a matrix and a campaign to a plan: what is to exist. Pure: equal input makes equal plans everywhere.

Prompt k of a cell is the same in every campaign, and depends on its row and on nothing else. The plan is the only
place where a campaign counts.
"""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import polars as pl

from ace_assets import tables
from ace_assets.errors import ConfigError, PlanError
from ace_assets.identity import IDENTITY_VERSION, canonical_json, hash_text, seed_of
from ace_assets.matrix import captions
from ace_assets.matrix.campaigns import Campaign, Profile
from ace_assets.matrix.identity import Requests, TakeIds, prompt_id, request_json
from ace_assets.matrix.lexicon import Lexicon, load_lexicon
from ace_assets.matrix.rotation import rotate, spread
from ace_assets.matrix.rows import Matrix, MatrixRow
from ace_assets.matrix.shares import prompts_per_cell
from ace_assets.matrix.titles import titles

TEMPO_STEPS_MOST = 9
DURATION_STEP_S = 10
PLAN_ID_CHARS = 16
BATCH_ROWS = 8_192


@dataclass(frozen=True)
class Plan:
    """What is to exist.

    Attributes:
        plan_id: hash of the plan's content.
        facts: campaign, engine, profile, matrix hash, counts: what `plan.json` says.
        cells: frame of `tables.Cells`.
        prompts: frame of `tables.Prompts`.
        planned_takes: frame of `tables.PlannedTakes`.
    """

    plan_id: str
    facts: Mapping[str, Any]
    cells: pl.DataFrame
    prompts: pl.DataFrame
    planned_takes: pl.DataFrame


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One prompt of a row, before a campaign or a profile is known. Attributes are those of `tables.Prompts`."""

    prompt_id: str
    prompt_index: int
    title: str
    caption: str
    bpm: int
    key: str
    duration_s: float
    instruments: tuple[str, ...]
    texture: str


def prompts_of(row: MatrixRow, lexicon: Lexicon) -> Iterator[Prompt]:
    """Yield the prompts of a row without end; prompt k depends on nothing but the row (its number apart) and k.

    Instruments, texture, production, key, tempo and duration rotate, each with its own seed, so that neighbours
    differ and every value is used evenly.
    """
    cell = row.cell

    def seeded(dimension: str) -> str:
        return f"{IDENTITY_VERSION}:{cell}:{dimension}"

    core = rotate(sorted(row.instruments_core), captions.core_size(row), seeded("core"))
    colour = rotate(sorted(row.instruments_colour), captions.colour_sizes(row), seeded("colour"))
    texture = rotate(sorted(row.texture), 1, seeded("texture"))
    production = rotate(sorted(row.production), 1, seeded("production"))
    key = rotate(sorted(row.keys), 1, seeded("key"))
    tempo = rotate(spread(row.bpm_min, row.bpm_max, most=TEMPO_STEPS_MOST), 1, seeded("tempo"))
    low, high = row.duration_min_s, row.duration_max_s
    duration = rotate(spread(low, high, most=(high - low) // DURATION_STEP_S + 1), 1, seeded("duration"))
    lyrics, language = captions.lyrics_of(row), captions.language_of(row)
    names = titles(cell, row.zone, lexicon)
    dimensions = zip(core, colour, texture, production, key, tempo, duration, strict=False)
    for index, (cores, colours, (one_texture,), (one_production,), (one_key,), (bpm,), (seconds,)) in enumerate(
        dimensions
    ):
        instruments = cores + colours
        caption = captions.compose(
            row, lexicon, instruments=instruments, texture=one_texture, production=one_production
        )
        yield Prompt(
            prompt_id=prompt_id(
                cell=cell,
                prompt_index=index,
                caption=caption,
                lyrics=lyrics,
                vocal_language=language,
                bpm=bpm,
                key=one_key,
                time_signature=row.time_signature,
                duration_s=seconds,
            ),
            prompt_index=index,
            title=next(names),
            caption=caption,
            bpm=bpm,
            key=one_key,
            duration_s=float(seconds),
            instruments=instruments,
            texture=one_texture,
        )


def make_plan(
    matrix: Matrix,
    *,
    campaign: Campaign,
    profile: Profile,
    engine: str,
    extra_takes: Mapping[str, int] | None = None,
    cells_glob: str | None = None,
    lexicon: Lexicon | None = None,
) -> Plan:
    """Expand a matrix and a campaign to a plan.

    Args:
        matrix: rows that passed their lint.
        campaign: how many tracks, of how many cells.
        profile: everything of a request that is not the prompt.
        engine: the engine that will work, which must be the profile's.
        extra_takes: prompt id -> takes beyond the matrix's takes per prompt (see `supersession.top_up`).
        cells_glob: plan only the cells whose key matches, e.g. `spa.*`; the campaign's size is taken of these alone.
        lexicon: the words; for None those that the matrix was read with, or those that ship.

    Raises:
        ConfigError: the profile is for another engine.
        PlanError: no cell matches, or no row wants a track.
    """
    if profile.engine != engine:
        raise ConfigError(
            f"profile {profile.name}", value=f"engine {profile.engine}", expected=f"a profile for {engine}",
            remedy="choose another profile, or point --servers at that engine",
        )  # fmt: skip
    words = lexicon or matrix.lexicon or load_lexicon()
    rows = sorted(matrix.rows, key=lambda row: row.cell)
    if cells_glob is not None:
        matching = [row for row in rows if fnmatch.fnmatchcase(row.cell, cells_glob)]
        if not matching:
            raise PlanError(
                "cells", value=cells_glob, expected=f"a pattern that one of {len(rows)} cells matches",
                remedy=f"cells look like {rows[0].cell if rows else 'zone.genre.daypart.mood'}; try 'spa.*'",
            )  # fmt: skip
        rows = matching
    counts = prompts_per_cell(rows, campaign)
    if not counts:
        raise PlanError(
            matrix.file, value="no target_tracks above 0", expected="at least one", remedy="set target_tracks"
        )
    return _build(
        matrix,
        [row for row in rows if row.cell in counts],
        counts,
        campaign,
        profile,
        extra_takes or {},
        words,
        cells_glob,
    )


def _build(
    matrix: Matrix,
    rows: list[MatrixRow],
    counts: Mapping[str, int],
    campaign: Campaign,
    profile: Profile,
    extra_takes: Mapping[str, int],
    lexicon: Lexicon,
    cells_glob: str | None,
) -> Plan:
    cells, prompts, takes = _Rows(tables.Cells), _Rows(tables.Prompts), _Rows(tables.PlannedTakes)
    ids, requests = TakeIds(profile), Requests(profile)
    for row in rows:
        planned = counts[row.cell]
        made = list(islice(prompts_of(row, lexicon), max(planned, row.target_prompts)))
        cells.add(_cell_facts(row, planned, [prompt.prompt_id for prompt in made]))
        warnings = matrix.warnings_of_row(row.row)
        for prompt in made[:planned]:
            number = min(row.takes_per_prompt + max(0, extra_takes.get(prompt.prompt_id, 0)), row.takes_limit)
            prompts.add(_prompt_facts(row, prompt, profile, number, warnings))
            halves = requests.of_prompt(
                caption=prompt.caption,
                lyrics=captions.lyrics_of(row),
                vocal_language=captions.language_of(row),
                bpm=prompt.bpm,
                key=prompt.key,
                time_signature=row.time_signature,
                duration_s=prompt.duration_s,
            )
            for index in range(number):
                take = ids.of(prompt.prompt_id, index)
                seed = seed_of(take)
                takes.add_values(
                    (
                        take,
                        prompt.prompt_id,
                        row.cell,
                        index,
                        profile.engine,
                        profile.model,
                        seed,
                        request_json(halves, seed),
                    )
                )
    frames = [rows.frame() for rows in (cells, prompts, takes)]
    facts = {
        "campaign": campaign.name,
        "engine": profile.engine,
        "profile": profile.name,
        "model": profile.model,
        "cells_glob": cells_glob,
        "identity_version": IDENTITY_VERSION,
        "matrix_hash": matrix.content_hash(),
        "cells": frames[0].height,
        "prompts": frames[1].height,
        "tracks": int(frames[0]["planned_tracks"].sum()),
        "takes": frames[2].height,
        "audio_s": float((frames[1]["requested_duration_s"] * frames[1]["takes_planned"]).sum()),
    }
    return Plan(_plan_id(facts, frames), facts, *frames)


class _Rows:
    """Rows on their way into a table, packed in batches so that a large plan stays small in memory."""

    def __init__(self, table: type[tables.Table]) -> None:
        self._table = table
        self._schema = tables.polars_schema(table)
        self._waiting: list[tuple[Any, ...]] = []
        self._packed: list[pl.DataFrame] = []

    def add(self, facts: Mapping[str, Any]) -> None:
        self.add_values(tuple(facts[name] for name in self._schema))

    def add_values(self, values: tuple[Any, ...]) -> None:
        """Add a row whose values stand in the order of the table's columns."""
        self._waiting.append(values)
        if len(self._waiting) >= BATCH_ROWS:
            self._pack()

    def _pack(self) -> None:
        columns = zip(*self._waiting, strict=True) if self._waiting else [[] for _ in self._schema]
        frame = {name: list(values) for name, values in zip(self._schema, columns, strict=True)}
        self._packed.append(pl.DataFrame(frame, schema=self._schema))
        self._waiting.clear()

    def frame(self) -> pl.DataFrame:
        self._pack()
        return tables.validated(self._table, pl.concat(self._packed))


def _cell_facts(row: MatrixRow, planned: int, matrix_prompt_ids: list[str]) -> dict[str, Any]:
    return {
        "cell": row.cell,
        "zone": row.zone,
        "genre": row.genre,
        "daypart": row.daypart,
        "mood": row.mood,
        "energy": row.energy,
        "style_tier": row.style_tier,
        "matrix_row": row.row,
        "target_tracks": row.target_tracks,
        "planned_prompts": planned,
        "planned_tracks": planned * row.tracks_per_prompt,
        "tracks_per_prompt": row.tracks_per_prompt,
        "takes_per_prompt": row.takes_per_prompt,
        "takes_limit": row.takes_limit,
        "target_lufs": row.target_lufs,
        "ceiling_dbtp": row.ceiling_dbtp,
        "brand_include": list(row.brand_include),
        "brand_exclude": list(row.brand_exclude),
        "matrix_prompt_ids": matrix_prompt_ids,
    }


def _prompt_facts(row: MatrixRow, prompt: Prompt, profile: Profile, takes: int, warnings: list[str]) -> dict[str, Any]:
    return {
        "prompt_id": prompt.prompt_id,
        "cell": row.cell,
        "prompt_index": prompt.prompt_index,
        "zone": row.zone,
        "genre": row.genre,
        "daypart": row.daypart,
        "mood": row.mood,
        "energy": row.energy,
        "title": prompt.title,
        "caption": prompt.caption,
        "lyrics": captions.lyrics_of(row),
        "vocal_language": captions.language_of(row),
        "instrumental": row.instrumental,
        "requested_bpm": prompt.bpm,
        "requested_key": prompt.key,
        "time_signature": row.time_signature,
        "requested_duration_s": prompt.duration_s,
        "instruments": list(prompt.instruments),
        "texture": prompt.texture,
        "profile": profile.name,
        "takes_planned": takes,
        "takes_limit": row.takes_limit,
        "tracks_per_prompt": row.tracks_per_prompt,
        "lint_warnings": warnings,
    }


def _plan_id(facts: Mapping[str, Any], frames: list[pl.DataFrame]) -> str:
    """Return the hash of what the plan wants: cells, prompts and takes, without the numbers of the matrix's rows."""
    digest = hashlib.sha256()
    named = {name: facts[name] for name in ("campaign", "engine", "profile", "cells_glob")}
    digest.update(canonical_json(named).encode())
    cells, prompts, takes = frames
    for row in cells.drop("matrix_row", "matrix_prompt_ids").iter_rows():
        digest.update(canonical_json(row).encode())
    for column in (cells["matrix_prompt_ids"].list.join(","), prompts["prompt_id"], prompts["title"], takes["take_id"]):
        digest.update("\n".join(column.to_list()).encode())
    for texts in prompts["lint_warnings"].to_list():
        digest.update(canonical_json(texts).encode())
    return hash_text("plan", digest.hexdigest(), chars=PLAN_ID_CHARS)
