"""The styles of the preview engine as data: instruments, rhythms, harmony, room and level of each.

A new style is one more `Style` here and one line of words in `lexicon.py`. Voices are named in `voices.py`, rhythms in
`patterns.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """How one kind of music is made.

    Attributes:
        bpm: tempo where none is asked for, beats per minute.
        colour: kind of chord, a key of `harmony.CHORD_STEPS`.
        loops: name of the family of chord loops in `LOOPS`.
        bars_per_chord: how long a chord lasts in bars.
        chords, bass, lead, pad, arp: voices to choose from; empty where the style has no such part.
        comps, basses, arps: rhythm names to choose from, in `patterns.py`.
        melody: how busy the melody is, a key of `patterns.MELODIES`.
        kits: drum kits to choose from; empty for music without drums, whatever the caption says.
        swing: how far off-beat eighths are delayed, in beats.
        sway_s: how loosely the players play, seconds.
        wet: reverb level, 0 to 1.
        room_s: reverb time in seconds.
        echo: level of the tempo echo on lead and arpeggio, 0 to 1.
        tilt_db_per_octave: slope of the finished spectrum above 100 Hz, dB per octave of power density.
        loudness_lufs: loudness aimed at before the peak limit.
        pump: depth of the ducking under the kick, 0 to 1.
    """

    bpm: int
    colour: str
    loops: str
    chords: tuple[str, ...]
    bass: tuple[str, ...]
    lead: tuple[str, ...]
    pad: tuple[str, ...] = ()
    arp: tuple[str, ...] = ()
    comps: tuple[str, ...] = ("whole",)
    basses: tuple[str, ...] = ("whole",)
    arps: tuple[str, ...] = ("up",)
    melody: str = "calm"
    kits: tuple[str, ...] = ()
    bars_per_chord: int = 1
    swing: float = 0.0
    sway_s: float = 0.006
    wet: float = 0.2
    room_s: float = 1.6
    echo: float = 0.12
    tilt_db_per_octave: float = -5.0
    loudness_lufs: float = -16.5
    pump: float = 0.0


# Chord loops as scale degrees; every family leans on the tonic so that the key is heard.
LOOPS: dict[str, dict[str, tuple[tuple[int, ...], ...]]] = {
    "jazz": {
        "major": ((0, 5, 1, 4), (0, 3, 1, 4), (0, 1, 4, 0), (0, 3, 0, 4), (0, 2, 3, 4, 0, 5, 1, 4), (0, 1, 2, 1)),
        "minor": ((0, 3, 4, 0), (0, 5, 3, 4), (0, 3, 0, 4), (0, 3, 6, 0), (0, 4, 3, 4)),
    },
    "pop": {
        "major": ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 0, 4), (0, 4, 3, 4), (0, 2, 3, 4), (0, 3, 5, 4)),
        "minor": ((0, 5, 3, 4), (0, 5, 0, 6), (0, 3, 0, 6), (0, 5, 0, 4), (0, 3, 5, 4)),
    },
    "groove": {
        "major": ((0, 3), (0, 1, 3, 0), (0, 5, 1, 4), (0, 3, 0, 4), (0, 0, 3, 4)),
        "minor": ((0, 3), (0, 5), (0, 5, 3, 0), (0, 3, 0, 6), (0, 0, 5, 4)),
    },
    "ambient": {
        "major": ((0, 3), (0, 5, 3, 0), (0, 3, 0, 4), (0, 4, 3, 0), (0, 1, 3, 0)),
        "minor": ((0, 5), (0, 3, 5, 0), (0, 3, 4, 0), (0, 4, 5, 0), (0, 3, 0, 6)),
    },
    "drone": {"major": ((0, 0, 3, 0), (0, 0, 4, 0)), "minor": ((0, 0, 5, 0), (0, 0, 3, 0))},
    "classical": {
        "major": ((0, 4, 5, 2, 3, 0, 3, 4), (0, 5, 3, 4), (0, 3, 4, 0), (0, 4, 3, 0), (0, 4, 0, 3)),
        "minor": ((0, 4, 5, 3, 0, 3, 4, 0), (0, 3, 4, 0), (0, 6, 5, 4), (0, 5, 3, 4), (0, 3, 0, 4)),
    },
    "folk": {
        "major": ((0, 3, 0, 4), (0, 5, 3, 4), (0, 4, 3, 0), (0, 0, 3, 4)),
        "minor": ((0, 0, 5, 6), (0, 3, 0, 6), (0, 3, 4, 0), (0, 6, 3, 0)),
    },
}

STYLES: dict[str, Style] = {
    "bossa-nova": Style(
        bpm=124, colour="ninth", loops="jazz", chords=("nylon",), bass=("upright",),
        lead=("flute", "vibes", "piano", "sax"), pad=("strings",), comps=("bossa",), basses=("bossa", "tumbao"),
        melody="singing", kits=("bossa",), wet=0.17, room_s=1.3, sway_s=0.007, tilt_db_per_octave=-4.8,
    ),
    "jazz-trio": Style(
        bpm=112, colour="ninth", loops="jazz", chords=("piano",), bass=("upright",), lead=("piano", "vibes"),
        comps=("charleston", "jazz-off"), basses=("walk", "two"), melody="busy", kits=("swing", "brushes"),
        swing=0.165, wet=0.14, room_s=1.1, echo=0.0, sway_s=0.008,
    ),
    "smooth-jazz": Style(
        bpm=94, colour="ninth", loops="jazz", chords=("epiano",), bass=("ebass",), lead=("sax", "clean", "flute"),
        pad=("warm",), comps=("soul", "charleston"), basses=("soul", "ballad"), melody="singing", kits=("soul",),
        swing=0.05, wet=0.2, room_s=1.8,
    ),
    "lounge": Style(
        bpm=98, colour="ninth", loops="jazz", chords=("epiano", "piano"), bass=("upright", "ebass"),
        lead=("vibes", "flute", "trumpet"), pad=("strings", "warm"), comps=("charleston", "push"),
        basses=("two", "bossa", "ballad"), melody="singing", kits=("brushes", "bossa", "soul"), swing=0.1, wet=0.2,
        room_s=1.6,
    ),
    "solo-piano": Style(
        bpm=76, colour="add9", loops="classical", chords=("piano", "felt"), bass=("piano",), lead=("piano",),
        arp=("piano",), comps=("ballad", "halves"), basses=("halves", "ballad"), arps=("broken", "wave"),
        melody="calm", wet=0.24, room_s=2.2, echo=0.0, sway_s=0.01, tilt_db_per_octave=-5.4, loudness_lufs=-18.5,
    ),
    "acoustic-guitar": Style(
        bpm=96, colour="add9", loops="folk", chords=("steel",), bass=("ebass", "upright"), lead=("nylon", "steel"),
        arp=("nylon",), comps=("strum", "folk"), basses=("halves", "ballad"), arps=("travis", "broken"),
        melody="singing", kits=("cajon",), wet=0.16, room_s=1.4, sway_s=0.008,
    ),
    "downtempo": Style(
        bpm=88, colour="ninth", loops="groove", chords=("epiano", "wurli"), bass=("sub", "ebass"),
        lead=("pluck", "vibes", "flute"), pad=("warm", "airy"), arp=("pluck", "kalimba"),
        comps=("soul", "push", "halves"), basses=("dub", "soul"), arps=("drops", "pan"), melody="calm",
        kits=("downtempo",), swing=0.04, wet=0.26, room_s=2.2, echo=0.24, pump=0.15,
    ),
    "deep-house": Style(
        bpm=120, colour="ninth", loops="groove", chords=("stab", "epiano"), bass=("sub", "synthbass"),
        lead=("pluck", "vibes"), pad=("warm", "airy"), arp=("pluck",), comps=("house-chords", "stabs", "offbeat"),
        basses=("deep", "house", "offbeat"), arps=("sequence", "drops"), melody="calm", kits=("deep", "house"),
        swing=0.03, wet=0.22, room_s=2.0, echo=0.22, pump=0.4, sway_s=0.002, tilt_db_per_octave=-4.6,
        loudness_lufs=-14.5,
    ),
    "tropical-house": Style(
        bpm=108, colour="add9", loops="pop", chords=("piano", "stab"), bass=("sub", "synthbass"),
        lead=("marimba", "flute", "pluck"), pad=("bright",), arp=("marimba", "pluck"), comps=("push", "offbeat"),
        basses=("house", "offbeat"), arps=("sequence", "up"), melody="singing", kits=("tropical",), wet=0.2,
        room_s=1.7, echo=0.2, pump=0.35, sway_s=0.003, tilt_db_per_octave=-4.5, loudness_lufs=-14.5,
    ),
    "afro-house": Style(
        bpm=119, colour="seventh", loops="groove", chords=("epiano", "stab"), bass=("sub", "synthbass"),
        lead=("kalimba", "marimba", "flute"), pad=("bright", "airy"), arp=("kalimba", "marimba"),
        comps=("stabs", "push", "offbeat"), basses=("deep", "dub"), arps=("pan", "sequence"), melody="calm",
        kits=("afro",), swing=0.03, wet=0.2, room_s=1.8, echo=0.18, pump=0.3, sway_s=0.003, tilt_db_per_octave=-4.6,
        loudness_lufs=-14.5,
    ),
    "nu-jazz": Style(
        bpm=106, colour="ninth", loops="jazz", chords=("epiano", "wurli"), bass=("upright", "ebass"),
        lead=("trumpet", "sax", "vibes"), pad=("warm", "airy"), arp=("pluck",), comps=("soul", "jazz-off", "push"),
        basses=("soul", "funk", "walk"), arps=("drops", "sequence"), melody="singing", kits=("broken", "soul"),
        swing=0.06, wet=0.17, room_s=1.5, echo=0.14, sway_s=0.006,
    ),
    "nu-disco": Style(
        bpm=118, colour="seventh", loops="pop", chords=("clean", "epiano"), bass=("ebass", "synthbass"),
        lead=("strings", "pluck", "brass"), pad=("strings", "bright"), arp=("pluck",), comps=("disco", "funk"),
        basses=("octaves", "funk"), arps=("sixteenths", "sequence"), melody="calm", kits=("disco",), wet=0.15,
        room_s=1.4, echo=0.12, pump=0.2, sway_s=0.003, tilt_db_per_octave=-4.5, loudness_lufs=-14.5,
    ),
    "funk": Style(
        bpm=106, colour="ninth", loops="groove", chords=("clean", "wurli"), bass=("ebass",),
        lead=("brass", "sax", "organ"), pad=("organ",), comps=("funk", "stabs"), basses=("funk",), melody="busy",
        kits=("funk",), swing=0.02, wet=0.1, room_s=0.9, echo=0.06, sway_s=0.004, tilt_db_per_octave=-4.5,
        loudness_lufs=-15.0,
    ),
    "soul": Style(
        bpm=86, colour="ninth", loops="jazz", chords=("wurli", "epiano"), bass=("ebass",),
        lead=("clean", "sax", "trumpet"), pad=("organ", "warm"), comps=("soul", "push"), basses=("soul",),
        melody="singing", kits=("soul", "backbeat"), swing=0.06, wet=0.17, room_s=1.4, sway_s=0.008,
    ),
    "indie-pop": Style(
        bpm=112, colour="add9", loops="pop", chords=("clean", "steel"), bass=("ebass",),
        lead=("glock", "clean", "whistle"), pad=("bright", "strings"), arp=("clean", "glock"),
        comps=("strum", "quarters", "offbeat"), basses=("drive", "eighths"), arps=("up", "travis"), melody="singing",
        kits=("pop", "backbeat"), wet=0.16, room_s=1.4, echo=0.14, tilt_db_per_octave=-4.5, loudness_lufs=-15.0,
    ),
    "synth-pop": Style(
        bpm=116, colour="triad", loops="pop", chords=("stab", "synthkeys"), bass=("synthbass",),
        lead=("synthlead", "pluck"), pad=("bright", "airy"), arp=("pluck", "synthkeys"),
        comps=("push", "offbeat", "quarters"), basses=("pulse", "octaves"), arps=("sixteenths", "sequence"),
        melody="singing", kits=("synthpop", "pop"), wet=0.2, room_s=1.8, echo=0.2, pump=0.2, sway_s=0.001,
        tilt_db_per_octave=-4.4, loudness_lufs=-14.5,
    ),
    "lo-fi": Style(
        bpm=80, colour="ninth", loops="jazz", chords=("epiano", "felt", "nylon"), bass=("sub", "upright"),
        lead=("vibes", "pluck", "nylon"), pad=("warm",), comps=("soul", "charleston", "halves"),
        basses=("dub", "ballad"), melody="calm", kits=("lofi",), swing=0.09, wet=0.18, room_s=1.4, echo=0.16,
        sway_s=0.01, tilt_db_per_octave=-5.8, loudness_lufs=-17.0, pump=0.12,
    ),
    "latin": Style(
        bpm=104, colour="seventh", loops="folk", chords=("nylon",), bass=("upright", "ebass"),
        lead=("trumpet", "flute", "nylon"), pad=("strings",), comps=("samba", "bossa"), basses=("tumbao", "bossa"),
        melody="busy", kits=("latin", "samba"), wet=0.15, room_s=1.2,
    ),
    "world": Style(
        bpm=92, colour="open", loops="folk", chords=("oud", "nylon"), bass=("upright",),
        lead=("oud", "flute", "clarinet"), pad=("drone", "airy"), arp=("kalimba", "harp"), comps=("push", "halves"),
        basses=("pedal", "tumbao"), arps=("pan", "ostinato"), melody="singing", kits=("desert",), wet=0.24,
        room_s=2.0, echo=0.12, sway_s=0.007,
    ),
    "ambient": Style(
        bpm=68, colour="add9", loops="ambient", chords=(), bass=("drone",), lead=("bell", "felt", "glock"),
        pad=("airy", "warm", "choir"), arp=("harp", "epiano", "pluck"), basses=("whole",), arps=("quarters", "slow"),
        melody="sparse", bars_per_chord=2, wet=0.4, room_s=4.2, echo=0.3, sway_s=0.008, tilt_db_per_octave=-5.6,
        loudness_lufs=-19.5,
    ),
    "drone": Style(
        bpm=60, colour="open", loops="drone", chords=(), bass=("drone",), lead=("bowl", "bell"),
        pad=("choir", "warm", "airy"), arp=("bowl", "bell"), basses=("whole",), arps=("quarters", "slow"),
        melody="sparse", bars_per_chord=2, wet=0.42, room_s=5.0, echo=0.25, sway_s=0.008, tilt_db_per_octave=-6.0,
        loudness_lufs=-20.5,
    ),
    "handpan": Style(
        bpm=76, colour="open", loops="ambient", chords=(), bass=("drone",), lead=("handpan", "flute"),
        pad=("airy", "warm"), arp=("handpan",), basses=("pedal", "ballad"), arps=("pan", "broken"), melody="calm",
        wet=0.32, room_s=3.2, echo=0.16, sway_s=0.006, tilt_db_per_octave=-5.4, loudness_lufs=-19.0,
    ),
    "new-age": Style(
        bpm=70, colour="add9", loops="ambient", chords=("felt",), bass=("drone",), lead=("flute", "harp", "bell"),
        pad=("strings", "airy"), arp=("harp", "felt"), comps=("whole",), basses=("whole",), arps=("wave", "broken"),
        melody="calm", bars_per_chord=1, wet=0.34, room_s=3.4, echo=0.2, sway_s=0.01, tilt_db_per_octave=-5.4,
        loudness_lufs=-19.0,
    ),
    "meditation-piano": Style(
        bpm=64, colour="add9", loops="ambient", chords=("felt",), bass=("drone",), lead=("felt", "piano"),
        pad=("airy", "warm"), arp=("felt", "harp"), comps=("whole",), basses=("whole",), arps=("quarters", "broken"),
        melody="sparse", wet=0.34, room_s=3.4, echo=0.16, sway_s=0.01, tilt_db_per_octave=-5.8, loudness_lufs=-19.5,
    ),
    "neoclassical": Style(
        bpm=84, colour="triad", loops="classical", chords=("strings",), bass=("cello",),
        lead=("violin", "piano", "cello"), pad=("strings",), arp=("piano", "harp"), comps=("halves", "whole"),
        basses=("halves", "whole"), arps=("ostinato", "broken", "wave"), melody="calm", wet=0.3, room_s=2.8,
        echo=0.06, sway_s=0.009, tilt_db_per_octave=-5.4, loudness_lufs=-18.0,
    ),
}  # fmt: skip
DEFAULT_STYLE = "lounge"
