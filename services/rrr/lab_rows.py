"""Rows out of the shards of one file, read whole and closed again, and the backtests among them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bus.errors import HouseError
from bus.reading import Value
from bus.rows import TIME_LIMIT_MS, Reader
from services.rrr.lab_plain import EXPONENT, plain_columns
from services.rrr.lab_table import columns_of, table

REFERENCE = """(
    SELECT e.detail ->> '$.ref_px' FROM trading.order_events AS e
    WHERE e.client_order_id = t.client_order_id AND e.type = 'OrderIntent' LIMIT 1
)"""


class Query(msgspec.Struct, frozen=True):
    """A SELECT by its columns, which are there without a row as well."""

    columns: dict[str, str]
    source: str

    @property
    def sql(self) -> str:
        wanted = ", ".join(f"{what} AS {name}" for name, what in self.columns.items())
        return f"SELECT {wanted} {self.source}"


def _of(table_name: str, *names: str, **others: str) -> dict[str, str]:
    return {**others, **{name: f"{table_name}.{name}" for name in names}}


FILLS = Query(
    {
        **_of("t", "symbol", "side", "qty", ts_ns="t.ts_ns", price="t.px", ref_price=REFERENCE),
        **_of("t", "quote_qty", "fee", "fee_asset", "maker", "late"),
        **_of("o", "strategy", "leg"),
        **_of("t", "client_order_id", "venue_order_id", "venue_trade_id", "trace"),
        **_of("t", "px_exp", "qty_exp", "quote_exp", "fee_exp"),
    },
    "FROM trading.trades AS t LEFT JOIN trading.orders AS o USING (client_order_id) "
    "WHERE t.ts_ns >= ? AND t.ts_ns < ? ORDER BY t.ts_ns, t.venue_trade_id",
)
ORDERS = Query(
    {
        **_of("o", "updated_ns", "client_order_id", "strategy", "symbol", ts_ns="o.created_ns"),
        **_of("o", "side", "order_type", "leg", "parent", "status", "qty"),
        **_of("o", limit_price="o.limit_px", stop_price="o.stop_px"),
        **_of("o", "filled_qty", "filled_quote", "venue_order_id", "reason", "trace"),
        **_of("o", "px_exp", "qty_exp", "quote_exp"),
        "filled_exp": "coalesce(o.filled_exp, o.qty_exp)",
    },
    "FROM trading.orders AS o WHERE o.created_ns >= ? AND o.created_ns < ? "
    "ORDER BY o.created_ns, o.client_order_id",
)
EQUITY = Query(
    {
        **_of("s", "quote", "equity", "cash", "gross_exposure", "net_exposure", ts_ns="s.ts_ns"),
        **_of("s", "realized", "unrealized", "fees", "peak_equity", "quote_exp"),
    },
    "FROM trading.portfolio_snapshots AS s WHERE s.ts_ns >= ? AND s.ts_ns < ? "
    "ORDER BY s.ts_ns, s.id",
)
RUN_EQUITY = Query(
    {"ts_ns": "e.ts_ns", "equity": "e.equity", "quote_exp": "e.exp"},
    "FROM backtest.run_equity AS e WHERE e.run_id = ? ORDER BY e.ts_ns",
)
RUN_TRADES = Query(
    {
        **_of("t", "symbol", "side", "opened_ns", "closed_ns", "opened_bar", "closed_bar", "qty"),
        **_of("t", "entry_px", "exit_px", "gain", "fees", "entry_tag", "exit_tag", "qty_exp"),
        "quote_exp": "8",
    },
    "FROM backtest.run_trades AS t WHERE t.run_id = ? ORDER BY t.number",
)
RUN_PRICES = Query(
    {"ts_ns": "p.ts_ns", "symbol": "p.symbol", "px": "p.px", "px_exp": "p.px_exp"},
    "FROM backtest.run_prices AS p WHERE p.run_id = ? ORDER BY p.ts_ns, p.symbol",
)
RUNS = "SELECT * FROM backtest.runs ORDER BY ts_ns DESC, run_id"
RUN = "SELECT * FROM backtest.runs WHERE substr(run_id, 1, length(?)) = ? LIMIT 2"


class Run(msgspec.Struct, frozen=True):
    """One backtest: its figures, and its equity, trades and prices as tables."""

    run_id: str
    strategy: str
    world: str
    fingerprint: str
    orders: int
    metrics: dict[str, float | None]
    report: dict[str, Any]
    equity: Any
    trades: Any
    prices: Any

    def __repr__(self) -> str:
        return f"<run {self.run_id} of {self.strategy}, {self.orders} orders>"


def rows(
    db_dir: Path,
    shard: str,
    sql: str,
    bindings: Sequence[Value] = (),
    time_limit_ms: int = TIME_LIMIT_MS,
    history: Sequence[Path] = (),
) -> list[dict[str, Value]]:
    """Return all rows of one SELECT; nothing is open afterwards."""
    with Reader(db_dir, shard, None, time_limit_ms, history) as reader:
        return list(reader.rows(sql, bindings))


def runs(db_dir: Path) -> dict[str, list[Any]]:
    """Return every run as columns, each figure as one of them."""
    found = [_spread(row) for row in rows(db_dir, "backtest", RUNS)]
    return columns_of(found, ("time", "run_id", "strategy", "world", "orders"))


def run(db_dir: Path, run_id: str, to: str) -> Run:
    """Return the one run whose id begins so."""
    found = rows(db_dir, "backtest", RUN, (run_id, run_id))
    if len(found) != 1:
        several = "several runs begin so" if found else "there is none"
        raise HouseError(f"no one run {run_id!r}: {several}", "h.runs() lists them")
    row = found[0]
    texts = {name: str(row[name]) for name in ("run_id", "strategy", "world", "fingerprint")}
    kept = {"equity": RUN_EQUITY, "trades": RUN_TRADES, "prices": RUN_PRICES}
    return Run(
        **texts,
        orders=int(str(row["orders"])),
        metrics=msgspec.json.decode(str(row["metrics"])),
        report=msgspec.json.decode(str(row.get("report") or "{}")),
        **{name: _part(db_dir, query, texts["run_id"], to) for name, query in kept.items()},
    )


def _part(db_dir: Path, query: Query, run_id: str, to: str) -> Any:
    found = rows(db_dir, "backtest", query.sql, (run_id,))
    columns, times = plain_columns(found, tuple(query.columns))
    return table(columns, times, to, "time" if "time" in columns else "", EXPONENT)


def _spread(row: Mapping[str, Value]) -> dict[str, Any]:
    named = ("run_id", "strategy", "world", "orders")
    figures: dict[str, Any] = msgspec.json.decode(str(row["metrics"]))
    return {"time": row["ts_ns"], **{name: row[name] for name in named}, **figures}
