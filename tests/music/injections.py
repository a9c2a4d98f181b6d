"""Faults put into sound music on purpose, at severities that a listener would notice, drawn from a seed.

Each draws its kind, place and severity anew from the generator that it is given; none looks at what a gate can see.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Samples = NDArray[np.float32]


def _level(x: Samples) -> float:
    """Root mean square of what sounds."""
    power = (x.astype(np.float64) ** 2).mean(axis=1)
    return float(np.sqrt(power[power > 1e-7].mean())) if (power > 1e-7).any() else 0.0


def _loud_place(x: Samples, rate: int, rng: np.random.Generator, margin_s: float = 2.0) -> int:
    """Return a frame inside the body at which music sounds in every channel that the piece uses."""
    return _one_of(_loud_places(x, rate, margin_s), len(x), rng)


def _one_of(places: NDArray[np.intp], frames: int, rng: np.random.Generator) -> int:
    return int(places[int(rng.integers(places.size))]) if places.size else frames // 2


def _loud_places(x: Samples, rate: int, margin_s: float = 2.0) -> NDArray[np.intp]:
    """Return all frames at which music sounds in every channel that the piece uses."""
    power = x.astype(np.float64) ** 2
    used = power.mean(axis=0) > 0.01 * power.mean()
    width = int(0.1 * rate)
    power = power[:, used]
    sums = np.concatenate([np.zeros((1, power.shape[1])), np.cumsum(power, axis=0)])
    smooth = (sums[width:] - sums[:-width]) / width
    good = np.flatnonzero((smooth > 0.02 * power.mean(axis=0)).all(axis=1)) + width // 2
    margin = int(margin_s * rate)
    return good[(good > margin) & (good < len(x) - margin)]


def silence(x: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """Nothing at all, next to nothing, mostly nothing, or a hole of some seconds, cut or faded."""
    kind = int(rng.integers(5))
    if kind == 0:
        return np.zeros_like(x)
    out = x.copy()
    if kind == 1:
        return np.asarray(out * 1e-5, np.float32)
    if kind == 2:
        keep = int(float(rng.uniform(0.1, 0.35)) * len(x))
        out[keep:] = 0
        return out
    at = _loud_place(x, rate, rng, 5.5)
    fade = int(float(rng.uniform(0.02, 0.5)) * rate) if kind == 4 else 0
    n = int(float(rng.uniform(1.0 if kind == 3 else 2.0, 5.0)) * rate)
    gain = np.concatenate([np.linspace(1, 0, fade), np.zeros(n), np.linspace(0, 1, fade)]).astype(np.float32)
    part = out[at : at + len(gain)]
    part *= gain[: len(part), None]
    return out


def dropout(x: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """One to six gaps of 20 ms to 1 s: silence or nearly, cut or briefly faded, or a stuck sample; both channels or one."""
    out = x.copy()
    stuck = rng.random() < 0.2
    places = _loud_places(x, rate)
    for _ in range(int(rng.integers(1, 7))):
        at = _one_of(places, len(x), rng)
        n = int(float(np.exp(rng.uniform(np.log(0.02), 0.0))) * rate)
        channels = slice(None) if rng.random() < 0.7 or x.shape[1] == 1 else slice(0, 1)
        if stuck:
            out[at : at + n, channels] = out[at - 1, channels]
            continue
        gain = np.full(n, float(rng.choice([0.0, 0.0, 1e-3])))
        fade = min(n // 3, int(float(rng.choice([0.0, 0.0, 0.002, 0.005, 0.012])) * rate))
        if fade:
            ramp = np.linspace(1.0, gain[0], fade)
            gain[:fade], gain[-fade:] = ramp, ramp[::-1]
        part = out[at : at + n, channels]
        part *= gain[: len(part), None].astype(np.float32)
    return out


def clipping(x: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """Driven 3 to 12 dB over a ceiling, hard or with a knee, on both sides or one, all through or in part, turned down or not."""
    peak = float(np.quantile(np.abs(x), 0.9999))
    driven = (x * np.float32(10 ** (float(rng.uniform(3, 12)) / 20) / max(peak, 1e-6))).astype(np.float64)
    if rng.random() < 0.2:  # a knee that rounds the corner, then the ceiling
        bent = np.abs(driven)
        bent = np.where(bent < 0.7, bent, 0.7 + 0.3 * np.tanh((bent - 0.7) / 0.25))
        driven_up = np.copysign(bent / 0.97, driven)
    else:
        driven_up = driven
    low = -1.0 if rng.random() < 0.8 else -np.inf
    clipped = np.clip(driven_up, low, 1.0)
    if rng.random() < 0.25:
        first = len(x) // 3
        mixed = driven / max(1.0, float(np.abs(driven).max()))
        mixed[first : 2 * first] = clipped[first : 2 * first]
        clipped = mixed
    clipped = clipped / max(1.0, float(np.abs(clipped).max()))
    gain = float(rng.choice([1.0, 0.98, 0.5, 0.2]))
    if rng.random() < 0.3:
        clipped = clipped + rng.triangular(-1, 0, 1, clipped.shape) / 32768
    return np.asarray(np.round(clipped * gain * 32767) / 32768, np.float32)


def dc_offset(x: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """A constant of 0.02 to 0.3, in both channels or one."""
    constant = float(np.exp(rng.uniform(np.log(0.02), np.log(0.3))) * rng.choice([-1, 1]))
    out = x * np.float32(1.0 - abs(constant))
    if rng.random() < 0.7 or x.shape[1] == 1:
        return np.asarray(out + constant, np.float32)
    out[:, 0] += np.float32(constant)
    return out


def abrupt_ending(x: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """Cut off while it sounds, with a fade of no more than 10 ms, silence after it or not."""
    at = _loud_place(x, rate, rng, 8.0)
    out = x[:at].copy()
    fade = int(float(rng.choice([0.0, 0.003, 0.006, 0.01])) * rate)
    if fade:
        out[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    if rng.random() < 0.4:
        out = np.concatenate([out, np.zeros((int(rng.uniform(0.1, 1.0) * rate), x.shape[1]), np.float32)])
    return out


def phase_cancellation(x: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """One channel inverted, all through or for a part of at least three tenths, or the middle nearly removed."""
    out = x.copy() if x.shape[1] == 2 else np.repeat(x, 2, axis=1)
    kind = int(rng.integers(3))
    if kind == 0:
        out[:, 1] *= -1
    elif kind == 1:
        share = float(rng.uniform(0.3, 0.7))
        first = int(rng.uniform(0.0, 0.95 - share) * len(out))
        out[first : first + int(share * len(out)), 1] *= -1
    else:
        middle = out.mean(axis=1, keepdims=True)
        side = (out[:, :1] - out[:, 1:]) / 2
        wrong = middle * np.float32(0.8) + side
        out = np.concatenate([wrong, -wrong + np.float32(0.2) * middle], axis=1)
    return np.ascontiguousarray(out)


def band_limited(x: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """Nothing above 2 to 11 kHz: filters of fourth to tenth order, a brick wall, or a trip through a low rate."""
    cutoff = float(
        rng.choice([8000.0, 11_025.0]) if rng.random() < 0.25 else np.exp(rng.uniform(np.log(2000), np.log(8000)))
    )
    kind = int(rng.integers(4))
    if kind <= 1:
        order = int(rng.choice([6, 8, 10])) if cutoff > 6000 else int(rng.choice([4, 6, 8]))
        return np.asarray(signal.sosfilt(signal.butter(order, cutoff, fs=rate, output="sos"), x, axis=0), np.float32)
    if kind == 2:
        spectrum = np.fft.rfft(x, axis=0)
        spectrum[np.fft.rfftfreq(len(x), 1 / rate) > cutoff] = 0
        return np.asarray(np.fft.irfft(spectrum, len(x), axis=0), np.float32)
    low = signal.resample_poly(x, int(2 * cutoff) // 100, rate // 100, axis=0)
    back = signal.resample_poly(low, rate // 100, int(2 * cutoff) // 100, axis=0)
    return np.ascontiguousarray(back[: len(x)], np.float32)


def noise_ending(x: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """Half a second to five seconds of white, pink, brown or high noise in place of the ending or over it."""
    n = int(float(rng.uniform(0.5, 5.0)) * rate)
    noise = rng.standard_normal((n, x.shape[1]))
    colour = int(rng.integers(4))
    if colour in (1, 2):
        spectrum = np.fft.rfft(noise, axis=0)
        steepness = 0.5 if colour == 1 else 1.0
        spectrum /= (np.maximum(np.arange(len(spectrum)), 30.0 * n / rate) ** steepness)[:, None]
        noise = np.fft.irfft(spectrum, n, axis=0)
    elif colour == 3:
        noise = signal.sosfilt(signal.butter(2, 4000, "high", fs=rate, output="sos"), noise, axis=0)
    instead = rng.random() < 0.6
    noise *= _level(x) * 10 ** (float(rng.uniform(-30 if instead else -18, -6)) / 20) / noise.std()
    out = x.copy()
    if instead:
        out[-n:] = noise
    else:
        out[-n:] += noise.astype(np.float32)
    return np.clip(out, -1, 1)


def wrong_duration(x: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """Half a second to ten seconds short, with a proper fade, or as much too long."""
    n = int(float(rng.uniform(0.5, 10.0)) * rate)
    if rng.random() < 0.7:
        out = x[: len(x) - n].copy()
        fade = min(len(out), 2 * rate)
        out[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None] ** 2
        return out
    return np.concatenate([np.zeros((n, x.shape[1]), np.float32), x])


def non_finite(x: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """A NaN or an infinity, one sample or many, anywhere."""
    out = x.copy()
    first = int(rng.integers(len(x)))
    out[first : first + int(rng.choice([1, 100])), int(rng.integers(x.shape[1]))] = float(
        rng.choice([np.nan, np.inf, -np.inf])
    )
    return out


INJECTIONS: dict[str, Callable[[Samples, int, np.random.Generator], Samples]] = {
    gate.__name__: gate
    for gate in (
        silence,
        dropout,
        clipping,
        dc_offset,
        abrupt_ending,
        phase_cancellation,
        band_limited,
        noise_ending,
        wrong_duration,
        non_finite,
    )
}
