"""What the exchange of the simulator answers to questions, with what it does not show yet."""

from schema.exchange import (
    AccountSeen,
    AskAccount,
    AskOpenOrders,
    AskOrder,
    AskTop,
    AskTrades,
    OpenOrdersSeen,
    OrderAbsent,
    OrderFound,
    TopSeen,
    TradesSeen,
)
from schema.head import Effect, Local
from schema.units import to_text
from services.venue.account import EXP
from tests.sim.exchange import Exchange
from tests.sim.walk import FACTS_OF

PAGE = 20
"""So few executions in a list, that it has more than one page."""


def read(exchange: Exchange, effect: Effect) -> Local:
    """Return the answer to a question."""
    match effect:
        case AskOrder():
            return _order(exchange, effect)
        case AskOpenOrders(effect_id=name):
            open_now = exchange.desk.records.all_open()
            shown = [exchange.report(o) for o in open_now if not exchange.is_hidden(o)]
            return OpenOrdersSeen(effect_id=name, reports=tuple(shown), wall_ms=exchange.wall_ms())
        case AskTrades():
            return _trades(exchange, effect)
        case AskAccount(effect_id=name):
            return AccountSeen(
                effect_id=name, balances=balances(exchange), can_trade=True,
                can_withdraw=False, wall_ms=exchange.wall_ms(),
            )  # fmt: skip
        case AskTop(effect_id=name, symbol=symbol):
            return _top(exchange, name, symbol)
    raise AssertionError(f"nobody asks {effect}")


def balances(exchange: Exchange) -> tuple[tuple[str, str, str], ...]:
    """Return asset, free and locked, as REST tells them."""
    found = exchange.desk.records.account.balances.items()
    return tuple((key, to_text(b.free, EXP), to_text(b.locked, EXP)) for key, b in found)


def _order(exchange: Exchange, effect: AskOrder) -> Local:
    order_id = effect.client_order_id
    order = exchange.order(order_id)
    if order is not None and not exchange.is_hidden(order):
        return OrderFound(effect_id=effect.effect_id, report=exchange.report(order))
    return OrderAbsent(
        effect_id=effect.effect_id, client_order_id=order_id,
        symbol=effect.symbol, wall_ms=exchange.wall_ms(),
    )  # fmt: skip


def _trades(exchange: Exchange, effect: AskTrades) -> Local:
    records, facts = exchange.desk.records, FACTS_OF[effect.symbol]
    found = [
        exchange.trade(fill, "")
        for fill in records.fills_from(facts.id, int(effect.from_id))
        if not exchange.is_hidden(records.orders[fill.order_id])
    ]
    return TradesSeen(
        effect_id=effect.effect_id, symbol=effect.symbol, trades=tuple(found[:PAGE]),
        whole=len(found) <= PAGE, wall_ms=exchange.wall_ms(),
    )  # fmt: skip


def _top(exchange: Exchange, name: str, symbol: str) -> TopSeen:
    top = exchange.walk.top(FACTS_OF[symbol].id, exchange.desk.at_ms)
    bid, ask = to_text(top.bid[0], 2), to_text(top.ask[0], 2)
    return TopSeen(effect_id=name, symbol=symbol, bid=bid, ask=ask)
