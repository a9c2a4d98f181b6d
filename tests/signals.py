"""Test signals, made and never shipped: tones of EBU Tech 3341 and 3342, and a little music.

Levels in dBFS are those of the peak of each channel, as the EBU's tables have them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Samples = NDArray[np.float32]


def tone(
    *segments: tuple[float, float | None], rate_hz: int = 48_000, frequency_hz: float = 1000.0, channels: int = 2
) -> Samples:
    """Return a phase-continuous sine of (seconds, dBFS) segments, the same in every channel; None is silence."""
    frames = [round(seconds * rate_hz) for seconds, _ in segments]
    gains = [0.0 if level is None else 10.0 ** (level / 20.0) for _, level in segments]
    envelope = np.repeat(gains, frames)
    wave = envelope * np.sin(2.0 * np.pi * frequency_hz * np.arange(envelope.size) / rate_hz)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def peak_tone(divisor: int, phase_degrees: float, amplitude: float, *, rate_hz: int = 48_000) -> Samples:
    """Return one second at rate / divisor with 10 ms fades (Tech 3341, cases 15 to 19)."""
    frames = np.arange(rate_hz)
    wave = amplitude * np.sin(2.0 * np.pi * frames / divisor + np.deg2rad(phase_degrees))
    fade = round(0.010 * rate_hz)
    envelope = np.minimum(1.0, np.minimum(frames, frames[::-1]) / fade)
    return np.repeat((wave * envelope)[:, None], 2, axis=1).astype(np.float32)


def peak_burst(offset: int, *, rate_hz: int = 48_000) -> Samples:
    """Return fs/6 at half scale with one full-scale period of fs/4 in it (Tech 3341, cases 20 to 23).

    Made at four times the rate, low-passed and decimated from sample `offset` on, so that the peak falls between samples.
    """
    high = 4 * rate_hz
    before = high // 2 // 24 * 24  # whole periods, so that the phase is continuous at zero crossings
    low_wave = 0.5 * np.sin(2.0 * np.pi * np.arange(before) / 24)
    burst = np.sin(2.0 * np.pi * np.arange(16) / 16)
    wave = np.concatenate([low_wave, burst, low_wave])
    fade = round(0.010 * high)
    envelope = np.minimum(1.0, np.minimum(np.arange(wave.size), np.arange(wave.size)[::-1]) / fade)
    taps = signal.firwin(1025, 0.5 * rate_hz, fs=high)
    decimated = signal.fftconvolve(wave * envelope, taps, mode="same")[offset::4]
    return np.repeat(decimated[:, None], 2, axis=1).astype(np.float32)


def music(
    duration_s: float = 20.0, *, rate_hz: int = 48_000, seed: int = 1, channels: int = 2, peak_dbfs: float = -3.0
) -> Samples:
    """Return a small piece: chords, a bass, a plucked line, drums and hiss, with an intro, breaks and a natural ending."""
    rng = np.random.default_rng(seed)
    frames = round(duration_s * rate_hz)
    mix = np.zeros((frames, 2))
    beat_s = 60.0 / (80.0 + 8.0 * (seed % 6))
    roots = 110.0 * 2.0 ** (np.array([0, 8, 3, 10]) / 12.0)

    def add(start_s: float, length_s: float, wave: NDArray[np.float64], pan: float) -> None:
        first = round(start_s * rate_hz)
        count = min(len(wave), frames - first, round(length_s * rate_hz))
        if count > 0:
            mix[first : first + count, 0] += wave[:count] * np.cos(pan * np.pi / 2)
            mix[first : first + count, 1] += wave[:count] * np.sin(pan * np.pi / 2)

    def note(frequency_hz: float, length_s: float, partials: int, decay_s: float) -> NDArray[np.float64]:
        t = np.arange(round(length_s * rate_hz)) / rate_hz
        partials = min(partials, int(0.45 * rate_hz / frequency_hz))
        wave = sum(np.sin(2 * np.pi * frequency_hz * k * t + k) / k for k in range(1, partials + 1)) + np.zeros_like(t)
        release = np.minimum(1.0, (length_s - t) / 0.05)
        return np.asarray(wave * np.minimum(1.0, t / 0.005) * np.exp(-t / decay_s) * np.clip(release, 0.0, 1.0))

    body_s = duration_s - min(3.0, 0.2 * duration_s)
    for beat in range(max(1, int(body_s / beat_s))):
        start_s = beat * beat_s
        root = roots[beat // 4 % 4]
        if beat % 4 == 0:
            for third, pan in ((1.0, 0.3), (1.2599, 0.7), (1.4983, 0.5)):
                add(start_s, 4 * beat_s, 0.12 * note(2 * root * third, 4 * beat_s, 6, 2.0), pan)
        add(start_s, beat_s, 0.3 * note(root / 2, beat_s, 4, 0.5), 0.5)
        add(
            start_s,
            beat_s,
            0.15 * note(root * rng.choice([4.0, 4.7568, 5.9932]), beat_s, 12, 0.2),
            rng.uniform(0.2, 0.8),
        )
        if beat >= 4 and beat % 16 < 12:
            hit = np.exp(-np.arange(round(0.25 * rate_hz)) / (0.05 * rate_hz))
            kick = hit * np.sin(2 * np.pi * 55 * np.arange(hit.size) / rate_hz)
            add(start_s, 0.25, (0.7 * kick if beat % 2 == 0 else 0.3 * hit * rng.standard_normal(hit.size)), 0.5)
            hat = np.exp(-np.arange(round(0.05 * rate_hz)) / (0.01 * rate_hz))
            add(start_s + beat_s / 2, 0.05, 0.15 * hat * rng.standard_normal(hat.size), 0.6)
    ending = round(body_s * rate_hz)
    mix[ending:] *= np.exp(-np.arange(frames - ending) / (0.35 * rate_hz))[:, None]
    mix *= 10.0 ** (peak_dbfs / 20.0) / np.abs(mix).max()
    return np.ascontiguousarray(mix if channels == 2 else mix.mean(axis=1, keepdims=True), np.float32)
