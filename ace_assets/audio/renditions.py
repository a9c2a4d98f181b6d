"""Encode, decode again, verify, and only then move into place: the one way by which audio files leave this product.

Mastering writes a track's files through here, and packages make further renditions (another bit rate, a venue's
loudness) from an existing master through here. A lossless file has to decode to exactly the samples that went in. An
MP3 has to decode to exactly their number, at their loudness, under the ceiling; where it does not, the samples are
limited a little lower or raised a little and encoded again, a bounded number of times. What clicks, or lives on
frequencies that MP3 leaves out, cannot have both: then the ceiling holds, and how much is missing is recorded. Nothing
is left behind under a final name unless everything of the call was verified.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from ace_assets.audio import codecs, dither
from ace_assets.audio.limiter import Limiter, limit
from ace_assets.audio.loudness import Loudness, Meter, loudness_of, measure_blocks
from ace_assets.audio.tags import TrackTags, write_tags
from ace_assets.errors import AudioError, MasteringError

FORMATS = ("flac", "mp3", "wav")
LOUDNESS_TOLERANCE_LU = 0.1  # between what was meant and what a decoded file measures
MP3_TOLERANCE_LU = 0.08  # what a codec may take from a master that is itself within 0.01 of its target
PEAK_TOLERANCE_DB = 0.0005  # rounding of a decibel value, not of a signal
MP3_DELIVERY_RATES_HZ = (44_100, 48_000)  # other rates are resampled; every player knows these two
MAX_MP3_TRIES = 12
MP3_TRIES_FOR_LEVEL = 4
MAX_MP3_SHORTFALL_LU = 3.0  # more is no codec's doing
_MP3_STEP_DB = 0.05  # below what the last try asks for
_READ_FRAMES_S = 2.0  # little enough for a processor's cache
_LIMIT_PIECE_S, _LIMIT_BEFORE_S, _LIMIT_AFTER_S = 20.0, 1.5, 0.1

Pcm = NDArray[np.int16] | NDArray[np.int32]


@dataclass(frozen=True)
class Rendition:
    """One written and verified file.

    Attributes:
        format: `flac`, `mp3` or `wav`.
        path: where it is.
        bytes: its size.
        sha256: of the file, tags included.
        sample_rate_hz, channels, frames: as decoded.
        bitrate_kbps: of an MP3, else None.
        integrated_loudness_lufs, true_peak_dbtp: of the decoded file.
        loudness_shortfall_lu: how far an MP3 stays below what it was made from because its own peaks bind; else 0.
    """

    format: str
    path: Path
    bytes: int
    sha256: str
    sample_rate_hz: int
    channels: int
    frames: int
    bitrate_kbps: int | None
    integrated_loudness_lufs: float
    true_peak_dbtp: float
    loudness_shortfall_lu: float = 0.0

    @property
    def duration_s(self) -> float:
        """Return the length in seconds."""
        return self.frames / self.sample_rate_hz


def parse_rendition(name: str) -> tuple[str, int | None]:
    """Return format and bit rate of a rendition's name.

    >>> parse_rendition("mp3-192"), parse_rendition("mp3"), parse_rendition("flac")
    (('mp3', 192), ('mp3', 320), ('flac', None))

    Raises:
        AudioError: for another format, or a bit rate that is no number.
    """
    form, _, rate = name.partition("-")
    if form not in FORMATS or (rate and (form != "mp3" or not rate.isdigit())):
        raise AudioError("rendition", value=name, expected="flac, wav, mp3 or mp3-KBPS", remedy="name one of these")
    if form != "mp3":
        return form, None
    return form, int(rate) if rate else codecs.MP3_BITRATE_KBPS


def render(
    master_flac: Path,
    outputs: Mapping[str, Path],
    *,
    gain_offset_db: float = 0.0,
    ceiling_dbtp: float = -1.0,
    tags: TrackTags | None = None,
) -> dict[str, Rendition]:
    """Make further renditions from an existing master: another format or bit rate, or a venue's own loudness.

    Args:
        master_flac: a master as mastering left it.
        outputs: final path by rendition name, e.g. `{"mp3-192": ...}`.
        gain_offset_db: how much louder (or softer) than the master; peaks are limited where it needs that.
        ceiling_dbtp: highest true peak of the decoded files.
        tags: what the files say; ReplayGain is filled in from what is measured.

    Returns:
        What was written, by rendition name.

    Raises:
        AudioError: if the master cannot be read or an output is not possible.
        MasteringError: if a file failed its verification; no file of the call is left.
    """
    info = codecs.probe(master_flac)
    if gain_offset_db == 0.0 and info.subtype == "PCM_16":
        pcm: Pcm = _read_pcm16(master_flac, info)
    else:
        samples = codecs.decode(master_flac).samples
        limit(samples, info.sample_rate_hz, gain_db=gain_offset_db, ceiling_dbtp=ceiling_dbtp)
        pcm = dither.to_pcm16(samples, seed=dither.seed_of(master_flac.name))
    loudness = measure_pcm(pcm, info.sample_rate_hz)
    with staged(outputs) as stage:
        return {
            name: encode(pcm, info.sample_rate_hz, name, stage[name], outputs[name], loudness, ceiling_dbtp, tags)
            for name in outputs
        }


@contextmanager
def staged(outputs: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Give a path beside each final one; on leaving without an error they are moved into place, else removed.

    Raises:
        AudioError: if two outputs are one file, or a folder is missing.
    """
    if len({path.absolute() for path in outputs.values()}) != len(outputs):
        raise AudioError(
            "outputs", value=", ".join(map(str, outputs.values())), expected="different files", remedy="rename one"
        )
    for path in outputs.values():
        if not path.parent.is_dir():
            raise AudioError(
                str(path), value="no such folder", expected="an existing folder", remedy="make the folder first"
            )
        if path.is_dir():
            raise AudioError(str(path), value="a folder", expected="a file name", remedy="name a file in it")
    stage = {name: path.with_name(f".{path.name}.{os.getpid()}.part") for name, path in outputs.items()}
    try:
        yield stage
        for name, path in outputs.items():
            with stage[name].open("rb") as file:
                os.fsync(file.fileno())
            stage[name].replace(path)
    finally:
        for path in stage.values():
            path.unlink(missing_ok=True)


def encode(
    pcm: Pcm,
    sample_rate_hz: int,
    name: str,
    path: Path,
    final_path: Path,
    loudness: Loudness,
    ceiling_dbtp: float,
    tags: TrackTags | None,
) -> Rendition:
    """Write one rendition to `path`, decode it again and verify it; `final_path` is what reports and errors name.

    Args:
        pcm: (frames, channels) int16, or int32 holding 24 bits, left-justified.
        sample_rate_hz: of `pcm`.
        name: as `parse_rendition` takes it.
        path: where to write now.
        final_path: where it will end up.
        loudness: of `pcm`, measured.
        ceiling_dbtp: highest true peak of the decoded file.
        tags: ReplayGain is filled in from what the decoded file measures.

    Raises:
        MasteringError: if the file is not what it should be.
    """
    form, bitrate_kbps = parse_rendition(name)
    if form == "mp3":
        assert bitrate_kbps is not None
        return _encode_mp3(pcm, sample_rate_hz, bitrate_kbps, path, final_path, loudness, ceiling_dbtp, tags)
    _check_ceiling(final_path, loudness, ceiling_dbtp)
    (codecs.write_flac if form == "flac" else codecs.write_wav)(path, pcm, sample_rate_hz)
    if tags is not None:
        write_tags(path, _with_replaygain(tags, loudness))
    _check_identical(path, final_path, pcm, sample_rate_hz)
    return _rendition(form, path, final_path, pcm.shape[1], len(pcm), sample_rate_hz, None, loudness)


def measure_pcm(pcm: Pcm, sample_rate_hz: int) -> Loudness:
    """Measure integer samples in blocks."""
    meter = Meter(sample_rate_hz, pcm.shape[1])
    for block in float_blocks(pcm, sample_rate_hz):
        meter.add(block)
    return loudness_of(meter.statistics())


def float_blocks(pcm: Pcm, sample_rate_hz: int) -> Iterator[NDArray[np.float32]]:
    """Yield integer samples as a decoder would: float32, full scale 1.0."""
    frames = round(_READ_FRAMES_S * sample_rate_hz)
    for first in range(0, len(pcm), frames):
        yield as_floats(pcm[first : first + frames])


def as_floats(pcm: Pcm | NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a copy of samples as float32, full scale 1.0."""
    samples = pcm.astype(np.float32)
    if pcm.dtype != np.float32:
        samples *= np.float32(1.0 / dither.PCM16_SCALE if pcm.dtype == np.int16 else 1.0 / dither.PCM32_SCALE)
    return samples


def _encode_mp3(
    pcm: Pcm,
    sample_rate_hz: int,
    bitrate_kbps: int,
    path: Path,
    final_path: Path,
    loudness: Loudness,
    ceiling_dbtp: float,
    tags: TrackTags | None,
) -> Rendition:
    rate_hz = mp3_rate_hz(sample_rate_hz)
    meant = pcm if rate_hz == sample_rate_hz else _resampled(pcm, sample_rate_hz, rate_hz)
    source = pcm.view(np.int16) if pcm.dtype == np.int16 and rate_hz == sample_rate_hz else None
    gain_db, limit_to_dbtp = 0.0, min(ceiling_dbtp, _decoded_peak(final_path, loudness))
    for tried in range(1, MAX_MP3_TRIES + 1):
        if source is None:
            source = _limited_pcm16(meant, rate_hz, gain_db, limit_to_dbtp)
        codecs.write_mp3(path, source, rate_hz, bitrate_kbps=bitrate_kbps)
        info = codecs.probe(path)
        decoded = measure_blocks(
            _counted(path, final_path, len(source), info.frames), info.sample_rate_hz, info.channels
        )
        overshoot_db = _decoded_peak(final_path, decoded) - ceiling_dbtp
        missing_lu = _missing_lu(final_path, decoded, loudness)
        level_matters = tried < MP3_TRIES_FOR_LEVEL  # afterwards the ceiling alone counts: a little softer is no fault
        if overshoot_db <= 0.0 and (
            abs(missing_lu) <= MP3_TOLERANCE_LU or (not level_matters and 0.0 < missing_lu <= MAX_MP3_SHORTFALL_LU)
        ):
            break
        if overshoot_db > 0.0:
            limit_to_dbtp -= overshoot_db + _MP3_STEP_DB * tried
        elif missing_lu > 0.0:  # louder needs room where the peaks are dense; the ceiling still holds
            limit_to_dbtp = min(ceiling_dbtp, limit_to_dbtp + missing_lu + _MP3_STEP_DB)
        if level_matters or missing_lu < 0.0:
            gain_db += missing_lu
        elif overshoot_db > 0.0:  # what limiting did not settle, turning everything down does
            gain_db = min(gain_db, 0.0) - overshoot_db - _MP3_STEP_DB * tried
        source = None
    else:
        raise _failed(
            final_path,
            f"{ceiling_dbtp + overshoot_db:.2f} dBTP, {missing_lu:+.2f} LU missing after {MAX_MP3_TRIES} tries",
            f"at most {ceiling_dbtp} dBTP and {MP3_TOLERANCE_LU} LU",
        )
    assert source is not None
    if tags is not None:
        size = path.stat().st_size
        before = _digest_of_end(path, size)
        write_tags(path, _with_replaygain(tags, decoded))
        if _digest_of_end(path, size) != before:
            raise _failed(final_path, "changed audio", "the tags to leave the audio alone")
    made = _rendition("mp3", path, final_path, info.channels, info.frames, rate_hz, bitrate_kbps, decoded)
    return replace(made, loudness_shortfall_lu=missing_lu if missing_lu > MP3_TOLERANCE_LU else 0.0)


def mp3_rate_hz(sample_rate_hz: int) -> int:
    """Return the rate at which a track of some rate is delivered as MP3.

    >>> mp3_rate_hz(48000), mp3_rate_hz(44100), mp3_rate_hz(96000), mp3_rate_hz(22050), mp3_rate_hz(8000)
    (48000, 44100, 48000, 44100, 48000)
    """
    if sample_rate_hz in MP3_DELIVERY_RATES_HZ:
        return sample_rate_hz
    return 44_100 if sample_rate_hz % 11_025 == 0 else 48_000


def _resampled(pcm: Pcm, sample_rate_hz: int, rate_hz: int) -> NDArray[np.float32]:
    """Return integers as float samples at another rate, block by block, as many frames as the time takes there."""
    samples = np.zeros((-(-len(pcm) * rate_hz // sample_rate_hz), pcm.shape[1]), np.float32)
    stream = soxr.ResampleStream(sample_rate_hz, rate_hz, pcm.shape[1], dtype="float32", quality="VHQ")
    read = position = 0
    for block in float_blocks(pcm, sample_rate_hz):
        read += len(block)
        made = stream.resample_chunk(block, last=read == len(pcm))[: len(samples) - position]
        samples[position : position + len(made)] = made
        position += len(made)
    return samples


def _limited_pcm16(
    meant: Pcm | NDArray[np.float32], rate_hz: int, gain_db: float, ceiling_dbtp: float
) -> NDArray[np.int16]:
    """Return samples with a gain, limited and dithered.

    Piece by piece, each with as much before it as the limiter remembers and as much after it as it looks ahead: a long
    track as floats would be the largest thing in memory.
    """
    limited = np.empty(meant.shape, np.int16)
    step, before, after = (round(seconds * rate_hz) for seconds in (_LIMIT_PIECE_S, _LIMIT_BEFORE_S, _LIMIT_AFTER_S))
    for first in range(0, len(meant), step):
        start = max(0, first - before)
        piece = as_floats(meant[start : first + step + after])
        for position, block in Limiter(piece, rate_hz).blocks(gain_db=gain_db, ceiling_dbtp=ceiling_dbtp):
            piece[position : position + len(block)] = block
        here = limited[first : first + step]
        dither.quantise(piece[first - start :][: len(here)], here, seed=len(meant), first_frame=first)
    return limited


def _counted(path: Path, final_path: Path, expected: int, found: int) -> Iterator[NDArray[np.float32]]:
    if found != expected:
        raise _failed(final_path, f"{found} frames", f"{expected} frames")
    yield from codecs.decode_blocks(path, block_s=_READ_FRAMES_S)


def _check_identical(path: Path, final_path: Path, pcm: Pcm, sample_rate_hz: int) -> None:
    info = codecs.probe(path)
    if (info.sample_rate_hz, info.channels, info.frames) != (sample_rate_hz, pcm.shape[1], len(pcm)):
        raise _failed(
            final_path,
            f"{info.frames} frames, {info.channels} channels at {info.sample_rate_hz} Hz",
            f"{len(pcm)} frames, {pcm.shape[1]} channels at {sample_rate_hz} Hz",
        )
    position = 0
    dtype = np.int16 if pcm.dtype == np.int16 else np.int32
    for decoded in codecs.decode_integer_blocks(path, dtype, block_s=_READ_FRAMES_S):
        meant = pcm[position : position + len(decoded)]
        position += len(decoded)
        if not np.array_equal(decoded, meant):
            raise _failed(final_path, "other samples", "the samples that were encoded")


def _check_ceiling(final_path: Path, loudness: Loudness, ceiling_dbtp: float) -> None:
    peak_dbtp = _decoded_peak(final_path, loudness)
    if peak_dbtp > ceiling_dbtp + PEAK_TOLERANCE_DB:
        raise _failed(final_path, f"a true peak of {peak_dbtp:.2f} dBTP", f"at most {ceiling_dbtp} dBTP")


def _missing_lu(final_path: Path, decoded: Loudness, meant: Loudness) -> float:
    if decoded.integrated_loudness_lufs is None or meant.integrated_loudness_lufs is None:
        raise _failed(final_path, "no measurable loudness", "audible sound of at least 0.4 s")
    return meant.integrated_loudness_lufs - decoded.integrated_loudness_lufs


def _decoded_peak(final_path: Path, loudness: Loudness) -> float:
    if loudness.true_peak_dbtp is None:
        raise _failed(final_path, "silence", "sound")
    return loudness.true_peak_dbtp


def _failed(final_path: Path, found: str, expected: str) -> MasteringError:
    return MasteringError(
        str(final_path), value=found, expected=expected, remedy="nothing was written; report this with the source file"
    )


def _with_replaygain(tags: TrackTags, loudness: Loudness) -> TrackTags:
    assert loudness.integrated_loudness_lufs is not None
    assert loudness.true_peak_dbtp is not None
    return tags.with_loudness(
        integrated_loudness_lufs=loudness.integrated_loudness_lufs, true_peak_dbtp=loudness.true_peak_dbtp
    )


def _digest_of_end(path: Path, size: int) -> bytes:
    """Return a digest of a file's last `size` bytes: the audio, which tags before it must not touch."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(-size, os.SEEK_END)
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()


def _rendition(
    form: str,
    path: Path,
    final_path: Path,
    channels: int,
    frames: int,
    sample_rate_hz: int,
    bitrate_kbps: int | None,
    loudness: Loudness,
) -> Rendition:
    assert loudness.integrated_loudness_lufs is not None
    assert loudness.true_peak_dbtp is not None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Rendition(
        format=form,
        path=final_path,
        bytes=path.stat().st_size,
        sha256=digest,
        sample_rate_hz=sample_rate_hz,
        channels=channels,
        frames=frames,
        bitrate_kbps=bitrate_kbps,
        integrated_loudness_lufs=loudness.integrated_loudness_lufs,
        true_peak_dbtp=loudness.true_peak_dbtp,
    )


def _read_pcm16(path: Path, info: codecs.AudioInfo) -> NDArray[np.int16]:
    """Return the integers of a 16-bit file."""
    pcm = np.empty((info.frames, info.channels), np.int16)
    position = 0
    for block in codecs.decode_integer_blocks(path, np.int16):
        pcm[position : position + len(block)] = block
        position += len(block)
    return pcm
