"""What the books are worth: positions after a fill, and the account as a whole."""

from schema.identity import UNATTRIBUTED, strategy_tag, tag_of
from schema.ledger import ACCOUNT, Holding
from schema.orders import Fill
from schema.trading import Portfolio, Position
from schema.units import ceil_scale, floor_scale, notional
from services.engine.hearing import mark_of
from services.engine.line import Pass

CLOSER = "gateway"
"""In whose name the gateway closes positions by itself."""


def positions_after(turn: Pass, fill: Fill) -> list[Position]:
    """Return the account's position in a filled symbol, and those of the strategies behind it."""
    owner, ledger = tag_of(fill.client_order_id), turn.books.ledger
    names = {ACCOUNT: "", owner: _name_of(turn, fill, owner)}
    if names[owner] in {CLOSER, UNATTRIBUTED}:
        names |= {strategy_tag(name): name for name in turn.names}
    mark = mark_of(turn.windows, fill.symbol) or (fill.px, fill.px_exp)
    found = [(ledger.holding(fill.symbol, tag), name) for tag, name in names.items()]
    return [
        _position(turn, fill.symbol, holding, name, mark)
        for holding, name in found
        if holding is not None
    ]


def portfolio(turn: Pass) -> Portfolio | None:
    """Return the account's worth; None while money or a price is missing."""
    ledger, quote, exp = turn.books.ledger, turn.terms.quote, money_exp(turn)
    if quote not in ledger.balances:
        return None
    gross = net = realized = costs = fees = 0
    for symbol, holding in _of_account(turn):
        mark = mark_of(turn.windows, symbol)
        if holding.qty:
            if mark is None:
                return None
            worth = notional(mark[0], holding.qty, mark[1] + holding.qty_exp, exp)
            gross, net = gross + abs(worth), net + worth
        realized += floor_scale(holding.realized, holding.quote_exp, exp)
        costs += ceil_scale(holding.cost, holding.quote_exp, exp)
        fees += ceil_scale(holding.fees, holding.quote_exp, exp)
    money = ledger.balances[quote]
    cash = floor_scale(money.amount, money.exp, exp)
    return Portfolio(
        ts_event=turn.now_ns,
        quote=quote,
        cash=cash,
        equity=cash + net,
        gross_exposure=gross,
        net_exposure=net,
        realized=realized,
        unrealized=net - costs,
        fees=fees,
        peak_equity=max(cash + net, _peak(turn, exp)),
        quote_exp=exp,
    )


def money_exp(turn: Pass) -> int:
    """Return the decimals of the account's money."""
    instrument = turn.windows.instruments.get(turn.terms.symbols[0])
    return instrument.quote_exp if instrument is not None else 8


def _of_account(turn: Pass) -> list[tuple[str, Holding]]:
    quote = turn.terms.quote
    return [
        (key, holding)
        for key, holding in turn.books.ledger.holdings.items()
        if " " not in key and key.partition("/")[2] == quote
    ]


def _peak(turn: Pass, exp: int) -> int:
    return floor_scale(turn.books.peak_equity, turn.books.peak_exp, exp)


def _name_of(turn: Pass, fill: Fill, owner: str) -> str:
    order = turn.books.orders.get(fill.client_order_id)
    if order is not None:
        return order.intent.strategy
    names = (CLOSER, *reversed(turn.names))
    return next((name for name in names if strategy_tag(name) == owner), UNATTRIBUTED)


def _position(
    turn: Pass, symbol: str, holding: Holding, strategy: str, mark: tuple[int, int]
) -> Position:
    return Position(
        ts_event=turn.now_ns,
        symbol=symbol,
        qty=holding.qty,
        cost=holding.cost,
        realized=holding.realized,
        fees=holding.fees,
        mark_px=floor_scale(*mark, holding.px_exp),
        px_exp=holding.px_exp,
        qty_exp=holding.qty_exp,
        quote_exp=holding.quote_exp,
        strategy=strategy,
    )
