"""Music of our own, made from a seed: varied, with known tempo and key, and with everything that naive detectors flag.

Each style is one function from a random generator to stereo samples. None of it is good; all of it is without technical fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Floats = NDArray[np.float64]
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
PROGRESSIONS = {
    False: ((0, 5, 3, 4), (0, 3, 4, 0), (0, 4, 5, 3), (0, 1, 4, 0), (0, 3, 0, 4)),
    True: ((0, 5, 2, 6), (0, 3, 4, 0), (0, 5, 3, 4), (0, 6, 5, 4), (0, 3, 6, 0)),
}


@dataclass(frozen=True)
class Clip:
    """A piece of music with what is known about it; `samples` is (frames, 2) float32."""

    name: str
    samples: NDArray[np.float32]
    sample_rate_hz: int
    bpm: float | None = None
    key: str | None = None


class Studio:
    """Rate, tempo, key and a canvas to mix notes onto."""

    def __init__(self, rng: np.random.Generator, seconds: float, bpm: tuple[float, float] = (70, 150)) -> None:
        self.rng = rng
        self.rate = int(rng.choice([44_100, 48_000]))
        self.bpm = float(np.round(rng.uniform(*bpm)))
        self.beat = 60.0 / self.bpm
        self.tonic = int(rng.integers(12))
        self.minor = bool(rng.integers(2))
        self.scale = MINOR if self.minor else MAJOR
        options = PROGRESSIONS[self.minor]
        self.progression = options[int(rng.integers(len(options)))]
        self.bars = max(4, round(seconds / (4 * self.beat)))
        self.seconds = self.bars * 4 * self.beat
        self.mix = np.zeros((int((self.seconds + 6.0) * self.rate), 2))

    @property
    def key(self) -> str:
        return f"{NAMES[self.tonic]} {'minor' if self.minor else 'major'}"

    def degree(self, bar: int) -> int:
        return 0 if bar >= self.bars - 1 else self.progression[bar % len(self.progression)]

    def pitch(self, degree: int, octave: int) -> float:
        return 12.0 * (octave + 1) + self.tonic + self.scale[degree % 7] + 12.0 * (degree // 7)

    def chord(self, bar: int, octave: int) -> list[float]:
        return [self.pitch(self.degree(bar) + step, octave) for step in (0, 2, 4)]

    def time(self, seconds: float) -> Floats:
        return np.arange(int(seconds * self.rate)) / self.rate

    def add(self, start_s: float, note: Floats, gain: float = 1.0, pan: float = 0.0) -> None:
        first = int(start_s * self.rate)
        note = note[: max(0, len(self.mix) - first)]
        left, right = np.cos((pan + 1) * np.pi / 4), np.sin((pan + 1) * np.pi / 4)
        self.mix[first : first + len(note), 0] += gain * left * note
        self.mix[first : first + len(note), 1] += gain * right * note


def hz(pitch: float) -> float:
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def struck(
    studio: Studio, pitch: float, seconds: float, *, decay: float = 1.5, partials: int = 10, release: float = 0.08
) -> Floats:
    """A struck string: partials that decay, a short release at the end."""
    t = studio.time(seconds)
    f = hz(pitch)
    note = np.zeros(t.size)
    for k in range(1, partials + 1):
        if f * k < 0.45 * studio.rate:
            note += (
                np.sin(2 * np.pi * f * k * t * np.sqrt(1 + 3e-4 * k * k)) * np.exp(-decay * (1 + 0.4 * k) * t) / k**1.2
            )
    knock = studio.rng.standard_normal(t.size) * np.exp(-180 * t) * 0.15
    return enveloped(studio, note + knock, 0.002, release)


def held(studio: Studio, pitch: float, seconds: float, *, partials: int = 12, tilt: float = 1.2, attack: float = 0.2,
         release: float = 0.4, cents: float = 0.0) -> Floats:  # fmt: skip
    """A bowed or blown note: a steady sum of partials."""
    t = studio.time(seconds)
    f = hz(pitch + cents / 100)
    phase = studio.rng.uniform(0, 6.28, partials)
    note = np.zeros(t.size)
    for k in range(1, partials + 1):
        if f * k < 0.45 * studio.rate:
            note += np.sin(2 * np.pi * f * k * t + phase[k - 1]) / k**tilt
    return enveloped(studio, note, attack, release)


def enveloped(studio: Studio, note: Floats, attack: float, release: float) -> Floats:
    a, r = min(len(note) // 2, int(attack * studio.rate)), min(len(note) // 2, int(release * studio.rate))
    if a:
        note[:a] *= np.linspace(0, 1, a)
    if r:
        note[-r:] *= 0.5 + 0.5 * np.cos(np.linspace(0, np.pi, r))
    return note


def kick(studio: Studio) -> Floats:
    t = studio.time(0.35)
    return np.sin(2 * np.pi * (48 * t + 5 * (1 - np.exp(-30 * t)))) * np.exp(-9 * t) * (1 - t / 0.35)


def hiss_hit(studio: Studio, low: float, high: float, decay: float, seconds: float) -> Floats:
    t = studio.time(seconds)
    band = signal.butter(2, [low, min(high, 0.45 * studio.rate)], "band", fs=studio.rate, output="sos")
    return signal.sosfilt(band, studio.rng.standard_normal(t.size)) * np.exp(-decay * t) * (1 - t / seconds)


def drums(studio: Studio, *, gain: float = 0.8, until: float | None = None) -> None:
    k, s = (
        kick(studio),
        hiss_hit(studio, 800, 9000, 22, 0.25)
        + 0.3 * np.sin(2 * np.pi * 190 * studio.time(0.25)) * np.exp(-25 * studio.time(0.25)),
    )
    h = hiss_hit(studio, 6000, 16000, 60, 0.08)
    for beat in range(studio.bars * 4):
        at = beat * studio.beat
        if until is not None and at >= until:
            return
        studio.add(at, k if beat % 2 == 0 else s, gain * (1.0 if beat % 2 == 0 else 0.7))
        for half in (0.0, 0.5):
            studio.add(at + half * studio.beat, h, gain * 0.35, 0.2)


def reverbed(studio: Studio, seconds: float, wet: float) -> None:
    t = studio.time(seconds)
    size = len(studio.mix)
    for channel in range(2):
        tail = studio.rng.standard_normal(t.size) * np.exp(-6.9 * t / seconds)
        tail = signal.sosfilt(signal.butter(1, [200, 5000], "band", fs=studio.rate, output="sos"), tail)
        tail /= np.sqrt((tail**2).sum())
        studio.mix[:, channel] += wet * signal.fftconvolve(studio.mix[:, channel], tail)[:size]


def melody(
    studio: Studio, voice: Callable[[float, float], Floats], octave: int = 4, density: float = 0.7, gain: float = 0.5
) -> None:
    step = 0
    for bar in range(studio.bars):
        for half in range(8):
            if studio.rng.random() < density * (1.0 if half % 2 == 0 else 0.5):
                step = int(np.clip(step + studio.rng.integers(-2, 3), -2, 7))
                tone = self_chord_tone(studio, bar, step) if half % 4 == 0 else step
                length = studio.beat * float(studio.rng.choice([0.5, 1.0]))
                studio.add(
                    (bar * 4 + half / 2) * studio.beat,
                    voice(studio.pitch(tone, octave), length),
                    gain,
                    float(studio.rng.uniform(-0.3, 0.3)),
                )


def self_chord_tone(studio: Studio, bar: int, step: int) -> int:
    tones = [studio.degree(bar) + d + 7 * o for d in (0, 2, 4) for o in (-1, 0, 1)]
    return min(tones, key=lambda tone: abs(tone - step))


def chords(
    studio: Studio,
    voice: Callable[[float, float], Floats],
    octave: int = 3,
    gain: float = 0.3,
    hits: tuple[float, ...] = (0.0,),
    spread: float = 0.4,
) -> None:
    for bar in range(studio.bars):
        for i, at in enumerate(hits):
            length = ((hits[i + 1] if i + 1 < len(hits) else 4.0) - at) * studio.beat
            for n, pitch in enumerate(studio.chord(bar, octave)):
                studio.add((bar * 4 + at) * studio.beat, voice(pitch, length), gain, spread * (n - 1))


def bass(
    studio: Studio,
    voice: Callable[[float, float], Floats],
    octave: int = 2,
    gain: float = 0.6,
    hits: tuple[float, ...] = (0.0, 2.0),
) -> None:
    for bar in range(studio.bars):
        for i, at in enumerate(hits):
            length = ((hits[i + 1] if i + 1 < len(hits) else 4.0) - at) * studio.beat
            studio.add((bar * 4 + at) * studio.beat, voice(studio.pitch(studio.degree(bar), octave), length), gain)


def low_passed(studio: Studio, order: int, cutoff: float) -> None:
    studio.mix = signal.sosfilt(signal.butter(order, cutoff, fs=studio.rate, output="sos"), studio.mix, axis=0)


# --- styles ----------------------------------------------------------------------------------------------------------


def sparse_piano(rng: np.random.Generator) -> Studio:
    """Phrases with real rests: digital silence for two to three seconds between them."""
    s = Studio(rng, 36, (54, 80))
    at = 0.0
    while at < s.seconds - 3:
        for _ in range(int(rng.integers(2, 6))):
            s.add(
                at,
                struck(
                    s,
                    s.pitch(int(rng.integers(0, 9)), 4),
                    float(rng.uniform(0.8, 2.0)),
                    release=float(rng.uniform(0.06, 0.2)),
                ),
                0.6,
            )
            at += s.beat * float(rng.choice([0.5, 1.0]))
        at += float(rng.uniform(2.0, 4.0))
    s.add(s.seconds - 2, struck(s, s.pitch(0, 3), 4.0, release=0.5), 0.8)
    return s


def long_decay(rng: np.random.Generator) -> Studio:
    s = Studio(rng, 30, (50, 70))
    for bar in range(s.bars):
        for n in range(2):
            s.add(
                (bar * 4 + 2 * n) * s.beat,
                struck(s, s.pitch(s.degree(bar) + 2 * n, 4), 9.0, decay=0.35, partials=5, release=2.0),
                0.5,
                0.5 * (n - 0.5),
            )
    return s


def lofi(rng: np.random.Generator) -> Studio:
    """Rolled-off highs, hiss, a little saturation."""
    s = Studio(rng, 30, (70, 92))
    chords(s, lambda p, d: struck(s, p, min(d, 2.5), decay=0.8, partials=6), 3, 0.3, (0.0, 2.5))
    bass(s, lambda p, d: struck(s, p, min(d, 1.5), decay=1.5, partials=4), 2, 0.5)
    drums(s, gain=0.5)
    low_passed(s, int(rng.choice([1, 2])), float(rng.uniform(2500, 5000)))
    s.mix = np.tanh(1.5 * s.mix)
    s.mix += 0.002 * rng.standard_normal(s.mix.shape)
    return s


def near_mono_jazz(rng: np.random.Generator) -> Studio:
    s = Studio(rng, 30, (90, 160))
    ride = hiss_hit(s, 4000, 14000, 12, 0.4)
    for beat in range(s.bars * 4):
        s.add(beat * s.beat, ride, 0.12)
        if beat % 2:
            s.add((beat + 0.66) * s.beat, ride, 0.08)
    bass(s, lambda p, d: struck(s, p, min(d, 0.6), decay=2.5, partials=5), 2, 0.7, (0.0, 1.0, 2.0, 3.0))
    chords(s, lambda p, d: struck(s, p, min(d, 1.0)), 3, 0.25, (0.66, 2.5), spread=0.05)
    melody(s, lambda p, d: held(s, p, d, partials=6, attack=0.03, release=0.06), 5, 0.5, 0.2)
    middle = s.mix.mean(axis=1, keepdims=True)
    s.mix = middle + 0.03 * (s.mix - middle)
    reverbed(s, 0.8, 0.15)
    return s


def sub_electronic(rng: np.random.Generator) -> Studio:
    s = Studio(rng, 30, (84, 140))
    bass(s, lambda p, d: held(s, p, d, partials=1, attack=0.02, release=0.05), 1, 0.9, (0.0, 1.5, 2.5))
    k = kick(s)
    for beat in range(0, s.bars * 4, 2):
        s.add(beat * s.beat, k, 0.9)
        s.add((beat + 1) * s.beat, hiss_hit(s, 7000, 15000, 50, 0.1), 0.2)
    chords(s, lambda p, d: held(s, p, d, partials=3, attack=0.5), 4, 0.06)
    return s


def _pulse(s: Studio, pitch: float, seconds: float, duty: float) -> Floats:
    phase = (hz(pitch) * s.time(seconds)) % 1.0
    return np.where(phase < duty, 1.0, -1.0) - (2 * duty - 1)  # the console's output capacitor takes the offset


def chiptune(rng: np.random.Generator) -> Studio:
    """Naive pulses, a four-bit triangle, notes that are switched on and off."""
    s = Studio(rng, 24, (110, 170))
    duty = float(rng.choice([0.25, 0.5]))
    melody(s, lambda p, d: _pulse(s, p, 0.9 * d, duty), 5, 0.8, 0.25)
    stairs = lambda p, d: np.round(7.5 * (4 * np.abs((hz(p) * s.time(d)) % 1.0 - 0.5) - 1.0)) / 7.5  # noqa: E731
    bass(s, stairs, 2, 0.35, (0.0, 1.0, 2.0, 3.0))
    for beat in range(s.bars * 4 - 1):
        burst = np.repeat(rng.choice([-1.0, 1.0], 400), 8)[: int(0.06 * s.rate)]
        s.add((beat + 0.5) * s.beat, burst * np.linspace(1, 0, burst.size), 0.15)
    if rng.random() < 0.4:
        s.mix = np.repeat(s.mix.mean(axis=1, keepdims=True), 2, axis=1)
    last = (s.bars * 4 - 0.2) * s.beat
    s.add(last, _pulse(s, s.pitch(0, 4), 1.0, duty) * np.linspace(1, 0, int(1.0 * s.rate)) ** 2, 0.3)
    return s


def fade_in_pad(rng: np.random.Generator) -> Studio:
    s = Studio(rng, 36, (55, 75))
    chords(
        s,
        lambda p, d: held(s, p, d + 1.5, partials=10, attack=1.0, release=1.5, cents=float(rng.uniform(-6, 6))),
        3,
        0.2,
    )
    melody(s, lambda p, d: struck(s, p, 2.0, decay=1.0), 5, 0.2, 0.2)
    n = int(8 * s.rate)
    s.mix[:n] *= np.linspace(0, 1, n)[:, None] ** 2
    return s


def drone(rng: np.random.Generator) -> Studio:
    s = Studio(rng, 30, (55, 75))
    for cents in (-7, 0, 6):
        for channel in (-0.7, 0.7):
            note = held(
                s,
                s.pitch(0, 2),
                s.seconds,
                partials=30,
                tilt=1.0,
                attack=3,
                release=5,
                cents=cents + float(rng.uniform(-2, 2)),
            )
            s.add(0.0, note * (1 + 0.4 * np.sin(2 * np.pi * 0.1 * s.time(s.seconds) + channel)), 0.2, channel)
    s.add(1.0, held(s, s.pitch(4, 3), s.seconds - 1, partials=8, attack=4, release=4), 0.1)
    return s


def rain(rng: np.random.Generator) -> Studio:
    """A bed of noise through the whole piece, faded out with it."""
    s = Studio(rng, 30, (55, 75))
    noise = signal.sosfilt(signal.butter(1, 900, fs=s.rate, output="sos"), rng.standard_normal((len(s.mix), 2)), axis=0)
    chords(s, lambda p, d: held(s, p, d + 1.0, partials=6, attack=0.8, release=1.0), 3, 0.15)
    s.mix += 0.08 * noise
    n, end = int(4 * s.rate), int(s.seconds * s.rate)
    s.mix[end - n : end] *= np.linspace(1, 0, n)[:, None] ** 2
    s.mix[end:] = 0
    return s


def plucked(rng: np.random.Generator) -> Studio:
    s = Studio(rng, 28, (80, 130))

    def string(p: float, d: float) -> Floats:
        period = max(2, int(s.rate / hz(p)))
        burst = np.zeros(int(min(2.0, d + 0.8) * s.rate))
        burst[:period] = rng.uniform(-1, 1, period)
        note = signal.lfilter([1.0], np.concatenate([[1.0], np.zeros(period - 1), [-0.498, -0.498]]), burst)
        return enveloped(s, note, 0.001, 0.1)

    for bar in range(s.bars):
        tones = s.chord(bar, 3) + s.chord(bar, 4)
        for i in range(8):
            s.add(
                (bar * 4 + i / 2) * s.beat,
                string(tones[int(rng.integers(6))], s.beat),
                0.35,
                float(rng.uniform(-0.5, 0.5)),
            )
        s.add(bar * 4 * s.beat, string(s.pitch(s.degree(bar), 2), 3 * s.beat), 0.5)
    return s


def techno(rng: np.random.Generator) -> Studio:
    s = Studio(rng, 28, (118, 140))
    k, h = kick(s), hiss_hit(s, 7000, 16000, 40, 0.12)
    for beat in range(s.bars * 4):
        s.add(beat * s.beat, k, 0.9)
        s.add((beat + 0.5) * s.beat, h, 0.3, 0.3)
    bass(
        s,
        lambda p, d: held(s, p, 0.8 * d, partials=20, tilt=1.0, attack=0.004, release=0.03),
        1,
        0.4,
        tuple(np.arange(0, 4, 0.5)),
    )
    chords(
        s,
        lambda p, d: held(s, p, min(d, 0.25), partials=20, tilt=1.0, attack=0.004, release=0.1),
        4,
        0.12,
        (0.5, 1.75, 3.0),
    )
    reverbed(s, 0.6, 0.1)
    return s


def orchestral(rng: np.random.Generator) -> Studio:
    """Strings that swell from very soft to loud."""
    s = Studio(rng, 36, (60, 100))
    for octave in (2, 3, 4):
        chords(
            s,
            lambda p, d: held(s, p, d + 0.3, partials=14, attack=0.25, release=0.35, cents=float(rng.uniform(-5, 5))),
            octave,
            0.15,
        )
    melody(s, lambda p, d: held(s, p, d, partials=8, attack=0.08, release=0.1), 5, 0.6, 0.3)
    course = np.interp(
        np.arange(len(s.mix)), [0, 0.6 * len(s.mix), 0.7 * len(s.mix), len(s.mix)], [0.06, 1.0, 0.4, 0.8]
    )
    s.mix *= course[:, None]
    reverbed(s, 1.8, 0.3)
    return s


def staccato(rng: np.random.Generator) -> Studio:
    """Dry plucked notes with silence between them, and a short dry chord at the end."""
    s = Studio(rng, 26, (90, 140))
    for bar in range(s.bars - 1):
        for i in range(4):
            for pitch in s.chord(bar, 3 + i % 2):
                s.add((bar * 4 + i) * s.beat, struck(s, pitch, 0.3, decay=6, release=0.08), 0.3)
    for pitch in s.chord(s.bars, 3):
        s.add((s.bars - 1) * 4 * s.beat, struck(s, pitch, 0.5, decay=4, release=0.15), 0.5)
    return s


def gated_pad(rng: np.random.Generator) -> Studio:
    """A pad that is chopped on every sixteenth, as trance does."""
    s = Studio(rng, 26, (120, 138))
    chords(s, lambda p, d: held(s, p, d, partials=20, tilt=1.0, attack=0.05, release=0.05), 3, 0.2)
    gate = ((np.arange(len(s.mix)) / s.rate / s.beat * 4) % 1.0 < 0.55).astype(float)
    smooth = np.ones(int(0.006 * s.rate))
    s.mix *= np.convolve(gate, smooth / smooth.size, "same")[:, None]
    k = kick(s)
    for beat in range(s.bars * 4):
        s.add(beat * s.beat, k, 0.7)
    for pitch in s.chord(s.bars, 3):
        s.add(s.seconds, held(s, pitch, 3.0, partials=20, tilt=1.0, attack=0.01, release=2.5), 0.2)
    return s


def electric_piano(rng: np.random.Generator) -> Studio:
    s = Studio(rng, 30, (84, 120))

    def fm(p: float, d: float) -> Floats:
        t, f = s.time(min(d + 0.2, 3.0)), hz(p)
        note = np.sin(2 * np.pi * f * t + 1.4 * np.exp(-3 * t) * np.sin(2 * np.pi * f * t)) * np.exp(-1.1 * t)
        return enveloped(s, note + 0.1 * np.sin(2 * np.pi * 14 * f * t) * np.exp(-9 * t), 0.002, 0.15)

    chords(s, fm, 3, 0.3, (0.0, 1.5, 3.0))
    bass(s, lambda p, d: struck(s, p, min(d, 1.5), decay=1.2, partials=4), 2, 0.6, (0.0, 1.5, 2.0))
    melody(s, fm, 5, 0.6, 0.3)
    drums(s, gain=0.5)
    reverbed(s, 1.2, 0.15)
    s.mix = np.tanh(s.mix)
    return s


def wide_choir(rng: np.random.Generator) -> Studio:
    """Voices so wide that left and right hardly correlate."""
    s = Studio(rng, 30, (60, 80))
    for pan in (-1.0, 1.0):
        for _ in range(3):
            chords(
                s,
                lambda p, d: held(
                    s, p, d + 0.5, partials=9, attack=0.6, release=0.7, cents=float(rng.uniform(-12, 12))
                ),
                3,
                0.12,
                spread=0.0,
            )
            s.mix[:, 0 if pan > 0 else 1] *= 0.9
    left = np.roll(s.mix[:, 0], int(0.017 * s.rate))
    s.mix[:, 0] = 0.3 * s.mix[:, 0] + 0.7 * left
    bass(s, lambda p, d: held(s, p, d, partials=4, attack=0.2, release=0.3), 2, 0.4)
    reverbed(s, 2.5, 0.5)
    return s


def percussion(rng: np.random.Generator) -> Studio:
    """Drums only, ending in a crash that rings out."""
    s = Studio(rng, 24, (90, 150))
    s.minor = False
    toms = [
        np.sin(2 * np.pi * f * s.time(0.4)) * np.exp(-10 * s.time(0.4)) * np.linspace(1, 0, s.time(0.4).size)
        for f in (90, 130, 180)
    ]
    for i in range(s.bars * 16 - 8):
        if rng.random() < 0.45:
            s.add(i * s.beat / 4, toms[int(rng.integers(3))], 0.5, float(rng.uniform(-0.6, 0.6)))
    drums(s, gain=0.8, until=s.seconds - s.beat)
    s.add(s.seconds - s.beat, hiss_hit(s, 2500, 15000, 1.8, 4.0), 0.7, -0.2)
    return s


def bit_crushed(rng: np.random.Generator) -> Studio:
    """Held samples and eight bits, on purpose."""
    s = Studio(rng, 24, (90, 130))
    chords(s, lambda p, d: struck(s, p, min(d, 1.2)), 3, 0.3, (0.0, 2.0))
    melody(s, lambda p, d: struck(s, p, d + 0.2), 4, 0.7, 0.4)
    drums(s, gain=0.6)
    s.mix = np.repeat(s.mix[::3], 3, axis=0)[: len(s.mix)]
    s.mix = np.round(s.mix * 127) / 127
    return s


def flute(rng: np.random.Generator) -> Studio:
    """A few pure tones: nothing above two kilohertz by nature."""
    s = Studio(rng, 30, (60, 90))
    melody(s, lambda p, d: held(s, p, d + 0.1, partials=3, tilt=2.0, attack=0.06, release=0.12), 4, 0.6, 0.5)
    chords(s, lambda p, d: held(s, p, d, partials=3, tilt=2.0, attack=0.5, release=0.6), 3, 0.15)
    reverbed(s, 1.5, 0.25)
    return s


def organ_waltz(rng: np.random.Generator) -> Studio:
    s = Studio(rng, 28, (90, 140))
    beats = int(s.seconds / s.beat)
    for beat in range(beats):
        bar = beat // 3
        if beat % 3 == 0:
            s.add(
                beat * s.beat,
                held(
                    s,
                    s.pitch(s.degree(bar % max(1, s.bars - 1)), 2),
                    s.beat,
                    partials=5,
                    tilt=0.7,
                    attack=0.01,
                    release=0.03,
                ),
                0.3,
            )
        else:
            for pitch in s.chord(bar % max(1, s.bars - 1), 3):
                s.add(
                    beat * s.beat, held(s, pitch, 0.7 * s.beat, partials=6, tilt=0.7, attack=0.01, release=0.03), 0.12
                )
    s.add(beats * s.beat, held(s, s.pitch(0, 3), 2.0, partials=6, tilt=0.7, attack=0.01, release=0.5), 0.3)
    return s


def loud_rock(rng: np.random.Generator) -> Studio:
    """Distorted, dense, driven into a smooth limiter."""
    s = Studio(rng, 28, (100, 170))
    chords(
        s,
        lambda p, d: np.tanh(6 * held(s, p, 0.95 * d, partials=12, tilt=1.0, attack=0.005, release=0.05)),
        2,
        0.25,
        (0.0, 1.0, 2.0, 2.5, 3.0),
        spread=0.8,
    )
    bass(
        s,
        lambda p, d: np.tanh(2 * held(s, p, 0.9 * d, partials=8, attack=0.005, release=0.05)),
        1,
        0.4,
        (0.0, 1.0, 2.0, 3.0),
    )
    drums(s, gain=1.0)
    s.add(s.seconds, np.tanh(6 * held(s, s.pitch(0, 2), 4.0, partials=12, tilt=1.0, attack=0.005, release=3.5)), 0.3)
    reverbed(s, 0.5, 0.1)
    s.mix = np.tanh(1.2 * s.mix)
    return s


STYLES: dict[str, Callable[[np.random.Generator], Studio]] = {
    style.__name__: style
    for style in (sparse_piano, long_decay, lofi, near_mono_jazz, sub_electronic, chiptune, fade_in_pad, drone, rain, plucked,
                  techno, orchestral, staccato, gated_pad, electric_piano, wide_choir, percussion, bit_crushed, flute,
                  organ_waltz, loud_rock)
}  # fmt: skip
WITHOUT_PULSE = {"sparse_piano", "drone", "rain", "fade_in_pad", "wide_choir", "orchestral", "flute", "long_decay"}
FADED_OUT = {"sub_electronic", "plucked", "bit_crushed"}  # loops without an ending of their own
WITHOUT_KEY = {"percussion", "drone", "sparse_piano"}


def clip(style: str, seed: int) -> Clip:
    """Render one clip: peak between -12 and -0.3 dBFS, rounded to 16 bits; its tail rings out and is trimmed."""
    rng = np.random.default_rng([seed, *style.encode()])
    studio = STYLES[style](rng)
    mix = studio.mix
    loud = np.flatnonzero(np.abs(mix).max(axis=1) > 2e-4 * np.abs(mix).max())
    last = min(len(mix), loud[-1] + int(float(rng.uniform(0.05, 1.0)) * studio.rate))
    mix = np.array(mix[:last])
    fade = int(0.15 * studio.rate)
    mix[-fade:] *= np.linspace(1, 0, fade)[:, None]
    if style in FADED_OUT:
        fade = int(float(rng.uniform(1.0, 3.0)) * studio.rate)
        mix[-fade:] *= np.linspace(1, 0, fade)[:, None] ** 1.5
    mix *= 10 ** (float(rng.uniform(-12, -0.3)) / 20) / np.abs(mix).max()
    samples = (np.round(mix * 32767) / 32768).astype(np.float32)
    return Clip(
        f"{style}-{seed}",
        np.ascontiguousarray(samples),
        studio.rate,
        None if style in WITHOUT_PULSE else studio.bpm,
        None if style in WITHOUT_KEY else studio.key,
    )


def clips(seeds: range) -> list[tuple[str, int]]:
    """Return (style, seed) of every style for the seeds."""
    return [(style, seed) for seed in seeds for style in STYLES]
