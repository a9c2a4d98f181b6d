"""What the UI shows before anything runs: jobs, schedules, sensors, freshness, checks."""

from __future__ import annotations

import dagster as dg
import pytest

from ace_assets.definitions import defs


def test_the_catalog_is_expected_to_be_fresh() -> None:
    (spec,) = [spec for spec in defs.resolve_all_asset_specs() if spec.key == dg.AssetKey("catalog")]
    assert spec.freshness_policy is not None


def test_what_the_gates_decide_is_displayed_as_asset_checks() -> None:
    keys = {key.name for key in defs.resolve_asset_graph().asset_check_keys}
    assert keys == {
        "takes_have_the_requested_length",
        "every_prompt_has_an_accepted_take",
        "loudness_within_tolerance",
        "true_peak_below_ceiling",
        "nothing_is_quarantined",
        "rotation_promise_kept",
        "package_is_deliverable",
    }


def test_the_schedule_is_daily_with_a_time_zone_and_waits_for_a_person_to_switch_it_on() -> None:
    schedule = defs.resolve_schedule_def("nightly_refresh")
    assert schedule.cron_schedule == "30 1 * * *"
    assert schedule.execution_timezone == "UTC"
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED


def test_the_sensors_run_by_themselves() -> None:
    for name in ("carry_refresh", "tell_of_failures", "mend_orphans"):
        assert defs.resolve_sensor_def(name).default_status == dg.DefaultSensorStatus.RUNNING


def test_a_campaign_is_launched_with_typed_config() -> None:
    job = defs.resolve_job_def("refresh")
    good = {"campaign": "quality_eval", "allow_large_change": True}
    assert dg.validate_run_config(job, {"ops": {"prompt_table": {"config": good}}})
    with pytest.raises(dg.DagsterInvalidConfigError, match="max_changed_share"):
        dg.validate_run_config(job, {"ops": {"prompt_table": {"config": {"max_changed_share": "most of it"}}}})
