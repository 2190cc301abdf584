"""The trading shard at one moment: everything is read as of one commit, however long that takes.

While one statement of a connection is open, SQLite shows all others what was there at its begin; so
sums over the ledger and the fills beside them never differ by a row that came in between.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Self

import msgspec

from bus.house import House
from bus.rows import Reader
from schema.orders import Fill
from schema.units import SECOND_NS
from services.rrr.books import SHARD, Row, require_shard
from services.rrr.progress import progress_over

TIME_LIMIT_MS = 300_000
UNIT = 10**9
SLOW_FILLS = 100_000
"""So many are folded in about a second; for fewer, nobody needs a bar."""

STEP_FILLS = 1000
HELD = "SELECT m.key FROM trading.meta AS m, (VALUES (1), (2), (3))"

FILLS = """
SELECT t.ts_ns AS ts_event, t.trace AS trace, t.client_order_id AS client_order_id,
    t.symbol AS symbol, t.side AS side, t.venue_order_id AS venue_order_id,
    t.venue_trade_id AS venue_trade_id, t.px AS px, t.qty AS qty, t.quote_qty AS quote_qty,
    t.fee AS fee, t.fee_asset AS fee_asset, t.maker AS maker, t.px_exp AS px_exp,
    t.qty_exp AS qty_exp, t.quote_exp AS quote_exp, t.fee_exp AS fee_exp, t.late AS late
FROM trading.trades AS t WHERE t.ts_ns < ? AND ? IN ('', t.symbol)
ORDER BY t.ts_ns, length(t.venue_trade_id), t.venue_trade_id
"""
COUNT = "SELECT count(*) AS n FROM trading.trades WHERE ts_ns < ?"
# What is no base asset of its fill: the quote, and fees in it or in a third asset. Two sums, so
# that none of them leaves 64 bits.
MONEY = f"""
SELECT l.asset AS asset, l.exp AS exp, (l.ts_ns >= ?1) + (l.ts_ns >= ?2) AS part,
    sum(l.amount / {UNIT}) AS high, sum(l.amount % {UNIT}) AS low
FROM trading.ledger AS l WHERE l.account = 'trading'
    AND substr(l.entry, 1, length(l.asset) + 6) <> 'fill:' || l.asset || '/'
GROUP BY 1, 2, 3
"""  # noqa: S608 - a number of ours
MOVED = """
SELECT l.ts_ns AS ts_ns, l.kind AS kind, l.asset AS asset, l.amount AS amount, l.exp AS exp,
    l.symbol AS symbol
FROM trading.ledger AS l
WHERE l.account = 'trading' AND substr(l.entry, 1, 5) <> 'fill:' AND l.ts_ns < ?
ORDER BY l.ts_ns, l.id
"""
WORTH = """
SELECT p.ts_ns AS ts_ns, p.equity AS equity, p.quote_exp AS exp FROM trading.portfolio_snapshots
AS p WHERE p.quote = ? AND p.ts_ns >= ? AND p.ts_ns < ? ORDER BY p.ts_ns, p.id
"""
NEWEST = """
SELECT max((SELECT coalesce(max(ts_ns), 0) FROM trading.trades),
    (SELECT coalesce(max(ts_ns), 0) FROM trading.ledger),
    (SELECT coalesce(max(ts_ns), 0) FROM trading.portfolio_snapshots)) AS ts_ns
"""
NAMES = """
SELECT DISTINCT strategy AS name FROM trading.orders WHERE strategy <> ''
UNION SELECT DISTINCT strategy FROM trading.positions WHERE strategy <> ''
"""
LOTS = "SELECT symbol, lot, qty_exp FROM trading.instruments"


class Moved(msgspec.Struct, frozen=True):
    """Money of the account that came or went by other ways than trading."""

    ts_ns: int
    kind: str
    asset: str
    amount: Decimal
    symbol: str = ""  # whose position earned it


class Moment:
    """The rows of the trading shard, as of one commit; `with` lets go of it."""

    def __init__(self, house: House) -> None:
        require_shard(house, SHARD)
        self._reader = Reader(house.db_dir, SHARD, time_limit_ms=TIME_LIMIT_MS)
        self._held = self._reader.rows(HELD)
        next(self._held, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()
        self._reader.close()

    def rows(self, sql: str, bindings: tuple[Any, ...] = ()) -> Iterator[Row]:
        """Yield the rows of a SELECT."""
        return self._reader.rows(sql, bindings)

    def fills(self, stop_ns: int, symbol: str = "") -> Iterator[Fill]:
        """Yield our fills before a time, in the order of the exchange's time and its trade ids."""
        total = int(next(iter(self.rows(COUNT, (stop_ns,))))["n"])
        rows = self.rows(FILLS, (stop_ns, symbol))
        with progress_over(total, "fills", SLOW_FILLS) as passed:
            for number, row in enumerate(rows):
                if not number % STEP_FILLS:
                    passed(STEP_FILLS)
                yield Fill(**row)

    def money(self, first_ns: int, stop_ns: int) -> dict[str, tuple[Decimal, Decimal]]:
        """Return what each asset's account held at two times, by the rows of the ledger alone.

        Bases of what was traded are left out: they are positions.
        """
        found: dict[str, tuple[Decimal, Decimal]] = {}
        for row in self.rows(MONEY, (first_ns, stop_ns)):
            amount = exact(row["high"] * UNIT + row["low"], row["exp"])
            first, stop = found.get(row["asset"], (Decimal(0), Decimal(0)))
            before, within = row["part"] == 0, row["part"] <= 1
            found[row["asset"]] = first + amount * before, stop + amount * within
        return found

    def moved(self, stop_ns: int) -> list[Moved]:
        """Return deposits, withdrawals, funding and the like before a time, oldest first."""
        return [
            Moved(
                row["ts_ns"],
                row["kind"],
                row["asset"],
                exact(row["amount"], row["exp"]),
                row["symbol"],
            )
            for row in self.rows(MOVED, (stop_ns,))
        ]

    def worth(self, quote: str, first_ns: int, stop_ns: int) -> Iterator[tuple[int, Decimal]]:
        """Yield time and equity of each snapshot of the account in a stretch of time."""
        for row in self.rows(WORTH, (quote, first_ns, stop_ns)):
            yield row["ts_ns"], exact(row["equity"], row["exp"])

    def newest_ns(self) -> int:
        """Return the market time of the newest row; 0 where there is none."""
        return int(next(iter(self.rows(NEWEST)))["ts_ns"])

    def strategies(self) -> list[str]:
        """Return the names of all strategies that an order or a position was ever of."""
        return sorted(str(row["name"]) for row in self.rows(NAMES))

    def lots(self) -> dict[str, Decimal]:
        """Return the smallest quantity that may be traded, by symbol."""
        return {row["symbol"]: exact(row["lot"], row["qty_exp"]) for row in self.rows(LOTS)}


def exact(n: int, exp: int) -> Decimal:
    """Return an integer of so many decimals as a Decimal."""
    return Decimal(n).scaleb(-exp)


def plain(number: Decimal) -> str:
    """Return a Decimal as plain text without zeros at its end."""
    text = f"{number:f}"
    whole = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if whole in {"", "-0", "-"} else whole


def age_text(age_ns: int) -> str:
    """Return an age in whole seconds or minutes."""
    seconds = age_ns // SECOND_NS
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
