"""Ids are golden: they never change by order, platform, library or number format; another sound is another id."""

from __future__ import annotations

import hashlib
import math
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace_assets import identity
from ace_assets.errors import ConfigError
from ace_assets.matrix.campaigns import Profile
from ace_assets.matrix.identity import SOUND_DEFAULTS, TakeIds, prompt_id, sound_fields, take_id

PROMPT: dict[str, Any] = {
    "cell": "lobby.bossa-nova.morning.warm",
    "prompt_index": 3,
    "caption": "warm bossa nova instrumental, nylon guitar, flute, airy and relaxed, natural room sound",
    "lyrics": "[Instrumental]",
    "vocal_language": "unknown",
    "bpm": 116,
    "key": "A minor",
    "time_signature": "4",
    "duration_s": 170.0,
}
TURBO = Profile(name="production", engine="ace-step", model="acestep-v15-turbo")
SFT = Profile(
    name="evaluation", engine="ace-step", model="acestep-v15-sft", inference_steps=50, guidance_scale=7.0, shift=1.0
)
PREVIEW = Profile(name="preview", engine="preview", model="ace-assets-preview")

GOLDEN_PROMPT = "ab9fb171a5a24286b9663e349f3f7fc0"
GOLDEN_TAKES = {
    "production": ("524acab28cdd57919c58578437ac6130", "53ecda311afe80e623740833289ebaef"),
    "evaluation": ("72718615e8cc9aaf6141b9816407cda8", "5aedc7c6c3bf98f6d2c24f29146ef6bc"),
    "preview": ("dca85c625fc090782fa13f455ff5239b", "7b940c7316e330f26ce6944d339501b4"),
}
GOLDEN_TRACK, GOLDEN_SEED = "ACE-A95CNCMCVN", 1891648206
GOLDEN_MASTER = "eb26581ef6bbcbbd9153e5ca5c952d44"


def test_the_golden_ids_hold() -> None:
    assert identity.IDENTITY_VERSION == 1
    assert prompt_id(**PROMPT) == GOLDEN_PROMPT
    for profile in (TURBO, SFT, PREVIEW):
        assert (take_id(GOLDEN_PROMPT, profile, 0), take_id(GOLDEN_PROMPT, profile, 1)) == GOLDEN_TAKES[profile.name]
    take = GOLDEN_TAKES["production"][0]
    assert identity.track_id(take) == GOLDEN_TRACK
    assert identity.seed_of(take) == GOLDEN_SEED
    assert identity.master_id(take, {"target_lufs": -16.0, "ceiling_dbtp": -1.0}, "1") == GOLDEN_MASTER


def test_an_id_is_the_plain_hash_of_a_text_that_anybody_can_write_down() -> None:
    text = (
        '1:prompt:{"bpm":116,"caption":"warm bossa nova instrumental, nylon guitar, flute, airy and relaxed,'
        ' natural room sound",'
        '"cell":"lobby.bossa-nova.morning.warm","duration_s":170,"index":3,"key":"A minor"}'
    )
    assert prompt_id(**PROMPT) == hashlib.sha256(text.encode()).hexdigest()[:32]
    engine = '"engine":"ace-step","model":"acestep-v15-turbo"'
    text = f'1:take:{{{engine},"prompt":"{GOLDEN_PROMPT}","request":{{}},"variation":1}}'
    assert take_id(GOLDEN_PROMPT, TURBO, 1) == hashlib.sha256(text.encode()).hexdigest()[:32]


def test_the_fast_take_ids_are_those_of_the_canonical_facts() -> None:
    for profile in (
        TURBO,
        SFT,
        PREVIEW,
        replace(TURBO, thinking=True, lm_model="acestep-5Hz-lm-1.7B", adapter='a "quoted" one'),
    ):
        request = identity.without_defaults(sound_fields(profile), SOUND_DEFAULTS)
        facts = {
            "prompt": GOLDEN_PROMPT,
            "engine": profile.engine,
            "model": profile.model,
            "variation": 5,
            "request": request,
        }
        assert TakeIds(profile).of(GOLDEN_PROMPT, 5) == identity.hash_id("take", facts)


@pytest.mark.parametrize("name", PROMPT)
def test_everything_that_a_prompt_asks_for_is_part_of_its_id(name: str) -> None:
    value = PROMPT[name]
    other = value + 1 if isinstance(value, (int, float)) else f"{value} x"
    assert prompt_id(**{**PROMPT, name: other}) != GOLDEN_PROMPT


@pytest.mark.parametrize("name", [f.name for f in fields(Profile) if f.name != "name"])
def test_everything_of_a_profile_that_can_change_the_sound_is_part_of_a_takes_id(name: str) -> None:
    value = getattr(TURBO, name)
    other: Any = (
        (not value) if isinstance(value, bool) else value + 1 if isinstance(value, (int, float)) else f"{value}x"
    )
    assert take_id(GOLDEN_PROMPT, replace(TURBO, **{name: other}), 0) != GOLDEN_TAKES["production"][0]


def test_the_name_of_a_profile_is_no_part_of_a_takes_id() -> None:
    assert take_id(GOLDEN_PROMPT, replace(TURBO, name="nightly"), 0) == GOLDEN_TAKES["production"][0]


def test_a_take_of_the_preview_engine_never_passes_for_one_of_ace_step() -> None:
    same_model = replace(PREVIEW, model=TURBO.model)
    assert take_id(GOLDEN_PROMPT, same_model, 0) != take_id(GOLDEN_PROMPT, TURBO, 0)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(value=JSON, shuffle=st.randoms())
def test_canonical_json_does_not_depend_on_the_order_of_keys(value: Any, shuffle: Any) -> None:
    def reordered(item: Any) -> Any:
        if isinstance(item, dict):
            keys = list(item)
            shuffle.shuffle(keys)
            return {key: reordered(item[key]) for key in keys}
        return [reordered(inner) for inner in item] if isinstance(item, list) else item

    text = identity.canonical_json(value)
    assert identity.canonical_json(reordered(value)) == text
    assert text.isascii()


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_is_the_same_fact_as_an_integer_and_as_a_float(number: int) -> None:
    assert identity.canonical_json(number) == identity.canonical_json(float(number))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {"a": math.nan}, object(), {1, 2}])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="canonical JSON"):
        identity.canonical_json(value)


@given(st.lists(st.text("0123456789abcdef", min_size=32, max_size=32), min_size=2, max_size=50, unique=True))
def test_track_ids_are_short_readable_and_follow_the_take(takes: list[str]) -> None:
    for take in takes:
        track = identity.track_id(take)
        assert track.startswith("ACE-")
        assert len(track) == 14
        assert set(track[4:]) <= set(identity.CROCKFORD)
        bits = "".join(f"{identity.CROCKFORD.index(c):05b}" for c in track[4:])
        assert bits == f"{int(take, 16):0128b}"[:50]


@given(st.text("0123456789abcdef", min_size=32, max_size=32))
def test_seeds_are_positive_and_fit_31_bits(take: str) -> None:
    assert 1 <= identity.seed_of(take) <= 2**31 - 1


def test_a_new_loudness_target_is_a_new_master_of_the_same_track() -> None:
    take = GOLDEN_TAKES["production"][0]
    one, other = ({"target_lufs": target} for target in (-16.0, -18.0))
    assert identity.master_id(take, one, "1") != identity.master_id(take, other, "1")
    assert identity.master_id(take, one, "1") != identity.master_id(take, one, "2")
    assert identity.master_id(take, {"target_lufs": -16}, "1") == identity.master_id(take, one, "1")
