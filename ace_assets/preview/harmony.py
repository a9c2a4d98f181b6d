"""Keys, scales, chords and voice leading: pitch arithmetic without time.

Everything is diatonic, so that a key asked for is a key heard: minor means natural minor, and its cadences are the
plagal and the subtonic one. Pitches are MIDI numbers (60 is middle C), pitch classes 0-11 (0 is C), degrees 0-6.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)
LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
FLAT_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
CHORD_STEPS = {  # degrees above the root, in scale steps
    "triad": (0, 2, 4),
    "add9": (0, 1, 4, 2),
    "seventh": (0, 2, 4, 6),
    "ninth": (0, 2, 6, 1),
    "open": (0, 4, 1, 2),
}
_KEY = re.compile(r"\s*([A-Ga-g])\s*([#♯b♭]?)\s*([A-Za-z]*)\s*")


@dataclass(frozen=True)
class Key:
    """A tonic (pitch class) and its mode, "major" or "minor"."""

    tonic: int
    mode: str

    @property
    def scale(self) -> tuple[int, ...]:
        """The seven semitone offsets of the mode."""
        return MINOR if self.mode == "minor" else MAJOR

    @property
    def name(self) -> str:
        """The key as the server writes it, e.g. "A minor"."""
        return f"{FLAT_NAMES[self.tonic]} {self.mode}"

    def pitch(self, step: int) -> int:
        """Return the MIDI pitch of a scale step; step 0 is the tonic in octave 0, step 35 five octaves above it."""
        octave, degree = divmod(step, 7)
        return 12 * octave + self.tonic + self.scale[degree]


def parse_key(text: str) -> Key | None:
    """Return the key that a text names ("Am", "F# minor", "Bb"), or None where it names none.

    >>> parse_key("Am"), parse_key("Bb major"), parse_key("H dur")
    (Key(tonic=9, mode='minor'), Key(tonic=10, mode='major'), None)
    """
    match = _KEY.fullmatch(text or "")
    if not match:
        return None
    letter, accidental, mode = match.groups()
    word = mode.lower()
    if word not in ("", "m", "min", "minor", "maj", "major"):
        return None
    shift = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}[accidental]
    return Key((LETTERS[letter.upper()] + shift) % 12, "minor" if word in ("m", "min", "minor") else "major")


def chord_classes(key: Key, degree: int, colour: str) -> list[int]:
    """Return the pitch classes of a chord, root first; the tonic chord never carries its seventh, so that it rests."""
    if degree % 7 == 0 and colour in ("seventh", "ninth"):
        colour = "add9"
    return [key.pitch(degree + step) % 12 for step in CHORD_STEPS[colour]]


def lead_voices(classes: Sequence[int], centre: int, previous: Sequence[int] | None) -> list[int]:
    """Return ascending pitches of a chord near a register, moving as little as possible from the previous chord.

    Args:
        classes: pitch classes, in any order.
        centre: MIDI pitch around which the chord lies.
        previous: the pitches of the chord before, ascending; None at the start.
    """
    best: tuple[float, list[int]] | None = None
    for first in range(len(classes)):
        order = [*classes[first:], *classes[:first]]
        for base in (centre - 13, centre - 7):
            pitch, pitches = base, []
            for pitch_class in order:
                pitch += (pitch_class - pitch) % 12 or 12
                pitches.append(pitch)
            middle = sum(pitches) / len(pitches)
            cost = 0.5 * abs(middle - centre) + 0.3 * max(0, pitches[-1] - pitches[0] - 14)
            if previous:
                cost += sum(abs(a - b) for a, b in zip(pitches, previous, strict=False))
            if len(pitches) > 1 and pitches[1] - pitches[0] < 3 and pitches[0] < 52:
                cost += 4  # seconds in the low register are mud
            if best is None or cost < best[0]:
                best = (cost, pitches)
    assert best is not None
    return best[1]


def in_register(pitch_class: int, low: int) -> int:
    """Return the lowest pitch of that class that is not below `low`."""
    return low + (pitch_class - low) % 12
