"""What the house has to do with a symbol: who trades it, and what is open of it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from bus.house import House
from schema.lifecycle import TERMINAL
from services.rrr.books import EVERY, Row, positions, shard_rows
from services.rrr.strategy_rows import held_by, told_by_engine
from services.rrr.survey import NotReadyError

OPEN = """
SELECT client_order_id AS id FROM orders WHERE symbol = ? AND status NOT IN ({ended})
ORDER BY created, client_order_id
"""
LEAST = """
SELECT lot, qty_exp, quote_exp, coalesce(json_extract(detail, '$.min_notional'), 0) AS notional
FROM trading.instruments WHERE symbol = ?
"""
ZERO = Decimal(0)


class Held(NamedTuple):
    """What is open of a symbol."""

    position: str  # of the account
    books: tuple[tuple[str, str], ...] = ()  # what each strategy holds or is about to
    orders: tuple[str, ...] = ()
    least: Decimal = ZERO  # what is less, the exchange takes from nobody: fees in coins leave it

    @property
    def text(self) -> str:
        """Say it in one line; empty for nothing that could be closed."""
        found = [f"the account holds {self.position}"] if self._counts(self.position) else []
        found += [f"{name} {qty}" for name, qty in self.books if self._counts(qty)]
        found += [f"order {one} is open" for one in self.orders]
        return ", ".join(found)

    def _counts(self, qty: str) -> bool:
        return Decimal(qty) != 0 and abs(Decimal(qty)) >= self.least


def symbols_of(house: House) -> tuple[str, ...]:
    """Return the symbols that the house hears and trades."""
    return house.settings.ingest.symbols


def named_by(house: House, symbol: str, *, every: bool = False) -> list[str]:
    """Return the strategies whose settings name a symbol; with `every` those that trade all, too.

    One that is off trades nothing, and its settings name the symbol all the same.
    """
    return [
        name
        for name, own in house.settings.strategy.items()
        if symbol in own.symbols or (every and not own.symbols and own.mode != "off")
    ]


def held(house: House, symbol: str) -> Held:
    """Return what the trading shard holds of a symbol; nothing where there is no shard yet."""
    ended = ", ".join(f"'{state}'" for state in sorted(TERMINAL))
    try:
        rows = [row for row in positions(house) if row["symbol"] == symbol]
        books = tuple(
            (f"`{row['strategy']}` holds", str(row["qty"]))
            for row in positions(house, EVERY)
            if row["symbol"] == symbol
        )
        orders = tuple(
            str(it["id"]) for it in shard_rows(house, OPEN.format(ended=ended), [symbol])
        )
        bounds = shard_rows(house, LEAST, [symbol])
    except NotReadyError:
        return Held("0")
    position = str(rows[0]["qty"]) if rows else "0"
    return Held(position, books, orders, _least(bounds, rows))


def _least(bounds: Sequence[Row], rows: Sequence[Row]) -> Decimal:
    if not bounds:
        return ZERO
    (one,) = bounds
    lot = Decimal(one["lot"]).scaleb(-one["qty_exp"])
    price = Decimal(rows[0]["mark_price"] or 0) if rows else ZERO
    notional = Decimal(one["notional"]).scaleb(-one["quote_exp"])
    return max(lot, notional / price) if price else lot


def held_now(house: House, symbol: str) -> Held:
    """Return what is open of a symbol, with what the engine that runs here wants of it."""
    found = held(house, symbol)
    told = told_by_engine(house.run) or {}
    wanted = [
        (f"`{name}` holds or wants", qty)
        for name, row in told.items()
        for one, qty in held_by(row).items()
        if one == symbol
    ]
    return found._replace(books=(*found.books, *wanted))
