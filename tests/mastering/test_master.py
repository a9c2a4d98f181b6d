"""A take becomes a master: at its level, under its ceiling, otherwise untouched, or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess

import numpy as np
import pyloudnorm
import pytest
import tinytag

from ace_assets.audio import codecs, loudness, renditions
from ace_assets.audio.codecs import Audio
from ace_assets.audio.loudness import measure
from ace_assets.audio.tags import TrackTags, disclosed, read_tags
from ace_assets.errors import AudioError, ConfigError, MasteringError
from ace_assets.mastering import MasteringSettings, master, second_meter
from tests.requires import needs
from tests.signals import music, tone

RATE = 48_000
TAGS = disclosed(TrackTags(title="Track", bpm=88, key="Am"), model="acestep-v15-turbo")


def outputs(folder, *names):
    return {name: folder / f"master-{name}.{name.split('-')[0]}" for name in names}


def padded(samples, head_s=0.0, tail_s=0.0, rate_hz=RATE):
    return np.pad(samples, ((round(head_s * rate_hz), round(tail_s * rate_hz)), (0, 0)))


@pytest.mark.parametrize("target_lufs", [-23.0, -16.0, -14.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_file_sits_at_its_target_under_its_ceiling_or_says_how_far_below(tmp_path, target_lufs, seed):
    audio = Audio(music(10.0, seed=seed, peak_dbfs=-6.0), RATE)
    settings = MasteringSettings(target_lufs=target_lufs)
    report = master(audio, outputs(tmp_path, "flac", "mp3", "wav"), settings, tags=TAGS)
    for rendition in report.renditions.values():
        decoded = codecs.decode(rendition.path)
        found = measure(decoded.samples, RATE)
        assert found.integrated_loudness_lufs + report.loudness_shortfall_lu == pytest.approx(target_lufs, abs=0.1)
        assert found.true_peak_dbtp <= settings.ceiling_dbtp
        assert found.true_peak_dbtp == pytest.approx(rendition.true_peak_dbtp, abs=1e-6)
        assert decoded.frames == report.frames == rendition.frames
        assert rendition.bytes == rendition.path.stat().st_size
        assert rendition.sha256 == hashlib.sha256(rendition.path.read_bytes()).hexdigest()
        other = pyloudnorm.Meter(RATE, filter_class="DeMan").integrated_loudness(decoded.samples.astype(np.float64))
        assert other == pytest.approx(found.integrated_loudness_lufs, abs=0.05)
    assert report.second_meter_lufs == pytest.approx(report.integrated_loudness_lufs, abs=0.05)
    assert report.limiter_max_reduction_db <= settings.max_limiting_db + 0.01
    assert sorted(path.name for path in tmp_path.iterdir()) == ["master-flac.flac", "master-mp3.mp3", "master-wav.wav"]


def test_peaks_that_bind_cost_loudness_and_the_report_says_how_much(tmp_path):
    samples = music(8.0, peak_dbfs=-20.0)
    samples[96_000] = 0.9
    report = master(Audio(samples, RATE), outputs(tmp_path, "flac"))
    assert report.loudness_shortfall_lu > 3.0
    assert report.loudness_shortfall_lu == pytest.approx(-16.0 - report.integrated_loudness_lufs, abs=1e-6)
    assert report.limiter_max_reduction_db == pytest.approx(3.0, abs=0.1)


def test_where_nothing_is_limited_only_gain_and_dither_have_changed_the_samples(tmp_path):
    samples = music(8.0, peak_dbfs=-6.0)
    report = master(Audio(samples, RATE), outputs(tmp_path, "flac"), MasteringSettings(target_lufs=-26.0))
    decoded = codecs.decode(tmp_path / "master-flac.flac").samples
    kept = samples[: len(decoded)].astype(np.float64)
    assert report.limiter_max_reduction_db == 0.0
    rest = decoded - kept * 10 ** (report.gain_db / 20)
    rest = rest[: len(rest) - round(0.05 * RATE)]  # before the fade over the new edge in silence
    assert np.abs(rest).max() * 32768 <= 1.51


def test_limiting_multiplies_and_adds_nothing(tmp_path):
    samples = music(8.0, peak_dbfs=-3.0)
    report = master(Audio(samples, RATE), outputs(tmp_path, "flac"), MasteringSettings(target_lufs=-15.0))
    decoded = codecs.decode(tmp_path / "master-flac.flac").samples[: 6 * RATE]
    loud = np.abs(samples[: 6 * RATE]).min(axis=1) > 0.02
    gain = decoded[loud] / samples[: 6 * RATE][loud] / 10 ** (report.gain_db / 20)
    assert report.limiter_max_reduction_db > 0.5
    assert gain.max() < 1.003
    assert np.abs(gain[:, 0] - gain[:, 1]).max() < 0.006  # dither alone
    assert gain.min() == pytest.approx(10 ** (-report.limiter_max_reduction_db / 20), abs=0.005)


def test_the_take_itself_is_left_as_it_was(tmp_path):
    samples = music(5.0)
    before = samples.copy()
    master(Audio(samples, RATE), outputs(tmp_path, "flac"))
    np.testing.assert_array_equal(samples, before)


def test_the_same_take_gives_the_same_bytes(tmp_path):
    audio = Audio(music(5.0), RATE)
    digests = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        report = master(audio, outputs(tmp_path / name, "flac", "mp3", "wav"), tags=TAGS)
        digests.append({form: rendition.sha256 for form, rendition in report.renditions.items()})
    assert digests[0] == digests[1]


def test_long_silence_at_both_ends_is_trimmed_and_short_silence_stays(tmp_path):
    piece = music(6.0)
    report = master(Audio(padded(piece, 2.0, 4.0), RATE), outputs(tmp_path, "flac"))
    decoded = codecs.decode(tmp_path / "master-flac.flac").samples
    first = int(np.nonzero(np.abs(decoded).max(axis=1) > 0.01)[0][0])
    assert first / RATE == pytest.approx(0.3, abs=0.02)
    assert report.head_trimmed_s == pytest.approx(1.7, abs=0.02)
    assert report.tail_trimmed_s >= 3.0
    untouched = master(Audio(padded(piece, 0.2), RATE), outputs(tmp_path, "flac"))
    assert untouched.head_trimmed_s == 0.0


def test_a_take_that_stops_at_full_level_is_faded_and_one_that_ends_by_itself_is_not(tmp_path):
    report = master(Audio(tone((8.0, -12.0)), RATE), outputs(tmp_path, "flac"))
    assert report.tail_fade_s == pytest.approx(2.0)
    ending = codecs.decode(tmp_path / "master-flac.flac").samples[-480:]
    assert np.abs(ending).max() < 0.001
    assert master(Audio(music(8.0), RATE), outputs(tmp_path, "flac")).tail_fade_s <= 0.01


def test_cue_points_rise_and_point_at_sound(tmp_path):
    samples = padded(music(12.0), 1.0, 3.0)
    report = master(Audio(samples, RATE), outputs(tmp_path, "mp3"), tags=TAGS)
    cues = report.cues
    assert 0.2 <= cues.cue_in_s <= 0.4
    assert cues.cue_in_s <= cues.intro_end_s <= cues.outro_start_s <= cues.cue_out_s <= report.duration_s
    assert read_tags(tmp_path / "master-mp3.mp3").cues_s == pytest.approx(cues.by_name())


def test_replaygain_read_by_another_library_brings_the_file_to_the_reference(tmp_path):
    report = master(Audio(music(8.0), RATE), outputs(tmp_path, "flac", "mp3", "wav"), tags=TAGS)
    for rendition in report.renditions.values():
        other = {name.lower(): values[0] for name, values in tinytag.TinyTag.get(rendition.path).other.items()}
        gain_db = float(other["replaygain_track_gain"].removesuffix(" dB"))
        assert rendition.integrated_loudness_lufs + gain_db == pytest.approx(-18.0, abs=0.01)
        assert 20 * np.log10(float(other["replaygain_track_peak"])) == pytest.approx(rendition.true_peak_dbtp, abs=0.01)


@needs("ffmpeg")
def test_the_mp3_has_the_masters_length_in_ffmpeg_too(tmp_path):
    report = master(Audio(music(7.3), RATE), outputs(tmp_path, "mp3"), tags=TAGS)
    run = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", tmp_path / "master-mp3.mp3", "-f", "s16le", "-"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert len(run.stdout) == report.frames * 4


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 96_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_takes_of_any_rate_and_mono_takes_become_masters(tmp_path, rate_hz, channels):
    samples = music(4.0, rate_hz=rate_hz, channels=channels)
    report = master(Audio(samples, rate_hz), outputs(tmp_path, "flac", "mp3"), tags=TAGS)
    flac, mp3 = report.renditions["flac"], report.renditions["mp3"]
    assert (flac.sample_rate_hz, flac.channels) == (rate_hz, channels)
    assert mp3.sample_rate_hz in {44_100, 48_000}
    assert mp3.duration_s == pytest.approx(flac.duration_s, abs=1 / 8_000)
    assert mp3.integrated_loudness_lufs == pytest.approx(flac.integrated_loudness_lufs, abs=0.1)
    assert max(flac.true_peak_dbtp, mp3.true_peak_dbtp) <= -1.0


def test_a_take_far_beyond_full_scale_and_a_clipped_one_become_masters(tmp_path):
    hot = music(5.0) * np.float32(20.0)
    clipped = np.clip(music(5.0) * np.float32(4.0), -1.0, 1.0)
    for samples in (hot, clipped):
        report = master(Audio(samples, RATE), outputs(tmp_path, "flac", "mp3"))
        assert max(rendition.true_peak_dbtp for rendition in report.renditions.values()) <= -1.0


def test_a_24_bit_archive_keeps_24_bits(tmp_path):
    settings = MasteringSettings(bit_depth=24)
    report = master(Audio(music(5.0), RATE), outputs(tmp_path, "flac", "wav", "mp3"), settings)
    assert codecs.probe(report.renditions["flac"].path).subtype == "PCM_24"
    assert codecs.probe(report.renditions["wav"].path).subtype == "PCM_24"


def broken_take(kind):
    samples = music(3.0)
    if kind == "not finite":
        samples[1_000, 0] = np.nan
    return {
        "not finite": samples,
        "silent": np.zeros((RATE, 2), np.float32),
        "empty": np.zeros((0, 2), np.float32),
        "one sample": np.ones((1, 2), np.float32),
        "too short": music(3.0)[: RATE // 4],
        "eight channels": np.repeat(samples[:, :1], 8, axis=1),
    }[kind]


def odd_take(kind):
    t = np.arange(4 * RATE) / RATE
    rng = np.random.default_rng(4)
    clicks = np.zeros(4 * RATE)
    clicks[RATE // 3 :: RATE * 4 // 5] = 0.9
    loud_at_last = np.concatenate([1e-3 * rng.standard_normal(20 * RATE), 0.3 * rng.standard_normal(RATE)])
    return {
        "square wave": np.sign(np.sin(2 * np.pi * 440 * t + 0.1)),
        "square wave out of phase": np.sign(np.sin(2 * np.pi * 3_000 * t + 0.1))[:, None] * np.array([0.9, -0.9]),
        "clicks": clicks,
        "click and bed": clicks + 0.02 * rng.standard_normal(clicks.size),
        "random bits": rng.choice([-1.0, 1.0], (2 * RATE, 2)),
        "short bursts": rng.standard_normal(t.size) * np.exp(-(t % 0.5) / 0.02) / 4,
        "19 kHz": 0.5 * np.sin(2 * np.pi * 19_000 * t),
        "20 Hz": 0.5 * np.sin(2 * np.pi * 20 * t),
        "half a second": music(3.0)[RATE : RATE + RATE // 2],
        "offset": music(4.0) + 0.3,
        "one side": music(4.0) * np.array([1.0, 0.0]),
        "soft, loud at last": loud_at_last,
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["square wave", "square wave out of phase", "clicks", "click and bed", "random bits", "short bursts", "19 kHz", "20 Hz",
     "half a second", "offset", "one side", "soft, loud at last"],
)  # fmt: skip
def test_odd_takes_become_masters_under_the_ceiling_and_what_is_missing_is_said(tmp_path, kind):
    samples = odd_take(kind).astype(np.float32)
    samples = np.ascontiguousarray(samples if samples.ndim == 2 else np.stack([samples, samples], axis=1))
    report = master(Audio(samples, RATE), outputs(tmp_path, "flac", "mp3"))
    assert report.integrated_loudness_lufs + report.loudness_shortfall_lu == pytest.approx(-16.0, abs=0.1)
    for rendition in report.renditions.values():
        reached_lufs = rendition.integrated_loudness_lufs + rendition.loudness_shortfall_lu
        assert reached_lufs == pytest.approx(report.integrated_loudness_lufs, abs=0.1)
        assert rendition.true_peak_dbtp <= -1.0


def test_a_master_made_in_the_takes_own_memory_is_the_same(tmp_path):
    samples = padded(music(5.0, peak_dbfs=0.0), 1.0)
    for bit_depth in (16, 24):
        settings = MasteringSettings(bit_depth=bit_depth, target_lufs=-14.0)
        kept = master(Audio(samples, RATE), outputs(tmp_path, "flac"), settings)
        lost = master(Audio(samples.copy(), RATE), outputs(tmp_path, "flac"), settings, overwrite=True)
        assert kept == lost


def test_the_second_meter_hears_excerpts_of_longer_takes_and_a_wrong_first_meter_is_found_out(tmp_path, monkeypatch):
    monkeypatch.setattr(second_meter, "WHOLE_S", 5)
    samples = np.concatenate([np.zeros((2 * RATE, 2), np.float32), music(24.0)])
    report = master(Audio(samples, RATE), outputs(tmp_path, "flac"))
    decoded = codecs.decode(tmp_path / "master-flac.flac").samples
    whole = pyloudnorm.Meter(RATE, filter_class="DeMan").integrated_loudness(decoded)
    assert report.second_meter_lufs == pytest.approx(whole, abs=0.02)
    right = loudness.k_weighting
    monkeypatch.setattr(loudness, "k_weighting", lambda rate_hz: right(rate_hz) * np.array([1.02, *[1.0] * 6]))
    with pytest.raises(MasteringError, match="second meter"):
        master(Audio(samples, RATE), outputs(tmp_path, "flac"))


@pytest.mark.parametrize("kind", ["not finite", "silent", "empty", "one sample", "too short", "eight channels"])
def test_what_cannot_be_mastered_is_one_clear_error_and_leaves_no_file(tmp_path, kind):
    with pytest.raises(AudioError) as caught:
        master(Audio(broken_take(kind), RATE), outputs(tmp_path, "flac", "mp3"))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("where", "name", "damage"),
    [
        ("flac", "write_flac", lambda pcm: np.roll(pcm, 1, axis=0)),
        ("flac", "write_flac", lambda pcm: pcm[:-1]),
        ("wav", "write_wav", lambda pcm: pcm // 2),
        ("mp3", "write_mp3", lambda pcm: pcm[:-5]),
        ("mp3", "write_mp3", lambda pcm: np.random.default_rng(1).integers(-32768, 32767, pcm.shape, np.int16)),
    ],
)
def test_an_encoder_that_writes_something_else_is_found_out_and_leaves_no_file(
    tmp_path, monkeypatch, where, name, damage
):
    original = getattr(codecs, name)
    monkeypatch.setattr(codecs, name, lambda path, pcm, rate, **kw: original(path, damage(pcm), rate, **kw))
    (tmp_path / "master-flac.flac").write_bytes(b"older")
    with pytest.raises(MasteringError):
        master(Audio(music(3.0), RATE), outputs(tmp_path, *{"flac", where}))
    assert [path.name for path in tmp_path.iterdir()] == ["master-flac.flac"]
    assert (tmp_path / "master-flac.flac").read_bytes() == b"older"


def test_an_mp3_that_decodes_too_hot_is_made_again_lower(tmp_path, monkeypatch):
    original, calls = codecs.write_mp3, []

    def hot_at_first(path, pcm, rate, **settings):
        calls.append(int(np.abs(pcm).max()))
        original(path, (pcm * 1.05).astype(np.int16) if len(calls) == 1 else pcm, rate, **settings)

    monkeypatch.setattr(codecs, "write_mp3", hot_at_first)
    report = master(Audio(music(4.0), RATE), outputs(tmp_path, "mp3"), MasteringSettings(target_lufs=-15.0))
    assert len(calls) >= 2
    assert report.renditions["mp3"].true_peak_dbtp <= -1.0


def test_outputs_that_cannot_be_written_are_one_clear_error(tmp_path):
    audio = Audio(music(3.0), RATE)
    with pytest.raises(AudioError, match="no such folder"):
        master(audio, {"flac": tmp_path / "absent" / "x.flac"})
    with pytest.raises(AudioError, match="different files"):
        master(audio, {"flac": tmp_path / "x", "mp3": tmp_path / "x"})
    with pytest.raises(AudioError, match="expected flac, wav, mp3"):
        master(audio, {"aac": tmp_path / "x.aac"})
    with pytest.raises(AudioError, match="outputs"):
        master(audio, {})


@pytest.mark.parametrize(
    "wrong",
    [{"target_lufs": 0.0}, {"ceiling_dbtp": 1.0}, {"max_limiting_db": float("nan")}, {"bit_depth": 8}, {"formats": ()}],
)
def test_settings_that_make_no_sense_are_one_clear_error(wrong):
    with pytest.raises(ConfigError, match="mastering setting"):
        MasteringSettings(**wrong)


def test_canonical_settings_leave_out_defaults_so_that_new_ones_change_no_identity():
    assert MasteringSettings().canonical() == {}
    assert MasteringSettings(target_lufs=-18.0).canonical() == {"target_lufs": -18.0}
    assert MasteringSettings(formats=("flac",)).canonical() == {"formats": ["flac"]}


def test_a_venues_own_loudness_and_bit_rate_are_rendered_from_the_master(tmp_path):
    report = master(Audio(music(6.0), RATE), outputs(tmp_path, "flac"), tags=TAGS)
    names = {"mp3-192": tmp_path / "venue.mp3", "wav": tmp_path / "venue.wav"}
    made = renditions.render(tmp_path / "master-flac.flac", names, gain_offset_db=-3.0, tags=TAGS)
    for rendition in made.values():
        assert rendition.integrated_loudness_lufs == pytest.approx(report.integrated_loudness_lufs - 3.0, abs=0.1)
        assert rendition.frames == report.frames
    assert made["mp3-192"].bitrate_kbps == 192
    louder = renditions.render(tmp_path / "master-flac.flac", {"mp3": tmp_path / "loud.mp3"}, gain_offset_db=2.0)
    assert louder["mp3"].true_peak_dbtp <= -1.0


def test_rendering_a_master_unchanged_keeps_every_sample(tmp_path):
    master(Audio(music(4.0), RATE), outputs(tmp_path, "flac"))
    renditions.render(tmp_path / "master-flac.flac", {"wav": tmp_path / "copy.wav"})
    np.testing.assert_array_equal(
        codecs.decode(tmp_path / "copy.wav").samples, codecs.decode(tmp_path / "master-flac.flac").samples
    )


def test_the_report_can_be_compared_and_stored(tmp_path):
    report = master(Audio(music(4.0), RATE), outputs(tmp_path, "flac"))
    assert report == dataclasses.replace(report)
    assert report.waveform.shape == (400, 2)
    assert np.abs(report.waveform).max() <= 1.0
