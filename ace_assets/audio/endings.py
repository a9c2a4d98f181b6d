"""How a piece ends: with a decay or a fade, cut off while it sounds, or in noise.

Trailing silence is ignored: an ending is judged where the sound ends. A cut is told from a decay by time, not by level: what
was sounding a moment ago is gone within milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ace_assets.audio.band import window_powers
from ace_assets.audio.gaps import SILENCE_DBFS, active_level_db, levels_db
from ace_assets.audio.grains import Grains

END_BELOW_ACTIVE_DB = 50.0
JUST_BEFORE_MS = (60, 10)  # before the end: what level the sound had
FALL_DB = 12.0
NOISE_WINDOW_S = 0.17  # resolves the lines of all but the lowest notes
NOISE_HOP_S = 0.043
NOISE_TAIL_S = 8.0
BODY_HOP_S = 1.0
NOISE_FLATNESS = 0.47  # noise of any colour has 0.56
FLOOR_STEADY_DB = 3.0
FLOOR_BODY_PERCENTILE = 60.0
LOWEST_NOISE_HZ, HIGHEST_NOISE_HZ = 300.0, 15_000.0


@dataclass(frozen=True)
class Ending:
    """The last moments of the sound.

    Attributes:
        level_db: level from 60 to 10 ms before the end, relative to the level of the whole.
        fall_ms: how long before its end the sound was still within 12 dB of that. A fade of any length takes more than a
            tenth of its time for it, a cut none.
        noise_s: how long the sound has been noise when it ends.
        noise_level_db: level of that noise relative to the whole.
        noise_spread_db: how much its level varies; noise that was put there stands still, a cymbal decays.
        noise_above_body: how much more noise-like it is than the middle of the piece.
        floor_s: how long before its end what lies between the notes has stood still.
        floor_spread_db: how much that varies meanwhile.
        floor_level_db: its level relative to the music, both above 300 Hz.
        end_flatness: 0 to 1, how noise-like the last moments are.
        floor_rise_db: how far it stands above what lies between the notes in the middle of the piece.
        body_flatness: 0 to 1, how noise-like the middle of the piece is; about 0.56 for noise of any colour.
    """

    level_db: float
    fall_ms: float
    noise_s: float
    noise_level_db: float
    noise_spread_db: float
    noise_above_body: float
    floor_s: float
    floor_spread_db: float
    floor_level_db: float
    end_flatness: float
    floor_rise_db: float
    body_flatness: float


def _flatness(power: NDArray[np.float32], bin_hz: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return per frame of (frames, bins) power how flat it is inside thirds of octaves, weighted by energy, and the energy.

    Inside a narrow band noise of any colour is flat, while notes stand out.
    """
    highest = min(HIGHEST_NOISE_HZ, 0.9 * bin_hz * (power.shape[1] - 1))
    edges = [LOWEST_NOISE_HZ * 2.0 ** (k / 3.0) for k in range(20)]
    bins = [round(edge / bin_hz) for edge in edges if edge <= highest]
    numerator = np.zeros(len(power))
    total = np.full(len(power), 1e-20)
    for low, high in pairwise(bins):
        band = power[:, low:high] + np.float32(1e-16)
        energy = band.sum(axis=1)
        numerator += np.exp(np.log(band).mean(axis=1)) * (high - low)
        total += energy
    return numerator / total, total


def flatness_of(
    samples: NDArray[np.float32], sample_rate_hz: int, hop_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return flatness and energy of one 170-ms window per hop of (frames, channels) samples, mixed down."""
    window = scipy.fft.next_fast_len(round(NOISE_WINDOW_S * sample_rate_hz), real=True)
    hop = round(hop_s * sample_rate_hz)
    if len(samples) < window:
        return np.zeros(0), np.zeros(0)
    parts = [_flatness(power, sample_rate_hz / window) for power in window_powers(samples, window, hop)]
    return np.concatenate([flat for flat, _ in parts]), np.concatenate([energy for _, energy in parts])


def _floor_of(
    flat: NDArray[np.float64], energy: NDArray[np.float64], body: NDArray[np.float64], body_energy: NDArray[np.float64]
) -> tuple[float, float, float, float, float]:
    """Return length, spread, level, flatness and rise of the steady noise between the notes at the end; see `Ending`."""
    if flat.size < 4 or not body.size:
        return 0.0, 0.0, SILENCE_DBFS, 0.0, 0.0
    course = 10.0 * np.log10(flat * energy + 1e-20)[:-1]
    steady = float(np.median(course[-4:]))
    other = np.flatnonzero(np.abs(course[::-1] - steady) > FLOOR_STEADY_DB)
    count = int(other[0]) if other.size else course.size
    run = course[course.size - count :]
    before = 10.0 * np.log10(body * body_energy + 1e-20)
    return (
        count * NOISE_HOP_S,
        float(run.std()) if count else 0.0,
        steady - float(10.0 * np.log10(body_energy.mean() + 1e-20)),
        float(np.median(flat[-5:-1])),
        steady - float(np.percentile(before, FLOOR_BODY_PERCENTILE)),
    )


def judge_ending(samples: NDArray[np.float32], sample_rate_hz: int, grains: Grains) -> Ending | None:
    """Return how (frames, channels) samples end; None for silence and for less than a tenth of a second."""
    if len(grains.mean) < 2 * JUST_BEFORE_MS[0]:
        return None
    offset = np.median(grains.mean, axis=0)  # a constant is no sound: a fade that ends at it is complete
    around_offset = grains.energy - 2.0 * offset * grains.mean + offset**2
    together = np.clip(np.minimum(grains.energy, around_offset), 0.0, None).mean(axis=1)
    active = active_level_db(together)
    if active <= SILENCE_DBFS:
        return None
    levels = levels_db(together)
    end = int(np.flatnonzero(levels > max(active - END_BELOW_ACTIVE_DB, -85.0))[-1]) + 1
    if end < 2 * JUST_BEFORE_MS[0]:
        return None
    before = float(10.0 * np.log10(together[end - JUST_BEFORE_MS[0] : end - JUST_BEFORE_MS[1]].mean() + 1e-12))
    above = np.flatnonzero(levels[:end] > before - FALL_DB)
    fall_ms = float(end - 1 - above[-1]) if above.size else 0.0
    last_frame = end * grains.frames_per_grain
    first_frame = max(0, last_frame - round(NOISE_TAIL_S * sample_rate_hz))
    flat, energy = flatness_of(samples[first_frame:last_frame], sample_rate_hz, NOISE_HOP_S)
    body, body_energy = flatness_of(samples[:first_frame], sample_rate_hz, BODY_HOP_S)
    body_flatness = float(np.median(body)) if body.size else 0.0
    floor = _floor_of(flat, energy, body, body_energy)
    tonal = np.flatnonzero(flat[::-1][1:] < NOISE_FLATNESS)  # the very last window may hold the cut
    count = int(tonal[0]) if tonal.size else max(0, flat.size - 1)
    if count < 2:
        return Ending(before - active, fall_ms, 0.0, 0.0, 0.0, 0.0, *floor, body_flatness)
    run = slice(flat.size - 1 - count, flat.size - 1)
    # The first windows of the run may still hold some of the music.
    course = 10.0 * np.log10(energy[run])[min(round(NOISE_WINDOW_S / NOISE_HOP_S), count // 2) :]
    last_ms = round(1000 * count * NOISE_HOP_S)
    level = 10.0 * np.log10(together[max(0, end - last_ms) : end].mean() + 1e-12)
    return Ending(
        before - active,
        fall_ms,
        count * NOISE_HOP_S,
        float(level - active),
        float(course.std()),
        float(np.median(flat[run])) - body_flatness,
        *floor,
        body_flatness,
    )
