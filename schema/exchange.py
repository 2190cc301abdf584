"""What passes between the gateway and its edge: orders on their way out, and what comes back.

The gateway's inputs stand in its journal, so that its turns can be run again; that is why these
are here. Prices and quantities are the exchange's own text, so that no float touches one; times
named `wall_ms` are the wall's, and those of orders and trades the exchange's.
"""

from typing import ClassVar

import msgspec

from schema.head import Effect, Local, Side
from schema.trading import OrderIntent


class OrderReport(Local, tag=300, frozen=True, kw_only=True):
    """An order as the exchange tells it; `status` is the exchange's own word."""

    client_order_id: str
    venue_order_id: str
    symbol: str  # BTC/USDT
    side: Side
    status: str  # NEW | PARTIALLY_FILLED | FILLED | CANCELED | REJECTED | EXPIRED | …
    order_type: str
    qty: str
    executed_qty: str
    executed_quote: str
    limit_px: str = "0"
    stop_px: str = "0"
    working: bool = True  # False: a stop that has not been triggered
    update_ms: int = 0


class VenueTrade(Local, tag=301, frozen=True, kw_only=True):
    """One execution as the exchange tells it."""

    trade_id: str
    venue_order_id: str
    symbol: str
    side: Side
    px: str
    qty: str
    quote_qty: str
    fee: str
    fee_asset: str
    maker: bool
    at_ms: int
    client_order_id: str = ""  # where the exchange names it


class SendOrder(Effect, tag=302, frozen=True, kw_only=True):
    """Sends one order; its answer is OrderPlaced, OrderRefused, OrderNotSent or Unanswered.

    `effect_id` is "send <client order id>". Nothing is sent after `deadline_wall_ms`.
    """

    intent: OrderIntent
    signed_ms: int  # wall time that the request is signed with, as journaled
    deadline_wall_ms: int


class OrderPlaced(Local, tag=303, frozen=True, kw_only=True):
    """The exchange took the order; a market order may have traded already."""

    effect_id: str
    report: OrderReport
    trades: tuple[VenueTrade, ...] = ()


class OrderRefused(Local, tag=304, frozen=True, kw_only=True):
    """The exchange proved that it did not take the order."""

    effect_id: str
    client_order_id: str
    symbol: str
    code: int
    text: str


class OrderNotSent(Local, tag=305, frozen=True, kw_only=True):
    """The edge refused in the line before the call: not a byte has left."""

    effect_id: str
    client_order_id: str
    symbol: str
    reason: str


class SendCancel(Effect, tag=306, frozen=True, kw_only=True):
    """Cancels one order; "cancel <client order id>". Answer: CancelDone, CancelRefused."""

    client_order_id: str
    symbol: str


class CancelDone(Local, tag=307, frozen=True, kw_only=True):
    """The exchange cancelled what was left."""

    effect_id: str
    report: OrderReport


class CancelRefused(Local, tag=308, frozen=True, kw_only=True):
    """The exchange did not cancel: the order is unknown to it, or has ended."""

    effect_id: str
    client_order_id: str
    symbol: str
    code: int
    text: str


class AskOrder(Effect, tag=309, frozen=True, kw_only=True):
    """Asks what became of an order; "ask <client order id>". Answer: OrderFound, OrderAbsent."""

    client_order_id: str
    symbol: str


class OrderFound(Local, tag=310, frozen=True, kw_only=True):
    """The exchange knows the order."""

    effect_id: str
    report: OrderReport


class OrderAbsent(Local, tag=311, frozen=True, kw_only=True):
    """The exchange answered that it does not know the order."""

    effect_id: str
    client_order_id: str
    symbol: str
    wall_ms: int  # when the question was asked, by the exchange's clock


class AskTrades(Effect, tag=312, frozen=True, kw_only=True):
    """Asks for our executions in a symbol from a trade id on; "trades <symbol>"."""

    symbol: str
    from_id: str  # "0": from the first


class TradesSeen(Local, tag=313, frozen=True, kw_only=True):
    """Our executions, oldest first; `whole` when there are no more."""

    effect_id: str
    symbol: str
    trades: tuple[VenueTrade, ...]
    whole: bool
    wall_ms: int  # when the question was asked, by the exchange's clock


class AskOpenOrders(Effect, tag=314, frozen=True, kw_only=True):
    """Asks for everything that rests at the exchange; "open"."""


class OpenOrdersSeen(Local, tag=315, frozen=True, kw_only=True):
    """All open orders of the account, others' too."""

    effect_id: str
    reports: tuple[OrderReport, ...]
    wall_ms: int


class AskAccount(Effect, tag=316, frozen=True, kw_only=True):
    """Asks for balances and permissions; "account"."""


class AccountSeen(Local, tag=317, frozen=True, kw_only=True):
    """Balances (asset, free, locked), and what the key may do."""

    effect_id: str
    balances: tuple[tuple[str, str, str], ...]
    can_trade: bool
    can_withdraw: bool
    wall_ms: int
    ip_bound: bool = True  # the key works from some addresses alone


class AskTop(Effect, tag=318, frozen=True, kw_only=True):
    """Asks for the top of the book, for closing when nobody else tells prices; "top <symbol>"."""

    symbol: str


class TopSeen(Local, tag=319, frozen=True, kw_only=True):
    """Best bid and ask."""

    effect_id: str
    symbol: str
    bid: str
    ask: str


class SetLevel(Effect, tag=320, frozen=True, kw_only=True):
    """Tells the edge what may still leave: below ACTIVE it sends nothing that adds risk.

    A kill that is heard in one turn with an approved order goes first: the order stays.
    """

    urgent: ClassVar[bool] = True

    level: str
    halted: tuple[str, ...] = ()  # symbols
    retry_wall_ms: int = 0  # nothing at all is asked before; a ban outlives whoever earned it
    weight_1m: int = 0  # what the exchange allows, as it listed it last; 0: not known
    orders_10s: int = 0
    orders_1d: int = 0
    risk_until_wall_ms: int = 0  # nothing that adds risk leaves after it; 0: there is no such end


class LevelSet(Local, tag=321, frozen=True, kw_only=True):
    """The edge obeys."""

    effect_id: str


class ReportPushed(Local, tag=322, frozen=True, kw_only=True):
    """What the user stream said of an order; `trades` holds the execution, if it was one."""

    report: OrderReport
    execution: str  # NEW | TRADE | CANCELED | REJECTED | EXPIRED | …
    reason: str = ""
    trades: tuple[VenueTrade, ...] = ()


class StreamUp(Local, tag=323, frozen=True, kw_only=True):
    """The user stream stands; what happened before it has to be asked for."""


class StreamDown(Local, tag=324, frozen=True, kw_only=True):
    """The user stream ended, or none could begin."""

    reason: str


class ClockSeen(Local, tag=325, frozen=True, kw_only=True):
    """Wall and market time of one moment, and how far the exchange's clock is ahead of ours."""

    wall_ms: int
    market_ns: int
    scale: float
    offset_ms: int


class KillFileSeen(Local, tag=326, frozen=True, kw_only=True):
    """The file data/run/KILL is there; with `there` False: it was, and it is gone."""

    text: str
    there: bool = True


class BudgetSeen(Local, tag=327, frozen=True, kw_only=True):
    """The request budget as the exchange last told it; nothing is asked before `retry_wall_ms`."""

    used: int
    limit: int
    retry_wall_ms: int = 0


class BalanceMoved(Local, tag=338, frozen=True, kw_only=True):
    """The exchange said that money came or went by other ways than trading."""

    asset: str
    delta: str  # decimal
    venue_id: str  # names the event, once and for ever


class Requirement(msgspec.Struct, frozen=True, array_like=True):
    """One thing that live trading asks for, how it is, and what to do where it is not so."""

    name: str
    state: str  # ok | advice | fails
    text: str
    todo: str = ""

    @property
    def fails(self) -> bool:
        return self.state == "fails"


class PlaceSeen(Local, tag=346, frozen=True, kw_only=True):
    """How the gateway's own place is: its keys, its disk, and which contract it runs."""

    contract: str
    conditions: tuple[Requirement, ...]
