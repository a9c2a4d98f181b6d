"""Samples to the bytes of a file: FLAC, MP3 or WAV, 16 bit, as the real server writes them."""

from __future__ import annotations

import io

import lameenc
import numpy as np
import numpy.typing as npt
import soundfile

CONTENT_TYPES = {"flac": "audio/flac", "mp3": "audio/mpeg", "wav": "audio/wav"}
_FLAC_COMPRESSION = 0.4
_MP3_KBPS = 128


def encode(samples: npt.NDArray[np.float32], sample_rate_hz: int, audio_format: str) -> bytes:
    """Return the encoded bytes of stereo samples.

    Args:
        samples: `(frames, 2)` float32; values beyond full scale are clipped.
        sample_rate_hz: sample rate.
        audio_format: "flac", "mp3" or "wav".
    """
    whole = np.clip(np.rint(samples * np.float32(32767)), -32768, 32767).astype(np.int16)
    if audio_format == "mp3":
        encoder = lameenc.Encoder()
        encoder.set_bit_rate(_MP3_KBPS)
        encoder.set_in_sample_rate(sample_rate_hz)
        encoder.set_channels(2)
        encoder.set_quality(7)
        encoder.silence()
        return bytes(encoder.encode(whole.tobytes())) + bytes(encoder.flush())
    buffer = io.BytesIO()
    if audio_format == "flac":
        soundfile.write(
            buffer, whole, sample_rate_hz, format="FLAC", subtype="PCM_16", compression_level=_FLAC_COMPRESSION
        )
    else:
        soundfile.write(buffer, whole, sample_rate_hz, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def encode_float_wav(samples: npt.NDArray[np.float32], sample_rate_hz: int) -> bytes:
    """Return a 32-bit float WAV, the one format here that can hold values that are not numbers."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate_hz, format="WAV", subtype="FLOAT")
    return buffer.getvalue()
