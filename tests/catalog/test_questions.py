"""Each of the analysts' twenty questions against an independent computation in plain Python on a known catalog."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from ace_assets.catalog import ask
from ace_assets.errors import CatalogError
from tests.catalog.conftest import Known

Row = dict[str, Any]


class Facts:
    """The rows as dictionaries, joined by hand; nothing here comes from the catalog."""

    def __init__(self, known: Known) -> None:
        rows = known.rows
        self.cells = {row["cell"]: row for row in rows.cells.to_dicts()}
        self.scores = {row["take_id"]: row for row in rows.take_scores.to_dicts()}
        self.takes = rows.takes.to_dicts()
        self.take = {row["take_id"]: row for row in self.takes}
        self.masters = rows.masters.to_dicts()
        self.kept = [row for row in self.masters if row["status"] != "retired"]
        self.kept_take_ids = {row["take_id"] for row in self.kept}
        self.events = rows.events.to_dicts()
        self.made = [row for row in self.takes if row["status"] in {"stored", "pruned"}]

    def zone(self, cell: str) -> str:
        return cell.split(".", maxsplit=1)[0]

    def genre(self, cell: str) -> str:
        return cell.split(".")[1]

    def passed(self, take: Row) -> bool:
        score = self.scores.get(take["take_id"])
        return score is not None and not score["gate_failures"] and not score["fit_failures"]


@pytest.fixture(scope="module")
def facts(known: Known) -> Facts:
    return Facts(known)


def same(found: list[Row], expected: list[Row], *, key: tuple[str, ...]) -> None:
    """Compare rows by key and value, floats with a tolerance; the expected columns are those that are compared."""
    assert expected, "the known catalog has nothing to compare"

    def by_key(rows: list[Row]) -> dict[tuple[Any, ...], Row]:
        return {tuple(row[name] for name in key): row for row in rows}

    left, right = by_key(found), by_key(expected)
    assert len(left) == len(found)
    assert left.keys() == right.keys()
    for name, row in right.items():
        for column, value in row.items():
            got = left[name][column]
            if isinstance(value, float) and got is not None:
                assert math.isclose(got, value, rel_tol=1e-9, abs_tol=1e-12), (name, column, got, value)
            else:
                assert got == value, (name, column, got, value)


def groups(rows: list[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return dict(found)


def mean(values: list[Any]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def run(known: Known, name: str, **parameters: object) -> list[Row]:
    return ask.run(known.rows.store, name, **parameters).to_dicts()


def test_exportable_hours_are_the_sum_of_the_kept_tracks_of_a_cell(known: Known, facts: Facts) -> None:
    kept = groups(facts.kept, lambda row: row["cell"])
    expected = [
        {
            "cell": cell,
            "exportable_tracks": len(kept.get(cell, [])),
            "exportable_h": sum(row["duration_s"] for row in kept.get(cell, [])) / 3600,
            "deliverable_tracks": 0 if facts.zone(cell) == "spa" else len(kept.get(cell, [])),
        }
        for cell in facts.cells
    ]
    same(run(known, "exportable_hours"), expected, key=("cell",))
    only = run(known, "exportable_hours", zone="spa")
    assert {row["zone"] for row in only} == {"spa"}


def test_gaps_to_target_are_what_each_cell_lacks(known: Known, facts: Facts) -> None:
    kept = Counter(row["cell"] for row in facts.kept)
    finished = Counter(row["cell"] for row in facts.takes if row["status"] != "failed")
    planned = Counter(row["cell"] for row in facts.takes)
    expected = []
    for cell, row in facts.cells.items():
        gap = max(row["target_tracks"] - kept[cell], 0)
        plan_gap = max(row["planned_tracks"] - kept[cell], 0)
        if finished[cell] < planned[cell]:
            obstacle = "partly generated"
        else:
            obstacle = "too few takes passed" if plan_gap else "not planned by this campaign"
        if gap:
            expected.append(
                {"cell": cell, "gap_to_target_tracks": gap, "gap_to_plan_tracks": plan_gap, "obstacle": obstacle}
            )
    same(run(known, "gaps_to_target"), expected, key=("cell",))


def test_yield_counts_made_passed_and_kept_by_genre_model_and_adapter(known: Known, facts: Facts) -> None:
    expected = []
    key = ("genre", "engine", "requested_model", "adapter")
    by = groups(facts.made, lambda t: (facts.genre(t["cell"]), t["engine"], t["requested_model"], t["adapter"]))
    for name, takes in by.items():
        passed = sum(facts.passed(t) for t in takes)
        kept = sum(t["take_id"] in facts.kept_take_ids for t in takes)
        expected.append(
            dict(zip(key, name, strict=True))
            | {
                "takes": len(takes),
                "scored_takes": len(takes),
                "passed_takes": passed,
                "kept_tracks": kept,
                "passed_share": passed / len(takes),
                "kept_share": kept / len(takes),
            }
        )
    same(run(known, "yield"), expected, key=key)


def test_reject_reasons_count_every_failed_gate_and_duplicates(known: Known, facts: Facts) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for score in facts.scores.values():
        counts.update(("technical", gate) for gate in score["gate_failures"])
        counts.update(("fit", gate) for gate in score["fit_failures"])
        counts[("duplicate", "near_duplicate")] += score["fate"] == "duplicate"
    expected = [
        {"kind": kind, "gate": gate, "takes": n, "share_of_scored": n / len(facts.scores)}
        for (kind, gate), n in counts.items()
        if n
    ]
    same(run(known, "reject_reasons"), expected, key=("kind", "gate"))
    spa = sum(facts.zone(s["cell"]) == "spa" and "clipping" in s["gate_failures"] for s in facts.scores.values())
    found = {row["gate"]: row["takes"] for row in run(known, "reject_reasons", zone="spa")}
    assert found.get("clipping", 0) == spa


@pytest.mark.parametrize("threshold", [0.7, 0.95])
def test_tempo_and_key_hits_are_counted_against_what_was_asked(known: Known, facts: Facts, threshold: float) -> None:
    expected = []
    key = ("genre", "engine", "requested_model")
    scored = [facts.take[take_id] for take_id in facts.scores]
    for name, takes in groups(scored, lambda t: (facts.genre(t["cell"]), t["engine"], t["requested_model"])).items():
        scores = [facts.scores[t["take_id"]] for t in takes]
        hits = sum(s["tempo_match"] >= threshold for s in scores)
        exact = sum(s["key_match"] == "exact" for s in scores)
        related = sum(s["key_match"] == "relative" for s in scores)
        expected.append(
            dict(zip(key, name, strict=True))
            | {
                "takes": len(scores),
                "tempo_hits": hits,
                "tempo_hit_share": hits / len(scores),
                "key_exact": exact,
                "key_exact_share": exact / len(scores),
                "key_compatible_share": (exact + related) / len(scores),
            }
        )
    same(run(known, "tempo_and_key_hit_rate", min_tempo_match=threshold), expected, key=key)


def test_clamped_durations_name_the_servers_that_deliver_less(known: Known, facts: Facts) -> None:
    expected = []
    key = ("server", "gpu", "requested_model")
    with_length = [t for t in facts.takes if t["duration_s"] is not None]
    for name, takes in groups(with_length, lambda t: tuple(t[k] for k in key)).items():
        clamped = [t for t in takes if t["duration_clamped"] or t["requested_duration_s"] - t["duration_s"] > 2.0]
        missing = [t["requested_duration_s"] - t["duration_s"] for t in clamped]
        expected.append(
            dict(zip(key, name, strict=True))
            | {
                "takes": len(takes),
                "clamped_takes": len(clamped),
                "clamped_share": len(clamped) / len(takes),
                "longest_missing_s": max(missing, default=None),
                "shortest_clamped_s": min((t["duration_s"] for t in clamped), default=None),
            }
        )
    same(run(known, "clamped_durations"), expected, key=key)


def test_a_kept_track_costs_all_takes_of_its_genre_and_an_unknown_price_stays_unknown(
    known: Known, facts: Facts
) -> None:
    expected = []
    for (zone, genre), takes in groups(facts.made, lambda t: (facts.zone(t["cell"]), facts.genre(t["cell"]))).items():
        unpriced = sum(t["cost_usd"] is None for t in takes)
        kept = sum(t["take_id"] in facts.kept_take_ids for t in takes)
        spend = None if unpriced else sum(t["cost_usd"] for t in takes)
        each = None if spend is None else spend / kept
        expected.append(
            {
                "zone": zone,
                "genre": genre,
                "unpriced_takes": unpriced,
                "kept_tracks": kept,
                "spend_usd": spend,
                "usd_per_kept_track": each,
                "mureka_usd_per_track": 1000 / 15000,
                "times_cheaper": None if each is None else 1000 / 15000 / each,
            }
        )
    same(run(known, "cost_per_kept_track"), expected, key=("zone", "genre"))
    assert any(row["spend_usd"] is None for row in expected)
    assert any(row["spend_usd"] is not None for row in expected)


@pytest.mark.parametrize("until", ["target", "plan"])
def test_the_forecast_fills_the_gaps_at_the_measured_yield_and_cost(known: Known, facts: Facts, until: str) -> None:
    kept = Counter(row["cell"] for row in facts.kept)
    missing: Counter[str] = Counter()
    for cell, row in facts.cells.items():
        wanted = row["target_tracks"] if until == "target" else row["planned_tracks"]
        missing[facts.zone(cell)] += max(wanted - kept[cell], 0)
    expected = []
    for zone, takes in groups(facts.made, lambda t: facts.zone(t["cell"])).items():
        per_track = len(takes) / sum(t["take_id"] in facts.kept_take_ids for t in takes)
        forecast = math.ceil(missing[zone] * per_track)
        unpriced = any(t["cost_usd"] is None for t in takes)
        expected.append(
            {
                "zone": zone,
                "missing_tracks": missing[zone],
                "takes_per_kept_track": per_track,
                "forecast_takes": forecast,
                "forecast_server_h": forecast * (mean([t["server_s"] for t in takes]) or 0) / 3600,
                "forecast_usd": None if unpriced else forecast * (mean([t["cost_usd"] for t in takes]) or 0),
            }
        )
    same(run(known, "spend_forecast", until=until), expected, key=("zone",))


def test_throughput_stands_beside_the_claims_which_no_preview_has(known: Known, facts: Facts) -> None:
    claims = {"NVIDIA GeForce RTX 4090": (3.0, 5.0), "NVIDIA A100-SXM4-80GB": (None, 2.0)}
    expected = []
    key = ("gpu", "engine", "requested_model")
    for name, takes in groups(facts.made, lambda t: tuple(t[k] for k in key)).items():
        low, high = claims.get(name[0], (None, None))
        seconds = mean([t["server_s"] for t in takes])
        assert seconds is not None
        expected.append(
            dict(zip(key, name, strict=True))
            | {
                "takes": len(takes),
                "mean_take_s": seconds,
                "takes_per_server_h": 3600 / seconds,
                "music_s_per_server_s": sum(t["duration_s"] for t in takes) / sum(t["server_s"] for t in takes),
                "claimed_low_s": low,
                "claimed_high_s": high,
                "times_claim": None if high is None else seconds / high,
            }
        )
    same(run(known, "throughput"), expected, key=key)


def test_open_failures_list_the_takes_that_could_not_be_made(known: Known, facts: Facts) -> None:
    expected = [
        {"thing": t["take_id"], "kind": "failed_take", "cell": t["cell"], "failure_class": t["failure_class"]}
        for t in facts.takes
        if t["status"] == "failed"
    ]
    same(run(known, "open_failures"), expected, key=("thing",))


def test_loudness_outliers_are_off_target_or_over_their_ceiling(known: Known, facts: Facts) -> None:
    expected = []
    for row in facts.kept:
        deviation = row["integrated_loudness_lufs"] - row["target_lufs"]
        if abs(deviation) > 0.1 or row["true_peak_dbtp"] > row["ceiling_dbtp"]:
            expected.append({"track_id": row["track_id"], "deviation_lu": deviation})
    same(run(known, "loudness_outliers", tolerance_lu=0.1), expected, key=("track_id",))


def test_near_duplicates_name_both_takes(known: Known, facts: Facts) -> None:
    track_of = {row["take_id"]: row["track_id"] for row in facts.masters}
    expected = [
        {
            "take_id": s["take_id"],
            "duplicate_of": s["duplicate_of"],
            "other_cell": facts.take[s["duplicate_of"]]["cell"],
            "other_track_id": track_of.get(s["duplicate_of"]),
        }
        for s in facts.scores.values()
        if s["duplicate_of"] is not None
    ]
    same(run(known, "near_duplicates"), expected, key=("take_id",))


def test_acceptance_is_counted_by_model_variant(known: Known, facts: Facts) -> None:
    became = {row["take_id"] for row in facts.masters}
    expected = []
    key = ("engine", "requested_model", "adapter")
    scored = [facts.take[take_id] for take_id in facts.scores]
    for name, takes in groups(scored, lambda t: tuple(t[k] for k in key)).items():
        accepted = [t for t in takes if facts.passed(t)]
        expected.append(
            dict(zip(key, name, strict=True))
            | {
                "takes": len(takes),
                "accepted_takes": len(accepted),
                "accepted_share": len(accepted) / len(takes),
                "kept_takes": sum(t["take_id"] in became for t in takes),
                "mean_signal_score": mean([facts.scores[t["take_id"]]["signal_score"] for t in accepted]),
            }
        )
    same(run(known, "acceptance_by_model"), expected, key=key)


def test_the_planner_is_compared_with_no_planner(known: Known, facts: Facts) -> None:
    expected = []
    scored = [facts.take[take_id] for take_id in facts.scores]
    for (engine, planner), takes in groups(scored, lambda t: (t["engine"], t["lm_model"] or "none")).items():
        scores = [facts.scores[t["take_id"]] for t in takes]
        accepted = [facts.scores[t["take_id"]] for t in takes if facts.passed(t)]
        expected.append(
            {
                "engine": engine,
                "lm_model": planner,
                "takes": len(takes),
                "accepted_share": len(accepted) / len(takes),
                "mean_signal_score": mean([s["signal_score"] for s in accepted]),
                "tempo_hit_share": sum(s["tempo_match"] >= 0.7 for s in scores) / len(scores),
                "key_exact_share": sum(s["key_match"] == "exact" for s in scores) / len(scores),
                "mean_take_s": mean([t["server_s"] for t in takes]),
            }
        )
    same(run(known, "planner_effect"), expected, key=("engine", "lm_model"))


def verdicts(facts: Facts) -> list[tuple[str, str, str, str]]:
    """Return zone, genre, listener and verdict; the synthetic log has one verdict a track."""
    found = []
    for row in facts.events:
        if row["kind"] == "verdict":
            said = "reject" if '"reject"' in row["details_json"] else "keep"
            listener = "ana" if said == "reject" else "ben"
            found.append((facts.zone(row["cell"]), facts.genre(row["cell"]), listener, said))
    return found


def test_preferences_count_each_listeners_latest_word(known: Known, facts: Facts) -> None:
    expected = []
    for (genre, listener), said in groups(
        [{"g": g, "l": who, "v": v} for _, g, who, v in verdicts(facts)], lambda r: (r["g"], r["l"])
    ).items():
        keep = sum(row["v"] == "keep" for row in said)
        expected.append(
            {
                "genre": genre,
                "listener": listener,
                "heard_tracks": len(said),
                "keep": keep,
                "reject": len(said) - keep,
                "keep_share": keep / len(said),
                "preferred_over_mureka_share": None,
            }
        )
    same(run(known, "preference"), expected, key=("genre", "listener"))


def test_decisions_are_null_and_their_evidence_is_counted(known: Known, facts: Facts) -> None:
    kept = Counter((facts.zone(row["cell"]), facts.genre(row["cell"])) for row in facts.kept)
    heard = Counter((zone, genre) for zone, genre, _, _ in verdicts(facts))
    rejected = Counter((zone, genre) for zone, genre, _, said in verdicts(facts) if said == "reject")
    places = {(facts.zone(cell), facts.genre(cell)) for cell in facts.cells}
    expected = [
        {
            "zone": zone,
            "genre": genre,
            "kept_tracks": kept[zone, genre],
            "heard_tracks": heard[zone, genre],
            "rejected_tracks": rejected[zone, genre],
            "decision": None,
            "decided_at": None,
        }
        for zone, genre in places
    ]
    same(run(known, "decision_status"), expected, key=("zone", "genre"))


def test_no_package_contains_a_track_before_one_is_built(known: Known) -> None:
    assert run(known, "packages_with_track") == []


def test_the_first_release_differs_from_nothing_by_every_kept_track(known: Known, facts: Facts) -> None:
    expected = [
        {
            "track_id": row["track_id"],
            "change": "added",
            "status_before": None,
            "status_after": row["status"],
            "master_id_after": row["master_id"],
            "exportable_after": True,
        }
        for row in facts.kept
    ]
    same(run(known, "release_difference"), expected, key=("track_id",))


def test_days_without_repeat_divide_the_music_by_the_opening_hours(known: Known, facts: Facts) -> None:
    hours: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for cell in facts.cells:
        hours[facts.zone(cell)][cell.split(".")[2]] += 0.0
    for row in facts.kept:
        hours[facts.zone(row["cell"])][row["cell"].split(".")[2]] += row["duration_s"] / 3600
    expected = []
    for zone, by_daypart in hours.items():
        shortest = min(by_daypart, key=lambda part: (by_daypart[part], part))
        expected.append(
            {
                "zone": zone,
                "exportable_tracks": sum(facts.zone(row["cell"]) == zone for row in facts.kept),
                "days": sum(by_daypart.values()) / 10,
                "dayparts": len(by_daypart),
                "shortest_daypart": shortest,
                "shortest_daypart_days": by_daypart[shortest] / (10 / len(by_daypart)),
            }
        )
    same(run(known, "days_without_repeat", open_h_per_day=10), expected, key=("zone",))


def test_rights_are_known_for_listed_weights_only(known: Known, facts: Facts) -> None:
    counts: Counter[tuple[Any, ...]] = Counter()
    for row in facts.kept:
        take = facts.take[row["take_id"]]
        model = take["reported_model"] or take["requested_model"]
        rights = "preview" if take["preview"] else "unknown" if take["adapter"] else "known"
        licence = None if take["preview"] else "MIT"
        counts[take["engine"], model, take["adapter"], licence, rights] += 1
    key = ("engine", "model", "adapter", "model_weights_licence", "rights_status")
    expected = [
        dict(zip(key, name, strict=True))
        | {"tracks": n, "exportable_tracks": n, "deliverable_tracks": 0 if name[4] == "preview" else n}
        for name, n in counts.items()
    ]
    same(run(known, "rights"), expected, key=key)
    assert {row["rights_status"] for row in run(known, "rights", rights_status="unknown")} == {"unknown"}


def test_there_are_twenty_questions_each_with_a_purpose_and_a_view(known: Known) -> None:
    questions = ask.list_questions()
    assert [asked.number for asked in questions] == list(range(1, 21))
    for asked in questions:
        assert asked.purpose.endswith(("?", ".")), asked.name
        by_view = ask.query.run_query(known.rows.store, f"from {asked.view_name}", limit=None).frame
        assert by_view.columns == ask.run(known.rows.store, asked.name).columns


def test_a_wrong_question_parameter_or_value_is_said_with_the_nearest_name(known: Known) -> None:
    with pytest.raises(CatalogError, match="expected yield"):
        ask.run(known.rows.store, "yeild")
    with pytest.raises(CatalogError, match="expected zone"):
        ask.run(known.rows.store, "yield", zome="spa")
    with pytest.raises(CatalogError, match="expected a number"):
        ask.run(known.rows.store, "days_without_repeat", open_h_per_day="many")
    assert ask.run(known.rows.store, "yield", zone="'; drop table takes --").is_empty()
