"""The light master of a take: tone, width, loudness, peak limit, fade. All of it is measured, nothing is guessed.

Tone and loudness are read from the power spectra of windows all over the take; the same spectra tell what an equaliser
will do to the loudness, so that the take itself is touched only once by the filters and once by the limiter.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft

from ace_assets.audio.compiled import compiled
from ace_assets.preview.synth import SAMPLE_RATE_HZ

PEAK_DBFS = -2.4
_WINDOW = 16384
_WINDOWS = 48
_MOST_REDUCTION_DB = 7.0
_LIMIT_BLOCK = 48
_RIDE_HOP_S, _RIDE_WINDOW_S, _RIDE_ABOVE_HZ = 0.25, 2.0, 200.0
_RIDE_SHARE, _MOST_RIDE_DB = 0.55, 5.0
_DIMINUENDO_S, _DIMINUENDO_DB = 9.0, 2.5
_BANDS_HZ = (63.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 14000.0)
_SHELVES = (("low", 110.0), ("bell", 320.0), ("high", 2600.0), ("high", 8500.0))
_MOST_EQ_DB = (4.0, 3.0, 6.0, 6.0)
_SIDE_DB = (-11.0, -5.5)  # side against middle: narrower is widened, wider is narrowed
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


def _biquad(kind: str, hz: float, gain_db: float) -> Doubles:
    """Return b0 b1 b2 a1 a2 of a shelf or bell (Robert Bristow-Johnson's cookbook), or of a high-pass."""
    w = 2 * np.pi * hz / SAMPLE_RATE_HZ
    cos, sin = np.cos(w), np.sin(w)
    a = 10 ** (gain_db / 40)
    if kind == "pass":
        alpha = sin / (2 * 0.7071)
        b = np.array([(1 + cos) / 2, -(1 + cos), (1 + cos) / 2])
        d = np.array([1 + alpha, -2 * cos, 1 - alpha])
    elif kind == "bell":
        alpha = sin / (2 * 0.6)
        b = np.array([1 + alpha * a, -2 * cos, 1 - alpha * a])
        d = np.array([1 + alpha / a, -2 * cos, 1 - alpha / a])
    else:
        sign = 1.0 if kind == "low" else -1.0
        alpha = 2 * np.sqrt(a) * sin / (2 * 0.6)
        b = a * np.array(
            [
                (a + 1) - sign * (a - 1) * cos + alpha,
                sign * 2 * ((a - 1) - sign * (a + 1) * cos),
                (a + 1) - sign * (a - 1) * cos - alpha,
            ]
        )
        d = np.array(
            [
                (a + 1) + sign * (a - 1) * cos + alpha,
                -sign * 2 * ((a - 1) + sign * (a + 1) * cos),
                (a + 1) + sign * (a - 1) * cos - alpha,
            ]
        )
    return np.asarray(np.concatenate([b, d[1:]]) / d[0], np.float64)


def _response(biquad: Doubles, hz: Doubles) -> Doubles:
    """Return the power response of a biquad at some frequencies."""
    z = np.exp(-2j * np.pi * hz / SAMPLE_RATE_HZ)
    b0, b1, b2, a1, a2 = biquad
    return np.asarray(np.abs((b0 + b1 * z + b2 * z * z) / (1 + a1 * z + a2 * z * z)) ** 2)


def _k_weighting(hz: Doubles) -> Doubles:
    """Return the power response of the K-weighting of ITU-R BS.1770 as a shelf and a high-pass."""
    shelf_db, corner_hz, pass_hz = 4.0, 1682.0, 38.1
    x = (hz / corner_hz) ** 2
    shelf = (1 + x * 10 ** (shelf_db / 10)) / (1 + x)
    return np.asarray(shelf * (hz**4 / (hz**4 + pass_hz**4)))


def _spectra(x: Floats) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """Return frequencies, the mean power of middle and side, and their cross power, over the louder windows of a take."""
    window = np.hanning(_WINDOW).astype(np.float32)
    size = min(_WINDOW, len(x))
    places = np.linspace(0, max(0, len(x) - size), _WINDOWS).astype(int)
    powers = np.empty((len(places), 3, _WINDOW // 2 + 1))
    for row, place in enumerate(places):
        part = x[place : place + size]
        pair = np.stack([part[:, 0] + part[:, 1], part[:, 0] - part[:, 1]]) * np.float32(0.5) * window[:size]
        spectra = rfft(pair, _WINDOW, axis=1)
        powers[row, :2] = np.abs(spectra) ** 2
        powers[row, 2] = (spectra[0] * spectra[1].conj()).real
    hz = np.asarray(np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE_HZ), np.float64)
    loud = 10 * np.log10((powers[:, :2] * _k_weighting(hz)).sum(axis=(1, 2)) + 1e-12)
    kept = powers[loud > loud.max() - 14.0]
    mean = kept.mean(axis=0) / (np.sum(window[:size].astype(np.float64) ** 2) * SAMPLE_RATE_HZ / 2)
    return hz, mean[0], mean[1], mean[2]


def _band_levels_db(hz: Doubles, power: Doubles) -> Doubles:
    return np.array(
        [10 * np.log10(power[(hz > f / 1.41) & (hz < min(f * 1.41, 18000.0))].mean() + 1e-20) for f in _BANDS_HZ]
    )


def _equaliser(hz: Doubles, power: Doubles, tilt_db_per_octave: float) -> list[Doubles]:
    """Return the filters that bring a spectrum towards the slope wanted, each within its limits."""
    bands = np.array(_BANDS_HZ)
    target = tilt_db_per_octave * np.log2(np.maximum(bands, 100.0) / 1000.0) - 1.5 * np.maximum(
        0, np.log2(bands / 4000.0)
    )
    weights = np.array([0.6, 1, 1, 1, 1, 1, 1, 1, 0.8])
    error = target - _band_levels_db(hz, power)
    shapes = np.array([10 * np.log10(_response(_biquad(kind, f, 6.0), bands)) / 6.0 for kind, f in _SHELVES])
    matrix = np.concatenate([shapes, np.ones((1, len(bands)))]).T * weights[:, None]
    ridge = np.diag([0.25, 0.5, 0.12, 0.12, 0.0])
    gains = np.linalg.solve(matrix.T @ matrix + ridge, matrix.T @ (error * weights))[:-1]
    filters = [_biquad("pass", 26.0, 0.0)]
    for (kind, f), gain, most in zip(_SHELVES, gains, _MOST_EQ_DB, strict=True):
        filters.append(_biquad(kind, f, float(np.clip(gain, -most, most))))
    return filters


@compiled
def _filter_in_place(x: Floats, filters: Doubles, widen: float, balance: float) -> float:
    """Run middle and side through a chain of biquads, widen and balance them, and return the largest sample."""
    count = filters.shape[0]
    state = np.zeros((count, 2, 2))
    peak = 0.0
    for i in range(x.shape[0]):
        m = (x[i, 0] + x[i, 1]) * 0.5
        s = (x[i, 0] - x[i, 1]) * 0.5
        for f in range(count):
            y = filters[f, 0] * m + state[f, 0, 0]
            state[f, 0, 0] = filters[f, 1] * m - filters[f, 3] * y + state[f, 0, 1]
            state[f, 0, 1] = filters[f, 2] * m - filters[f, 4] * y
            m = y
            y = filters[f, 0] * s + state[f, 1, 0]
            state[f, 1, 0] = filters[f, 1] * s - filters[f, 3] * y + state[f, 1, 1]
            state[f, 1, 1] = filters[f, 2] * s - filters[f, 4] * y
            s = y
        left = (m + s * widen) / balance
        right = (m - s * widen) * balance
        x[i, 0] = left
        x[i, 1] = right
        peak = max(peak, abs(left), abs(right))
    return peak


@compiled
def _limit_in_place(x: Floats, gain: float, ceiling: float, block: int) -> None:
    """Scale and limit: the gain of a block is never above what its neighbours allow, and moves in straight lines."""
    frames = x.shape[0]
    count = frames // block + 2
    wanted = np.ones(count)
    for b in range(count):
        peak = 0.0
        for i in range(b * block, min(frames, (b + 1) * block)):
            peak = max(peak, abs(x[i, 0]), abs(x[i, 1]))
        if peak * gain > ceiling:
            wanted[b] = ceiling / (peak * gain)
    held = np.ones(count)
    for b in range(count):
        for n in range(max(0, b - 2), min(count, b + 3)):
            held[b] = min(held[b], wanted[n])
    for b in range(1, count):  # release: about 80 ms
        held[b] = min(held[b], held[b - 1] + (1 - held[b - 1]) * 0.0125)
    for b in range(count - 2, -1, -1):  # attack: about 3 ms
        held[b] = min(held[b], held[b + 1] + 0.35 * (1 - held[b + 1]) + 0.02)
    for i in range(frames):
        b = i // block
        part = (i - b * block) / block
        g = gain * (held[b] * (1 - part) + held[b + 1] * part)
        x[i, 0] *= g
        x[i, 1] *= g


@compiled
def _hop_energies(x: Floats, hop: int, low: float, out: Doubles) -> None:
    """Write the mean square of every hop without its lowest frequencies; `low` is the coefficient of the low-pass."""
    left = right = 0.0
    for h in range(out.shape[0]):
        total = 0.0
        for i in range(h * hop, min(x.shape[0], (h + 1) * hop)):
            left += low * (x[i, 0] - left)
            right += low * (x[i, 1] - right)
            total += (x[i, 0] - left) ** 2 + (x[i, 1] - right) ** 2
        out[h] = total / hop


@compiled
def _ride_in_place(x: Floats, gains: Doubles, hop: int) -> None:
    """Multiply by gains that are given once a hop, in straight lines from one to the next."""
    for i in range(x.shape[0]):
        h = i // hop
        part = (i - h * hop) / hop
        g = gains[h] * (1 - part) + gains[h + 1] * part
        x[i, 0] *= g
        x[i, 1] *= g


def _level(x: Floats, until_s: float) -> None:
    """Even out slow changes of loudness by half, as a hand on the fader does, and grow softer towards the ending."""
    hop = int(_RIDE_HOP_S * SAMPLE_RATE_HZ)
    energies = np.zeros(-(-len(x) // hop))
    _hop_energies(x, hop, 2 * np.pi * _RIDE_ABOVE_HZ / SAMPLE_RATE_HZ, energies)
    body = max(4, min(len(energies), int(until_s / _RIDE_HOP_S)))
    reach = min(body // 2, int(_RIDE_WINDOW_S / _RIDE_HOP_S))
    window = np.hanning(2 * reach + 3)[1:-1]
    padded = np.pad(energies[:body], reach, mode="reflect")
    smooth = 10 * np.log10(np.convolve(padded, window / window.sum(), mode="valid") + 1e-12)
    gains_db = np.clip(_RIDE_SHARE * (np.median(smooth) - smooth), -_MOST_RIDE_DB, _MOST_RIDE_DB)
    softer = min(body // 3, int(_DIMINUENDO_S / _RIDE_HOP_S))
    gains_db[body - softer :] -= np.linspace(0, _DIMINUENDO_DB, softer)
    gains = np.full(len(energies) + 1, gains_db[-1])
    gains[:body] = gains_db
    _ride_in_place(x, 10 ** (gains / 20), hop)


def master(x: Floats, *, tilt_db_per_octave: float, loudness_lufs: float, fade_from_s: float) -> Floats:
    """Master a mix in place and return it: sample peak at `PEAK_DBFS`, silence at the end.

    Args:
        x: the mix, `(frames, 2)` float32.
        tilt_db_per_octave: slope wanted of the spectrum above 100 Hz.
        loudness_lufs: loudness wanted; a take that would need more than 7 dB of limiting stays quieter.
        fade_from_s: when the last fade begins, seconds.
    """
    _fade(x, fade_from_s)
    _level(x, fade_from_s)
    hz, middle, side, cross = _spectra(x)
    filters = _equaliser(hz, middle + side, tilt_db_per_octave)
    response = np.prod([_response(biquad, hz) for biquad in filters], axis=0)
    middle, side, cross = middle * response, side * response, cross * response
    weights = _k_weighting(hz)
    side_db = 10 * np.log10((side.sum() + 1e-20) / (middle.sum() + 1e-20))
    widen = 10 ** ((float(np.clip(side_db, *_SIDE_DB)) - side_db) / 20)
    widen = min(widen, 2.0)
    power = 2 * ((middle + side * widen**2) * weights).sum() * (hz[1] - hz[0])
    now_lufs = -0.691 + 10 * np.log10(power + 1e-20)
    peak = _filter_in_place(x, np.array(filters), widen, _imbalance(middle, side, cross, widen))
    ceiling = 10 ** (PEAK_DBFS / 20)
    to_peak = ceiling / max(peak, 1e-9)
    to_loudness = 10 ** ((loudness_lufs - now_lufs) / 20)
    gain = min(max(to_peak, to_loudness), to_peak * 10 ** (_MOST_REDUCTION_DB / 20))
    _limit_in_place(x, gain, ceiling, _LIMIT_BLOCK)
    return x


def _imbalance(middle: Doubles, side: Doubles, cross: Doubles, widen: float) -> float:
    """Return the gain that takes a side back to the centre: the fourth root of left against right in power."""
    both = float((middle + side * widen**2).sum())
    apart = 2 * widen * float(cross.sum())
    return float(np.clip(((both + apart) / max(both - apart, 1e-20)) ** 0.25, 0.8, 1.25))


def _fade(x: Floats, fade_from_s: float) -> None:
    """Let the end die away to exact silence, and the start rise within 5 ms."""
    start = min(len(x) - 1, int(fade_from_s * SAMPLE_RATE_HZ))
    left = len(x) - start
    ramp = np.linspace(1, 0, left, dtype=np.float32)
    x[start:] *= (ramp * ramp * (3 - 2 * ramp) * ramp)[:, None]
    rise = min(len(x), 240)
    x[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)[:, None]
