"""Where one machine keeps Dagster's history: SQLite files as Dagster makes them, with smaller pages for the many small ones.

Dagster gives each run a database of its own with all the tables and indexes of an event log: 28 pages, 115 kB at SQLite's
usual page of 4 KiB before the first event is in it, as much as the events of a cell. Named by `storage` in
dagster_home/dagster.yaml. Databases that exist keep their page size, and either class reads what the other wrote.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ace_assets.lean_import import without

with without("pygments"):  # alembic's templates colour their errors with it
    from dagster._core.storage.event_log import SqliteEventLogStorage
    from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

PAGE_BYTES = 1024


class SmallPages(SqliteEventLogStorage):
    """The event log: new databases of runs have pages of `PAGE_BYTES`; the index over all runs keeps SQLite's own."""

    def _initdb(self, engine: sa.Engine, for_index_shard: bool = False) -> None:
        if not for_index_shard:
            sa.event.listen(engine, "connect", _choose_page_size)
        super()._initdb(engine, for_index_shard)


def _choose_page_size(connection: Any, _record: Any) -> None:
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # only counts where nothing was written yet


class History(DagsterSqliteStorage):
    """Runs, events and ticks in SQLite below `base_dir`, where Dagster's default keeps them."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        super().__init__(base_dir, inst_data=inst_data)
        self._event_log_storage = SmallPages(str(Path(base_dir, "history", "runs")))

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> History:
        """Make one from dagster.yaml, as Dagster asks of classes that it loads."""
        return cls.from_local(inst_data=inst_data, **config_value)
