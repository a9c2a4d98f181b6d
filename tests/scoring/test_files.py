"""Many files at once: each gets its result or its one error, in order."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from ace_assets.errors import AudioError
from ace_assets.scoring.files import analyze_files, find_duplicates
from tests.music import judge


@pytest.fixture(scope="module")
def clip() -> judge.Sample:
    return next(judge.previewed([5], 24.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, clip):
    folder = tmp_path_factory.mktemp("files")
    rate = clip.sample_rate_hz
    soundfile.write(folder / "good.wav", clip.samples, rate, subtype="PCM_24")
    soundfile.write(folder / "copy.flac", clip.samples[3 * rate :] * 0.5, rate)
    soundfile.write(folder / "eight.wav", np.zeros((rate, 8), np.float32), rate)
    soundfile.write(folder / "none.wav", np.zeros((0, 2), np.float32), rate)
    broken = clip.samples.copy()
    broken[7, 0] = np.nan
    soundfile.write(folder / "nan.wav", broken, rate, subtype="FLOAT")
    soundfile.write(folder / "telephone.wav", clip.samples[::6, 0], rate // 6)
    (folder / "empty.mp3").write_bytes(b"")
    (folder / "text.flac").write_text("no audio at all")
    data = (folder / "copy.flac").read_bytes()
    (folder / "short.flac").write_bytes(data[: len(data) // 2])
    return folder


NAMES = [
    "empty.mp3",
    "good.wav",
    "eight.wav",
    "none.wav",
    "nan.wav",
    "missing.wav",
    "telephone.wav",
    "text.flac",
    "short.flac",
    "copy.flac",
]
BAD = {"empty.mp3", "eight.wav", "none.wav", "missing.wav", "text.flac", "short.flac"}


def test_every_file_gets_its_result_or_one_error_that_names_it_in_order(folder):
    seen = []
    results = list(analyze_files([folder / name for name in NAMES], jobs=2, progress=lambda *count: seen.append(count)))
    assert [result.path.name for result in results] == NAMES
    for result in results:
        assert (result.error is not None) == (result.path.name in BAD), result
        assert (result.analysis is None) == (result.path.name in BAD)
        if result.error is not None:
            assert result.path.name in str(result.error)
            assert "\n" not in str(result.error)
    assert seen == [(number, len(NAMES)) for number in range(1, len(NAMES) + 1)]
    by_name = {result.path.name: result.analysis for result in results}
    assert by_name["nan.wav"].gate_failures == ("non_finite",)
    assert by_name["telephone.wav"].sample_rate_hz == 8_000


def test_an_hour_and_samples_over_full_scale_give_results_and_three_channels_one_error(tmp_path, clip):
    rate = 8_000
    with soundfile.SoundFile(tmp_path / "hour.wav", "w", rate, 1, "PCM_16") as file:
        minute = 0.3 * np.sin(2 * np.pi * 220 * np.arange(60 * rate) / rate)
        for _ in range(60):
            file.write(minute)
    hot = clip.samples / np.abs(clip.samples).max() * np.float32(4.0)
    soundfile.write(tmp_path / "hot.wav", hot, clip.sample_rate_hz, subtype="FLOAT")
    soundfile.write(tmp_path / "three.wav", np.zeros((rate, 3), np.float32), rate)
    hour, over, three = analyze_files([tmp_path / name for name in ("hour.wav", "hot.wav", "three.wav")])
    assert hour.error is None
    assert hour.analysis.duration_s == 3600.0
    assert hour.analysis.integrated_loudness_lufs is not None
    assert over.error is None
    assert over.analysis.true_peak_dbtp >= 20 * np.log10(4.0) - 0.1
    assert "clipping" not in over.analysis.gate_failures
    assert three.analysis is None
    assert "three.wav" in str(three.error)
    assert "channels" in str(three.error)


def test_results_do_not_depend_on_how_many_work_at_once(folder):
    paths = [folder / name for name in ("good.wav", "copy.flac", "telephone.wav")]
    assert list(analyze_files(paths, jobs=1)) == list(analyze_files(paths, jobs=4))


def test_a_wrong_key_is_refused_before_any_file_is_read(folder):
    with pytest.raises(AudioError, match="key"):
        next(analyze_files([folder / "good.wav"], key="Q"))


def test_no_files_are_no_error():
    assert list(analyze_files([])) == []
    assert find_duplicates([]) == []


def test_duplicates_are_found_and_broken_files_reported(folder):
    errors = []
    pairs = find_duplicates([folder / name for name in NAMES], on_error=errors.append)
    assert {(pair.a.name, pair.b.name) for pair in pairs} >= {("good.wav", "copy.flac")}
    assert all(0.5 < pair.similarity <= 1 for pair in pairs)
    assert {error.path.name for error in errors} >= BAD - {"eight.wav"} | {"nan.wav"}
