"""The words that lint and captions know: zones, styles, instruments, artists' names, titles. Data, from `config/`."""

from __future__ import annotations

import csv
import functools
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ace_assets import shipped
from ace_assets.errors import ConfigError

LEXICON_NAME, ARTISTS_NAME = "lexicon.toml", "lexicon_artists.csv"


@functools.lru_cache(maxsize=65_536)
def plain(text: str) -> str:
    """Return a text for comparing: lower case, without accents, everything but letters, digits, & / # ' as one space.

    >>> plain("Lo-Fi  Beyoncé")
    'lo fi beyonce'
    """
    folded = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(re.findall(r"[\w&/#']+", folded.replace("_", " ").lower()))


@functools.lru_cache(maxsize=65_536)
def singular(phrase: str) -> str:
    """Return a plain phrase with a plural s taken off every word of four letters or more.

    >>> singular("soft drums")
    'soft drum'
    """
    return " ".join(w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in phrase.split())


class Phrases:
    """A set of phrases that can be found in a text as whole words, the longest first.

    >>> Phrases(["drum", "bass drop"]).found_in("soft drums, no bass-drop")
    ['drum', 'bass drop']
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        self._spelt = {singular(plain(phrase)): phrase for phrase in phrases}
        self._longest = max((len(key.split()) for key in self._spelt), default=0)

    def __contains__(self, phrase: str) -> bool:
        return singular(plain(phrase)) in self._spelt

    def found_in(self, text: str) -> list[str]:
        """Return the phrases that the text holds, in its order, as the lexicon spells them."""
        words = singular(plain(text)).split()
        found: list[str] = []
        start = 0
        while start < len(words):
            for size in range(min(self._longest, len(words) - start), 0, -1):
                spelt = self._spelt.get(" ".join(words[start : start + size]))
                if spelt is not None:
                    found.append(spelt)
                    start += size
                    break
            else:
                start += 1
        return found


@dataclass(frozen=True)
class Zone:
    """A kind of place: what its music may not hold.

    Attributes:
        name: the zone's name.
        never: words that its rows may not hold.
        vocals: what the column vocal may be, of instrumental, wordless and sung.
        bpm_min, bpm_max: tempo limits, or None.
        caption: words that end every caption of the zone.
    """

    name: str
    never: Phrases
    vocals: frozenset[str]
    bpm_min: int | None
    bpm_max: int | None
    caption: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lexicon:
    """Everything that lint and captions know of words. Fields follow `config/lexicon.toml`."""

    zones: Mapping[str, Zone]
    dayparts: tuple[str, ...]
    reliable_keys: tuple[str, ...]
    limits: Mapping[str, Any]
    common_styles: Phrases
    niche_styles: Phrases
    style_names: tuple[str, ...]
    style_captions: Mapping[str, str]
    common_instruments: Phrases
    rare_instruments: Phrases
    instrument_names: tuple[str, ...]
    conflicts: tuple[tuple[str, str], ...]
    conflict_words: Phrases
    caption_never: Phrases
    imitation: Phrases
    languages: frozenset[str]
    title_adjectives: tuple[str, ...]
    title_nouns: Mapping[str, tuple[str, ...]]
    title_endings: tuple[str, ...]
    artists: Phrases
    artists_like_words: tuple[str, ...]

    @functools.cached_property
    def vocabulary(self) -> frozenset[str]:
        """Every single word that is a style or an instrument: a capital does not make it a name."""
        names = (*self.style_names, *self.instrument_names, *self.style_captions.values())
        return frozenset(word for name in names for word in plain(name).split())

    @functools.cached_property
    def _names_like_words(self) -> frozenset[str]:
        return frozenset(plain(name) for name in self.artists_like_words)

    def names_somebody(self, title: str) -> bool:
        """Say whether a title is or holds an artist's name."""
        return plain(title) in self._names_like_words or bool(self.artists.found_in(title))

    def style_caption(self, genre: str) -> str:
        """Return how a genre is called in a caption."""
        return self.style_captions.get(genre, genre.replace("-", " "))


def _need(table: Mapping[str, Any], name: str, path: str, *parts: str) -> Any:
    value: Any = table
    for part in parts:
        if not isinstance(value, Mapping) or part not in value:
            raise ConfigError(
                f"{path} {'.'.join(parts)}", value="missing", expected=f"an entry {name}",
                remedy="put it back: `ace-assets init` writes the defaults",
            )  # fmt: skip
        value = value[part]
    return value


def load_lexicon(folder: Path | None = None) -> Lexicon:
    """Read the lexicon from a config folder; a file that the folder lacks is the one that ships with the package.

    Raises:
        ConfigError: a file cannot be read, or an entry is missing.
    """
    chosen = []
    for name in (LEXICON_NAME, ARTISTS_NAME):
        own = None if folder is None else folder / name
        chosen.append(own if own is not None and own.exists() else shipped.path("config") / name)
    return _load(chosen[0], chosen[1])


def _texts(table: Mapping[str, Any], path: str, *parts: str) -> tuple[str, ...]:
    value = _need(table, "list of texts", path, *parts)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{path} {'.'.join(parts)}", value=value, expected="a list of texts", remedy="correct it")
    return tuple(value)


def _load(toml_path: Path, artists_path: Path) -> Lexicon:
    name = toml_path.name
    files = f"{name} or {artists_path.name}"
    try:
        data = tomllib.loads(toml_path.read_text(encoding="utf-8"))
        with artists_path.open(encoding="utf-8-sig", newline="") as file:
            artists = [(row["name"], row["also_a_word"]) for row in csv.DictReader(file)]
    except OSError as error:
        raise ConfigError(
            files, value=error.strerror, expected="readable files", remedy="run `ace-assets init`"
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, csv.Error) as error:
        raise ConfigError(
            files, value=error, expected="TOML, and CSV with name and also_a_word", remedy="correct it"
        ) from error
    zones = {}
    for zone, entry in _need(data, "tables", name, "zones").items():
        zones[zone] = Zone(
            zone,
            Phrases(_texts(entry, f"{name} zones.{zone}", "never")),
            frozenset(_texts(entry, f"{name} zones.{zone}", "vocals")),
            entry.get("bpm_min"),
            entry.get("bpm_max"),
            tuple(entry.get("caption", ())),
        )
    common, niche = _texts(data, name, "styles", "common"), _texts(data, name, "styles", "niche")
    instruments, rare = _texts(data, name, "instruments", "common"), _texts(data, name, "instruments", "rare")
    pairs = _need(data, "pairs", name, "conflicts", "pairs")
    return Lexicon(
        zones=zones,
        dayparts=_texts(data, name, "dayparts", "known"),
        reliable_keys=_texts(data, name, "keys", "reliable"),
        limits=_need(data, "table", name, "limits"),
        common_styles=Phrases(common),
        niche_styles=Phrases(niche),
        style_names=common + niche,
        style_captions=_need(data, "table", name, "styles", "captions"),
        common_instruments=Phrases(instruments),
        rare_instruments=Phrases(rare),
        instrument_names=instruments + rare,
        conflicts=tuple((str(a), str(b)) for a, b in pairs),
        conflict_words=Phrases(str(word) for pair in pairs for word in pair),
        caption_never=Phrases(_texts(data, name, "caption", "never")),
        imitation=Phrases(_texts(data, name, "caption", "imitation")),
        languages=frozenset(_texts(data, name, "vocals", "languages")),
        title_adjectives=_texts(data, name, "titles", "adjectives"),
        title_nouns={zone: tuple(nouns) for zone, nouns in _need(data, "table", name, "titles", "nouns").items()},
        title_endings=_texts(data, name, "titles", "endings", "any"),
        artists=Phrases(artist for artist, also in artists if also != "yes"),
        artists_like_words=tuple(artist for artist, also in artists if also == "yes"),
    )
