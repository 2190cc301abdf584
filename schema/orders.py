"""What became of an order: the only stream with money in it, `gateway.order`.

States and events are FIX's, with UNCONFIRMED added for an order whose fate is not known.
"""

import msgspec

from schema.head import Message, Side
from schema.trading import OrderIntent, Verdict


class OrderSubmitted(Message, tag=80, frozen=True, kw_only=True):
    """Synced before the first byte leaves; holds intent and verdict whole."""

    client_order_id: str
    intent: OrderIntent
    verdict: Verdict
    signed_ms: int  # the timestamp that the request is signed with, wall time
    symbol: str = ""


class OrderDenied(Message, tag=81, frozen=True, kw_only=True):
    """Refused by this house; never sent."""

    client_order_id: str
    symbol: str
    code: str
    detail: str
    by: str  # risk | gateway


class OrderUnconfirmed(Message, tag=82, frozen=True, kw_only=True):
    """The answer is unknown: never re-sent, resolved by evidence alone."""

    client_order_id: str
    symbol: str
    reason: str


class OrderAccepted(Message, tag=83, frozen=True, kw_only=True):
    """The venue holds the order."""

    client_order_id: str
    symbol: str
    venue_order_id: str
    evidence: str = "answer"  # answer | stream | query


class OrderRejected(Message, tag=84, frozen=True, kw_only=True):
    """The venue proved that it did not take the order, or it is proven dead."""

    client_order_id: str
    symbol: str
    code: str  # the venue's code, or NEVER_ARRIVED
    detail: str


class OrderTriggered(Message, tag=85, frozen=True, kw_only=True):
    """A stop or take-profit became an active order."""

    client_order_id: str
    symbol: str


class OrderPendingCancel(Message, tag=86, frozen=True, kw_only=True):
    """A cancel is under way."""

    client_order_id: str
    symbol: str
    reason: str


class OrderCancelRejected(Message, tag=87, frozen=True, kw_only=True):
    """The venue did not cancel; the order is what it was before."""

    client_order_id: str
    symbol: str
    code: str
    detail: str


class OrderCanceled(Message, tag=88, frozen=True, kw_only=True):
    """The venue cancelled what was left."""

    client_order_id: str
    symbol: str
    reason: str = ""


class OrderExpired(Message, tag=89, frozen=True, kw_only=True):
    """The venue expired what was left (IOC, FOK, GTD)."""

    client_order_id: str
    symbol: str
    reason: str = ""


class Fill(Message, tag=90, frozen=True, kw_only=True):
    """One execution; (symbol, venue_trade_id) is unique for ever."""

    client_order_id: str
    symbol: str
    side: Side
    venue_order_id: str
    venue_trade_id: str
    px: int
    qty: int
    quote_qty: int  # the venue's own figure, quote_exp
    fee: int  # positive is cost, fee_exp
    fee_asset: str
    maker: bool
    px_exp: int
    qty_exp: int
    quote_exp: int
    fee_exp: int
    cum_qty: int = 0  # filled so far, this fill included
    late: bool = False  # after a terminal state


class KillLevel(Message, tag=91, frozen=True, kw_only=True):
    """The kill switch: latched by the gateway, released by a person alone."""

    level: str  # ACTIVE | REDUCING | HALTED | FLATTEN
    by: str
    reason: str


class InstrumentHalted(Message, tag=92, frozen=True, kw_only=True):
    """No new orders in one symbol until a person has looked."""

    symbol: str
    reason: str
    client_order_id: str = ""


class InstrumentResumed(Message, tag=93, frozen=True, kw_only=True):
    """A person allows orders in a symbol again."""

    symbol: str
    by: str
    reason: str


class Deposit(Message, tag=94, frozen=True, kw_only=True):
    """Money that came (or, negative, went) by other ways than trading; opening balances too."""

    asset: str
    amount: int
    exp: int
    venue_id: str
    book: str = "trading"  # trading | external
    reason: str = ""
    kind: str = "transfer"  # opening | transfer | funding | rebate | dividend | adjustment
    symbol: str = ""  # of the position that a funding was paid for


class BalanceSeen(Message, tag=95, frozen=True, kw_only=True):
    """The venue's own figure for one asset, and the difference from our books."""

    asset: str
    free: int
    locked: int
    difference: int
    exp: int


class Reconciled(Message, tag=96, frozen=True, kw_only=True):
    """Orders, trades and balances were compared with the venue."""

    open_orders: int
    fills_found: int
    differences: int
    detail: str = ""


class RequestWeight(Message, tag=97, frozen=True, kw_only=True):
    """The exchange's request budget as last told, and until when nothing may be asked."""

    used: int
    limit: int
    retry_after_ns: int = 0  # wall time
    seen_by: str = "gateway"


class Halted(msgspec.Struct, frozen=True, array_like=True):
    """A symbol without new orders, as a snapshot tells it."""

    symbol: str
    since_ns: int
    by: str
    why: str


class OpenOrder(msgspec.Struct, frozen=True, array_like=True):
    """An order that has not ended, as a snapshot tells it; quantities have `exp` decimals."""

    intent: OrderIntent
    signed_ms: int
    submitted_ns: int
    state: str  # schema.lifecycle.State, as FIX's precedence shows it
    under: str  # and what it is underneath a cancel or a doubt
    qty: int
    filled: int
    exp: int
    venue_order_id: str

    @property
    def cancel_is_pending(self) -> bool:
        return self.state == "PENDING_CANCEL"

    @property
    def is_unconfirmed(self) -> bool:
        return "UNCONFIRMED" in (self.state, self.under)


class Sum(msgspec.Struct, frozen=True, array_like=True):
    """An exact number of one asset or symbol."""

    name: str
    n: int
    exp: int


class AccountSnapshot(Message, tag=98, frozen=True, kw_only=True):
    """What everything on this stream before it comes to; fills and deposits are in the sums.

    What is too long for one stands in parts side by side: rows go on, the rest is repeated.
    """

    level: str  # ACTIVE | REDUCING | HALTED | FLATTEN
    by: str
    reason: str
    since_ns: int
    reconciled_ns: int  # market time of the last comparison with the venue
    halted: tuple[Halted, ...] = ()
    orders: tuple[OpenOrder, ...] = ()
    balances: tuple[Sum, ...] = ()  # by asset
    positions: tuple[Sum, ...] = ()  # by symbol
    part: int = 1
    parts: int = 1
    retry_after_ns: int = 0  # wall time before which the exchange forbids to ask
    armed_until_ns: int = 0  # wall time until which live orders may leave; 0: not armed


class OrderResolved(Message, tag=99, frozen=True, kw_only=True):
    """A person's word on an order whose evidence never came; what follows from it is said next."""

    client_order_id: str
    symbol: str
    fate: str  # absent | present | filled
    by: str
    evidence: str


class OrderAdopted(Message, tag=100, frozen=True, kw_only=True):
    """A person knows of an order that was not made here: it is counted, and halts nothing more."""

    symbol: str
    venue_order_id: str
    client_order_id: str
    by: str
    reason: str


class LiveArmed(Message, tag=101, frozen=True, kw_only=True):
    """A person lets orders leave for real money until a wall time; latched, surviving restarts."""

    until_ns: int  # wall time
    account: str
    by: str
    reason: str


class LiveDisarmed(Message, tag=102, frozen=True, kw_only=True):
    """Nothing that adds risk leaves for real money any more: it ran out, or a person said so."""

    by: str
    reason: str
