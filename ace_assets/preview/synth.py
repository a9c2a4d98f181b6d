"""From a voice and a pitch to audio: sums of decaying overtones, computed as matrix products.

A decaying partial is z ** n for a complex z, and z ** (a * B + b) is a product of a term in a and a term in b: a whole
note is one small matrix product instead of millions of sines. Templates are `(frames, 2)` float32, start at frame 0.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ace_assets.audio.compiled import compiled
from ace_assets.preview.drums import noise_band
from ace_assets.preview.voices import Voice

SAMPLE_RATE_HZ = 48_000
HIGHEST_HZ = 17_500.0
_BLOCK = 512
_BREATH_FRAMES = 1 << 18
_FALL_60_DB = np.log(1000.0)
Floats = npt.NDArray[np.float32]


def pitch_hz(pitch: float) -> float:
    """Return the frequency of a MIDI pitch in equal temperament, A4 = 440 Hz."""
    return float(440.0 * 2.0 ** ((pitch - 69) / 12))


def _partials(voice: Voice, fundamental_hz: float, brightness: float) -> tuple[npt.NDArray[np.float64], ...]:
    """Return frequency (Hz), amplitude and decay rate (1/s) of the audible partials."""
    k = np.arange(1, voice.overtones + 1, dtype=np.float64)
    ratios = np.array(voice.ratios) if voice.ratios else k * np.sqrt(1 + voice.stretch * k * k)
    amplitudes = k ** -(max(0.0, voice.slope - 0.22 * brightness))
    shape = np.array(voice.shape[: len(k)])
    amplitudes[: len(shape)] *= shape
    hz = fundamental_hz * ratios
    seconds = voice.decay_s * (261.6 / fundamental_hz) ** 0.45
    rate = _FALL_60_DB / seconds * (1 + voice.damping * (ratios - 1))
    if voice.held:
        rate = np.zeros_like(rate)
    amplitudes = amplitudes * np.clip((HIGHEST_HZ - hz) / 3000.0, 0.0, 1.0)
    keep = amplitudes > 1e-5
    return hz[keep], amplitudes[keep] / np.sqrt(np.sum(amplitudes**2)), rate[keep]


def note_template(name: str, voice: Voice, pitch: int, seconds: float, brightness: float = 0.0) -> Floats:
    """Return one note of a voice at full force, stereo, `(frames, 2)`; without its release.

    Args:
        name: the voice's name; seeds its phases, so that a voice always sounds the same.
        voice: its data.
        pitch: MIDI pitch.
        seconds: length wanted; a struck voice may have died away before and come back shorter.
        brightness: -1 to 1; tilts the overtones.
    """
    fundamental = pitch_hz(pitch)
    random = np.random.default_rng([zlib.crc32(name.encode()), pitch])
    if not voice.held:
        seconds = min(seconds, 1.15 * voice.decay_s * (261.6 / fundamental) ** 0.45)
    frames = max(_BLOCK, int(seconds * SAMPLE_RATE_HZ))
    hz, amplitudes, rate = _partials(voice, fundamental, brightness)
    strands = len(voice.strands_cents)
    cents = np.repeat(np.array(voice.strands_cents), len(hz))
    hz, amplitudes, rate = np.tile(hz, strands), np.tile(amplitudes, strands) / np.sqrt(strands), np.tile(rate, strands)
    hz = hz * 2.0 ** (cents / 1200)
    if voice.held or strands > 1:
        phases = random.uniform(0, 2 * np.pi, len(hz))
    else:
        phases = np.where(np.arange(len(hz)) % 2, 0.0, np.pi / 2) + random.uniform(-0.3, 0.3, len(hz))
    left, right = _sides(voice, strands, len(hz) // strands, random)
    out = _sum_partials(frames, hz, phases, rate, amplitudes * left, amplitudes * right)
    _shape_attack(out, voice, random)
    if voice.vibrato_cents or voice.tremolo:
        out = _move(out, voice, fundamental)
    return out


def _sides(
    voice: Voice, strands: int, partials: int, random: np.random.Generator
) -> tuple[npt.NDArray[np.float64], ...]:
    """Return the gain of every partial left and right: strands fan out, single strands spread their overtones."""
    if strands > 1:
        place = np.repeat(np.linspace(-1, 1, strands) * voice.width, partials)
        place = place + random.uniform(-0.2, 0.2, len(place)) * voice.width
    else:
        place = random.uniform(-1, 1, partials) * voice.width * np.minimum(1.0, np.arange(partials) / 3)
    angle = (np.clip(place + voice.pan, -1, 1) + 1) * np.pi / 4
    return np.sqrt(2) * np.cos(angle), np.sqrt(2) * np.sin(angle)


def _sum_partials(
    frames: int,
    hz: npt.NDArray[np.float64],
    phases: npt.NDArray[np.float64],
    rate: npt.NDArray[np.float64],
    left: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
) -> Floats:
    blocks = -(-frames // _BLOCK)
    z = (2j * np.pi * hz - rate) / SAMPLE_RATE_HZ
    inner = np.exp(np.outer(z, np.arange(_BLOCK)))
    outer = np.exp(np.outer(np.arange(blocks) * _BLOCK, z) + 1j * phases)
    basis = np.concatenate([inner.real, inner.imag]).astype(np.float32)
    out = np.empty((blocks * _BLOCK, 2), np.float32)
    for side, gains in enumerate((left, right)):
        weights = np.concatenate([outer.real * gains, -outer.imag * gains], axis=1).astype(np.float32)
        out[:, side] = (weights @ basis).reshape(-1)
    return out[:frames]


def _shape_attack(out: Floats, voice: Voice, random: np.random.Generator) -> None:
    """Fade in, and add the noise of the attack and of the breath."""
    rise = min(len(out), max(32, int(voice.attack_s * SAMPLE_RATE_HZ)))
    ramp = np.sin(np.linspace(0, np.pi / 2, rise, dtype=np.float32)) ** 2
    out[:rise] *= ramp[:, None]
    if voice.noise:
        frames = min(len(out), int(6 * voice.noise.decay_s * SAMPLE_RATE_HZ))
        burst = noise_band(frames, voice.noise.low_hz, voice.noise.high_hz, random)
        burst *= np.exp(-np.arange(frames, dtype=np.float32) / np.float32(voice.noise.decay_s * SAMPLE_RATE_HZ))[
            :, None
        ]
        out[:frames] += np.float32(voice.noise.level * 3.0) * burst
    if voice.breath:
        start = int(random.integers(0, _BREATH_FRAMES))
        breath = np.take(_breath(), np.arange(start, start + len(out)), axis=0, mode="wrap")
        out += np.float32(voice.breath) * breath * _slow_ramp(len(out), rise)


@lru_cache(maxsize=1)
def _breath() -> Floats:
    """Return the noise of breath and bow, from which every note takes another piece."""
    return noise_band(_BREATH_FRAMES, 1500.0, 14000.0, np.random.default_rng(1))


def _slow_ramp(frames: int, rise: int) -> Floats:
    ramp = np.ones((frames, 1), np.float32)
    rise = min(frames, max(rise, 480))
    ramp[:rise, 0] = np.linspace(0, 1, rise, dtype=np.float32)
    return ramp


def _move(out: Floats, voice: Voice, fundamental_hz: float) -> Floats:
    """Apply tremolo, a little apart left and right, and vibrato, which sets in after a moment."""
    del fundamental_hz
    swing_s = (2.0 ** (voice.vibrato_cents / 1200) - 1) / (2 * np.pi * voice.vibrato_hz)
    moved = np.empty_like(out)
    turn = 2 * np.pi * voice.vibrato_hz / SAMPLE_RATE_HZ
    _waver(out, moved, turn, voice.tremolo, swing_s * SAMPLE_RATE_HZ, 0.15 * SAMPLE_RATE_HZ, 0.4 * SAMPLE_RATE_HZ)
    return moved


@compiled
def _waver(x: Floats, out: Floats, turn: float, depth: float, swing: float, wait: float, rise: float) -> None:
    """Read `x` at a wavering place and loudness; all times in frames, `turn` in radians per frame."""
    last = x.shape[0] - 2
    sine, cosine = 0.0, 1.0
    step_sine, step_cosine = np.sin(turn), np.cos(turn)
    for i in range(x.shape[0]):
        onset = min(1.0, max(0.0, (i - wait) / rise))
        place = min(max(i + swing * onset * sine, 0.0), last)
        index = int(place)
        part = place - index
        left = 1 - depth * (0.5 + 0.5 * sine)
        right = 1 - depth * (0.5 + 0.5 * (0.36 * sine + 0.93 * cosine))
        out[i, 0] = left * (x[index, 0] * (1 - part) + x[index + 1, 0] * part)
        out[i, 1] = right * (x[index, 1] * (1 - part) + x[index + 1, 1] * part)
        sine, cosine = sine * step_cosine + cosine * step_sine, cosine * step_cosine - sine * step_sine
