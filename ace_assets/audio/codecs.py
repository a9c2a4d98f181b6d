"""Files in, sample arrays out, and back: WAV, FLAC, MP3 and Ogg, told apart by their content and never by their name.

What lives here: decoding with one clear error for whatever is not whole audio, and encoders whose bytes depend on the
samples and settings alone. Loudness, tags and verification live elsewhere.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lameenc
import numpy as np
import soundfile
from numpy.typing import NDArray

from ace_assets.audio import mp3_info
from ace_assets.errors import AudioError

MAX_DECODED_BYTES = 4 * 2**30  # three hours of 48 kHz stereo; more belongs into blocks
BLOCK_S = 10.0
OGG_SLACK_S = 0.5  # whole Ogg files of old encoders declare up to this much more than their packets hold
FLAC_COMPRESSION = 0.5  # of 0..1 as soundfile counts; 1.0 takes twice the time for 1 % (AUDIO.md)
MP3_BITRATE_KBPS = 320
MP3_QUALITY = 5  # LAME's scale; 3 sounds the same in band SNR and takes a third longer (AUDIO.md)
MP3_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)  # ISO 11172-3, 13818-3, MPEG-2.5

_FORMATS = {"WAV": "wav", "WAVEX": "wav", "RF64": "wav", "W64": "wav", "FLAC": "flac", "MP3": "mp3", "OGG": "ogg",
            "AIFF": "aiff", "CAF": "caf"}  # fmt: skip
_KNOWN = "WAV, FLAC, MP3 or Ogg"
_MAX_WAV_DATA_BYTES = 2**32 - 1024
_WRITE_FRAMES = 1 << 16


@dataclass(frozen=True)
class Audio:
    """Decoded audio.

    Attributes:
        samples: (frames, channels) float32 in C order, full scale 1.0; may go beyond it, may hold NaN.
        sample_rate_hz: frames per second.
    """

    samples: NDArray[np.float32]
    sample_rate_hz: int

    @property
    def frames(self) -> int:
        """Return the number of frames."""
        return int(self.samples.shape[0])

    @property
    def channels(self) -> int:
        """Return the number of channels."""
        return int(self.samples.shape[1])

    @property
    def duration_s(self) -> float:
        """Return the length in seconds."""
        return self.frames / self.sample_rate_hz


@dataclass(frozen=True)
class AudioInfo:
    """What a file says about itself, without having been decoded.

    Attributes:
        format: `wav`, `flac`, `mp3`, `ogg`, `aiff` or `caf`, from the content.
        subtype: how samples are stored, in libsndfile's words, e.g. `PCM_16`, `MPEG_LAYER_III`, `VORBIS`.
        sample_rate_hz: frames per second.
        channels: number of channels.
        frames: number of frames.
    """

    format: str
    subtype: str
    sample_rate_hz: int
    channels: int
    frames: int

    @property
    def duration_s(self) -> float:
        """Return the length in seconds."""
        return self.frames / self.sample_rate_hz


def probe(path: Path) -> AudioInfo:
    """Return what a file says about itself.

    Raises:
        AudioError: if it is missing, empty, cut short, without frames or not audio.
    """
    with _opened(path) as file:
        return _info(file)


def decode(path: Path, *, max_bytes: int = MAX_DECODED_BYTES) -> Audio:
    """Decode a whole file; samples are what the file holds, NaN and values beyond full scale included.

    Raises:
        AudioError: if it is missing, empty, cut short, without frames or not audio, or needs more than `max_bytes`.
    """
    with _opened(path) as file:
        info = _info(file)
        needed = info.frames * info.channels * 4
        if needed > max_bytes:
            raise AudioError(
                f"{path}, bytes when decoded",
                value=needed,
                expected=f"at most {max_bytes}",
                remedy="split the file, or read it in blocks",
            )
        samples = np.empty((info.frames, info.channels), np.float32)
        position = 0
        for block in _blocks(path, file, info, whole=samples):
            position += len(block)
        return Audio(samples[:position], info.sample_rate_hz)


def decode_blocks(path: Path, *, block_s: float = BLOCK_S) -> Iterator[NDArray[np.float32]]:
    """Yield (frames, channels) float32 blocks of a file, for files that need not fit into memory.

    Raises:
        AudioError: as `decode`, where it is met.
    """
    with _opened(path) as file:
        yield from _blocks(path, file, _info(file), block_s=block_s)


def decode_integer_blocks(
    path: Path, dtype: type[np.int16] | type[np.int32], *, block_s: float = BLOCK_S
) -> Iterator[NDArray[np.int16] | NDArray[np.int32]]:
    """Yield (frames, channels) integers of a lossless file as `write_flac` and `write_wav` took them.

    Raises:
        AudioError: as `decode`, where it is met.
    """
    with _opened(path) as file:
        yield from _blocks(path, file, _info(file), block_s=block_s, dtype=np.dtype(dtype).name)


def _blocks(
    path: Path,
    file: soundfile.SoundFile,
    info: AudioInfo,
    *,
    block_s: float = BLOCK_S,
    dtype: str = "float32",
    whole: NDArray[np.float32] | None = None,
) -> Iterator[Any]:
    """Yield blocks in turn; they are parts of `whole` where that is given."""
    frames = max(1, round(block_s * info.sample_rate_hz))
    position = 0
    while position < info.frames:
        wanted = min(frames, info.frames - position)
        out = None if whole is None else whole[position : position + wanted]
        try:
            block = file.read(wanted, dtype=dtype, always_2d=True, out=out)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise _broken(path, f"an error after {position} frames: {_in_words(error)}") from error
        if not len(block):
            if info.format == "ogg" and info.frames - position <= OGG_SLACK_S * info.sample_rate_hz:
                return
            raise _broken(path, f"{position} of {info.frames} frames")
        position += len(block)
        yield block


def _in_words(error: Exception) -> str:
    """Return what a library says of a file, without the number of the open file that only it knows."""
    said = error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)
    return str(said).strip().rstrip(".")


def _broken(path: Path, found: str) -> AudioError:
    return AudioError(
        str(path), value=found, expected="a whole audio file", remedy="the file is cut short or damaged; fetch it again"
    )


def _info(file: soundfile.SoundFile) -> AudioInfo:
    return AudioInfo(_FORMATS[file.format], file.subtype, int(file.samplerate), int(file.channels), int(file.frames))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open by content: a file descriptor has no suffix that could mislead the library."""
    path = Path(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise AudioError(
            str(path),
            value=error.strerror,
            expected="a readable audio file",
            remedy="check the path and its permissions",
        ) from error
    try:
        _check_container(path, descriptor)
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            file = soundfile.SoundFile(descriptor, closefd=False)
        except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
            raise AudioError(
                str(path),
                value=_in_words(error),
                expected=_KNOWN,
                remedy="the file is not audio, or damaged; fetch it again",
            ) from error
        with file:
            if file.format not in _FORMATS:
                raise AudioError(str(path), value=file.format, expected=_KNOWN, remedy="convert the file first")
            if file.frames <= 0:
                raise AudioError(
                    str(path), value="0 frames", expected="audio", remedy="the file holds no sound; make it again"
                )
            yield file
    finally:
        os.close(descriptor)


def _check_container(path: Path, descriptor: int) -> None:
    """Refuse what no decoder needs to see, and what a lenient decoder would take for a shorter file."""
    try:
        size = os.fstat(descriptor).st_size
        head = os.read(descriptor, 12)
    except OSError as error:
        raise AudioError(str(path), value=error.strerror, expected="an audio file", remedy="name a file") from error
    if size == 0:
        raise AudioError(str(path), value="0 bytes", expected=_KNOWN, remedy="the file is empty; fetch it again")
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        _check_wav(path, descriptor, size)
    elif head[:4] == b"OggS":
        _check_ogg(path, descriptor, size)


def _check_wav(path: Path, descriptor: int, size: int) -> None:
    position = 12
    while position + 8 <= size:
        os.lseek(descriptor, position, os.SEEK_SET)
        name, length = struct.unpack("<4sI", os.read(descriptor, 8))
        if name == b"data":
            # Programs that write into a pipe cannot know the length and leave 0xFFFFFFFF or nearly that.
            if length < 0xFFFF_F000 and position + 8 + length > size:
                raise _broken(path, f"{size - position - 8} of {length} bytes of samples")
            return
        position += 8 + length + length % 2


def _check_ogg(path: Path, descriptor: int, size: int) -> None:
    """The last page of a whole Ogg stream says that it is the last (RFC 3533, header type flag 0x04)."""
    tail_start = max(0, size - 65_307)  # the largest page
    os.lseek(descriptor, tail_start, os.SEEK_SET)
    tail = os.read(descriptor, size - tail_start)
    last = tail.rfind(b"OggS")
    if last < 0 or last + 27 > len(tail):
        raise _broken(path, "no whole last page")
    segments = tail[last + 26]
    table = tail[last + 27 : last + 27 + segments]
    whole = len(table) == segments and last + 27 + segments + sum(table) <= len(tail)
    if not whole or not tail[last + 5] & 0x04:
        raise _broken(path, "an Ogg stream without its last page")


def write_flac(path: Path, pcm: NDArray[np.int16] | NDArray[np.int32], sample_rate_hz: int) -> None:
    """Write (frames, channels) integers as FLAC: int16 as 16 bits, int32 (24 bits, left-justified) as 24 bits."""
    _check_pcm(pcm)
    subtype = "PCM_16" if pcm.dtype == np.int16 else "PCM_24"
    try:
        with soundfile.SoundFile(
            path, "w", sample_rate_hz, pcm.shape[1], subtype, format="FLAC", compression_level=FLAC_COMPRESSION
        ) as file:
            for first in range(0, len(pcm), _WRITE_FRAMES):
                file.write(pcm[first : first + _WRITE_FRAMES])
    except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
        raise AudioError(
            str(path), value=_in_words(error), expected="a writable FLAC file", remedy="check path and rate"
        ) from error


def write_wav(
    path: Path, pcm: NDArray[np.int16] | NDArray[np.int32] | NDArray[np.float32], sample_rate_hz: int
) -> None:
    """Write (frames, channels) as WAV: int16 as 16 bits, int32 (24 bits, left-justified) as 24 bits, float32 as it is.

    libsndfile is not asked: it writes the time of day into float files.
    """
    _check_pcm(pcm, floats=True)
    width = {"int16": 2, "int32": 3, "float32": 4}[pcm.dtype.name]
    channels = pcm.shape[1]
    data_bytes = len(pcm) * channels * width
    if data_bytes > _MAX_WAV_DATA_BYTES:
        raise AudioError(
            str(path), value=data_bytes, expected="less than 4 GiB of samples", remedy="write FLAC instead"
        )
    is_float = pcm.dtype == np.float32
    body = struct.pack(
        "<HHIIHH",
        3 if is_float else 1,
        channels,
        sample_rate_hz,
        sample_rate_hz * channels * width,
        channels * width,
        8 * width,
    )
    chunks = b"fmt " + struct.pack("<I", len(body)) + body
    if is_float:
        chunks += b"fact" + struct.pack("<II", 4, len(pcm))
    padding = data_bytes % 2
    with Path(path).open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", 4 + len(chunks) + 8 + data_bytes + padding) + b"WAVE" + chunks)
        file.write(b"data" + struct.pack("<I", data_bytes))
        for first in range(0, len(pcm), _WRITE_FRAMES):
            block = np.ascontiguousarray(pcm[first : first + _WRITE_FRAMES])
            if width == 3:
                little = block.astype("<i4", copy=False).view(np.uint8).reshape(-1, 4)
                file.write(np.ascontiguousarray(little[:, 1:]).tobytes())
            else:
                file.write(block.astype(block.dtype.newbyteorder("<"), copy=False).tobytes())
        file.write(b"\0" * padding)


def write_mp3(
    path: Path,
    pcm: NDArray[np.int16],
    sample_rate_hz: int,
    *,
    bitrate_kbps: int = MP3_BITRATE_KBPS,
    quality: int = MP3_QUALITY,
) -> None:
    """Write (frames, channels) int16 as an MP3 of constant bit rate that decodes to exactly as many frames.

    The encoder leaves out the Info header, without which players add silence at both ends; it is written here.

    Raises:
        AudioError: for a rate or bit rate that MP3 does not have, or more than two channels.
    """
    _check_pcm(pcm)
    if sample_rate_hz not in MP3_RATES_HZ:
        raise AudioError(
            "MP3 sample rate in Hz", value=sample_rate_hz, expected=f"one of {MP3_RATES_HZ}", remedy="resample"
        )
    allowed = mp3_info.bitrates_kbps(sample_rate_hz)
    if bitrate_kbps not in allowed:
        raise AudioError(
            f"MP3 bit rate in kb/s at {sample_rate_hz} Hz",
            value=bitrate_kbps,
            expected=f"one of {allowed}",
            remedy="choose another bit rate or sample rate",
        )
    if pcm.dtype != np.int16 or pcm.shape[1] > 2:
        raise AudioError(
            "MP3 samples",
            value=f"{pcm.dtype}, {pcm.shape[1]} channels",
            expected="int16, 1 or 2 channels",
            remedy="dither, mix down",
        )
    encoder = lameenc.Encoder()
    encoder.set_in_sample_rate(sample_rate_hz)
    encoder.set_out_sample_rate(sample_rate_hz)
    encoder.set_channels(pcm.shape[1])
    encoder.set_bit_rate(bitrate_kbps)
    encoder.set_quality(quality)
    encoder.silence()
    sums = mp3_info.StreamSums()
    with Path(path).open("wb") as file:
        for first in range(0, len(pcm) + _WRITE_FRAMES, _WRITE_FRAMES):
            block = np.ascontiguousarray(pcm[first : first + _WRITE_FRAMES])
            encoded = encoder.encode(block.tobytes()) if len(block) else encoder.flush()
            if not encoded:
                continue
            if not sums.bytes:  # room for the header, which is known when all is encoded
                file.seek(mp3_info.info_frame_bytes(bytes(encoded[:4])))
            sums.add(encoded)
            file.write(encoded)
        header = mp3_info.info_frame(sums, len(pcm))
        file.seek(0)
        file.write(header)


def _check_pcm(pcm: NDArray[Any], *, floats: bool = False) -> None:
    kinds = ("int16", "int32", "float32") if floats else ("int16", "int32")
    if pcm.ndim != 2 or pcm.dtype.name not in kinds or not len(pcm):
        raise AudioError(
            "samples to encode",
            value=f"{pcm.dtype} of shape {pcm.shape}",
            expected=f"{' or '.join(kinds)} of shape (frames, channels), at least one frame",
            remedy="quantise them with ace_assets.audio.dither",
        )
