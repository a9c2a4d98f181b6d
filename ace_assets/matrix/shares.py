"""Which cells a campaign reaches, and how many prompts it takes of each.

The order in which cells are reached depends on the cells' keys alone, so that editing a row moves no other; it
spreads evenly over zones, then over genres, dayparts and moods within a zone. Every prefix is a representative share,
and a larger campaign contains a smaller one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ace_assets.identity import hash_text
from ace_assets.matrix.campaigns import Campaign
from ace_assets.matrix.rows import MatrixRow


def reach_order(cells: Iterable[str]) -> list[str]:
    """Return cells in the order in which campaigns of growing size reach them.

    >>> reach_order(["spa.a.night.x", "lobby.a.night.x", "lobby.b.morning.y"])[0].split(".")[0]
    'lobby'
    """
    by_zone: dict[str, list[str]] = {}
    for cell in sorted(set(cells)):
        by_zone.setdefault(cell.split(".")[0], []).append(cell)
    queues = [_within_zone(by_zone[zone]) for zone in sorted(by_zone)]
    longest = max((len(queue) for queue in queues), default=0)
    return [queue[index] for index in range(longest) for queue in queues if index < len(queue)]


def _within_zone(cells: Sequence[str]) -> list[str]:
    """Return one zone's cells so that each next one has the genre, daypart and mood that came least so far."""
    parts = {cell: cell.split(".")[1:] for cell in cells}
    ties = {cell: hash_text("reach", cell, chars=8) for cell in cells}
    genres: Counter[str] = Counter()
    dayparts: Counter[str] = Counter()
    moods: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    left, order = set(cells), []
    while left:
        best = min(
            left,
            key=lambda cell: (
                genres[parts[cell][0]],
                pairs[parts[cell][0], parts[cell][1]],
                dayparts[parts[cell][1]],
                moods[parts[cell][2]],
                ties[cell],
            ),
        )
        genre, daypart, mood = parts[best]
        genres[genre] += 1
        pairs[genre, daypart] += 1
        dayparts[daypart] += 1
        moods[mood] += 1
        left.remove(best)
        order.append(best)
    return order


def prompts_per_cell(rows: Sequence[MatrixRow], campaign: Campaign) -> dict[str, int]:
    """Return how many prompts the campaign takes of each cell that it reaches, in order of reach.

    Its tracks are shared out evenly, what does not divide goes to the cells reached first. A cell never gets more than
    its target, and what it leaves goes to no other: only so does every larger campaign contain every smaller one.
    """
    by_cell = {row.cell: row for row in rows if row.target_tracks > 0}
    order = reach_order(by_cell)
    reached = order if campaign.cells is None else order[: campaign.cells]
    if campaign.tracks is None or not reached:
        return {cell: by_cell[cell].target_prompts for cell in reached}
    even, left = divmod(campaign.tracks, len(reached))
    counts = {}
    for place, cell in enumerate(reached):
        row, tracks = by_cell[cell], even + (place < left)
        if tracks > 0:
            counts[cell] = min(row.target_prompts, max(1, tracks // row.tracks_per_prompt))
    return counts
