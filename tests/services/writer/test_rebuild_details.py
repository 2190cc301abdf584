"""Rows of a former release, held against today's fold of what they were folded from."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.house import House
from bus.migrations import KINDS
from bus.shard import Connection
from services.writer.rebuild_compare import Compared, compare_files
from services.writer.rebuild_details import as_told
from tests.services.rrr.store_desk import traded_house

TRADING = KINDS["trading"]


@pytest.fixture
def house() -> Iterator[House]:
    with traded_house() as made:
        yield made


def compared(house: House, tmp_path: Path, *sql: str) -> list[str]:
    """Return the tables that differ once the live shard was changed by some statements."""
    live, fold = tmp_path / "live.db", house.db_dir / "trading.db"
    shutil.copy(fold, live)
    db = Connection(str(live))
    db.execute("DROP TRIGGER order_events_keep")
    for one in sql:
        db.execute(one)
    db.close()
    found = Compared()
    compare_files(TRADING, live, fold, found, lambda _rows: None, rows_alone=False)
    return [one.table for one in found.differences]


def test_a_field_that_a_message_gained_since_is_no_difference(house: House, tmp_path: Path) -> None:
    assert compared(
        house,
        tmp_path,
        "UPDATE order_events SET detail = json_remove(detail, '$.replaces', '$.expire_ns') "
        "WHERE type = 'OrderIntent'",
        "UPDATE order_events SET detail = json_remove(detail, '$.intent.replaces') "
        "WHERE type = 'OrderSubmitted'",
        "UPDATE instruments SET detail = json_remove(detail, '$.cancel_replace')",
    ) == []  # fmt: skip


OTHERS = (
    "UPDATE order_events SET detail = json_remove(detail, '$.qty') WHERE type = 'OrderIntent'",
    """UPDATE order_events SET detail = json_set(detail, '$.replaces', 'x')
    WHERE type = 'OrderIntent'""",
    """UPDATE order_events SET detail = json_set(detail, '$.intent.expire_ns', 7)
    WHERE type = 'OrderSubmitted'""",
    """INSERT INTO order_events SELECT NULL, client_order_id, ts_ns, type, status, outcome, trace,
    cause_stream, cause_pos, detail FROM order_events LIMIT 1""",
)


@pytest.mark.parametrize("sql", OTHERS)
def test_what_says_another_thing_is_a_difference(house: House, tmp_path: Path, sql: str) -> None:
    assert compared(house, tmp_path, sql) == ["order_events"]


def test_what_is_no_message_of_today_is_told_as_it_stands() -> None:
    assert as_told("Bygone", '{"n": 0}') == '{"n": 0}'
    assert as_told("KillLevel", '{"ts_event":1,"level":"ACTIVE","trace":0}').startswith("{")
