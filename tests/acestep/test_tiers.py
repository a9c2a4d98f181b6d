"""What a GPU may be asked, by which table, and what is said when it is asked for more."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace_assets import shipped
from ace_assets.acestep.servers import Server
from ace_assets.acestep.tier_check import check, check_server
from ace_assets.acestep.tiers import MeasuredTier, TierLimit, limit_for, lm_size, load_tiers, parse_tiers
from ace_assets.errors import ConfigError, RequestError

TABLES = ("mission", "server_2026_02", "newer")
LMS = ("none", "0.6B", "1.7B", "4B")

# memory, longest take, batch, language models: the customer's document, VRAM Tier Behavior
MISSION = [
    (5.9, 30, 1, ()),
    (6, 30, 1, ("0.6B",)),
    (7.6, 30, 1, ("0.6B",)),
    (11.6, 60, 2, ("0.6B", "1.7B")),
    (15.6, 120, 4, ("1.7B",)),
    (23.6, 300, 6, ("1.7B", "4B")),
    (24, 300, 6, ("1.7B", "4B")),
    (79.2, 600, 8, ("4B",)),
]
# memory, with a language model, without: PROTOCOL.md, GPU memory tiers
SERVER_2026_02 = [
    (3.9, (180, 1), (180, 1)),
    (5.9, (360, 1), (360, 1)),
    (7.6, (240, 1), (360, 2)),
    (11.6, (240, 2), (360, 4)),
    (15.6, (240, 2), (360, 4)),
    (23.6, (480, 4), (480, 8)),
    (79.2, (600, 8), (600, 8)),
]
NEWER = [
    (7.6, (480, 2), (600, 2)),
    (11.6, (480, 2), (600, 4)),
    (15.6, (480, 4), (600, 8)),
    (23.6, (480, 4), (600, 8)),
    (79.2, (480, 8), (600, 8)),
]


def pair(limit: TierLimit) -> tuple[float, int]:
    return limit.max_duration_s, limit.max_batch


@pytest.mark.parametrize(("memory_gb", "duration_s", "batch", "lms"), MISSION)
def test_the_missions_table_is_the_customers(
    memory_gb: float, duration_s: int, batch: int, lms: tuple[str, ...]
) -> None:
    for lm in LMS:
        limit = limit_for(memory_gb, table="mission", lm=lm)
        assert pair(limit) == (duration_s, batch)
        assert limit.lm_models == lms


@pytest.mark.parametrize(
    ("table", "memory_gb", "with_lm", "without_lm"),
    [("server_2026_02", *row) for row in SERVER_2026_02] + [("newer", *row) for row in NEWER],
)
def test_the_servers_tables_are_those_that_were_measured(
    table: str, memory_gb: float, with_lm: tuple[int, int], without_lm: tuple[int, int]
) -> None:
    assert pair(limit_for(memory_gb, table=table, lm="0.6B")) == with_lm
    assert pair(limit_for(memory_gb, table=table)) == without_lm


def test_a_card_sold_as_24_gb_stays_below_the_row_above_24() -> None:
    for name in ("RTX 3090", "RTX 4090"):
        assert load_tiers().gpu(name).memory_gb == pytest.approx(23.6)
        assert limit_for(name, table="mission").max_duration_s == 300


def test_language_models_need_what_was_measured_and_the_mission_keeps_its_own_figures() -> None:
    needs = load_tiers().lm_memory_gb
    assert needs["measured"] == {"0.6B": 3, "1.7B": 8, "4B": 12}
    assert needs["mission"] == {"0.6B": 2, "1.7B": 4, "4B": 8}


@pytest.mark.parametrize("name", ["RTX 3090", "3090", "rtx-3090", "NVIDIA GeForce RTX 3090", "nvidia geforce rtx_3090"])
def test_a_card_is_known_by_the_names_that_people_and_drivers_give_it(name: str) -> None:
    assert load_tiers().gpu(name).name == "RTX 3090"


def test_two_memory_sizes_of_one_card_are_told_apart() -> None:
    assert load_tiers().gpu("NVIDIA A100-SXM4-80GB").memory_gb > 70
    assert load_tiers().gpu("NVIDIA A100-SXM4-40GB").memory_gb < 41


def test_an_unknown_card_table_or_language_model_is_named_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"GPU: GTX 970, expected one of A100.*RTX 3090"):
        limit_for("GTX 970")
    with pytest.raises(ConfigError, match=r"tier table: latest, expected one of mission"):
        limit_for("RTX 3090", table="latest")
    with pytest.raises(ConfigError, match=r"language model: big, expected none or a name that ends in its size"):
        lm_size("big")


@pytest.mark.parametrize("memory_gb", [0, -1, float("nan"), float("inf")])
def test_memory_that_no_card_has_is_refused(memory_gb: float) -> None:
    with pytest.raises(ConfigError, match="GPU memory"):
        limit_for(memory_gb)


def refusal(**request: object) -> RequestError:
    with pytest.raises(RequestError) as caught:
        check(**request)  # type: ignore[arg-type]
    return caught.value


def test_a_take_that_is_too_long_is_refused_with_card_table_limit_and_way_out() -> None:
    error = refusal(duration_s=300, lm="0.6B", gpu="RTX 3060", table="server_2026_02")
    assert error.rule == "A-TIER-DURATION"
    text = str(error)
    for part in ("RTX 3060", "server_2026_02", "300 s", "at most 240 s", "ask for 240 s", "use no language model"):
        assert part in text
    assert "use a larger GPU such as RTX" in text
    assert "\n" not in text


def test_no_way_out_is_offered_that_would_be_refused_as_well() -> None:
    assert "no language model" not in str(refusal(duration_s=600, lm="1.7B", gpu="RTX 3090"))
    assert "none of tiers.toml is large enough" in str(refusal(duration_s=700, gpu="A100"))


def test_too_many_at_once_is_refused() -> None:
    error = refusal(duration_s=60, batch_size=8, gpu="RTX 3060", table="mission")
    assert error.rule == "A-TIER-BATCH"
    assert "at most 2" in str(error)


def test_a_language_model_beyond_the_table_is_refused_and_a_smaller_one_allowed() -> None:
    error = refusal(duration_s=60, lm="4B", gpu="RTX 3060", table="mission")
    assert error.rule == "A-TIER-LM"
    assert "use 1.7B" in str(error)
    assert check(duration_s=60, lm="0.6B", gpu=15.6, table="mission").lm_models == ("1.7B",)


def test_dit_and_language_model_are_summed_against_the_cards_memory() -> None:
    error = refusal(duration_s=60, lm="acestep-5Hz-lm-1.7B", gpu=12.5, table="server_2026_02")
    assert error.rule == "A-TIER-MEMORY"
    assert "12.7 GB for DiT 4.7 and language model 1.7B 8" in str(error)
    assert check(duration_s=60, lm="1.7B", gpu=12.8, table="server_2026_02").memory_gb == 12.8
    assert "13 GB" not in str(refusal(duration_s=60, lm="1.7B", model="acestep-v15-xl-base", gpu=15.6))


def test_parts_that_take_turns_are_not_summed() -> None:
    measured = MeasuredTier(offload=True)
    assert check(duration_s=60, lm="1.7B", gpu=12.5, table="server_2026_02", measured=measured).offload


def test_without_a_language_model_the_smallest_cards_of_the_tables_are_allowed() -> None:
    assert check(duration_s=30, gpu=4, table="mission").max_duration_s == 30


def test_a_servers_own_measurement_wins_over_the_file_and_the_file_over_the_table() -> None:
    data = shipped_data()
    data["measured"] = {"NVIDIA RTX 3090": {"max_duration_s": 420, "max_batch": 5, "lm": ["0.6B"], "note": "probe"}}
    tiers = parse_tiers(data)
    assert pair(limit_for("RTX 3090", tiers=tiers)) == (420, 5)
    assert limit_for("RTX 3090", tiers=tiers).lm_models == ("0.6B",)
    probe = MeasuredTier(max_duration_s=200)
    limit = limit_for("RTX 3090", tiers=tiers, measured=probe)
    assert pair(limit) == (200, 5)
    assert "measurement" in limit.table
    assert limit_for("RTX 4090", tiers=tiers).table == "server_2026_02"


def test_a_server_without_a_declared_card_is_not_held_against_a_tier() -> None:
    assert check_server(Server("http://127.0.0.1:8001", "a"), duration_s=600, batch_size=8) is None


def test_a_server_is_held_against_its_card_its_table_and_its_probe() -> None:
    server = Server("http://127.0.0.1:8001", "a", gpu="RTX 3090", tier_table="mission")
    with pytest.raises(RequestError, match="mission"):
        check_server(server, duration_s=301)
    by_memory = Server("http://127.0.0.1:8001", "a", memory_gb=11.6, tier_table="mission")
    with pytest.raises(RequestError, match="at most 60 s"):
        check_server(by_memory, duration_s=61)
    # Takes end on a 40 ms grid: 479.96 s is a full 480 s.
    limit = check_server(server, duration_s=480, measured_duration_s=479.96, measured_batch=1)
    assert limit is not None
    assert pair(limit) == (480, 1)


@given(
    memory_gb=st.floats(0.5, 200),
    table=st.sampled_from(TABLES),
    lm=st.sampled_from(LMS),
    duration_s=st.floats(1, 1000),
    batch=st.integers(1, 16),
)
def test_a_request_passes_exactly_when_it_keeps_every_limit(
    memory_gb: float, table: str, lm: str, duration_s: float, batch: int
) -> None:
    limit = limit_for(memory_gb, table=table, lm=lm)
    fits = duration_s <= limit.max_duration_s and batch <= limit.max_batch
    if lm != "none":
        largest = max((float(name[:-1]) for name in limit.lm_models), default=0)
        fits = fits and float(lm[:-1]) <= largest and 4.7 + limit.lm_memory_gb[lm] <= memory_gb
    if fits:
        assert check(duration_s=duration_s, batch_size=batch, lm=lm, gpu=memory_gb, table=table) == limit
    else:
        assert refusal(duration_s=duration_s, batch_size=batch, lm=lm, gpu=memory_gb, table=table).rule


@given(table=st.sampled_from(TABLES), sizes=st.tuples(st.floats(0.5, 200), st.floats(0.5, 200)))
def test_more_memory_never_allows_less(table: str, sizes: tuple[float, float]) -> None:
    small, large = (limit_for(size, table=table) for size in sorted(sizes))
    assert small.max_duration_s <= large.max_duration_s
    assert small.max_batch <= large.max_batch


# ---- A file that is not what it should be ----


def shipped_data() -> dict[str, object]:
    text = (shipped.path("gpu") / "tiers.toml").read_text(encoding="utf-8")
    return copy.deepcopy(tomllib.loads(text))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("with_lm = [30, 1]", "with_lm = [30]", r"\[tables\] \[mission\] rows row 1 with_lm.*expected \[seconds"),
        ("with_lm = [30, 1]", "with_lm = [-30, 1]", r"row 1 with_lm: \[-30, 1\]"),
        ("with_lm = [30, 1]", "with_lm = [30, 9]", r"row 1 with_lm: \[30, 9\]"),
        ("with_lm = [30, 1]", "with_lm = [30, 1.5]", r"row 1 with_lm: \[30, 1.5\]"),
        ("with_lm = [30, 1]", 'with_lm = ["30", 1]', r"row 1 with_lm: \['30', 1\]"),
        ("below_gb = 6,", "below_gb = nan,", r"row 1 below_gb: nan"),
        ("below_gb = 6,", "below_gb = 6, up_to_gb = 6,", r"row 1: both bounds"),
        ("below_gb = 6,", "upto_gb = 6,", r"row 1 key: upto_gb, expected one of up_to_gb.*did you mean up_to_gb"),
        ("below_gb = 6,", "below_gb = 9,", r"rows: .*expected rising bounds"),
        ('lm = ["0.6B", "1.7B", "4B"] },\n]', 'lm = ["7B"] },\n]', r"lm: 7B, expected one of 0.6B"),
        ('lm_memory = "mission"', 'lm_memory = "guess"', r"lm_memory: guess, expected one of"),
        ('default_table = "server_2026_02"', 'default_table = "x"', r"default_table: x, expected one of mission"),
        ("memory_gb = 79.2", 'memory_gb = "80"', r"\[A100\] memory_gb: 80, expected a number"),
        ("memory_gb = 79.2", "", r"\[A100\] memory_gb: missing"),
        ('aliases = ["4090"]', 'aliases = ["3090"]', r"3090, expected a name of its own"),
        ("default = 4.7", "normal = 4.7", r"default: missing"),
        ("\n[measured]\n", "\n[measured.'RTX 9999']\nmax_batch = 1", r"expected a GPU of \[gpus\]"),
        ("\n[measured]\n", "\n[measured.'RTX 3090']\noffload = 1", r"offload: 1, expected true or false"),
        (
            "\n[measured]\n",
            "\n[measured.'RTX 3090']\nmax_duration = 1",
            r"max_duration, expected one of max_duration_s",
        ),
        ("\n[measured]\n", "\n[measured", r"expected valid TOML"),
    ],
)
def test_a_bad_entry_gets_one_line_that_names_it(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (shipped.path("gpu") / "tiers.toml").read_text(encoding="utf-8")
    changed = text.replace(old, new, 1)
    assert changed != text
    file = tmp_path / "tiers.toml"
    file.write_text(changed, encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as caught:
        load_tiers(file)
    assert "\n" not in str(caught.value)
    assert "tiers.toml" in str(caught.value)


def test_a_missing_or_garbled_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_tiers(tmp_path / "tiers.toml")
    (tmp_path / "latin.toml").write_bytes(b'default_table = "\xe9"')
    with pytest.raises(ConfigError, match="UTF-8"):
        load_tiers(tmp_path / "latin.toml")
