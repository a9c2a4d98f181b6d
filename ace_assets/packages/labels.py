"""What a delivered file says about itself, from one row of the package's own table.

The same function writes the tags and tells the verifier what they should be, so the table is the one truth about a
package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ace_assets.audio.tags import (
    ALGORITHMIC_MEDIA,
    DISCLOSURE,
    NO_LINGUISTIC_CONTENT,
    TRAINED_ALGORITHMIC_MEDIA,
    TrackTags,
    short_key,
)
from ace_assets.errors import AudioError
from ace_assets.packages.names import safe_title

ARTIST = "AI-generated music"
PREVIEW_COMMENT = "Preview rendered by rules, not by a trained model, to try the system. Not for delivery."
COPYRIGHT = "AI-generated; see rights.csv of the package"
CUE_COLUMNS = {
    "cue_in": "cue_in_s",
    "intro_end": "intro_end_s",
    "outro_start": "outro_start_s",
    "cue_out": "cue_out_s",
}


def digital_source_type(*, preview: bool) -> str:
    """Return the IPTC term for how the music came about."""
    return ALGORITHMIC_MEDIA if preview else TRAINED_ALGORITHMIC_MEDIA


def model_of(row: Mapping[str, Any]) -> str:
    """Return the name of what made a track."""
    return str(row["model"] or ("preview engine" if row["preview"] else "unknown model"))


def _known_key(key: str | None) -> str | None:
    if not key:
        return None
    try:
        return short_key(key)
    except AudioError:
        return None


def tags_of(row: Mapping[str, Any]) -> TrackTags:
    """Return the tags of a track, without ReplayGain (which follows from the loudness of each rendition)."""
    model = model_of(row)
    reported = row["reported_seed"] or ""
    seed = int(reported) if reported.lstrip("-").isdigit() else row["requested_seed"]
    bpm = row["measured_bpm"] if row["measured_bpm"] is not None else row["requested_bpm"]
    extra = {
        "ACE_ENGINE": row["engine"] or "unknown",
        "ACE_CELL": row["cell"],
        "ACE_MASTER_ID": row["master_id"],
        "ACE_MODEL_LICENCE": row["model_weights_licence"] or "unknown",
    }
    if row["adapter"]:
        extra["ACE_ADAPTER"] = row["adapter"]
    return TrackTags(
        title=safe_title(row["title"]),
        artist=ARTIST,
        album=f"{row['zone'].replace('-', ' ').title()}: {row['daypart'].replace('-', ' ').title()}",
        genre=row["genre"].replace("-", " ").title(),
        date=row["mastered_at"].strftime("%Y-%m-%d"),
        copyright=COPYRIGHT,
        language=NO_LINGUISTIC_CONTENT if row["instrumental"] else "und",
        bpm=None if bpm is None else float(round(bpm)),
        key=_known_key(row["measured_key"]) or _known_key(row["requested_key"]),
        track_id=row["track_id"],
        digital_source_type=digital_source_type(preview=row["preview"]),
        model=model,
        seed=seed,
        prompt_id=row["prompt_id"],
        comment=PREVIEW_COMMENT if row["preview"] else DISCLOSURE.format(model=model),
        cues_s={name: round(row[column], 3) for name, column in CUE_COLUMNS.items() if row[column] is not None},
        extra=extra,
    )
