"""What the books are worth: positions after a fill, and the account as a whole."""

from schema.identity import UNATTRIBUTED, strategy_tag, tag_of
from schema.ledger import ACCOUNT, Holding, equity
from schema.orders import Fill
from schema.trading import Portfolio, Position
from schema.units import ceil_scale, floor_scale
from services.engine.hearing import mark_of
from services.engine.line import Pass

CLOSER = "gateway"
"""In whose name the gateway closes positions by itself."""


def positions_after(turn: Pass, fill: Fill) -> list[Position]:
    """Return the account's position in a filled symbol, and those of the strategies behind it."""
    owner, found = tag_of(fill.client_order_id), []
    names = {ACCOUNT: "", owner: _name_of(turn, fill)}
    if names[owner] in {CLOSER, UNATTRIBUTED}:
        names |= {strategy_tag(name): name for name in turn.names}
    for tag, strategy in names.items():
        holding = turn.books.ledger.holding(fill.symbol, tag)
        if holding is not None:
            found.append(_position(turn, fill, holding, strategy))
    return found


def portfolio(turn: Pass) -> Portfolio | None:
    """Return the account's worth; None while money or a price is missing."""
    ledger, quote, exp = turn.books.ledger, turn.terms.quote, money_exp(turn)
    account = _of_account(turn)
    prices = _marks(turn, account)
    worth = equity(ledger, quote, exp, prices)
    if worth is None or quote not in ledger.balances:
        return None
    cash = ledger.balance(quote)
    gross = net = realized = costs = fees = 0
    for symbol, holding in account:
        px, px_exp = prices.get(symbol, (0, 0))
        money = floor_scale(px * holding.qty, px_exp + holding.qty_exp, exp)
        gross, net = gross + abs(money), net + money
        realized += floor_scale(holding.realized, holding.quote_exp, exp)
        costs += ceil_scale(holding.cost, holding.quote_exp, exp)
        fees += ceil_scale(holding.fees, holding.quote_exp, exp)
    return Portfolio(
        ts_event=turn.now_ns,
        quote=quote,
        cash=floor_scale(cash.amount, cash.exp, exp),
        equity=worth,
        gross_exposure=gross,
        net_exposure=net,
        realized=realized,
        unrealized=net - costs,
        fees=fees,
        peak_equity=max(worth, _peak(turn, exp)),
        quote_exp=exp,
    )


def _marks(turn: Pass, account: list[tuple[str, Holding]]) -> dict[str, tuple[int, int]]:
    found = ((symbol, mark_of(turn.windows, symbol)) for symbol, _ in account)
    return {symbol: mark for symbol, mark in found if mark is not None}


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


def _name_of(turn: Pass, fill: Fill) -> str:
    owner, names = tag_of(fill.client_order_id), (CLOSER, *reversed(turn.names))
    return next((name for name in names if strategy_tag(name) == owner), UNATTRIBUTED)


def _position(turn: Pass, fill: Fill, holding: Holding, strategy: str) -> Position:
    px, px_exp = mark_of(turn.windows, fill.symbol) or (fill.px, fill.px_exp)
    return Position(
        ts_event=turn.now_ns,
        symbol=fill.symbol,
        qty=holding.qty,
        cost=holding.cost,
        realized=holding.realized,
        fees=holding.fees,
        mark_px=floor_scale(px, px_exp, holding.px_exp),
        px_exp=holding.px_exp,
        qty_exp=holding.qty_exp,
        quote_exp=holding.quote_exp,
        strategy=strategy,
    )
