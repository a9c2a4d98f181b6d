"""Tags: written once, read back by us and by a library that shares no code with the one that wrote them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import soundfile
import tinytag

from ace_assets.audio import codecs
from ace_assets.audio.dither import to_pcm16
from ace_assets.audio.tags import (
    TRAINED_ALGORITHMIC_MEDIA,
    TrackTags,
    disclosed,
    long_key,
    read_tags,
    short_key,
    write_tags,
)
from ace_assets.errors import AudioError
from tests.signals import music

PCM = to_pcm16(music(1.0), seed=1)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
TAGS = disclosed(
    TrackTags(
        title="Café del Atardecer",
        artist="House",
        album="Lobby",
        genre="Bossa Nova",
        date="2026",
        copyright="© House",
        publisher="House",
        language="zxx",
        bpm=92.4,
        key="A minor",
        track_id="ACE-0123456789",
        seed=2**40,
        prompt_id="p-1",
        cues_s={"cue_in": 0.3, "intro_end": 4.0, "outro_start": 170.125, "cue_out": 178.0},
        extra={"LICENCE": "see rights.csv"},
        cover=PNG,
    ),
    model="acestep-v15-turbo",
).with_loudness(integrated_loudness_lufs=-16.02, true_peak_dbtp=-1.2)


@pytest.fixture(params=["mp3", "flac", "wav", "ogg"])
def tagged(request, tmp_path):
    path = tmp_path / f"x.{request.param}"
    if request.param == "ogg":
        soundfile.write(path, PCM, 48_000, format="OGG", subtype="VORBIS")
    else:
        {"flac": codecs.write_flac, "wav": codecs.write_wav, "mp3": codecs.write_mp3}[request.param](path, PCM, 48_000)
    before = codecs.decode(path).samples
    write_tags(path, TAGS)
    np.testing.assert_array_equal(codecs.decode(path).samples, before)
    return path


def test_what_was_written_is_read_back(tagged):
    cover = None if tagged.suffix == ".ogg" else PNG
    assert read_tags(tagged) == dataclasses.replace(TAGS, bpm=92.0, key="Am", cover=cover)


def test_an_independent_reader_finds_names_gain_and_disclosure(tagged):
    found = tinytag.TinyTag.get(tagged)
    other = {name.lower(): values[0] for name, values in found.other.items()}
    assert (found.title, found.artist, found.album, found.genre) == (TAGS.title, TAGS.artist, TAGS.album, TAGS.genre)
    assert other["replaygain_track_gain"] == "-1.98 dB"
    assert float(other["replaygain_track_peak"]) == pytest.approx(10 ** (-1.2 / 20), abs=1e-6)
    assert other["digitalsourcetype"] == TRAINED_ALGORITHMIC_MEDIA
    assert other["ace_track_id"] == "ACE-0123456789"
    assert other["bpm"] == "92"
    assert "artificial intelligence" in found.comment


def test_writing_again_leaves_the_same_bytes_and_nothing_of_older_tags(tagged):
    once = tagged.read_bytes()
    write_tags(tagged, TAGS)
    assert tagged.read_bytes() == once
    write_tags(tagged, TrackTags(title="other"))
    assert read_tags(tagged) == TrackTags(title="other")


@pytest.mark.parametrize(
    ("words", "short"), [("A minor", "Am"), ("C major", "C"), ("F#m", "F#m"), ("eb Major", "Eb"), ("B♭ minor", "Bbm")]
)
def test_keys_are_spelt_short_and_long(words, short):
    assert short_key(words) == short
    assert short_key(long_key(words)) == short


@pytest.mark.parametrize("key", ["", "H minor", "A blues", "minor", "A minor scale"])
def test_what_is_no_key_is_one_clear_error(key):
    with pytest.raises(AudioError, match="expected a tonic and a mode"):
        short_key(key)


def test_files_that_take_no_tags_are_one_clear_error(tmp_path):
    (tmp_path / "x.mp3").write_text("no audio")
    with pytest.raises(AudioError, match="expected MP3, FLAC, Ogg or WAV"):
        write_tags(tmp_path / "x.mp3", TAGS)
    with pytest.raises(AudioError, match="No such file"):
        read_tags(tmp_path / "absent.flac")
