"""Campaigns (a purpose with a size) and profiles (all of a request that is not the prompt), from `campaigns.toml`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ace_assets import shipped
from ace_assets.errors import ConfigError
from ace_assets.toml_section import did_you_mean, read_toml

CAMPAIGNS_NAME = "campaigns.toml"
ALL = "all"
ACE_STEP, PREVIEW = "ace-step", "preview"
ENGINES = (ACE_STEP, PREVIEW)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Everything of a request that is not the prompt; names are the API's where it has one.

    Attributes:
        name: the profile's name.
        engine: `ace-step` or `preview`.
        model: DiT model that is declared, part of every take's identity.
        inference_steps, guidance_scale, shift, infer_method: the diffusion.
        thinking: the language model drafts the music first.
        lm_model: language model, or none.
        lm_temperature, lm_cfg_scale, lm_top_p: its sampling.
        adapter: LoRA adapter, empty for none.
    """

    name: str
    engine: str
    model: str
    inference_steps: int = 8
    guidance_scale: float = 7.0
    shift: float = 3.0
    infer_method: str = "ode"
    thinking: bool = False
    lm_model: str = "none"
    lm_temperature: float = 0.85
    lm_cfg_scale: float = 2.5
    lm_top_p: float = 0.9
    adapter: str = ""


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """A purpose with a size.

    Attributes:
        name: the campaign's name.
        tracks: tracks wanted, None for all that the matrix targets.
        cells: cells to take them from, None for all.
        profile: name of the profile.
        purpose: what it is for, in words.
    """

    name: str
    tracks: int | None
    cells: int | None
    profile: str
    purpose: str = ""

    @property
    def density(self) -> float:
        """Tracks per cell; infinite where the matrix decides."""
        return math.inf if self.tracks is None or self.cells is None else self.tracks / self.cells


@dataclass(frozen=True)
class Campaigns:
    """The content of `campaigns.toml`."""

    campaigns: Mapping[str, Campaign]
    profiles: Mapping[str, Profile]
    file: str = CAMPAIGNS_NAME

    def campaign(self, name: str) -> Campaign:
        """Return a campaign by name.

        Raises:
            ConfigError: there is none of this name.
        """
        if name not in self.campaigns:
            raise ConfigError(
                "campaign", value=name, expected="one of " + ", ".join(self.campaigns),
                remedy=did_you_mean(name, self.campaigns, f"add [campaigns.{name}] to {self.file}"),
            )  # fmt: skip
        return self.campaigns[name]

    def profile(self, name: str) -> Profile:
        """Return a profile by name.

        Raises:
            ConfigError: there is none of this name.
        """
        if name not in self.profiles:
            raise ConfigError(
                "profile", value=name, expected="one of " + ", ".join(self.profiles),
                remedy=did_you_mean(name, self.profiles, f"add [profiles.{name}] to {self.file}"),
            )  # fmt: skip
        return self.profiles[name]

    def profile_for(self, campaign: Campaign, engine: str) -> Profile:
        """Return the campaign's profile, or the first one for this engine where the campaign's is for another.

        Raises:
            ConfigError: no profile is for this engine.
        """
        own = self.profile(campaign.profile)
        if own.engine == engine:
            return own
        for profile in self.profiles.values():
            if profile.engine == engine:
                return profile
        raise ConfigError(
            f"{self.file} profiles", value="none", expected=f"a profile with engine = {engine!r}", remedy="add one"
        )


def load_campaigns(path: Path | None = None) -> Campaigns:
    """Read and check a campaigns file; the one that ships with the package for None.

    Raises:
        ConfigError: the file cannot be read, or the first entry that is not what it should be.
    """
    file = shipped.path("config") / CAMPAIGNS_NAME if path is None else path
    data = read_toml(file, remedy="correct the path, or write the defaults with `ace-assets init`")
    return parse_campaigns(data, file=file.name)


def parse_campaigns(data: Mapping[str, Any], *, file: str = CAMPAIGNS_NAME) -> Campaigns:
    """Check parsed TOML and return it typed.

    Raises:
        ConfigError: the first entry that is not what it should be.
    """
    known_tables = {"campaigns", "profiles"}
    for name in data:
        if name not in known_tables:
            raise ConfigError(
                f"{file} [{name}]", expected="[campaigns.NAME] or [profiles.NAME]", remedy="correct the name"
            )
    profiles = {name: _profile(name, entry, file) for name, entry in _tables(data, "profiles", file)}
    campaigns = {name: _campaign(name, entry, profiles, file) for name, entry in _tables(data, "campaigns", file)}
    _check_nested(campaigns, file)
    return Campaigns(campaigns, profiles, file)


def _tables(data: Mapping[str, Any], name: str, file: str) -> list[tuple[str, Mapping[str, Any]]]:
    entries = data.get(name)
    if not isinstance(entries, Mapping) or not entries:
        raise ConfigError(f"{file} [{name}.NAME]", value="missing", expected="at least one", remedy="add one")
    for key, entry in entries.items():
        if not isinstance(entry, Mapping):
            raise ConfigError(f"{file} {name}.{key}", value=entry, expected="a table", remedy=f"write [{name}.{key}]")
    return list(entries.items())


def _count(entry: Mapping[str, Any], key: str, where: str) -> int | None:
    value = entry.get(key)
    if value == ALL:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(
            f"{where} {key}", value=value, expected='a whole number from 1, or "all"', remedy="correct it"
        )
    return value


def _campaign(name: str, entry: Mapping[str, Any], profiles: Mapping[str, Profile], file: str) -> Campaign:
    where = f"{file} [campaigns.{name}]"
    _only(entry, {"tracks", "cells", "profile", "purpose"}, where)
    profile = entry.get("profile")
    if profile not in profiles:
        raise ConfigError(
            f"{where} profile", value=profile, expected="one of " + ", ".join(profiles), remedy="correct it"
        )
    tracks, cells = _count(entry, "tracks", where), _count(entry, "cells", where)
    if tracks is not None and cells is not None and tracks < cells:
        raise ConfigError(f"{where} cells", value=cells, expected=f"at most its {tracks} tracks", remedy="lower it")
    purpose = str(entry.get("purpose", ""))
    return Campaign(name=name, tracks=tracks, cells=cells, profile=str(profile), purpose=purpose)


def _profile(name: str, entry: Mapping[str, Any], file: str) -> Profile:
    where = f"{file} [profiles.{name}]"
    defaults = {f.name: f.default for f in fields(Profile) if f.name != "name"}
    _only(entry, set(defaults), where)
    chosen: dict[str, Any] = {"name": name}
    for key, default in defaults.items():
        value = entry.get(key)
        if key not in entry:
            if key in {"engine", "model"}:
                raise ConfigError(f"{where} {key}", value="missing", expected="a name", remedy="add it")
            continue
        wanted = str if key in {"engine", "model"} else type(default)
        right = isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value, right = float(value), True
        if not right:
            words = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}[wanted]
            raise ConfigError(f"{where} {key}", value=value, expected=words, remedy="correct it")
        chosen[key] = value
    if chosen["engine"] not in ENGINES:
        raise ConfigError(f"{where} engine", value=chosen["engine"], expected=" or ".join(ENGINES), remedy="correct it")
    if not chosen["model"].strip():
        raise ConfigError(f"{where} model", value="empty", expected="a model's name", remedy="e.g. acestep-v15-turbo")
    return Profile(**chosen)


def _only(entry: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in entry:
        if key not in known:
            raise ConfigError(
                where, value=key, expected="one of " + ", ".join(sorted(known)),
                remedy=did_you_mean(key, sorted(known), "remove it"),
            )  # fmt: skip


def _check_nested(campaigns: Mapping[str, Campaign], file: str) -> None:
    """Refuse a larger campaign that is thinner than a smaller one: it would not contain it."""
    by_size = sorted(campaigns.values(), key=lambda c: (c.tracks or math.inf, c.cells or math.inf))
    for small, large in itertools.pairwise(by_size):
        thinner = large.density < small.density
        fewer = (large.cells or math.inf) < (small.cells or math.inf)
        if thinner or fewer:
            raise ConfigError(
                f"{file} [campaigns.{large.name}] cells", value=large.cells or ALL, rule="C-NESTED",
                expected=f"no fewer cells and no fewer tracks per cell than [campaigns.{small.name}], to contain it",
                remedy=f"{small.name} takes {small.tracks or ALL} tracks from {small.cells or ALL} cells: adjust one",
            )  # fmt: skip
