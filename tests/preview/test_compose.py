from __future__ import annotations

import hashlib
from collections import Counter
from itertools import pairwise

import pytest

from ace_assets.preview.compose import LEAD_IN_S, Score, compose
from ace_assets.preview.harmony import parse_key
from ace_assets.preview.request import MusicRequest, delivered_duration_s
from ace_assets.preview.styles import STYLES

CAPTIONS = (
    "bossa nova, nylon guitar, flute",
    "jazz trio",
    "solo piano",
    "deep house",
    "funk, slap bass",
    "ambient pads",
    "handpan",
    "neoclassical strings",
)


def score_of(caption: str = "lounge", **fields: object) -> Score:
    values: dict[str, object] = {"bpm": 100, "key": "A minor", "duration_s": 60.0, "seed": 1}
    return compose(MusicRequest(caption, **(values | fields)))  # type: ignore[arg-type]


def test_the_same_request_gives_exactly_the_same_notes() -> None:
    for caption in CAPTIONS:
        assert score_of(caption).notes == score_of(caption).notes


def test_notes_are_the_same_on_every_machine() -> None:
    text = "\n".join(map(str, (note for caption in CAPTIONS for note in score_of(caption).notes)))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "543b043945da0532"


def test_another_seed_gives_other_music() -> None:
    scores = {tuple((note.start_s, note.voice, note.pitch) for note in score_of(seed=seed).notes) for seed in range(20)}
    assert len(scores) == 20


def test_another_style_gives_other_music() -> None:
    sounds = {caption: Counter(note.voice for note in score_of(caption).notes) for caption in CAPTIONS}
    assert len({tuple(sorted(counter)) for counter in sounds.values()}) == len(CAPTIONS)


@pytest.mark.parametrize("key", ["C major", "A minor", "F# minor", "Eb major", "E minor"])
def test_every_pitch_belongs_to_the_key(key: str) -> None:
    parsed = parse_key(key)
    assert parsed is not None
    allowed = {(parsed.tonic + offset) % 12 for offset in parsed.scale}
    for caption in CAPTIONS:
        score = score_of(caption, key=key)
        assert score.key == parsed
        assert {note.pitch % 12 for note in score.notes if note.part != "drums"} <= allowed


def test_hardly_a_note_opens_more_bars_in_the_bass_than_the_tonic() -> None:
    for caption in CAPTIONS:
        openings: Counter[int] = Counter()
        for note in score_of(caption, key="D major", duration_s=120.0).notes:
            beat = (note.start_s - LEAD_IN_S) * 100 / 60
            if note.part == "bass" and abs((beat + 2) % 4 - 2) < 0.1:
                openings[note.pitch % 12] += 1
        assert openings[2] >= 0.75 * max(openings.values()), caption


@pytest.mark.parametrize("beats_per_bar", [2, 3, 4, 6])
@pytest.mark.parametrize("bpm", [60, 97, 173])
def test_notes_lie_on_the_beat_grid(bpm: float, beats_per_bar: int) -> None:
    for caption in ("deep house", "synth pop", "neoclassical"):
        score = score_of(caption, bpm=bpm, beats_per_bar=beats_per_bar)
        style = STYLES[score.style]
        sixteenth_s = 15.0 / bpm
        tolerance_s = 2 * style.sway_s + style.swing / 2 * 60.0 / bpm + 0.09  # sway, swing, and strummed chords
        for note in score.notes:
            steps = (note.start_s - LEAD_IN_S) / sixteenth_s
            off_s = abs(steps - round(steps)) * sixteenth_s
            assert off_s <= min(tolerance_s, sixteenth_s / 2 + 1e-9)


def test_every_beat_of_a_house_track_has_a_kick() -> None:
    score = score_of("deep house", bpm=120, duration_s=90.0)
    kicks = sorted(note.start_s for note in score.notes if note.voice == "kick")
    gaps = Counter(round(b - a, 1) for a, b in pairwise(kicks))
    assert gaps[0.5] > 0.9 * sum(gaps.values())


def test_drums_play_only_where_the_style_has_them_and_the_caption_allows() -> None:
    assert any(note.part == "drums" for note in score_of("deep house").notes)
    for caption in ("deep house, no drums", "ambient", "spa, handpan", "meditation piano", "drone, deep drums"):
        assert not [note for note in score_of(caption).notes if note.part == "drums"]


def test_instruments_of_the_caption_play() -> None:
    voices = {note.voice for note in score_of("lounge, marimba, felt piano, cello").notes}
    assert {"marimba", "felt"} <= voices


def test_a_piece_has_an_introduction_sections_and_an_ending_on_the_tonic() -> None:
    for caption in CAPTIONS:
        score = score_of(caption, duration_s=120.0, key="G major")
        last = [note for note in score.notes if note.start_s > score.final_s - 0.05 and note.part != "drums"]
        assert {note.pitch % 12 for note in last} <= {7, 11, 2, 9}  # G B D and the added A
        assert min(last, key=lambda note: note.pitch).pitch % 12 == 7
        assert max(note.start_s for note in score.notes) < score.final_s + 0.7
        assert 2.0 < score.duration_s - score.final_s < 9.0
        parts_first = {note.part for note in score.notes if note.start_s < 3}
        parts_middle = {note.part for note in score.notes if 40 < note.start_s < 80}
        assert len(parts_middle) > len(parts_first)


@pytest.mark.parametrize("duration_s", [5.12, 10.0, 10.04, 37.0, 180.0, 600.0])
@pytest.mark.parametrize("bpm", [30, 66, 120, 300])
def test_any_length_and_tempo_can_be_composed(bpm: float, duration_s: float) -> None:
    for caption in ("jazz trio", "ambient"):
        score = score_of(caption, bpm=bpm, duration_s=duration_s, beats_per_bar=3)
        assert score.duration_s == duration_s
        assert score.notes
        assert all(0 <= note.start_s < duration_s for note in score.notes)
        assert all(note.start_s + note.duration_s <= duration_s + 1e-4 for note in score.notes)
        assert all(20 <= note.pitch <= 108 for note in score.notes if note.part != "drums")


def test_lengths_follow_the_server_s_grid_and_limits() -> None:
    assert [delivered_duration_s(x) for x in (0.5, 9.99, 30, 123.456, 5000)] == [5.12, 10.0, 30.0, 123.44, 600.0]


def test_unusable_values_are_replaced_not_refused() -> None:
    score = score_of(bpm=None, key="H dur", beats_per_bar=7)
    assert abs(score.bpm - STYLES[score.style].bpm) <= 5
    assert score.beats_per_bar == 4
