"""A world with its views, and beside it plain tables of the same rows for SQLite itself."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from bus.rows import Reader
from bus.shard import Connection
from bus.view_rows import BAR_NAMES, SIDES, SOURCES, TICK_NAMES
from schema.units import MS_NS, SECOND_NS, iso_ms, to_text
from tests.bus.month_rig import Row, Tick, at
from tests.bus.month_world import ETH, World, ticks_of


class Oracle:
    """The same rows in plain tables, which SQLite answers from by itself."""

    def __init__(self, world: World, ticks: Sequence[Tick]) -> None:
        self.db = Connection(":memory:")
        # Text where people compare with text, nothing for numbers that are shown as text.
        names = {"symbol": "TEXT", "timeframe": "TEXT", "time": "TEXT"}
        whole = dict.fromkeys(("open_ms", "ts_ms", "trade_id"), "INTEGER")
        for table, columns in (("bars", BAR_NAMES), ("ticks", TICK_NAMES)):
            kinds = ", ".join(f"{name} {(names | whole).get(name, '')}" for name in columns)
            self.db.execute(f"CREATE TABLE {table} ({kinds})")
        shown = [_shown(exp, row) for exp, row in world.truth.values()]
        self.db.executemany(f"INSERT INTO bars VALUES ({', '.join('?' * 13)})", shown)
        traded = [_traded(tick) for tick in ticks]
        self.db.executemany(f"INSERT INTO ticks VALUES ({', '.join('?' * 7)})", traded)

    def rows(self, sql: str, bindings: Sequence[Any]) -> list[Any]:
        return self.db.execute(sql, bindings).fetchall()


def _shown(exp: int, row: Row) -> tuple[Any, ...]:
    prices = (to_text(px, exp) for px in row[3:7])
    sums = (to_text(row.volume, 8), to_text(row.quote_volume, 8))
    when = (row.open_ns // MS_NS, iso_ms(row.open_ns))
    return (*row[:2], *when, *prices, *sums, row.trades, SOURCES[row.source], _vwap(exp, row))


def _vwap(exp: int, row: Row) -> str | None:
    if not (row.volume and row.quote_volume):
        return None
    price = Decimal(row.quote_volume) / Decimal(row.volume)  # Both have eight decimals.
    return str(price.quantize(Decimal(1).scaleb(-exp), ROUND_HALF_UP))


def _traded(tick: Tick) -> tuple[Any, ...]:
    when = (tick.ts_ns // MS_NS, iso_ms(tick.ts_ns))
    what = (to_text(tick.px, 2), to_text(tick.qty, 8), SIDES[tick.side])
    return (tick.symbol, tick.trade_id, *when, *what)


class Side:
    """A world with its views, and the oracle beside it."""

    def __init__(self, top: Path) -> None:
        self.world = World(top)
        old = ticks_of(700, "2026-01-31T22:30:00", 50)
        new = ticks_of(300, "2026-02-01T00:00:00", 9000)
        other = [
            Tick(ETH, n, at("2026-02-03T00:00:00") + n * SECOND_NS, 100 + n) for n in range(20)
        ]
        place = self.world.own
        place.live([], old)
        place.live([], new + other)
        self.oracle = Oracle(self.world, old + new + other)
        self.reader = Reader(place.db_dir, "market", history=(self.world.history.top,))

    def rows(self, sql: str, bindings: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.reader.rows(sql, bindings)]

    def plan(self, sql: str) -> str:
        return str(self.rows(f"EXPLAIN QUERY PLAN {sql}")[-1][-1])
