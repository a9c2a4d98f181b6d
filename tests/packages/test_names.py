"""File names are safe on every disk, and titles in every player."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace_assets.packages.names import audio_file_name, safe_title
from tests.packages.support import track_id

RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"COM{n}" for n in range(10)), *(f"LPT{n}" for n in range(10))}
NASTY = [
    "🎷🌙 Midnight", "a/b\\c:d*e?f\"g<h>i|j", "x" * 300, "CON", "nul.mp3", "  .hidden. ", "\u202egnp.exe", "شب آرام",
    "夜の散歩", "a\x00b\nc\td", "trailing dot.", "\ud800 lone surrogate", "%2e%2e/..", "-rf *", "", "ﬁne ½ ①",
]  # fmt: skip


@pytest.mark.parametrize("title", NASTY)
def test_nasty_titles_become_plain_names(title: str) -> None:
    check(audio_file_name("ACE-0123456789", title, "mp3"))


@given(st.text(st.characters(codec=None), max_size=400), st.sampled_from(["mp3", "flac", "wav"]))
def test_any_title_becomes_a_plain_name(title: str, extension: str) -> None:
    check(audio_file_name("ACE-0123456789", title, extension))


def check(name: str) -> None:
    assert re.fullmatch(r"ACE-0123456789(-[a-z0-9]+)*\.(mp3|flac|wav)", name)
    assert len(name) <= 100
    assert name.split(".", maxsplit=1)[0].upper() not in RESERVED


@given(st.text(max_size=20), st.text(max_size=20), st.integers(0, 2**50 - 1), st.integers(0, 2**50 - 1))
def test_two_tracks_never_share_a_name_whatever_the_disk_makes_of_case(one: str, two: str, a: int, b: int) -> None:
    if a != b:
        names = {audio_file_name(track_id(a), one, "mp3").lower(), audio_file_name(track_id(b), two, "mp3").lower()}
        assert len(names) == 2


@pytest.mark.parametrize("track", ["../../etc", "ACE-lowercase0", "", "ACE-0123456789X", "ACE-012345678I", "ä"])
def test_an_id_that_is_not_ours_still_gives_a_safe_name_of_its_own(track: str) -> None:
    name = audio_file_name(track, "Title", "mp3")
    assert re.fullmatch(r"ACE-[A-Za-z0-9-]+\.mp3", name)
    assert name != audio_file_name(track + "x", "Title", "mp3")


@given(st.text(st.characters(codec=None), max_size=200))
def test_a_title_is_one_line_that_turns_no_text_around(title: str) -> None:
    safe = safe_title(title)
    assert safe
    assert safe == " ".join(safe.split())
    assert not re.search("[\x00-\x1f\u202a-\u202e\u2066-\u2069\u2028\u2029]", safe)
    safe.encode("utf-8")


def test_a_title_keeps_its_script_and_its_emoji() -> None:
    assert safe_title("夜の散歩 👩‍🚀") == "夜の散歩 👩‍🚀"
