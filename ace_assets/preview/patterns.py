"""Rhythms as strings: sixteen steps to a bar of four beats, four characters a beat.

Chords and melodies: `x` a note, `X` an accent, `-` holds it, `.` rests. Bass: `R` root, `3`, `5`, `7`, `8` chord
steps, `a` a step that leads to the next root. Arpeggios: digits count chord tones from the bottom. Drums: one string a
lane, `9` is loudest, `1` is softest. Two bars are thirty-two steps. `for_bar` lays a pattern into bars of 2, 3, 4 or 6
beats.
"""

from __future__ import annotations

from collections.abc import Iterator

STEPS_PER_BEAT = 4

COMPS = {
    "bossa": "x--.x-..x--.x--...x-..x-x--.x-..",
    "samba": "x-.x-.x-x-.x-.x.",
    "charleston": "x--...x-......x-x--...x-........",
    "jazz-off": "..x-......x-..x-......x-....x-..",
    "whole": "x---------------",
    "halves": "x-------x-------",
    "quarters": "x--.x--.x--.x--.",
    "ballad": "x-----x-x---x---",
    "offbeat": "..x-..x-..x-..x-",
    "stabs": "...x..x-...x..x.",
    "house-chords": "x--x--x---x-x---..x--x----x-x---",
    "funk": "x.xx..x.x..x.xx.",
    "disco": "..X.x.X...X.x.Xx",
    "strum": "x--.x-xxx-xxx-x-",
    "folk": "x---x-x-x-x-x-x-",
    "soul": "x-----.x-----x..x-----.x---.x-x-",
    "push": "x--x--x-----x--.",
    "waves": "x-------------------------------",
}
BASSES = {
    "whole": "R---------------",
    "halves": "R-------5-------",
    "pedal": "R-------R-------",
    "bossa": "R-----R-5-----5-",
    "two": "R---.---5---.-a-",
    "walk": "R---3---5---a---R---5---3---a---",
    "ballad": "R-----5-8---5---",
    "eighths": "R-R-R-R-R-R-R-R-",
    "drive": "R-R-R-R-R-R-5-a-",
    "offbeat": "..R-..R-..R-..R-",
    "house": "R-..R..R-...8.R-R-..R..R-..R..a-",
    "deep": "R--R--.R-...5-R.R--R--.R-.8-..a-",
    "octaves": "R-8-R-8-R-8-R-8-",
    "funk": "R..R..8.R.7.5.a.R..R..8...R.3.a.",
    "soul": "R--.-.R-5---..a-R--...R-8-7-5-a-",
    "pulse": "R-R-R-R-R-R-R-R-",
    "dub": "R-----..R-5-....R-----..8-5-..a-",
    "tumbao": "R-----5---8-----",
}
ARPS = {
    "up": "0-1-2-3-0-1-2-3-",
    "wave": "0-1-2-3-4-3-2-1-",
    "sixteenths": "0123210301232103",
    "broken": "0-2-1-2-3-2-1-2-",
    "quarters": "0---2---1---3---",
    "slow": "0-----2-----1---2-----3-----1---",
    "travis": "0-2-1-3-0-3-1-2-",
    "drops": "....3-......2-..1-......4-......",
    "sequence": "0.30.2.30.40.2.3",
    "pan": "0-..2-1-..3-2-..0-..4-1-..2-3-1-",
    "ostinato": "0-2-4-2-1-2-4-2-",
}
# Melody rhythms, two bars each, from sparse to busy.
MELODIES = {
    "sparse": (
        "x-----------x---x---------------",
        "x-------x---------------x-------",
        "....x-------x---x---------------",
    ),
    "calm": (
        "x-----x-x-------x---x-----------",
        "....x---x-x-x---x---------------",
        "x---x---x-----x-x-----------x-x-",
        "x-----x-x---x---x-----x---------",
    ),
    "singing": (
        "x-x-x---x---x-x-x-----x---------",
        "..x-x-x-x-----x-x-x-x---------..",
        "x---x-x---x-x---x-x-x-----------",
        "x--x--x-x-------x--x--x---------",
    ),
    "busy": (
        "x-x-xxx-x---x-x-xxx-x-x---......",
        "x--x--x-x-xxx-x-x--x--x---......",
        "..xxx-x-x-x-x---..xxx-x-x-------",
        "x-xxx-xxx-x---..x-xxx-x-x-----..",
    ),
}
# In bars of three and six beats every onset lies on a beat or leads into one.
TERNARY_MELODIES = (
    "x---x---....x---x-------........",
    "x-------....x-x-x---x---....x---",
    "x---x-x-....x---x---x---....----",
)
# Lanes by kit. `keep` names the lanes that also fill the light beats of bars with three or six beats.
KITS = {
    "bossa": {
        "kick": "7..57..57..57..5",
        "rim": "7..6..6...6..6....6...6..7..6...",
        "shaker": "4535453545354535",
        "hat": "....3.......3...",
    },
    "samba": {
        "kick": "6..47..46..47..4",
        "shaker": "7456745674567456",
        "conga": "..5..5.6..5..576",
        "rim": "6..6..6...6.6...",
    },
    "brushes": {
        "brush": "6.4.7.4.6.4.7.4.",
        "swirl": "5.......5.......",
        "ride": "5...6.4.5...6.4.",
        "pedal": "....5.......5...",
        "kick": "4.......3.......",
    },
    "swing": {
        "ride": "7...8.6.7...8.6.",
        "pedal": "....6.......6...",
        "kick": "4...3...4...3...",
        "brush": "......3.......4.......3...4....3",
    },
    "house": {
        "kick": "9...9...9...9...",
        "clap": "....7.......7...",
        "open": "..6...6...6...6.",
        "hat": "3.2.3.2.3.2.3.22",
    },
    "deep": {
        "kick": "9...9...9...9...",
        "clap": "....6.......6...",
        "open": "..5...5...5...5.",
        "shaker": "3243324332433243",
        "rim": ".....4.........4...4......4.....",
        "conga": "...4..5......4.....4..5...4..5..",
    },
    "disco": {
        "kick": "9...9...9...9...",
        "snare": "....8.......8...",
        "open": "..6...6...6...6.",
        "hat": "53..53..53..53..",
        "tambourine": "..4.5.4...4.5.4.",
    },
    "funk": {
        "kick": "9..4..7...9.....9..4......97....",
        "snare": "....8..2.2..8..2....8..2.2..8...",
        "hat": "6454645464546454",
        "open": "..............5.",
        "conga": "..3...4...3..44.",
    },
    "backbeat": {"kick": "9.......8.6.....", "snare": "....8.......8...", "hat": "5.4.5.4.5.4.5.4."},
    "pop": {
        "kick": "9.....7.8.......9.....7.8..6....",
        "snare": "....8.......8...",
        "hat": "5.4.5.4.5.4.5.4.",
        "tambourine": "....5.......5...",
    },
    "synthpop": {
        "kick": "9...9...9...9...",
        "snare": "....9.......9...",
        "hat": "5.5.5.5.5.5.5.5.",
        "clap": "....5.......5..4",
    },
    "downtempo": {
        "kick": "9......6..8.....9......6..8..5..",
        "snare": "....7.......7...",
        "hat": "4.3.42332.3.4233",
        "shaker": "..3...3...3...3.",
    },
    "lofi": {
        "kick": "8.....6...7.....8......6..7.....",
        "snare": "....6.......6..2",
        "hat": "5.3.5.3.5.3.5.33",
    },
    "soul": {
        "kick": "8......5..7.....8..5......7.....",
        "rim": "....7.......7...",
        "hat": "5.4.5.4.5.4.5.44",
        "shaker": "3.2.3.2.3.2.3.2.",
    },
    "latin": {
        "conga": "5..65.7.5..65.776..65.7.5..65.77",
        "shaker": "6454645464546454",
        "rim": "7..6..6...6.6...",
        "kick": "6.....5.6.....5.",
    },
    "cajon": {"kick": "8.....6.7.......", "cajon": "....7..3....7.33", "shaker": "5.4.5.4.5.4.5.4."},
    "tropical": {
        "kick": "9...9...9...9...",
        "clap": "....6.......6...",
        "conga": "..5..5..6..5..5.",
        "shaker": "4353435343534353",
        "open": "..4...4...4...4.",
    },
    "afro": {
        "kick": "9...9...9...9...",
        "conga": "...5..6..4.5.66....5..6..4.57.5.",
        "shaker": "5364536453645364",
        "rim": "..5..5.....5..5.",
        "open": "..4...4...4...4.",
    },
    "broken": {
        "kick": "8..6..7...6.....8..6....7...5...",
        "snare": "....7..2.2..7..3",
        "hat": "5.434.535.434.53",
        "shaker": "..2...2...2...2.",
    },
    "desert": {"frame": "9..4..6.7..4.464", "shaker": "4.5.4.5.4.5.4.5.", "conga": "......4.......5."},
}
# Rhythms that keep bars of three and six beats clear: groups of three sixteenths would be heard as another tempo there.
TERNARY = frozenset({
    "quarters", "folk", "walk", "eighths", "drive", "pulse", "octaves",
    "up", "wave", "broken", "travis", "ostinato", "sixteenths",
})  # fmt: skip
KEEP = frozenset({"hat", "shaker", "ride", "brush", "tambourine", "pedal"})
# beat of the pattern's bar that each beat of the real bar takes; -1 is a light beat
_BEATS = {2: ((0, 1), (2, 3)), 3: ((0, 1, 3),), 4: ((0, 1, 2, 3),), 6: ((0, 3, 2, 1, 3, 2),)}
_DRUM_BEATS = {2: ((0, 1), (2, 3)), 3: ((0, 1, -1),), 4: ((0, 1, 2, 3),), 6: ((0, -1, -1, 1, -1, -1),)}


def for_bar(pattern: str, bar: int, beats_per_bar: int, *, lane: str | None = None) -> str:
    """Return the steps of one bar, four characters a beat.

    Args:
        pattern: one or two bars of sixteen steps.
        bar: which bar of its section, from 0; two-bar patterns alternate.
        beats_per_bar: 2, 3, 4 or 6.
        lane: name of the drum lane; None for everything that has pitch.

    >>> for_bar("a---b---c---d---", 0, 3)
    'a---b---d---'
    """
    layouts = (_BEATS if lane is None else _DRUM_BEATS)[beats_per_bar]
    bars = len(pattern) // 16
    source = (bar // len(layouts)) % bars
    out = []
    for beat in layouts[bar % len(layouts)]:
        if beat < 0:
            steps = pattern[source * 16 : source * 16 + 4] if lane in KEEP else "...."
        else:
            start = source * 16 + beat * 4
            steps = pattern[start : start + 4]
        out.append(steps)
    return "".join(out)


def hits(steps: str) -> Iterator[tuple[float, float, str]]:
    """Yield (beat, length in beats, symbol) for every note of a bar's steps.

    >>> list(hits("x-.X"))
    [(0.0, 0.5, 'x'), (0.75, 0.25, 'X')]
    """
    for index, symbol in enumerate(steps):
        if symbol in ".-":
            continue
        end = index + 1
        while end < len(steps) and steps[end] == "-":
            end += 1
        yield index / STEPS_PER_BEAT, (end - index) / STEPS_PER_BEAT, symbol
