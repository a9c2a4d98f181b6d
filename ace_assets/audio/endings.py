"""How a piece ends: with a decay or a fade, cut off while it sounds, or in noise.

Trailing silence is ignored: an ending is judged where the sound ends. A cut is told from a decay by time, not by level: what
was sounding a moment ago is gone within milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ace_assets.audio.gaps import SILENCE_DBFS, active_level_db, levels_db
from ace_assets.audio.grains import Grains

STEP_MS = 5
END_BELOW_ACTIVE_DB = 60.0
LOCAL_FROM_MS, LOCAL_TO_MS = 300, 50
FALL_DB = 20.0
NOISE_WINDOW = 2048
NOISE_TAIL_S = 8.0
LOWEST_NOISE_HZ, HIGHEST_NOISE_HZ = 300.0, 15_000.0


@dataclass(frozen=True)
class Ending:
    """The last moments of the sound.

    Attributes:
        level_db: level of the last third of a second relative to the level of the whole.
        fall_ms: how long before its end the sound was still within 20 dB of that.
        noise_flatness: 0 to 1, how noise-like the last half second is; about 0.56 for noise of any colour.
        body_flatness: the same for the middle of the piece.
        noise_level_db: level of that half second relative to the whole.
        noise_s: how long the noise-like ending lasts.
    """

    level_db: float
    fall_ms: float
    noise_flatness: float
    body_flatness: float
    noise_level_db: float
    noise_s: float


def _flatness(power: NDArray[np.float64], bin_hz: float) -> NDArray[np.float64]:
    """Return per frame of (frames, bins) power how flat the spectrum is inside thirds of octaves, weighted by energy.

    Inside a narrow band noise of any colour is flat, while notes stand out.
    """
    edges = [LOWEST_NOISE_HZ * 2.0 ** (k / 3.0) for k in range(18)]
    bins = [round(edge / bin_hz) for edge in edges if edge <= min(HIGHEST_NOISE_HZ, 0.45 * bin_hz * 2 * power.shape[1])]
    numerator = np.zeros(len(power))
    denominator = np.full(len(power), 1e-20)
    for low, high in zip(bins, bins[1:], strict=False):
        if high - low < 4:
            continue
        band = power[:, low:high]
        mean = band.mean(axis=1)
        flat = np.exp(np.log(band + 1e-16).mean(axis=1)) / (mean + 1e-16)
        energy = mean * (high - low)
        numerator += flat * energy
        denominator += energy
    return np.asarray(numerator / denominator)


def flatness_of(signal: NDArray[np.float32], sample_rate_hz: int, hop: int) -> NDArray[np.float64]:
    """Return the flatness of each 2048-sample window of a mono signal."""
    if signal.size < NOISE_WINDOW:
        return np.zeros(0)
    cut = np.lib.stride_tricks.sliding_window_view(signal, NOISE_WINDOW)[::hop]
    spectrum = np.abs(scipy.fft.rfft(cut * np.hanning(NOISE_WINDOW).astype(np.float32), axis=1)) ** 2
    return _flatness(spectrum.astype(np.float64), sample_rate_hz / NOISE_WINDOW)


def judge_ending(samples: NDArray[np.float32], sample_rate_hz: int, grains: Grains) -> Ending | None:
    """Return how (frames, channels) samples end; None for silence."""
    together = grains.energy.mean(axis=1)
    active = active_level_db(together)
    if active <= SILENCE_DBFS:
        return None
    levels = levels_db(together)
    end = int(np.flatnonzero(levels > max(active - END_BELOW_ACTIVE_DB, -85.0))[-1]) + 1
    steps = end // STEP_MS
    if steps < LOCAL_FROM_MS // STEP_MS:
        return None
    coarse = levels_db(together[end - steps * STEP_MS : end].reshape(steps, STEP_MS).mean(axis=1))
    local_energy = together[max(0, end - LOCAL_FROM_MS) : end - LOCAL_TO_MS].mean()
    local = float(10.0 * np.log10(local_energy + 1e-12))
    above = np.flatnonzero(coarse > local - FALL_DB)
    fall_ms = float((steps - 1 - above[-1]) * STEP_MS)
    last_frame = end * grains.frames_per_grain
    first_frame = max(0, last_frame - round(NOISE_TAIL_S * sample_rate_hz))
    tail = samples[first_frame:last_frame].mean(axis=1)
    hop = NOISE_WINDOW // 2
    flat = flatness_of(tail, sample_rate_hz, hop)
    body = flatness_of(samples[:first_frame].mean(axis=1), sample_rate_hz, max(hop, sample_rate_hz // 2))
    half_second = max(3, round(0.4 * sample_rate_hz / hop))
    noise = float(np.median(flat[-half_second:])) if flat.size else 0.0
    below = np.flatnonzero(flat[::-1] < 0.4)
    noise_s = float((below[0] if below.size else flat.size) * hop / sample_rate_hz)
    noise_level = 10.0 * np.log10(together[max(0, end - 400) : end].mean() + 1e-12) - active
    return Ending(
        local - active, fall_ms, noise, float(np.median(body)) if body.size else 0.0, float(noise_level), noise_s
    )
