"""Shards of the code before, brought up to the tables of today with all their rows."""

import shutil
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from bus.chained import CHAIN_START, audit_hash
from bus.migrations import KINDS, SQL, Kind
from bus.shard import Connection, open_writer
from services.writer.proofs_audit import chain, head, holds

SUBMITTED = '{"intent": {"ts_event": 3, "trace": 8}}'
OLD_ROWS = f"""
INSERT INTO audit VALUES
    (1, 5, 'ann', 'KillLevel', '', 'storm', '{{}}'), (2, 6, 'bob', 'RiskState', '', 'calm', '{{}}');
INSERT INTO orders (
    client_order_id, symbol, status, under, strategy, qty, qty_exp, filled_qty, created_ns,
    updated_ns, trace
) VALUES
    ('sent', 'A/B', 'ACCEPTED', 'ACCEPTED', 's', 10, 5, 4, 7, 9, 1),
    ('wanted', 'A/B', 'INITIALIZED', 'INITIALIZED', 's', 10, 5, 0, 7, 9, 1),
    ('strange', 'A/B', 'ACCEPTED', 'ACCEPTED', NULL, NULL, 3, 4, 7, 9, 0);
INSERT INTO order_events VALUES
    (NULL, 'sent', 7, 'Verdict', 'SUBMITTED', 'ok', 1, 0, 0, '{{}}'),
    (NULL, 'sent', 6, 'OrderSubmitted', 'SUBMITTED', 'ok', 1, 0, 0, '{SUBMITTED}'),
    (NULL, 'wanted', 4, 'OrderIntent', 'INITIALIZED', 'ok', 2, 0, 0, '{{}}'),
    (NULL, 'strange', 5, 'OrderAccepted', 'ACCEPTED', 'ok', 6, 0, 0, '{{}}');
"""
OLD_MONEY = """
INSERT INTO ledger VALUES
    (1, 'deposit:B:opening', 1, 'deposit', 'trading', 'B', 100, 2, 0),
    (2, 'deposit:B:opening', 1, 'deposit', 'outside', 'B', -100, 2, 1),
    (3, 'deposit:B:adopted-5', 5, 'deposit', 'external', 'B', -7, 2, 0),
    (4, 'deposit:B:adopted-5', 5, 'deposit', 'outside', 'B', 7, 2, 1),
    (5, 'deposit:B:x', 6, 'deposit', 'trading', 'B', -7, 2, 0),
    (6, 'deposit:B:x', 6, 'deposit', 'outside', 'B', 7, 2, 1),
    (7, 'fill:A/B:1', 7, 'fee', 'trading', 'B', 3, 2, 4),
    (8, 'fill:A/B:1', 7, 'fee', 'fees', 'B', -3, 2, 5),
    (9, 'fill:A/B:2', 7, 'fee', 'trading', 'B', -3, 2, 4),
    (10, 'fill:A/B:2', 7, 'fee', 'fees', 'B', 3, 2, 5);
INSERT INTO audit VALUES
    (3, 7, 'gateway', 'BalanceSeen', 'B', 'x', '{"asset": "B", "difference": -5, "exp": 1}'),
    (4, 8, 'gateway', 'BalanceSeen', 'C', 'x', '{"asset": "C", "difference": 9, "exp": 0}'),
    (5, 9, 'gateway', 'BalanceSeen', 'B', 'x', '{"asset": "B", "difference": -51, "exp": 2}'),
    (6, 10, 'gateway', 'BalanceSeen', 'B', 'x', '{"asset": "B", "difference": 0, "exp": 0}');
"""
OPEN = """
SELECT * FROM orders WHERE status IN ('SUBMITTED', 'UNCONFIRMED', 'ACCEPTED', 'TRIGGERED',
    'PENDING_CANCEL', 'PARTIALLY_FILLED') AND symbol = 'A/B'
"""


def old_kind(directory: Path, shard: str) -> Kind:
    """Return a shard as it was with its first step alone."""
    sql = directory / "sql"
    (sql / shard).mkdir(parents=True)
    (first, *_) = sorted((SQL / shard).glob("0001_*.sql"))
    shutil.copy(first, sql / shard)
    return msgspec.structs.replace(KINDS[shard], sql=sql)


@pytest.fixture
def brought_up(tmp_path: Path) -> Any:
    """Yield a trading shard that had rows before its second step."""
    path = tmp_path / "trading.db"
    shard = open_writer(old_kind(tmp_path, "trading"), path, "w")
    shard.db.execute(OLD_ROWS + OLD_MONEY)
    shard.close()
    shard = open_writer(KINDS["trading"], path, "w")
    yield shard.db
    shard.close()


def rows(db: Connection, sql: str) -> list[Any]:
    return db.execute(sql).fetchall()


def test_an_audit_from_before_is_chained_with_what_it_held(brought_up: Connection) -> None:
    first = audit_hash(CHAIN_START, 1, 5, "ann", "KillLevel", "", "storm", "{}")
    second = audit_hash(first, 2, 6, "bob", "RiskState", "", "calm", "{}")
    assert rows(brought_up, "SELECT hash FROM audit ORDER BY id")[:2] == [(first,), (second,)]
    assert chain(brought_up)[0]
    assert head(brought_up)[0] == 6
    assert holds(brought_up, first.hex(), "a backup")[0]
    assert not holds(brought_up, bytes(32).hex(), "a backup")[0]
    with pytest.raises(apsw.ConstraintError, match="append-only"):
        brought_up.execute("UPDATE audit SET by = 'eve'")


def test_orders_from_before_have_what_a_fold_of_today_gives(brought_up: Connection) -> None:
    columns = "client_order_id, wanted_by, qty_exp, filled_exp, created_ns, trace"
    assert rows(brought_up, f"SELECT {columns} FROM orders ORDER BY 1") == [
        ("sent", 2, 5, 5, 3, 8),
        ("strange", 0, None, 3, 5, 6),
        ("wanted", 1, 5, None, 4, 2),
    ]
    found = rows(brought_up, "SELECT type, status FROM order_events ORDER BY id")
    assert found == [
        ("Verdict", ""), ("OrderSubmitted", "SUBMITTED"), ("OrderIntent", ""),
        ("OrderAccepted", "ACCEPTED"),
    ]  # fmt: skip


def test_entries_from_before_have_the_kinds_of_today_and_differences_are_entries(
    brought_up: Connection,
) -> None:
    kinds = rows(brought_up, "SELECT id, kind FROM ledger WHERE id <= 10 ORDER BY id")
    named = ("opening", "adjustment", "withdrawal", "rebate", "fee")
    assert kinds == [(2 * n + leg, kind) for n, kind in enumerate(named) for leg in (1, 2)]
    found = rows(brought_up, "SELECT entry, ts_ns, account, amount, exp FROM ledger WHERE id > 10")
    assert [row for row in found if row[2] == "suspense"] == [
        ("suspense:B:1", 7, "suspense", -5, 1),
        ("suspense:C:1", 8, "suspense", 9, 0),
        ("suspense:B:2", 9, "suspense", -1, 2),
        ("suspense:B:3", 10, "suspense", 51, 2),
    ]
    assert sorted(-row[3] for row in found if row[2] == "outside") == [-5, -1, 9, 51]
    with pytest.raises(apsw.ConstraintError, match="append-only"):
        brought_up.execute("UPDATE ledger SET amount = 1")


def test_executions_from_before_know_whose_wish_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "analytics.db"
    shard = open_writer(old_kind(tmp_path, "analytics"), path, "w")
    names = "client_order_id, trace, symbol, ts_ns, strategy, qty_exp, filled_qty, submitted_pos"
    shard.db.execute(
        f"INSERT INTO trade_execution_log ({names}) VALUES ('sent', 1, 'A', 1, 's', 5, 2, 9), "
        "('wanted', 1, 'A', 1, 's', 5, 0, NULL), ('strange', 1, 'A', 1, NULL, 3, 2, NULL)"
    )
    shard.close()
    shard = open_writer(KINDS["analytics"], path, "w")
    sql = (
        "SELECT client_order_id, wanted_by, qty_exp, filled_exp FROM trade_execution_log ORDER BY 1"
    )
    found = rows(shard.db, sql)
    assert found == [("sent", 2, 5, 5), ("strange", 0, None, 3), ("wanted", 1, 5, None)]
    shard.close()


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (OPEN, "orders_by_status"),
        ("SELECT * FROM orders WHERE created_ns BETWEEN 1 AND 2", "orders_by_time"),
        ("SELECT * FROM positions WHERE strategy = '' AND qty <> 0 ORDER BY symbol",
         "positions_open"),
        ("SELECT * FROM trades WHERE ts_ns BETWEEN 1 AND 2 ORDER BY ts_ns", "trades_by_time"),
        ("SELECT * FROM ledger WHERE account = 'trading' AND asset = 'B'", "ledger_by_account"),
        ("SELECT * FROM risk_events WHERE type = 'KillLevel' ORDER BY ts_ns DESC LIMIT 1",
         "risk_events_by_type"),
        ("SELECT * FROM portfolio_snapshots WHERE ts_ns > 5", "portfolio_by_time"),
        ("SELECT * FROM audit WHERE ts_ns > 5", "audit_by_time"),
    ],
)  # fmt: skip
def test_what_people_ask_is_found_by_an_index(tmp_path: Path, sql: str, index: str) -> None:
    shard = open_writer(KINDS["trading"], tmp_path / "trading.db", "w")
    plan = " ".join(str(row[3]) for row in rows(shard.db, f"EXPLAIN QUERY PLAN {sql}"))
    shard.close()
    assert f"INDEX {index}" in plan
    assert "TEMP B-TREE" not in plan
