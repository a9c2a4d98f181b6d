"""History on one machine: small databases of runs, which Dagster's own classes read and write as well."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from ace_assets import shipped

OWN, DAGSTERS = True, False


@dg.asset
def nothing() -> None:
    return None


def instance_of(home: Path, monkeypatch: pytest.MonkeyPatch, *, own: bool) -> dg.DagsterInstance:
    text = (shipped.path("dagster_home") / "dagster.yaml").read_text(encoding="utf-8")
    before, storage, after = text.partition("storage:\n")
    _, telemetry, rest = after.partition("telemetry:\n")
    assert storage
    assert telemetry
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text(text if own else before + telemetry + rest, encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    return dg.DagsterInstance.from_config(str(home))


def materialized(instance: dg.DagsterInstance) -> str:
    result = dg.materialize([nothing], instance=instance)
    assert result.success
    return result.run_id


def database(home: Path, run_id: str) -> Path:
    return home / "history" / "runs" / f"{run_id}.db"


def test_a_run_s_database_takes_less_than_half_of_what_dagster_makes_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    for own in (OWN, DAGSTERS):
        home = tmp_path / str(own)
        with instance_of(home, monkeypatch, own=own) as instance:
            run_id = materialized(instance)
            assert len(instance.all_logs(run_id)) > 1
        sizes.append(database(home, run_id).stat().st_size)
    assert sizes[0] < sizes[1] / 2


@pytest.mark.parametrize(("writer", "reader"), [(OWN, DAGSTERS), (DAGSTERS, OWN)])
def test_what_one_class_wrote_the_other_reads_and_goes_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: bool, reader: bool
) -> None:
    with instance_of(tmp_path, monkeypatch, own=writer) as instance:
        run_id = materialized(instance)
        written = instance.all_logs(run_id)
    with instance_of(tmp_path, monkeypatch, own=reader) as instance:
        assert instance.all_logs(run_id) == written
        instance.report_engine_event("one more", run_id=run_id, job_name="job")
        later = materialized(instance)
        found = instance.fetch_materializations(dg.AssetKey("nothing"), limit=5).records
        assert [record.run_id for record in found] == [later, run_id]
    with instance_of(tmp_path, monkeypatch, own=writer) as instance:
        assert len(instance.all_logs(run_id)) == len(written) + 1
        instance.delete_run(run_id)
        assert instance.get_run_by_id(run_id) is None
