"""Files in and out: by content, exact, and one clear error for whatever is not whole audio."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ace_assets.audio import codecs, mp3_info
from ace_assets.audio.dither import to_pcm16, to_pcm24
from ace_assets.errors import AudioError
from tests.requires import needs
from tests.signals import music

PCM = to_pcm16(music(3.0), seed=1)


def write(path: Path, form: str, pcm=PCM, rate_hz: int = 48_000) -> Path:
    if form == "ogg":
        soundfile.write(path, pcm, rate_hz, format="OGG", subtype="VORBIS")
    else:
        {"flac": codecs.write_flac, "wav": codecs.write_wav, "mp3": codecs.write_mp3}[form](path, pcm, rate_hz)
    return path


@pytest.mark.parametrize("form", ["wav", "flac", "mp3", "ogg"])
def test_a_format_is_told_by_content_whatever_the_name_says(tmp_path, form):
    for suffix in (".mp3", ".raw", ".txt", ""):
        path = write(tmp_path / f"{form}{suffix}", form)
        info = codecs.probe(path)
        assert (info.format, info.sample_rate_hz, info.channels, info.frames) == (form, 48_000, 2, len(PCM))
        audio = codecs.decode(path)
        assert audio.samples.dtype == np.float32
        assert audio.samples.flags.c_contiguous
        assert audio.samples.shape == PCM.shape
        assert audio.duration_s == pytest.approx(3.0)


@pytest.mark.parametrize("form", ["wav", "flac"])
@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 192_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_lossless_files_give_back_every_bit(tmp_path, form, rate_hz, channels):
    samples = music(1.0, rate_hz=rate_hz, channels=channels)
    for pcm, scale in ((to_pcm16(samples, seed=1), 32768.0), (to_pcm24(samples, seed=1), 2147483648.0)):
        audio = codecs.decode(write(tmp_path / "x", form, pcm, rate_hz))
        np.testing.assert_array_equal(audio.samples, (pcm / scale).astype(np.float32))
        assert audio.sample_rate_hz == rate_hz


@pytest.mark.parametrize("form", ["wav", "flac", "mp3"])
def test_the_same_samples_give_the_same_bytes(tmp_path, form):
    first, second = write(tmp_path / "a", form), write(tmp_path / "b", form)
    assert first.read_bytes() == second.read_bytes()


def test_float_files_keep_what_is_beyond_full_scale_and_nan(tmp_path):
    samples = music(0.5)
    samples[5] = (3.5, np.nan)
    codecs.write_wav(tmp_path / "x.wav", samples, 48_000)
    np.testing.assert_array_equal(codecs.decode(tmp_path / "x.wav").samples, samples)


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("frames", [1, 623, 1_152, 50_001])
@pytest.mark.parametrize("bitrate_kbps", [128, 320])
def test_an_mp3_decodes_to_exactly_its_samples_in_place(tmp_path, rate_hz, channels, frames, bitrate_kbps):
    pcm = to_pcm16(music(1.5, rate_hz=rate_hz, channels=channels)[2_000 : 2_000 + frames], seed=1)
    codecs.write_mp3(tmp_path / "x.mp3", pcm, rate_hz, bitrate_kbps=bitrate_kbps)
    decoded = codecs.decode(tmp_path / "x.mp3").samples
    assert decoded.shape == pcm.shape
    if frames > 2_000:
        assert shift_of(decoded[:, 0], pcm[:, 0]) == 0


@needs("ffmpeg")
@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
@pytest.mark.parametrize("frames", [5_000, 48_000, 50_001])
def test_an_mp3_has_the_same_length_and_place_in_ffmpeg(tmp_path, rate_hz, frames):
    pcm = to_pcm16(music(1.5, rate_hz=rate_hz)[:frames], seed=1)
    codecs.write_mp3(tmp_path / "x.mp3", pcm, rate_hz)
    run = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", tmp_path / "x.mp3", "-f", "s16le", "-"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    decoded = np.frombuffer(run.stdout, np.int16).reshape(-1, 2)
    assert decoded.shape == pcm.shape
    assert shift_of(decoded[:, 0], pcm[:, 0]) == 0


def shift_of(decoded, original) -> int:
    size = 1 << (len(original) * 2).bit_length()
    spectrum = np.fft.rfft(decoded.astype(float), size) * np.conj(np.fft.rfft(original.astype(float), size))
    best = int(np.argmax(np.fft.irfft(spectrum, size)))
    return best if best < size // 2 else best - size


def test_the_info_header_counts_frames_and_padding(tmp_path):
    path = write(tmp_path / "x.mp3", "mp3")
    data = path.read_bytes()
    first = mp3_info.parse_header(data[:4])
    count = mp3_info.count_frames(data[first.bytes :])
    tag = data.index(b"Info")
    assert int.from_bytes(data[tag + 8 : tag + 12], "big") == count
    assert int.from_bytes(data[tag + 12 : tag + 16], "big") == len(data)
    delays = int.from_bytes(data[tag + 141 : tag + 144], "big")
    assert delays >> 12 == 576
    assert count * 1152 - 576 - (delays & 0xFFF) == len(PCM)
    assert data[tag + 120 : tag + 129] == b"LAME3.100"


def damaged(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / kind
    whole = {form: write(tmp_path / f"whole.{form}", form).read_bytes() for form in ("wav", "flac", "mp3", "ogg")}
    contents = {
        "empty": b"",
        "text": b"this is not audio at all, but a text about it " * 100,
        "zeros": bytes(10_000),
        "one byte": b"R",
        "header only wav": whole["wav"][:20],
        "zero frames wav": whole["wav"][:40] + bytes(4),
        "zero frames flac": whole["flac"][:42],
        "half a wav": whole["wav"][: len(whole["wav"]) // 2],
        "half a flac": whole["flac"][: len(whole["flac"]) // 2],
        "half an mp3": whole["mp3"][: len(whole["mp3"]) // 2],
        "half an ogg": whole["ogg"][: len(whole["ogg"]) // 2],
        "png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40,
        "zip": b"PK\x03\x04" + bytes(range(256)) * 40,
        "flac of noise": b"fLaC" + np.random.default_rng(1).bytes(5_000),
    }
    path.write_bytes(contents[kind])
    return path


DAMAGES = ["empty", "text", "zeros", "one byte", "header only wav", "zero frames wav", "zero frames flac", "half a wav",
           "half a flac", "half an mp3", "half an ogg", "png", "zip", "flac of noise"]  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGES)
def test_what_is_not_whole_audio_is_one_clear_error(tmp_path, kind, capfd):
    path = damaged(tmp_path, kind)
    with pytest.raises(AudioError) as caught:
        codecs.decode(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert ";" in message, "what to do next"


def test_a_missing_file_a_folder_and_too_much_audio_are_errors_too(tmp_path):
    with pytest.raises(AudioError, match="No such file"):
        codecs.decode(tmp_path / "absent.wav")
    with pytest.raises(AudioError):
        codecs.decode(tmp_path)
    path = write(tmp_path / "x.wav", "wav")
    with pytest.raises(AudioError, match="bytes when decoded"):
        codecs.decode(path, max_bytes=1000)


def test_a_wav_that_was_written_into_a_pipe_is_read_to_its_end(tmp_path):
    data = bytearray(write(tmp_path / "x.wav", "wav").read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "pipe.wav").write_bytes(data)
    assert codecs.decode(tmp_path / "pipe.wav").frames == len(PCM)


def test_eight_channels_are_decoded_as_they_are(tmp_path):
    pcm = np.repeat(PCM[:, :1], 8, axis=1)
    codecs.write_wav(tmp_path / "x.wav", pcm, 48_000)
    assert codecs.decode(tmp_path / "x.wav").channels == 8


def test_blocks_hold_what_the_whole_holds(tmp_path):
    path = write(tmp_path / "x.flac", "flac")
    blocks = list(codecs.decode_blocks(path, block_s=0.7))
    assert len(blocks) == 5
    np.testing.assert_array_equal(np.concatenate(blocks), codecs.decode(path).samples)


@pytest.mark.parametrize(("rate_hz", "bitrate_kbps"), [(96_000, 320), (22_050, 320), (48_000, 321)])
def test_rates_that_mp3_does_not_have_are_one_clear_error(tmp_path, rate_hz, bitrate_kbps):
    with pytest.raises(AudioError, match="MP3"):
        codecs.write_mp3(tmp_path / "x.mp3", PCM, rate_hz, bitrate_kbps=bitrate_kbps)
