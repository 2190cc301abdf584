"""Views over months look for nothing but what is asked, by key; those of a file by its indexes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bus.migrations import KINDS, view_sources
from bus.rows import Reader
from bus.shard import open_writer
from tests.bus.view_oracle import Side

OF_BTC = "symbol = 'BTC/USDT' AND timeframe = '1m'"
HOUR = f"{OF_BTC} AND time >= '2026-01-01T10' AND time < '2026-01-01T11'"


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    made = Side(tmp_path_factory.mktemp("views"))
    yield made
    made.reader.close()


def test_the_plan_names_what_it_uses(side: Side) -> None:
    latest = "SELECT close FROM bars WHERE symbol = 'a' AND timeframe = '1m' {} LIMIT 3"
    for sql, expected in (
        (f"SELECT close FROM bars WHERE {HOUR}", "symbol= timeframe= time>= time< |"),
        (latest.format("ORDER BY open_ms DESC"), "symbol= timeframe= limit | desc |"),
        (
            latest.format("AND open_ms BETWEEN 1 AND 2"),
            "symbol= timeframe= open_ms>= open_ms<= limit |",
        ),
        (latest.format("AND trades > 5"), "symbol= timeframe= |"),
        ("SELECT * FROM ticks WHERE symbol = 'a' AND ts_ms > 5", "symbol= ts_ms> |"),
        ("SELECT * FROM ticks WHERE symbol = 'a' AND trade_id = 5", "symbol= trade_id= |"),
    ):
        assert f"INDEX 0:{expected}" in side.plan(sql), sql
    assert "TEMP B-TREE" not in str(
        side.rows(f"EXPLAIN QUERY PLAN {latest.format('ORDER BY time')}")
    )


class Watch:
    """What a reader does in the files of the months: statements, and how many rows they gave."""

    def __init__(self, side: Side) -> None:
        self.files: list[Any] = []
        self.said: set[tuple[int, str, Any]] = set()
        self.rows = 0
        assert side.reader._bars is not None
        files = side.reader._bars.files
        for month in files.months:
            self.files += files.opened(month)
        for number, file in enumerate(self.files):
            file.db.exec_trace = self._heard(number)
            file.db.row_trace = self._row

    def _heard(self, number: int) -> Any:
        def heard(_cursor: object, sql: str, bindings: Any) -> bool:
            self.said.add((number, sql, tuple(bindings or ())))
            return True

        return heard

    def _row(self, _cursor: object, row: Any) -> Any:
        self.rows += 1
        return row

    def close(self) -> None:
        for file in self.files:
            file.db.exec_trace = file.db.row_trace = None

    def plans(self) -> Iterator[str]:
        for number, sql, bindings in list(self.said):
            if "FROM series" not in sql:
                found = self.files[number].db.execute(f"EXPLAIN QUERY PLAN {sql}", bindings)
                yield from (str(row[-1]) for row in found.fetchall())


@pytest.mark.parametrize(
    ("sql", "most"),
    [
        (f"SELECT close FROM bars WHERE {HOUR}", 70),
        (f"SELECT * FROM bars WHERE {OF_BTC} ORDER BY open_ms DESC LIMIT 10", 25),
        ("SELECT * FROM bars WHERE symbol = 'BTC/USDT' AND open_ms = 1769936400000", 25),
        ("SELECT max(open_ms) FROM bars WHERE symbol = 'BTC/USDT' AND timeframe = '1m'", 300),
        (("SELECT * FROM ticks WHERE symbol = 'BTC/USDT' AND time >= '2026-01-31T23:00' AND time < "
         "'2026-01-31T23:01'"), 20),
        ("SELECT * FROM ticks WHERE symbol = 'BTC/USDT' AND trade_id = 60", 10),
    ],
)  # fmt: skip
def test_every_look_into_a_month_is_a_search_by_key(side: Side, sql: str, most: int) -> None:
    watch = Watch(side)
    assert side.rows(sql)
    seen, plans = watch.rows, list(watch.plans())
    watch.close()
    assert plans
    assert not [plan for plan in plans if "USING INTEGER PRIMARY KEY (rowid" not in plan]
    of_series = sum(len(file.names) for file in watch.files) * 10
    assert seen <= most + of_series


NATURAL = {
    "trading": [
        ("SELECT * FROM orders WHERE client_order_id = 'x'", "SEARCH o USING PRIMARY KEY"),
        ("SELECT * FROM orders WHERE status = 'ACCEPTED'", "SEARCH o USING INDEX orders_by_status"),
        ("SELECT * FROM orders WHERE created_ns > 5", "SEARCH o USING INDEX orders_by_time"),
        ("SELECT * FROM fills WHERE symbol = 'x' AND ts_ns > 5",
         "SEARCH t USING"),
        ("SELECT * FROM fills WHERE ts_ns > 5", "SEARCH t USING INDEX trades_by_time"),
        ("SELECT * FROM fills WHERE client_order_id = 'x'", "SEARCH t USING INDEX trades_by_order"),
        ("SELECT * FROM order_events WHERE client_order_id = 'x'", "SEARCH e USING INDEX"),
        ("SELECT * FROM order_events WHERE id > 5", "SEARCH e USING INTEGER PRIMARY KEY"),
        ("SELECT * FROM positions WHERE symbol = 'x'", "SEARCH p USING"),
        ("SELECT * FROM portfolio ORDER BY id DESC LIMIT 1", "SCAN p"),
        ("SELECT * FROM portfolio WHERE ts_ns > 5", "SEARCH p USING INDEX portfolio_by_time"),
        ("SELECT * FROM ledger WHERE account = 'x' AND asset = 'y'", "SEARCH l USING INDEX"),
        ("SELECT * FROM instruments WHERE symbol = 'x'", "SEARCH i USING PRIMARY KEY"),
        ("SELECT * FROM instruments_history WHERE symbol = 'x'", "SEARCH v USING PRIMARY KEY"),
        ("SELECT * FROM risk_limits WHERE name = 'x'", "SEARCH r USING PRIMARY KEY"),
        ("SELECT * FROM risk_events WHERE type = 'x' AND ts_ns > 5", "SEARCH r USING INDEX"),
        ("SELECT * FROM audit WHERE ts_ns > 5", "SEARCH a USING INDEX audit_by_time"),
        ("SELECT * FROM dead_letters WHERE id > 5", "SEARCH d USING INTEGER PRIMARY KEY"),
    ],
    "analytics": [
        ("SELECT * FROM executions WHERE client_order_id = 'x'", "SEARCH x USING PRIMARY KEY"),
        ("SELECT * FROM predictions WHERE symbol = 'x' AND timeframe = '1m' AND bar_open_ns > 5",
         "SEARCH p USING INDEX predictions_by_bar"),
        ("SELECT * FROM models WHERE sha256 = 'x'", "SEARCH m USING PRIMARY KEY"),
        ("SELECT * FROM metrics WHERE name = 'x' AND scope = 'y' AND ts_ns > 5",
         "SEARCH m USING PRIMARY KEY"),
        ("SELECT * FROM model_results WHERE model = 'x' AND symbol = 'y'", "SEARCH r USING INDEX"),
        ("SELECT * FROM dead_letters WHERE id > 5", "SEARCH d USING INTEGER PRIMARY KEY"),
    ],
    "backtest": [
        ("SELECT * FROM runs WHERE run_id = 'x'", "SEARCH r USING PRIMARY KEY"),
        ("SELECT * FROM runs WHERE strategy = 'x'", "SEARCH r USING INDEX runs_by_strategy"),
        ("SELECT * FROM run_trades WHERE run_id = 'x'", "SEARCH t USING PRIMARY KEY"),
        ("SELECT * FROM run_equity WHERE run_id = 'x'", "SEARCH e USING PRIMARY KEY"),
        ("SELECT * FROM run_prices WHERE run_id = 'x' AND symbol = 'y'",
         "SEARCH p USING PRIMARY KEY"),
        ("SELECT * FROM dead_letters WHERE id > 5", "SEARCH d USING INTEGER PRIMARY KEY"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("shard", sorted(NATURAL))
def test_the_natural_question_of_each_view_is_a_search(tmp_path: Path, shard: str) -> None:
    open_writer(KINDS[shard], tmp_path / f"{shard}.db", "w").close()
    with Reader(tmp_path, shard) as reader:
        asked = {
            name
            for name in view_sources(KINDS[shard])
            for sql, _ in NATURAL[shard]
            if f" {name} " in sql
        }
        assert asked == {*view_sources(KINDS[shard])}
        for sql, expected in NATURAL[shard]:
            plan = [str(row["detail"]) for row in reader.rows(f"EXPLAIN QUERY PLAN {sql}")]
            assert plan[0].startswith(expected), (sql, plan)
            assert "TEMP B-TREE" not in str(plan)
            assert list(reader.rows(sql)) == []
