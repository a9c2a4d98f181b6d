"""Room and echo: a feedback delay network at half rate and a tempo echo, both streaming block by block."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ace_assets.audio.compiled import compiled
from ace_assets.preview.synth import SAMPLE_RATE_HZ

HALF_RATE_HZ = SAMPLE_RATE_HZ // 2
_LINES_MS = (23.9, 29.7, 35.3, 41.1, 47.3, 55.9, 63.7, 72.1)
_ALLPASS_MS = (4.3, 7.9, 11.3)
_HALF_BAND = np.array([0.0119, 0.0, -0.0608, 0.0, 0.2989, 0.5, 0.2989, 0.0, -0.0608, 0.0, 0.0119], np.float32)
Floats = npt.NDArray[np.float32]


@compiled
def _halve(x: Floats, history: Floats, taps: Floats, out: Floats) -> None:
    """Low-pass and keep every other frame; `history` holds the last frames of the block before."""
    keep = history.shape[0]
    for i in range(out.shape[0]):
        left = np.float32(0)
        right = np.float32(0)
        for k in range(taps.shape[0]):
            j = 2 * i - k
            if j >= 0:
                left += taps[k] * x[j, 0]
                right += taps[k] * x[j, 1]
            else:
                left += taps[k] * history[keep + j, 0]
                right += taps[k] * history[keep + j, 1]
        out[i, 0] = left
        out[i, 1] = right
    for k in range(keep):
        history[k, 0] = x[x.shape[0] - keep + k, 0]
        history[k, 1] = x[x.shape[0] - keep + k, 1]


@compiled
def _double_into(low: Floats, last: Floats, level: np.float32, out: Floats) -> None:
    """Add a half-rate signal to a full-rate one, by cubic interpolation; `last` holds the three frames before."""
    for c in range(2):
        a = last[0, c]
        b = last[1, c]
        d = last[2, c]
        for i in range(low.shape[0]):
            e = low[i, c]
            out[2 * i, c] += level * b
            out[2 * i + 1, c] += level * (np.float32(0.5625) * (b + d) - np.float32(0.0625) * (a + e))
            a = b
            b = d
            d = e
        last[0, c] = a
        last[1, c] = b
        last[2, c] = d


@compiled
def _reverberate(
    x: Floats,
    lines: Floats,
    lengths: npt.NDArray[np.int64],
    gains: Floats,
    damping: np.float32,
    memory: Floats,
    diffusers: Floats,
    diffuser_lengths: npt.NDArray[np.int64],
    clock: int,
) -> None:
    """Replace a half-rate stereo send by its reverberation, in place."""
    count = lines.shape[0]
    size = lines.shape[1]
    mask = size - 1
    diffuser_mask = diffusers.shape[2] - 1
    taps = np.empty(count, np.float32)
    for i in range(x.shape[0]):
        now = clock + i
        left = x[i, 0]
        right = x[i, 1]
        for stage in range(diffuser_lengths.shape[0]):
            back = (now - diffuser_lengths[stage]) & diffuser_mask
            here = now & diffuser_mask
            old = diffusers[stage, 0, back]
            new = left - np.float32(0.6) * old
            diffusers[stage, 0, here] = new
            left = old + np.float32(0.6) * new
            old = diffusers[stage, 1, back]
            new = right - np.float32(0.6) * old
            diffusers[stage, 1, here] = new
            right = old + np.float32(0.6) * new
        total = np.float32(0)
        for n in range(count):
            tap = lines[n, (now - lengths[n]) & mask]
            memory[n] += damping * (tap - memory[n])
            taps[n] = memory[n] * gains[n]
            total += taps[n]
        total *= np.float32(2.0 / 8.0)
        out_left = np.float32(0)
        out_right = np.float32(0)
        for n in range(0, count, 2):
            lines[n, now & mask] = taps[n] - total + left
            lines[n + 1, now & mask] = taps[n + 1] - total + right
            sign = np.float32(1) if n % 4 == 0 else np.float32(-1)
            out_left += sign * taps[n] + np.float32(0.35) * sign * taps[n + 1]
            out_right += sign * taps[n + 1] + np.float32(0.35) * sign * taps[n]
        x[i, 0] = out_left
        x[i, 1] = out_right


@compiled
def _echo_into(x: Floats, line: Floats, delay: int, level: np.float32, clock: int, memory: Floats, out: Floats) -> None:
    """Add a ping-pong echo of `x`: the sides swap with every repeat, the repeats get darker."""
    mask = line.shape[0] - 1
    for i in range(x.shape[0]):
        now = clock + i
        left = line[(now - delay) & mask, 0]
        right = line[(now - delay) & mask, 1]
        memory[0] += np.float32(0.35) * (left - memory[0])
        memory[1] += np.float32(0.35) * (right - memory[1])
        line[now & mask, 0] = np.float32(0.8) * x[i, 0] + np.float32(0.42) * memory[1]
        line[now & mask, 1] = np.float32(0.3) * x[i, 1] + np.float32(0.42) * memory[0]
        out[i, 0] += level * left
        out[i, 1] += level * right


class Room:
    """A reverberating room that is fed block by block; every block but the last has an even number of frames.

    Args:
        seconds: time in which the reverberation falls by 60 dB.
        brightness: -1 to 1; how far the high frequencies carry.
    """

    def __init__(self, seconds: float, brightness: float) -> None:
        scale = 0.75 + 0.25 * min(seconds, 4.0) / 2
        milliseconds = np.array(_LINES_MS) * scale
        self._lengths = np.array([int(ms * HALF_RATE_HZ / 1000) | 1 for ms in milliseconds], np.int64)
        self._gains = (10.0 ** (-3.0 * self._lengths / HALF_RATE_HZ / seconds)).astype(np.float32)
        self._lines = np.zeros((len(_LINES_MS), 4096), np.float32)
        self._memory = np.zeros(len(_LINES_MS), np.float32)
        self._diffusers = np.zeros((len(_ALLPASS_MS), 2, 512), np.float32)
        self._diffuser_lengths = np.array([int(ms * HALF_RATE_HZ / 1000) for ms in _ALLPASS_MS], np.int64)
        self._damping = np.float32(0.55 + 0.15 * brightness)
        self._history = np.zeros((len(_HALF_BAND), 2), np.float32)
        self._last = np.zeros((3, 2), np.float32)
        self._clock = 0

    def add_to(self, out: Floats, send: Floats, level: float) -> None:
        """Add the reverberation of `send` to `out`; both `(frames, 2)` with the same even number of frames."""
        low = np.empty((len(send) // 2, 2), np.float32)
        _halve(send, self._history, _HALF_BAND, low)
        _reverberate(
            low, self._lines, self._lengths, self._gains, self._damping, self._memory, self._diffusers,
            self._diffuser_lengths, self._clock,
        )  # fmt: skip
        self._clock += len(low)
        _double_into(low, self._last, np.float32(level), out)


class Echo:
    """A tempo echo, fed block by block."""

    def __init__(self, delay_s: float) -> None:
        self._delay = int(delay_s * SAMPLE_RATE_HZ)
        self._line = np.zeros((1 << int(self._delay).bit_length(), 2), np.float32)
        self._memory = np.zeros(2, np.float32)
        self._clock = 0

    def add_to(self, out: Floats, send: Floats, level: float) -> None:
        """Add the echo of `send` to `out`, both `(frames, 2)`."""
        _echo_into(send, self._line, self._delay, np.float32(level), self._clock, self._memory, out)
        self._clock += len(send)
