"""The pitched instruments as data: overtones, decay, attack, range. `synth.py` turns them into audio.

A voice is a sum of overtones. A struck one (`held=False`) dies away by itself, its upper overtones sooner; a held one
sounds as long as its note and is made of a few slightly detuned strands spread over the stereo field.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Noise:
    """A short noise at the start of a note: level against the tone, band in Hz, decay in seconds."""

    level: float
    low_hz: float
    high_hz: float
    decay_s: float


@dataclass(frozen=True)
class Voice:
    """One instrument.

    Attributes:
        parts: the parts it can play, the best first.
        centre: MIDI pitch around which its chords and melodies lie.
        low: lowest MIDI pitch of its bass notes.
        overtones: how many partials.
        slope: amplitude of partial k is k ** -slope, times `shape`.
        shape: factors for the first partials; empty for none.
        ratios: frequencies of the partials against the fundamental; empty for the harmonic series.
        stretch: inharmonicity; partial k lies at k * sqrt(1 + stretch * k * k).
        decay_s: seconds in which the fundamental of middle C falls by 60 dB.
        damping: how much faster partial k falls: (1 + damping * (k - 1)).
        attack_s, release_s: rise at the start and fall after the end of a note.
        held: True for voices that sustain.
        strands_cents: detuning of the strands, cents.
        width: how far strands or overtones are spread, 0 to 1.
        vibrato_cents, vibrato_hz: slow pitch movement of held voices.
        tremolo: depth of the slow loudness movement, 0 to 1, at `vibrato_hz`.
        noise: the noise of the attack, if any.
        breath: level of a steady breath noise.
        gain_db: level that makes the voices equally loud.
        strum_s: delay from string to string of a chord.
        pan: place in the stereo field, -1 (left) to 1 (right).
    """

    parts: tuple[str, ...]
    centre: int = 60
    low: int = 31
    overtones: int = 10
    slope: float = 1.0
    shape: tuple[float, ...] = ()
    ratios: tuple[float, ...] = ()
    stretch: float = 0.0
    decay_s: float = 4.0
    damping: float = 0.3
    attack_s: float = 0.003
    release_s: float = 0.15
    held: bool = False
    strands_cents: tuple[float, ...] = (0.0,)
    width: float = 0.3
    vibrato_cents: float = 0.0
    vibrato_hz: float = 5.0
    tremolo: float = 0.0
    noise: Noise | None = None
    breath: float = 0.0
    gain_db: float = 0.0
    strum_s: float = 0.0
    pan: float = 0.0


_HAMMER = Noise(0.10, 900, 9000, 0.018)
_FELT = Noise(0.10, 200, 3500, 0.03)
_PICK = Noise(0.16, 1800, 15000, 0.012)
_FINGER = Noise(0.07, 700, 6000, 0.015)
_TINE = Noise(0.05, 2500, 12000, 0.008)
_MALLET = Noise(0.10, 600, 7000, 0.012)
_ODD = (1.0, 0.12, 0.75, 0.1, 0.5, 0.08, 0.33, 0.06, 0.24, 0.05, 0.18)
_ENSEMBLE = (-9.0, -3.5, 2.5, 8.0)

VOICES: dict[str, Voice] = {
    "piano": Voice(
        ("chords", "lead", "arp"), centre=62, low=36, overtones=22, slope=1.15, stretch=3.5e-4, decay_s=7.0,
        damping=0.28, release_s=0.22, strands_cents=(-0.7, 0.8), width=0.5, noise=_HAMMER, strum_s=0.004,
    ),
    "felt": Voice(
        ("chords", "lead", "arp"), centre=62, low=36, overtones=14, slope=1.7, stretch=3e-4, decay_s=6.5, damping=0.4,
        attack_s=0.008, release_s=0.5, strands_cents=(-0.9, 0.9), width=0.5, noise=_FELT, gain_db=1.5, strum_s=0.008,
    ),
    "epiano": Voice(
        ("chords", "lead", "arp"), centre=60, low=36, overtones=9, slope=1.5,
        shape=(1.0, 0.55, 0.3, 0.2, 0.12, 0.14, 0.1, 0.05, 0.04), decay_s=5.0, damping=0.55, release_s=0.18,
        width=0.4, tremolo=0.16, vibrato_hz=4.4, noise=_TINE, strum_s=0.003,
    ),
    "wurli": Voice(
        ("chords", "lead"), centre=60, low=36, overtones=14, slope=0.95, shape=(1.0, 0.5, 0.8, 0.35, 0.5, 0.22, 0.3),
        decay_s=3.4, damping=0.4, release_s=0.14, width=0.35, tremolo=0.2, vibrato_hz=5.6, noise=_TINE, gain_db=-1.5,
        strum_s=0.003,
    ),
    "nylon": Voice(
        ("chords", "lead", "arp"), centre=59, low=40, overtones=16, slope=1.15, shape=(0.9, 1.0, 0.7, 0.6, 0.5),
        decay_s=3.0, damping=0.34, attack_s=0.004, release_s=0.12, width=0.3, noise=_FINGER, strum_s=0.011, pan=-0.22,
    ),
    "steel": Voice(
        ("chords", "lead", "arp"), centre=60, low=40, overtones=26, slope=0.85, shape=(0.9, 1.0, 0.8, 0.7),
        stretch=1.2e-4, decay_s=3.6, damping=0.16, release_s=0.12, strands_cents=(-1.2, 1.2), width=0.6, noise=_PICK,
        gain_db=-2.0, strum_s=0.012, pan=0.15,
    ),
    "clean": Voice(
        ("chords", "lead", "arp"), centre=62, low=40, overtones=20, slope=0.95, shape=(1.0, 0.8, 0.35, 0.7, 0.6),
        decay_s=3.2, damping=0.24, release_s=0.06, strands_cents=(-2.0, 2.0), width=0.55, noise=_PICK, gain_db=-1.5,
        strum_s=0.006, pan=0.2,
    ),
    "oud": Voice(
        ("chords", "lead"), centre=57, low=38, overtones=20, slope=0.9, shape=(0.8, 1.0, 0.9, 0.8), decay_s=2.0,
        damping=0.26, release_s=0.1, strands_cents=(-2.5, 2.5), width=0.4, noise=_PICK, gain_db=-2.0, strum_s=0.012,
        pan=-0.15,
    ),
    "harp": Voice(
        ("arp", "lead"), centre=67, low=40, overtones=14, slope=1.3, decay_s=4.2, damping=0.3, attack_s=0.002,
        release_s=0.7, width=0.5, noise=_FINGER, strum_s=0.03, pan=0.12,
    ),
    "kalimba": Voice(
        ("arp", "lead"), centre=70, low=48, ratios=(1.0, 2.0, 5.2, 6.7, 11.4), shape=(1.0, 0.12, 0.34, 0.16, 0.08),
        overtones=5, slope=0.0, decay_s=2.2, damping=0.9, release_s=0.4, width=0.4, noise=_MALLET, gain_db=1.0,
    ),
    "marimba": Voice(
        ("lead", "arp"), centre=68, low=45, ratios=(1.0, 3.9, 9.2, 14.0), shape=(1.0, 0.28, 0.12, 0.05), overtones=4,
        slope=0.0, decay_s=1.3, damping=1.1, release_s=0.3, width=0.4, noise=_MALLET, gain_db=2.0,
    ),
    "vibes": Voice(
        ("lead", "arp"), centre=69, low=48, ratios=(1.0, 4.0, 9.9, 16.0), shape=(1.0, 0.3, 0.12, 0.04), overtones=4,
        slope=0.0, decay_s=5.0, damping=0.8, release_s=0.35, width=0.35, tremolo=0.22, vibrato_hz=5.2, noise=_MALLET,
        pan=0.1,
    ),
    "handpan": Voice(
        ("arp", "lead", "bass"), centre=62, low=45, ratios=(1.0, 2.0, 3.0, 4.02, 5.3, 7.1, 9.6),
        shape=(1.0, 0.62, 0.4, 0.12, 0.1, 0.06, 0.04), overtones=7, slope=0.0, decay_s=4.4, damping=0.34,
        release_s=0.8, strands_cents=(-1.5, 1.5), width=0.5, noise=Noise(0.12, 400, 8000, 0.015), gain_db=0.5,
    ),
    "bowl": Voice(
        ("lead", "arp"), centre=66, low=45, ratios=(1.0, 1.003, 2.71, 2.716, 5.1, 8.0),
        shape=(1.0, 0.8, 0.4, 0.3, 0.14, 0.06), overtones=6, slope=0.0, decay_s=11.0, damping=0.14, attack_s=0.02,
        release_s=2.0, width=0.6, noise=Noise(0.04, 500, 5000, 0.03), gain_db=-1.0,
    ),
    "bell": Voice(
        ("lead", "arp"), centre=74, low=55, ratios=(1.0, 2.0, 3.01, 4.17, 5.43, 6.8, 8.9),
        shape=(1.0, 0.5, 0.36, 0.24, 0.16, 0.1, 0.07), overtones=7, slope=0.0, decay_s=6.0, damping=0.3,
        release_s=1.2, width=0.6, noise=_TINE, gain_db=-5.0,
    ),
    "glock": Voice(
        ("lead", "arp"), centre=79, low=60, ratios=(1.0, 2.76, 5.4, 8.9), shape=(1.0, 0.4, 0.22, 0.1), overtones=4,
        slope=0.0, decay_s=3.6, damping=0.7, release_s=0.6, width=0.5, noise=_TINE, gain_db=-1.5, pan=0.2,
    ),
    "pluck": Voice(
        ("arp", "lead"), centre=69, low=48, overtones=24, slope=0.95, decay_s=1.5, damping=0.32, release_s=0.16,
        strands_cents=(-6.0, 6.0), width=0.8, gain_db=1.0,
    ),
    "stab": Voice(
        ("chords",), centre=62, low=45, overtones=24, slope=1.0, decay_s=2.0, damping=0.3, attack_s=0.004,
        release_s=0.12, strands_cents=(-8.0, 0.0, 8.0), width=0.9, gain_db=-3.0,
    ),
    "synthkeys": Voice(
        ("chords", "arp", "lead"), centre=64, low=45, overtones=20, slope=1.0, shape=_ODD, decay_s=2.6, damping=0.25,
        release_s=0.16, strands_cents=(-5.0, 5.0), width=0.7, gain_db=-1.5,
    ),
    "organ": Voice(
        ("pad", "lead", "chords"), centre=62, low=36, overtones=8, slope=0.0,
        shape=(0.9, 1.0, 0.55, 0.5, 0.1, 0.28, 0.05, 0.24), held=True, attack_s=0.012, release_s=0.08,
        strands_cents=(-3.0, 3.0), width=0.6, vibrato_cents=5.0, vibrato_hz=6.2, noise=_TINE, gain_db=-6.0,
    ),
    "upright": Voice(
        ("bass",), centre=40, low=28, overtones=18, slope=1.25, shape=(1.0, 0.9, 0.6, 0.5, 0.4), decay_s=2.3,
        damping=0.22, attack_s=0.007, release_s=0.09, width=0.08, noise=Noise(0.07, 300, 4500, 0.02), gain_db=3.0,
    ),
    "ebass": Voice(
        ("bass",), centre=40, low=28, overtones=20, slope=1.15, shape=(1.0, 0.9, 0.55, 0.45, 0.3), decay_s=4.0,
        damping=0.22, release_s=0.06, width=0.08, noise=Noise(0.06, 800, 7000, 0.01), gain_db=2.0,
    ),
    "synthbass": Voice(
        ("bass",), centre=40, low=28, overtones=26, slope=1.05, decay_s=3.0, damping=0.18, release_s=0.04,
        strands_cents=(-4.0, 4.0), width=0.12, gain_db=1.0,
    ),
    "sub": Voice(
        ("bass",), centre=40, low=31, overtones=9, slope=1.9, held=True, attack_s=0.008, release_s=0.07, width=0.0,
        gain_db=0.5,
    ),
    "drone": Voice(
        ("bass", "pad"), centre=52, low=36, overtones=14, slope=1.45, held=True, attack_s=0.5, release_s=1.4,
        strands_cents=(-4.0, 0.0, 3.5), width=0.6, gain_db=-2.0,
    ),
    "warm": Voice(
        ("pad",), centre=59, low=40, overtones=18, slope=1.5, held=True, attack_s=0.35, release_s=1.1,
        strands_cents=(-6.0, 0.0, 5.5), width=0.9, gain_db=-5.0,
    ),
    "airy": Voice(
        ("pad",), centre=64, low=45, overtones=16, slope=1.1, shape=(1.0, 0.5, 0.3, 0.3, 0.12, 0.16), held=True,
        attack_s=0.5, release_s=1.5, strands_cents=(-7.0, 0.0, 6.5), width=1.0, breath=0.05, gain_db=-5.5,
    ),
    "bright": Voice(
        ("pad",), centre=62, low=45, overtones=30, slope=1.15, held=True, attack_s=0.18, release_s=0.5,
        strands_cents=_ENSEMBLE, width=1.0, gain_db=-6.5,
    ),
    "choir": Voice(
        ("pad",), centre=62, low=48, overtones=14, slope=1.0, shape=(1.0, 0.45, 0.5, 0.2, 0.1, 0.06, 0.08, 0.1, 0.05),
        held=True, attack_s=0.5, release_s=1.4, strands_cents=(-8.0, 0.0, 7.0), width=0.9, breath=0.03, gain_db=-4.5,
    ),
    "strings": Voice(
        ("pad", "chords", "lead"), centre=64, low=40, overtones=26, slope=1.05, shape=(0.9, 1.0, 0.8, 0.7, 0.7, 0.5),
        held=True, attack_s=0.11, release_s=0.4, strands_cents=_ENSEMBLE, width=0.9, vibrato_cents=4.0,
        vibrato_hz=5.3, breath=0.012, gain_db=-6.0,
    ),
    "violin": Voice(
        ("lead",), centre=74, low=55, overtones=22, slope=1.0, shape=(1.0, 0.7, 0.8, 0.6, 0.5), held=True,
        attack_s=0.07, release_s=0.18, strands_cents=(-1.5, 1.5), width=0.35, vibrato_cents=9.0, vibrato_hz=5.6,
        breath=0.012, gain_db=-6.0, pan=-0.15,
    ),
    "cello": Voice(
        ("lead", "bass"), centre=55, low=36, overtones=24, slope=1.05, shape=(1.0, 0.9, 0.7, 0.6, 0.4), held=True,
        attack_s=0.09, release_s=0.22, strands_cents=(-1.5, 1.5), width=0.25, vibrato_cents=7.0, vibrato_hz=5.0,
        breath=0.01, gain_db=-2.0, pan=0.12,
    ),
    "flute": Voice(
        ("lead",), centre=74, low=60, overtones=8, slope=1.6, shape=(1.0, 0.8, 0.4, 0.3), held=True, attack_s=0.05,
        release_s=0.12, width=0.25, vibrato_cents=8.0, vibrato_hz=4.8, breath=0.07, gain_db=-3.5, pan=0.1,
    ),
    "whistle": Voice(
        ("lead",), centre=79, low=67, overtones=4, slope=2.2, held=True, attack_s=0.03, release_s=0.08, width=0.25,
        vibrato_cents=10.0, vibrato_hz=5.4, breath=0.06, gain_db=-2.0,
    ),
    "sax": Voice(
        ("lead",), centre=66, low=50, overtones=22, slope=0.95, shape=(0.8, 1.0, 0.9, 0.6, 0.5, 0.35), held=True,
        attack_s=0.035, release_s=0.1, width=0.2, vibrato_cents=8.0, vibrato_hz=5.0, breath=0.03, gain_db=-4.5,
        pan=-0.1,
    ),
    "clarinet": Voice(
        ("lead",), centre=67, low=50, overtones=16, slope=0.7, shape=_ODD, held=True, attack_s=0.04, release_s=0.1,
        width=0.2, vibrato_cents=3.0, breath=0.015, gain_db=-5.0, pan=-0.1,
    ),
    "trumpet": Voice(
        ("lead",), centre=68, low=55, overtones=22, slope=0.75, shape=(0.6, 0.9, 1.0, 0.8, 0.55, 0.4, 0.3, 0.22),
        held=True, attack_s=0.03, release_s=0.08, width=0.2, vibrato_cents=6.0, vibrato_hz=5.2, breath=0.01,
        gain_db=-5.5, pan=0.1,
    ),
    "brass": Voice(
        ("lead", "pad"), centre=65, low=45, overtones=24, slope=0.85, shape=(0.8, 1.0, 0.9, 0.7), held=True,
        attack_s=0.03, release_s=0.09, strands_cents=(-5.0, 0.0, 5.0), width=0.7, vibrato_cents=3.0, gain_db=-6.0,
    ),
    "synthlead": Voice(
        ("lead", "arp"), centre=71, low=48, overtones=22, slope=1.1, held=True, attack_s=0.012, release_s=0.12,
        strands_cents=(-6.0, 6.0), width=0.6, vibrato_cents=5.0, vibrato_hz=5.2, gain_db=-4.5,
    ),
}  # fmt: skip
