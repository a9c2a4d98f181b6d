from __future__ import annotations

import pytest

from ace_assets.preview.lexicon import read_caption
from ace_assets.preview.patterns import ARPS, BASSES, COMPS, KITS, MELODIES, for_bar, hits
from ace_assets.preview.styles import LOOPS, STYLES
from ace_assets.preview.voices import VOICES


@pytest.mark.parametrize(
    ("caption", "style"),
    [
        ("warm bossa nova instrumental, nylon guitar, brushed drums, vibraphone", "bossa-nova"),
        ("refined jazz piano trio instrumental, grand piano, upright bass", "jazz-trio"),
        ("stylish deep house instrumental, electric piano, deep synth bass", "deep-house"),
        ("serene ambient instrumental, soft drone, warm pads, soft bells", "ambient"),
        ("healing singing bowl sound bath, crystal bowls", "drone"),
        ("Handpan, calm, no drums", "handpan"),
        ("lo-fi hip hop, dusty vinyl", "lo-fi"),
        ("neoclassical chamber music, string quartet, grand piano", "neoclassical"),
        ("playful nu-disco instrumental, disco bass guitar, synth plucks", "nu-disco"),
        ("neo-soul, silky electric piano", "soul"),
        ("", "lounge"),
        ("zzz qqq", "lounge"),
    ],
)
def test_a_caption_finds_its_style(caption: str, style: str) -> None:
    assert read_caption(caption).style == style


def test_words_count_only_when_they_are_whole() -> None:
    assert read_caption("a houseboat with popcorn and spades").style == read_caption("").style


def test_the_genre_at_the_start_beats_the_instruments_that_follow() -> None:
    assert read_caption("ambient music, house drums, disco strings, jazz guitar, funk bass").style == "ambient"


def test_instruments_are_read_in_the_order_of_the_caption() -> None:
    assert read_caption("lounge, flute, felt piano, upright bass").voices == ("flute", "felt", "upright")


@pytest.mark.parametrize("words", ["no drums", "without any percussion", "drumless", "beatless", "no drums or vocals"])
def test_captions_can_forbid_drums(words: str) -> None:
    assert not read_caption(f"deep house, {words}").drums
    assert read_caption("deep house, drums").drums


def test_what_is_forbidden_is_not_an_instrument() -> None:
    assert read_caption("lounge, flute, no piano").voices == ("flute",)


def test_music_for_spas_has_no_drum_kit_to_choose_from() -> None:
    for style in ("ambient", "drone", "handpan", "new-age", "meditation-piano"):
        assert STYLES[style].kits == ()


def test_every_name_in_a_style_exists() -> None:
    for style in STYLES.values():
        for part in ("chords", "bass", "lead", "pad", "arp"):
            for voice in getattr(style, part):
                assert part in VOICES[voice].parts or voice == "piano", (part, voice)
        assert set(style.comps) <= set(COMPS)
        assert set(style.basses) <= set(BASSES)
        assert set(style.arps) <= set(ARPS)
        assert set(style.kits) <= set(KITS)
        assert style.melody in MELODIES
        assert style.loops in LOOPS


def test_every_pattern_is_one_or_two_whole_bars() -> None:
    patterns = [*COMPS.values(), *BASSES.values(), *ARPS.values()]
    patterns += [lane for kit in KITS.values() for lane in kit.values()]
    patterns += [rhythm for rhythms in MELODIES.values() for rhythm in rhythms]
    assert {len(pattern) for pattern in patterns} <= {16, 32}


@pytest.mark.parametrize("beats", [2, 3, 4, 6])
def test_a_pattern_fills_bars_of_any_number_of_beats(beats: int) -> None:
    for bar in range(4):
        steps = for_bar(COMPS["bossa"], bar, beats)
        assert len(steps) == 4 * beats
        assert all(beat + length <= beats for beat, length, _ in hits(steps))
