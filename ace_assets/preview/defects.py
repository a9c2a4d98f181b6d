"""Audio with a defect on purpose, so that gates have something to find."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def _silence(x: Floats, rate: int) -> Floats:
    del rate
    return np.zeros(x.shape, np.float32)


def _dropout(x: Floats, rate: int) -> Floats:
    out: Floats = x.copy()
    middle = len(x) // 2
    out[middle : middle + rate] = 0
    return out


def _clipping(x: Floats, rate: int) -> Floats:
    del rate
    return np.asarray(np.clip(x * np.float32(8.0), -0.98, 0.98), np.float32)


def _dc(x: Floats, rate: int) -> Floats:
    del rate
    return np.asarray(x * np.float32(0.8) + np.float32(0.08), np.float32)


def _abrupt(x: Floats, rate: int) -> Floats:
    """Replace the dying end by music from the middle, cut off."""
    frames = min(len(x) // 3, 8 * rate)
    out = x.copy()
    out[-frames:] = x[len(x) // 2 - frames // 2 :][:frames]
    return out


def _cancel(x: Floats, rate: int) -> Floats:
    del rate
    middle = (x[:, 0] + x[:, 1]) * np.float32(0.5)
    return np.ascontiguousarray(np.stack([middle, -middle], axis=1), np.float32)


def _lowpass(x: Floats, rate: int) -> Floats:
    from scipy.signal import butter, sosfilt

    return np.asarray(sosfilt(butter(8, 3000, fs=rate, output="sos"), x, axis=0), np.float32)


def _noise(x: Floats, rate: int) -> Floats:
    out = x.copy()
    frames = min(len(x) // 2, 4 * rate)
    noise = np.random.default_rng(len(x)).standard_normal((frames, 2), dtype=np.float32)
    out[-frames:] = np.float32(0.12) * noise
    return out


def _nan(x: Floats, rate: int) -> Floats:
    out = x.copy()
    middle = len(x) // 2
    out[middle : middle + rate // 100] = np.nan
    out[middle + rate] = np.inf
    return out


DEFECTS: dict[str, Callable[[Floats, int], Floats]] = {
    "audio_silence": _silence,
    "audio_dropout": _dropout,
    "audio_clipping": _clipping,
    "audio_dc": _dc,
    "audio_abrupt": _abrupt,
    "audio_cancel": _cancel,
    "audio_lowpass": _lowpass,
    "audio_noise": _noise,
    "audio_nan": _nan,
}
