"""The exchange of a run, as the play sees it: time passes, orders are taken, reports come back.

There are two: the venue's desk on the recorded tape, and an ideal one that fills at known prices
of the bars. Time moves up to the first moment at which something came of it, so that nobody hears
of a fill when the exchange is already further than they are.
"""

from collections.abc import Sequence
from typing import Protocol

from schema import exchange, joined
from schema.exchange import OrderReport, ReportPushed, SendCancel, SendOrder, VenueTrade
from schema.head import Effect, Local
from schema.joined import SendPair, SendReplace
from schema.market import Bar, Instrument, Quote

Balances = tuple[tuple[str, str, str], ...]
"""Asset, free and locked."""

GONE = (-2011, "Unknown order sent.")
TRADED = (-2011, "Order was not canceled due to cancel restrictions.")
"""Why an order that has traded is not replaced."""

Look = tuple[Quote | None, int]
"""The top of a book, and for how long nothing was traded."""


class Exchange(Protocol):
    """One account on the recorded market of a run."""

    way_ns: int
    """How long an order is on its way, and so long its answer."""

    @property
    def at_ns(self) -> int:
        """The market time that was reached."""

    @property
    def idle(self) -> bool:
        """Whether nothing is open that the market could fill."""

    def pass_time(self, until_ns: int) -> Sequence[ReportPushed]:
        """Go on to a time, or to the first moment of which there is something to tell."""

    def answer(self, effect: Effect) -> Local:
        """Do what is asked, and return the answer."""

    def balances(self) -> Balances:
        """Return what the account has."""

    def look(self, symbol: str, now_ns: int) -> Look:
        """Return the top of the book; None where it is not known."""

    def look_at(self, bar: Bar) -> Look:
        """Return the top of the book at a bar's close."""

    def follow(self, instrument: Instrument) -> None:
        """Hold orders against an instrument's filters from now on, if any are asked for here."""

    def ring_again(self) -> None:
        """Let what is still open at the end be filled, where it otherwise never would."""


class Standing(Protocol):
    """What answers are made of."""

    def shown(self) -> tuple[OrderReport, ...]:
        """Return all open orders."""

    def named(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Return an order by its name."""

    def trades(self, symbol: str, from_id: int) -> tuple[VenueTrade, ...]:
        """Return the executions from an id on."""

    def balances(self) -> Balances:
        """Return what the account has."""

    def top(self, symbol: str) -> tuple[str, str]:
        """Return the best bid and ask."""


def answered(effect: Effect, standing: Standing, wall_ms: int) -> Local:
    """Return the answer to a question of the gateway's."""
    name = effect.effect_id
    match effect:
        case exchange.AskOrder(client_order_id=order_id, symbol=symbol):
            report = standing.named(symbol, order_id)
            if report is not None:
                return exchange.OrderFound(effect_id=name, report=report)
            return exchange.OrderAbsent(
                effect_id=name, client_order_id=order_id, symbol=symbol, wall_ms=wall_ms
            )
        case exchange.AskOpenOrders():
            reports = standing.shown()
            return exchange.OpenOrdersSeen(effect_id=name, reports=reports, wall_ms=wall_ms)
        case exchange.AskTrades(symbol=symbol, from_id=first):
            trades = standing.trades(symbol, int(first))
            return exchange.TradesSeen(
                effect_id=name, symbol=symbol, trades=trades, whole=True, wall_ms=wall_ms
            )
        case exchange.AskTop(symbol=symbol):
            bid, ask = standing.top(symbol)
            return exchange.TopSeen(effect_id=name, symbol=symbol, bid=bid, ask=ask)
    assert isinstance(effect, exchange.AskAccount), f"nobody asks {effect}"
    return exchange.AccountSeen(
        effect_id=name,
        balances=standing.balances(),
        can_trade=True,
        can_withdraw=False,
        wall_ms=wall_ms,
    )


def refused(effect: SendOrder, code: int, text: str) -> exchange.OrderRefused:
    """Return that an order was not taken."""
    return exchange.OrderRefused(
        effect_id=effect.effect_id,
        client_order_id=effect.intent.client_order_id,
        symbol=effect.intent.symbol,
        code=code,
        text=text,
    )


def pair_refused(effect: SendPair, code: int, text: str) -> joined.PairRefused:
    """Return that neither of two orders was taken."""
    return joined.PairRefused(
        effect_id=effect.effect_id,
        client_order_ids=(effect.stop.client_order_id, effect.target.client_order_id),
        symbol=effect.stop.symbol,
        code=code,
        text=text,
    )


def new_of(effect: SendReplace) -> SendOrder:
    """Return the order that takes another's place, as it is sent alone."""
    return SendOrder(
        effect_id=effect.effect_id,
        intent=effect.intent,
        signed_ms=effect.signed_ms,
        deadline_wall_ms=effect.deadline_wall_ms,
    )


def replaced(canceled: OrderReport, answer: Local) -> joined.ReplaceDone:
    """Return that an order is gone, and what the exchange answered to the one in its place."""
    if isinstance(answer, exchange.OrderPlaced):
        return joined.ReplaceDone(
            effect_id=answer.effect_id,
            canceled=canceled,
            reports=(answer.report,),
            trades=answer.trades,
        )
    assert isinstance(answer, exchange.OrderRefused), f"{answer} is no answer to an order"
    return joined.ReplaceDone(
        effect_id=answer.effect_id,
        canceled=canceled,
        reports=(),
        code=answer.code,
        text=answer.text,
    )


def replace_refused(effect: SendReplace, code: int, text: str) -> joined.ReplaceRefused:
    """Return that the old order was not cancelled, and that the new one was not tried."""
    return joined.ReplaceRefused(
        effect_id=effect.effect_id,
        client_order_id=effect.intent.client_order_id,
        replaced=effect.replaced,
        symbol=effect.intent.symbol,
        code=code,
        text=text,
    )


def unknown(effect: SendCancel) -> exchange.CancelRefused:
    """Return that there is no such order to cancel."""
    return exchange.CancelRefused(
        effect_id=effect.effect_id,
        client_order_id=effect.client_order_id,
        symbol=effect.symbol,
        code=GONE[0],
        text=GONE[1],
    )
