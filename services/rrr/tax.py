"""What a tax program wants of each fill: amounts, the fee in the quote, what was realized, lots."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from schema.identity import strategy_tag, tag_of
from schema.ledger import Ledger, book
from schema.orders import Fill
from schema.units import iso
from services.rrr.lots import DECIMALS, UNKNOWN, Lot, Lots, Taken
from services.rrr.moment import exact, plain
from services.rrr.opening_lots import Opening, scaled
from services.rrr.prices import Prices
from services.rrr.report_build import fee_value

FILL_COLUMNS = (
    *("time", "side", "symbol", "base", "quote", "qty", "price", "quote_amount", "fee"),
    *("fee_asset", "fee_in_quote", "realized", "strategy", "order", "trade", "flags"),
)
LOT_COLUMNS = (
    *("disposed", "asset", "qty", "acquired", "holding_days", "cost", "cost_currency"),
    *("proceeds", "currency", "gain", "kind", "symbol", "trade", "flags"),
)
NOT_VALUED = "fee not valued"
PAID_IN_LOTS = "paid in an asset that is traded too"
LATE = "late"
QUANTUM = Decimal(1).scaleb(-DECIMALS)

Row = dict[str, Any]


class Tax:
    """Folds all fills from the first one on: the books' weighted cost, and lots beside it."""

    def __init__(self, names: Sequence[str], prices: Prices, openings: list[Opening]) -> None:
        self._names = {strategy_tag(name): name for name in names}
        self._prices = prices
        self._openings = openings
        self._ledger = Ledger()
        self._lots = Lots()
        self._bases: set[str] = set()
        self._unknown: dict[str, int] = {}
        self._unvalued = 0

    def take(self, fill: Fill) -> tuple[Row, list[Row]]:
        """Return the row of a fill, and those of the lots that it took from."""
        while self._openings and self._openings[0].lot.acquired_ns <= fill.ts_event:
            one = self._openings.pop(0)
            self._lots.acquire(one.asset, one.lot)
        value = self._fee_in_quote(fill)
        flags = self._flags(fill, value)
        row = self._row(fill, value, flags)
        taken = self._trade(fill, value or Decimal(0)) + self._fee(fill, value)
        return row, [self._lot_row(fill, one, kind) for one, kind in taken]

    def remarks(self) -> list[str]:
        """Return what a person should know of the whole."""
        told = [
            f"{plain(exact(qty, DECIMALS))} {asset} were sold whose cost is unknown: "
            "name earlier lots with --opening"
            for asset, qty in sorted(self._unknown.items())
        ]
        if self._unvalued:
            told.append(f"{self._unvalued} fees in a third asset could not be valued")
        return told

    def _fee_in_quote(self, fill: Fill) -> Decimal | None:
        base, _, quote = fill.symbol.partition("/")
        fee = exact(fill.fee, fill.fee_exp)
        if not fee or fill.fee_asset == quote:
            return fee
        if fill.fee_asset == base:
            return fee * exact(fill.px, fill.px_exp)
        value = fee_value(self._prices, fill)
        return value.quantize(QUANTUM) if value is not None else None

    def _flags(self, fill: Fill, value: Decimal | None) -> str:
        base, _, quote = fill.symbol.partition("/")
        self._bases.add(base)
        self._unvalued += value is None
        found = ((LATE, fill.late), (NOT_VALUED, value is None),
                 (PAID_IN_LOTS, quote in self._bases))  # fmt: skip
        return "; ".join(name for name, holds in found if holds)

    def _row(self, fill: Fill, value: Decimal | None, flags: str) -> Row:
        base, _, quote = fill.symbol.partition("/")
        before = self._realized(fill.symbol)
        book(self._ledger, fill)
        self._ledger.seen.clear()
        return {
            "time": iso(fill.ts_event),
            "side": fill.side,
            "symbol": fill.symbol,
            "base": base,
            "quote": quote,
            "qty": plain(exact(fill.qty, fill.qty_exp)),
            "price": plain(exact(fill.px, fill.px_exp)),
            "quote_amount": plain(exact(fill.quote_qty, fill.quote_exp)),
            "fee": plain(exact(fill.fee, fill.fee_exp)),
            "fee_asset": fill.fee_asset,
            "fee_in_quote": plain(value) if value is not None else "",
            "realized": plain(self._realized(fill.symbol) - before),
            "strategy": self._names.get(tag_of(fill.client_order_id), ""),
            "order": fill.client_order_id,
            "trade": fill.venue_trade_id,
            "flags": flags,
        }

    def _realized(self, symbol: str) -> Decimal:
        held = self._ledger.holding(symbol)
        return exact(held.realized, held.quote_exp) if held is not None else Decimal(0)

    def _trade(self, fill: Fill, value: Decimal) -> list[tuple[Taken, str]]:
        """Take a fill's base into lots or out of them; a fee in base is less, or more, of it."""
        base, _, quote = fill.symbol.partition("/")
        money = exact(fill.quote_qty, fill.quote_exp)
        in_base = exact(fill.fee, fill.fee_exp) if fill.fee_asset == base else Decimal(0)
        qty, aside = exact(fill.qty, fill.qty_exp), Decimal(0) if in_base else value
        if fill.side == "buy":
            lot = Lot(fill.ts_event, scaled(qty - in_base), scaled(money + aside), quote)
            self._lots.acquire(base, lot)
            return []
        found = self._lots.dispose(
            base, quote, fill.ts_event, scaled(qty + in_base), scaled(money - aside)
        )
        return [(one, "sale") for one in found]

    def _fee(self, fill: Fill, value: Decimal | None) -> list[tuple[Taken, str]]:
        """Take a fee in a third asset out of that asset's lots, at its worth; a rebate is a lot."""
        if not fill.fee or fill.fee_asset in fill.symbol.split("/"):
            return []
        _, _, quote = fill.symbol.partition("/")
        qty, worth = scaled(exact(fill.fee, fill.fee_exp)), scaled(value or Decimal(0))
        if qty < 0:
            self._lots.acquire(fill.fee_asset, Lot(fill.ts_event, -qty, -worth, quote))
            return []
        found = self._lots.dispose(fill.fee_asset, quote, fill.ts_event, qty, worth)
        flag = "" if value is not None else NOT_VALUED
        return [(_flagged(one, flag), "fee") for one in found]

    def _lot_row(self, fill: Fill, one: Taken, kind: str) -> Row:
        if one.flag.startswith(UNKNOWN):
            self._unknown[one.asset] = self._unknown.get(one.asset, 0) + one.qty
        return {
            "disposed": iso(one.disposed_ns),
            "asset": one.asset,
            "qty": _text(one.qty),
            "acquired": iso(one.acquired_ns) if one.acquired_ns else "",
            "holding_days": "" if one.days is None else one.days,
            "cost": _text(one.cost),
            "cost_currency": one.cost_in,
            "proceeds": _text(one.proceeds) if NOT_VALUED not in one.flag else "",
            "currency": one.quote,
            "gain": _text(one.gain),
            "kind": kind,
            "symbol": fill.symbol,
            "trade": fill.venue_trade_id,
            "flags": one.flag,
        }


def _flagged(one: Taken, flag: str) -> Taken:
    if not flag:
        return one
    both = "; ".join(text for text in (one.flag, flag) if text)
    return Taken(one.asset, one.quote, one.disposed_ns, one.qty, one.proceeds,
                 one.acquired_ns, one.cost, one.cost_in, both)  # fmt: skip


def _text(number: int | None) -> str:
    return "" if number is None else plain(exact(number, DECIMALS))
