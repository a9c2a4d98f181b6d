"""What a venue is told about the rights in its music: a statement to read, one line per track, and licence texts.

It says what was checked and, as plainly, what was not. Nothing here is legal advice, and it says that too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ace_assets.packages.labels import digital_source_type, model_of
from ace_assets.packages.names import safe_title

RIGHTS_COLUMNS = (
    "track_id", "file", "title", "provider", "engine", "model", "model_licence", "language_model", "adapter",
    "rights_status", "ai_generated", "digital_source_type", "human_contribution", "prompt_id", "prompt", "seed",
    "generated_at", "checked", "not_checked",
)  # fmt: skip

HUMAN_CONTRIBUTION = (
    "people wrote the genre matrix from which the prompts are expanded; composing, performing, recording, choosing and "
    "mastering were done by software"
)
CHECKED = (
    "technical defects; loudness and true peak of the decoded file; tempo and key measured; near-duplicates within the "
    "catalog; licence of the model's weights looked up"
)
NOT_CHECKED = (
    "similarity to published recordings or compositions; training data of the model; rights in an adapter's training "
    "material; neighbouring and collecting-society claims in the venue's country; listening by a person"
)
NOT_CHECKED_LICENCE = "licence of the model's weights; "

MIT_TEXT = """MIT License

Copyright (c) {holder}

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""
PROVIDERS = {"ace-step": "ACE-Step", "preview": "ace_assets preview engine"}


def provider_of(row: Mapping[str, Any]) -> str:
    """Return who publishes what made a track."""
    engine = row["engine"] or ""
    return PROVIDERS.get(engine, engine or "unknown")


def rights_rows(tracks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per track of the package's table."""
    found = []
    for row in tracks:
        licence = "MIT (ace_assets)" if row["preview"] else row["model_weights_licence"] or "unknown"
        looked_up = row["preview"] or bool(row["model_weights_licence"])
        found.append(
            {
                "track_id": row["track_id"],
                "file": row["file"],
                "title": safe_title(row["title"]),
                "provider": provider_of(row),
                "engine": row["engine"] or "unknown",
                "model": model_of(row),
                "model_licence": licence,
                "language_model": row["lm_model"] or "none",
                "adapter": row["adapter"] or "none",
                "rights_status": row["rights_status"],
                "ai_generated": "no trained model (rules)" if row["preview"] else "yes",
                "digital_source_type": digital_source_type(preview=row["preview"]),
                "human_contribution": HUMAN_CONTRIBUTION,
                "prompt_id": row["prompt_id"],
                "prompt": safe_title(row["caption"]) if row["caption"] else None,
                "seed": row["reported_seed"] or row["requested_seed"],
                "generated_at": row["generated_at"].isoformat() if row["generated_at"] else None,
                "checked": CHECKED if looked_up else CHECKED.rsplit(";", 1)[0],
                "not_checked": NOT_CHECKED if looked_up else NOT_CHECKED_LICENCE + NOT_CHECKED,
            }
        )
    return found


def licence_texts(tracks: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the licence texts that a package carries, by file name."""
    texts = {}
    if any(not row["preview"] and row["model_weights_licence"] == "MIT" for row in tracks):
        providers = sorted({provider_of(row) for row in tracks if row["model_weights_licence"] == "MIT"})
        texts["MIT-model-weights.txt"] = (
            f"Licence of the model weights by {', '.join(providers)}, as published with them.\n"
            "It covers the model. The music is what the model made; the weights are not in this package.\n\n"
            + MIT_TEXT.format(holder=f"the authors of {', '.join(providers)}")
        )
    if any(row["preview"] for row in tracks):
        texts["MIT-preview-engine.txt"] = "Licence of the preview engine.\n\n" + MIT_TEXT.format(
            holder="the authors of ace_assets"
        )
    others = sorted(
        {
            row["model_weights_licence"] or "unknown"
            for row in tracks
            if not row["preview"] and row["model_weights_licence"] != "MIT"
        }
    )
    for licence in others:
        texts[f"OTHER-{''.join(c if c.isalnum() else '-' for c in licence)[:40]}.txt"] = (
            f"Some tracks were made by a model under the licence: {licence}\n"
            "Its text is not known to this package. Ask the supplier before you play these\n"
            "tracks; rights.csv names them.\n"
        )
    return texts


def rights_statement(venue_name: str, tracks: Sequence[Mapping[str, Any]], *, date: str, marked: bool) -> str:
    """Return the statement for people."""
    models: dict[tuple[str, str, str], int] = {}
    for row in tracks:
        licence = "MIT" if row["preview"] else row["model_weights_licence"] or "unknown"
        key = (provider_of(row), model_of(row), licence)
        models[key] = models.get(key, 0) + 1
    unknown = sum(1 for row in tracks if row["rights_status"] == "unknown")
    lines = [
        f"Rights in the music of this package, for {safe_title(venue_name)}",
        f"As of {date}. One line per track is in rights.csv.",
        "",
    ]
    if marked:
        lines += ["NOT FOR DELIVERY: preview music or withheld cells. Do not play it in public.", ""]
    lines += [
        "1. Made by artificial intelligence",
        "   No human performer is heard. Tracks of a trained model say so in their tags and in rights.csv, with the",
        "   IPTC digital source type trainedAlgorithmicMedia. Preview tracks are made by rules and say that.",
        "",
        "2. What made it",
        *(
            f"   {count:>6} tracks   {provider}, {model}, licence of the weights: {licence}"
            for (provider, model, licence), count in sorted(models.items())
        ),
        "",
        "3. What people contributed",
        *(f"   {part[0].upper()}{part[1:]}." for part in HUMAN_CONTRIBUTION.split("; ")),
        "   Whether such music is protected by copyright differs from country to country; none is claimed here.",
        "",
        "4. What was checked",
        *(f"   - {item}" for item in CHECKED.split("; ")),
        "",
        "5. What was not checked",
        *(f"   - {item}" for item in NOT_CHECKED.split("; ")),
    ]
    if unknown:
        lines.append(
            f"   - the rights of {unknown} tracks: their model or adapter is not in the list of known licences"
        )
    lines += ["", "This statement describes facts about the music. It is not legal advice."]
    return "\n".join(lines) + "\n"
