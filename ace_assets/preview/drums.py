"""The drums: short stereo sounds from noise and sweeping sines, always the same for a name and variant."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft

SAMPLE_RATE_HZ = 48_000
VARIANTS = 3
Floats = npt.NDArray[np.float32]


def noise_band(frames: int, low_hz: float, high_hz: float, random: np.random.Generator, width: float = 0.5) -> Floats:
    """Return stereo noise of unit level between two frequencies, `(frames, 2)`; `width` 0 is mono."""
    size = next_fast_len(max(frames, 256), real=True)
    white = random.standard_normal((2, size), dtype=np.float32)
    spectrum = rfft(white, axis=1)
    hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ).astype(np.float32)
    with np.errstate(divide="ignore", over="ignore"):
        gain = 1 / np.sqrt(1 + (low_hz / np.maximum(hz, 1e-3)) ** 4) / np.sqrt(1 + (hz / high_hz) ** 4)
    middle, side = irfft(spectrum * gain.astype(np.float32), size, axis=1)[:, :frames]
    out = np.stack([middle + width * side, middle - width * side], axis=1).astype(np.float32)
    return np.ascontiguousarray(out / (np.sqrt(np.mean(out**2)) + 1e-9), np.float32)


def _time(seconds: float) -> Floats:
    return np.arange(int(seconds * SAMPLE_RATE_HZ), dtype=np.float32) / np.float32(SAMPLE_RATE_HZ)


def _burst(
    seconds: float, low: float, high: float, decay: float, random: np.random.Generator, width: float = 0.5
) -> Floats:
    t = _time(seconds)
    fall = np.float32(0.3) * np.exp(-t * np.float32(decay))
    return np.asarray(noise_band(len(t), low, high, random, width) * fall[:, None], np.float32)


def _tone(seconds: float, start_hz: float, end_hz: float, sweep: float, decay: float) -> Floats:
    """A sine that falls from one frequency to another, in both channels alike."""
    t = _time(seconds)
    phase = end_hz * t + (start_hz - end_hz) * (1 - np.exp(-t * np.float32(sweep))) / sweep
    wave = np.sin(2 * np.pi * phase) * np.exp(-t * np.float32(decay)) * np.minimum(1, t / 0.0012)
    return np.repeat(wave[:, None], 2, axis=1).astype(np.float32)


def _mix(*parts: tuple[float, Floats]) -> Floats:
    out = np.zeros((max(len(sound) for _, sound in parts), 2), np.float32)
    for gain, sound in parts:
        out[: len(sound)] += np.float32(gain) * sound
    return out


def _kick(r: np.random.Generator) -> Floats:
    return _mix(
        (0.95, _tone(0.42, 160, 47, 34, 9.5)),
        (0.25, _tone(0.09, 420, 110, 60, 45)),
        (0.22, _burst(0.03, 1500, 9000, 180, r, 0.1)),
    )


def _snare(r: np.random.Generator) -> Floats:
    return _mix(
        (0.42, _tone(0.2, 230, 178, 40, 24)),
        (0.85, _burst(0.3, 900, 15000, 18, r)),
        (0.35, _burst(0.04, 2500, 16000, 90, r)),
    )


def _clap(r: np.random.Generator) -> Floats:
    out = _burst(0.34, 800, 12000, 17, r, 0.8)
    for delay in (0.011, 0.021):
        start = int(delay * SAMPLE_RATE_HZ)
        hit = _burst(0.03, 900, 12000, 110, r, 0.8)
        out[start : start + len(hit)] += 1.2 * hit
    return out


def _rim(r: np.random.Generator) -> Floats:
    return _mix(
        (0.34, _tone(0.05, 1750, 1650, 50, 85)),
        (0.25, _tone(0.04, 520, 480, 50, 90)),
        (0.3, _burst(0.04, 2500, 14000, 120, r, 0.3)),
    )


def _hat(r: np.random.Generator) -> Floats:
    return _burst(0.11, 7200, 20000, 55, r, 0.6)


def _open(r: np.random.Generator) -> Floats:
    return _burst(0.42, 6200, 20000, 11, r, 0.7)


def _ride(r: np.random.Generator) -> Floats:
    ping = sum(
        (_tone(0.9, hz, hz, 1, 5.5) for hz in (3130.0, 4470.0, 5210.0, 6890.0)), start=np.zeros((1, 1), np.float32)
    )
    return _mix((0.03, ping), (0.55, _burst(0.9, 5200, 19000, 6, r, 0.7)), (0.3, _burst(0.05, 4000, 18000, 80, r, 0.5)))


def _crash(r: np.random.Generator) -> Floats:
    return _burst(2.4, 3200, 19000, 2.6, r, 0.8)


def _shaker(r: np.random.Generator) -> Floats:
    sound = _burst(0.12, 5200, 18000, 34, r, 0.5)
    rise = int(0.014 * SAMPLE_RATE_HZ)
    sound[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)[:, None]
    return sound


def _brush(r: np.random.Generator) -> Floats:
    sound = _burst(0.22, 1800, 14000, 20, r, 0.5)
    rise = int(0.008 * SAMPLE_RATE_HZ)
    sound[:rise] *= np.linspace(0.2, 1, rise, dtype=np.float32)[:, None]
    return sound


def _swirl(r: np.random.Generator) -> Floats:
    t = _time(0.5)
    swell = np.float32(0.07) * np.sin(np.pi * t / t[-1]) ** 2
    return np.asarray(noise_band(len(t), 1500, 11000, r, 0.8) * swell[:, None], np.float32)


def _conga(r: np.random.Generator) -> Floats:
    return _mix(
        (0.55, _tone(0.3, 262, 232, 30, 15)),
        (0.2, _tone(0.2, 520, 470, 30, 26)),
        (0.25, _burst(0.04, 1200, 9000, 110, r, 0.3)),
    )


def _tambourine(r: np.random.Generator) -> Floats:
    return _burst(0.2, 6500, 19000, 24, r, 0.6)


def _pedal(r: np.random.Generator) -> Floats:
    return _burst(0.07, 5000, 16000, 75, r, 0.4)


def _cajon(r: np.random.Generator) -> Floats:
    return _mix((0.4, _tone(0.16, 240, 205, 30, 30)), (0.7, _burst(0.14, 1200, 12000, 34, r, 0.4)))


def _frame(r: np.random.Generator) -> Floats:
    return _mix((0.75, _tone(0.6, 118, 86, 22, 8)), (0.3, _burst(0.06, 600, 7000, 70, r, 0.3)))


_DRUMS: dict[str, tuple[Callable[[np.random.Generator], Floats], float, float]] = {  # maker, gain, pan
    "kick": (_kick, 0.95, 0.0),
    "snare": (_snare, 0.55, 0.05),
    "clap": (_clap, 0.55, -0.05),
    "rim": (_rim, 0.5, 0.25),
    "hat": (_hat, 0.34, 0.25),
    "open": (_open, 0.3, -0.2),
    "ride": (_ride, 0.52, -0.3),
    "crash": (_crash, 0.3, -0.15),
    "shaker": (_shaker, 0.34, -0.35),
    "brush": (_brush, 0.6, 0.2),
    "swirl": (_swirl, 1.1, -0.1),
    "conga": (_conga, 0.6, 0.35),
    "tambourine": (_tambourine, 0.3, -0.35),
    "pedal": (_pedal, 0.45, 0.2),
    "cajon": (_cajon, 0.55, -0.05),
    "frame": (_frame, 0.75, 0.05),
}


def drum_template(name: str, variant: int) -> Floats:
    """Return a drum at full force, `(frames, 2)` float32; variants 0 to `VARIANTS` - 1 differ slightly.

    Raises:
        KeyError: no drum has this name.
    """
    make, gain, pan = _DRUMS[name]
    sound = make(np.random.default_rng([zlib.crc32(name.encode()), variant])) * np.float32(gain)
    fade = min(len(sound), 960)
    sound[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    sound[:, 0] *= np.float32(min(1.0, 1 - pan))
    sound[:, 1] *= np.float32(min(1.0, 1 + pan))
    return np.ascontiguousarray(sound, np.float32)
