"""Do the books of the trading shard balance: fills, orders, ledger, cash and positions?"""

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Any

import msgspec

from bus.shard import Connection
from schema.ledger import Ledger, book, deposit
from schema.orders import Deposit, Fill
from services.writer.proofs import Found, listed, rows_of

FILLS = """
SELECT t.client_order_id, t.symbol, t.side, t.venue_order_id, t.venue_trade_id, t.px, t.qty,
    t.quote_qty, t.fee, t.fee_asset, t.maker, t.px_exp, t.qty_exp, t.quote_exp, t.fee_exp, t.ts_ns
FROM trades AS t LEFT JOIN (
    SELECT min(id) AS id, detail ->> '$.symbol' AS symbol,
        detail ->> '$.venue_trade_id' AS venue_trade_id
    FROM order_events WHERE type = 'Fill' GROUP BY 2, 3
) AS e USING (symbol, venue_trade_id) ORDER BY e.id
"""
SUMS = "SELECT entry, asset, exp, sum(amount) FROM ledger GROUP BY entry, asset, exp"
HELD = "SELECT asset, exp, sum(amount) FROM ledger WHERE account = 'trading' GROUP BY asset, exp"
PUT_IN = (
    "SELECT asset, exp, sum(amount) FROM ledger WHERE account = 'trading' "
    "AND entry NOT LIKE 'fill:%' AND NOT (kind = 'rebate' AND symbol <> '') GROUP BY asset, exp"
)
GIVEN_BACK = (
    "SELECT ts_ns, entry, asset, amount, exp, symbol FROM ledger WHERE account = 'trading' "
    "AND kind = 'rebate' AND symbol <> '' AND entry NOT LIKE 'fill:%'"
)
LONELY = (
    "SELECT symbol, venue_trade_id, client_order_id FROM trades WHERE client_order_id NOT IN "
    "(SELECT client_order_id FROM orders)"
)
UNPAID = (
    "SELECT symbol, venue_trade_id FROM trades AS t WHERE NOT EXISTS "
    "(SELECT 1 FROM ledger WHERE entry = 'fill:' || t.symbol || ':' || t.venue_trade_id)"
)
FILLED = """
SELECT o.client_order_id, o.filled_qty, coalesce(o.filled_exp, 0), o.filled_quote,
    coalesce(o.quote_exp, 0), t.qty, t.qty_exp, t.quote_qty, t.quote_exp
FROM orders AS o LEFT JOIN trades AS t USING (client_order_id) ORDER BY o.client_order_id
"""
POSITIONS = (
    "SELECT symbol, qty, cost, realized, fees, qty_exp, quote_exp FROM positions "
    "WHERE strategy = ''"
)
BEHIND = (
    "SELECT symbol FROM trades GROUP BY symbol HAVING max(ts_ns) > coalesce("
    "(SELECT p.ts_ns FROM positions AS p WHERE p.symbol = trades.symbol AND p.strategy = ''), 0)"
)
NAMES = ("qty", "cost", "realized", "fees")


def entries(db: Connection) -> Found:
    """See that the legs of each entry add up to zero in each asset."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    count = 0
    with _exact():
        for entry, asset, exp, amount in _each(db, SUMS):
            count += 1
            if amount:
                sums[entry, asset] += _decimal(amount, exp)
        wrong = [
            f"{entry} is off by {rest:f} {asset}" for (entry, asset), rest in sums.items() if rest
        ]
    return listed(wrong, f"{count} sums are zero")


def cash(db: Connection) -> Found:
    """See that what the ledger holds is what fills and deposits come to."""
    with _exact():
        held, put_in = _balances(db, HELD), _balances(db, PUT_IN)
        ledger = _folded(db)
        expected = defaultdict(Decimal, put_in)
        for asset, money in ledger.balances.items():
            expected[asset] += _decimal(money.amount, money.exp)
        wrong = [
            f"{asset}: the ledger holds {held.get(asset, Decimal()):f}, fills and deposits come to "
            f"{expected[asset]:f}"
            for asset in sorted({*held, *expected})
            if held.get(asset, Decimal()) != expected[asset]
        ]
    return listed(wrong, f"{ledger.fills} fills, {len(expected)} assets")


def fills(db: Connection) -> Found:
    """See that each fill has its order and its entry."""
    wrong = [
        f"the fill {symbol} {trade} has no order {order}"
        for symbol, trade, order in rows_of(db, LONELY)
    ]
    wrong += [f"the fill {symbol} {trade} is not booked" for symbol, trade in rows_of(db, UNPAID)]
    ((count,),) = rows_of(db, "SELECT count(*) FROM trades")
    return listed(wrong, f"{count} fills")


def filled(db: Connection) -> Found:
    """See that each order is filled by as much as its fills come to."""
    said: dict[str, tuple[Decimal, Decimal]] = {}
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    with _exact():
        for order, qty, exp, quote, quote_exp, *fill in _each(db, FILLED):
            said[order] = _decimal(qty, exp), _decimal(quote, quote_exp)
            more = (Decimal(), Decimal())
            if fill[0] is not None:
                more = _decimal(fill[0], fill[1]), _decimal(fill[2], fill[3])
            before = sums.get(order, (Decimal(), Decimal()))
            sums[order] = before[0] + more[0], before[1] + more[1]
        wrong = [
            f"order {order} says {said[order][0]:f} for {said[order][1]:f}, its fills "
            f"{sums[order][0]:f} for {sums[order][1]:f}"
            for order in said
            if said[order] != sums[order]
        ]
    return listed(wrong, f"{len(said)} orders")


def positions(db: Connection) -> Found:
    """See that the account's positions are what its fills come to.

    A fill that the engine has not told of, because it is down, is no fault of the books.
    """
    behind = {str(symbol) for (symbol,) in rows_of(db, BEHIND)}
    with _exact():
        ledger, wrong = _folded(db), []
        said = {str(row[0]): row[1:] for row in rows_of(db, POSITIONS)}
        symbols = sorted({*said, *(key for key in ledger.holdings if " " not in key)})
        for symbol in symbols:
            expected, found = _holding(ledger, symbol), _position(said.get(symbol))
            if expected != found and symbol not in behind:
                wrong.append(f"{symbol} is {_told(found)}, its fills come to {_told(expected)}")
    waiting = f"; the engine has yet to tell of {', '.join(sorted(behind))}" if behind else ""
    return listed(wrong, f"{len(symbols)} symbols{waiting}")


def _folded(db: Connection) -> Ledger:
    ledger = Ledger()
    names = ("client_order_id", "symbol", "side", "venue_order_id", "venue_trade_id")
    numbers = ("px", "qty", "quote_qty", "fee", "fee_asset", "maker")
    fields = (*names, *numbers, "px_exp", "qty_exp", "quote_exp", "fee_exp", "ts_event")
    for row in _each(db, FILLS):
        values = dict(zip(fields, row, strict=True))
        book(ledger, msgspec.convert({**values, "maker": bool(values["maker"])}, _Fill).fill())
    for ts_ns, entry, asset, amount, exp, symbol in _each(db, GIVEN_BACK):
        back = Deposit(ts_event=ts_ns, venue_id=entry, asset=asset, amount=amount, exp=exp,
                       kind="rebate", symbol=symbol)  # fmt: skip
        deposit(ledger, back)
    return ledger


class _Fill(msgspec.Struct):
    client_order_id: str
    symbol: str
    side: str
    venue_order_id: str
    venue_trade_id: str
    px: int
    qty: int
    quote_qty: int
    fee: int
    fee_asset: str
    maker: bool
    px_exp: int
    qty_exp: int
    quote_exp: int
    fee_exp: int
    ts_event: int

    def fill(self) -> Fill:
        return Fill(**msgspec.structs.asdict(self))


def _holding(ledger: Ledger, symbol: str) -> tuple[Decimal, ...]:
    held = ledger.holding(symbol)
    if held is None:
        return (Decimal(),) * len(NAMES)
    money = (_decimal(getattr(held, name), held.quote_exp) for name in NAMES[1:])
    return _decimal(held.qty, held.qty_exp), *money


def _position(row: Any) -> tuple[Decimal, ...]:
    if row is None:
        return (Decimal(),) * len(NAMES)
    qty, cost, realized, fees, qty_exp, quote_exp = row
    return _decimal(qty, qty_exp), *(_decimal(one, quote_exp) for one in (cost, realized, fees))


def _told(numbers: tuple[Decimal, ...]) -> str:
    return ", ".join(f"{name} {number:f}" for name, number in zip(NAMES, numbers, strict=True))


def _balances(db: Connection, sql: str) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(Decimal)
    for asset, exp, amount in _each(db, sql):
        found[str(asset)] += _decimal(amount, exp)
    return found


def _each(db: Connection, sql: str) -> Iterator[Any]:
    yield from db.execute(sql)


def _decimal(number: int, exp: int) -> Decimal:
    return Decimal(number).scaleb(-exp)


@contextlib.contextmanager
def _exact() -> Iterator[None]:
    with localcontext() as context:
        context.prec = 100
        yield
