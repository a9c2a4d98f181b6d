"""Titles of tracks: pleasant, ASCII, the same every time, no two alike within a cell.

Titles are names for people; they are not part of any identity.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from ace_assets.identity import hash_text
from ace_assets.matrix.lexicon import Lexicon

OTHER_ZONES = "other"


def titles(cell: str, zone: str, lexicon: Lexicon) -> Iterator[str]:
    """Yield the titles of a cell's prompts, in order.

    A walk through all combinations of adjective, noun and ending with a step that shares no factor with their number:
    none comes twice before all were used.
    """
    adjectives, endings = lexicon.title_adjectives, lexicon.title_endings
    nouns = lexicon.title_nouns.get(zone, lexicon.title_nouns[OTHER_ZONES])
    total = len(adjectives) * len(nouns) * len(endings)
    number = int(hash_text("title", cell, chars=16), 16) % total
    step = int(hash_text("title step", cell, chars=16), 16) % total
    while math.gcd(step, total) != 1:
        step = (step + 1) % total
    seen: set[str] = set()
    while True:
        rest, ending = divmod(number, len(endings))
        adjective, noun = divmod(rest, len(nouns))
        title = f"{adjectives[adjective]} {nouns[noun]} {endings[ending]}".strip()
        number = (number + step) % total
        # Several endings are empty, so the walk can meet a title again.
        if (title not in seen or len(seen) >= total // 2) and not lexicon.names_somebody(title):
            seen.add(title)
            yield title
