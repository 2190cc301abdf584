"""What the books are worth: positions after a fill, and the account as a whole."""

from msgspec.structs import replace

from schema.identity import UNATTRIBUTED, strategy_tag, tag_of
from schema.ledger import ACCOUNT, Holding, Purse
from schema.orders import Fill
from schema.trading import Portfolio, Position
from schema.units import DAY_NS, ceil_scale, floor_scale
from services.engine.line import Pass
from services.engine.state import Books
from services.engine.valuation import MAX_EXP, WIDE, Valuation, mark_at

CLOSER = "gateway"
"""In whose name the gateway closes positions by itself."""


def positions_after(turn: Pass, fill: Fill) -> list[Position]:
    """Return the account's position in a filled symbol, and those of the strategies behind it."""
    turn.windows.moved[fill.symbol] = None
    owner, ledger = tag_of(fill.client_order_id), turn.books.ledger
    names = {ACCOUNT: "", owner: _name_of(turn, fill, owner)}
    if names[owner] in {CLOSER, UNATTRIBUTED}:
        names |= {strategy_tag(name): name for name in turn.names}
    px, px_exp, mark, _ = mark_at(turn, fill.symbol) or (fill.px, fill.px_exp, "fill", 0)
    found = [(ledger.holding(fill.symbol, tag), name) for tag, name in names.items()]
    return [
        _position(turn, fill.symbol, holding, name, (px, px_exp, mark))
        for holding, name in found
        if holding is not None
    ]


def portfolios(turn: Pass, valuation: Valuation) -> list[Portfolio]:
    """Return the account's worth, before it the last of a day that is over; none without money.

    What has no price is in it at its cost, and named.
    """
    purse = turn.books.ledger.balances.get(turn.terms.quote)
    if purse is None:
        return []
    valuation.look(turn, max(money_exp(turn), min(purse.exp, MAX_EXP)))
    now = _portfolio(turn, valuation, purse)
    day, valued_ns = turn.now_ns // DAY_NS, turn.books.valued_ns
    if not valued_ns or valued_ns // DAY_NS >= day:
        return [now]
    end_ns = (valued_ns // DAY_NS + 1) * DAY_NS - 1
    return [replace(now, ts_event=end_ns, period="day"), now]


def _portfolio(turn: Pass, valuation: Valuation, purse: Purse) -> Portfolio:
    total, exp = valuation.total, valuation.exp
    scale = 10 ** (WIDE - purse.exp)
    cash = floor_scale(purse.amount, purse.exp, exp)
    deposits = floor_scale(purse.put, purse.exp, exp)
    equity, unpriced = cash + total.worth, tuple(sorted(valuation.unpriced))
    return Portfolio(
        ts_event=turn.now_ns,
        quote=turn.terms.quote,
        cash=cash,
        equity=equity,
        gross_exposure=total.gross,
        net_exposure=total.worth,
        realized=floor_scale(total.realized, WIDE, exp),
        unrealized=total.worth - ceil_scale(total.cost, WIDE, exp),
        fees=ceil_scale(total.fees + purse.aside * scale, WIDE, exp),
        peak_equity=_peak(turn.books, equity, deposits, exp, known=not unpriced),
        quote_exp=exp,
        funding=floor_scale(total.funding + purse.alone * scale, WIDE, exp),
        unpriced=unpriced,
        deposits=deposits,
    )


def money_exp(turn: Pass) -> int:
    """Return the decimals of the account's money."""
    instrument = turn.windows.instruments.get(turn.terms.symbols[0])
    return instrument.quote_exp if instrument is not None else 8


def remember(books: Books, said: Portfolio) -> None:
    """Keep the highest equity, and what was in it of deposits, as it was said."""
    books.peak_equity, books.peak_exp = said.peak_equity, said.quote_exp
    books.peak_deposits = said.deposits
    books.valued_ns = max(books.valued_ns, said.ts_event)


def _peak(books: Books, equity: int, deposits: int, exp: int, *, known: bool) -> int:
    """Return the highest equity so far, as if all deposits had been there from the beginning.

    A price that is missing raises nothing. A peak that was said without its deposits, by the code
    before, is taken as it is.
    """
    if not books.valued_ns:
        return equity
    peak = floor_scale(books.peak_equity, books.peak_exp, exp)
    if books.peak_deposits:
        peak += deposits - floor_scale(books.peak_deposits, books.peak_exp, exp)
    return max(equity, peak) if known else peak


def _name_of(turn: Pass, fill: Fill, owner: str) -> str:
    order = turn.books.orders.get(fill.client_order_id)
    if order is not None:
        return order.intent.strategy
    names = (CLOSER, *reversed(turn.names))
    return next((name for name in names if strategy_tag(name) == owner), UNATTRIBUTED)


def _position(
    turn: Pass, symbol: str, holding: Holding, strategy: str, mark: tuple[int, int, str]
) -> Position:
    return Position(
        ts_event=turn.now_ns,
        symbol=symbol,
        qty=holding.qty,
        cost=holding.cost,
        realized=holding.realized,
        fees=holding.fees,
        mark_px=floor_scale(*mark[:2], holding.px_exp),
        px_exp=holding.px_exp,
        qty_exp=holding.qty_exp,
        quote_exp=holding.quote_exp,
        strategy=strategy,
        funding=holding.funding,
        mark=mark[2],
    )
