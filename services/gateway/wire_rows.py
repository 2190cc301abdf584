"""The exchange's rows and events as they are written, checked when they are read.

Numbers stay the decimal text that the exchange wrote; one that is no plain decimal is refused here.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Number = Annotated[str, Meta(pattern=r"^[0-9]{1,20}(\.[0-9]{1,18})?$")]
Signed = Annotated[str, Meta(pattern=r"^-?[0-9]{1,20}(\.[0-9]{1,18})?$")]
"""A fee may be a rebate, and what an old order cost is said as -1 when nobody knows it."""


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An object of REST; what the gateway does not need of it is left unread."""


class Part(Row, frozen=True, kw_only=True):
    """One execution in the answer to a new order."""

    price: Number
    qty: Number
    commission: Signed
    commission_asset: str
    trade_id: int


class OrderRow(Row, frozen=True, kw_only=True):
    """An order as REST writes it, whatever was asked."""

    symbol: str
    order_id: int
    client_order_id: str
    orig_client_order_id: str = ""
    price: Number
    orig_qty: Number
    executed_qty: Number
    cummulative_quote_qty: Signed
    status: str
    type: str
    side: Literal["BUY", "SELL"]
    stop_price: Number = "0"
    is_working: bool = False
    working_time: int = -1
    update_time: int = 0
    transact_time: int = 0
    fills: tuple[Part, ...] = ()


class PairRow(Row, frozen=True, kw_only=True):
    """The answer to two orders that were sent as one; each of them as it stands then."""

    order_reports: tuple[OrderRow, ...]


class ReplaceRow(Row, frozen=True, kw_only=True):
    """What came of a cancel, and of the order that was to take its place."""

    cancel_result: str
    new_order_result: str
    cancel_response: msgspec.Raw
    new_order_response: msgspec.Raw


class ReplaceFailure(Row, frozen=True, kw_only=True):
    """The answer to a replacement of which not all was done."""

    code: int
    data: ReplaceRow


class TradeRow(Row, frozen=True, kw_only=True):
    """An execution as `myTrades` writes it."""

    symbol: str
    order_id: int
    id: int
    price: Number
    qty: Number
    quote_qty: Number
    commission: Signed
    commission_asset: str
    time: int
    is_buyer: bool
    is_maker: bool


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An `executionReport`, by the exchange's one-letter names."""

    s: str
    c: str
    C: str | None = None
    S: Literal["BUY", "SELL"]
    o: str
    q: Number
    p: Number
    P: Number = "0"
    x: str
    X: str
    r: str = "NONE"
    i: int
    l: Number  # noqa: E741 - the exchange's name
    z: Number
    L: Number
    n: Signed | None = "0"
    N: str | None = None
    T: int
    t: int
    w: bool = False
    m: bool = False
    Z: Signed
    Y: Number
    W: int = -1


class MoneyEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A `balanceUpdate`: what came or went by other ways than trading, and when it was booked."""

    a: str
    d: Signed
    T: int


class BalanceRow(Row, frozen=True, kw_only=True):
    """One asset of the account."""

    asset: str
    free: Number
    locked: Number


class AccountRow(Row, frozen=True, kw_only=True):
    """The account as REST writes it."""

    can_trade: bool
    can_withdraw: bool
    balances: tuple[BalanceRow, ...]


class RightsRow(Row, frozen=True, kw_only=True):
    """What the key may do."""

    enable_withdrawals: bool
    enable_spot_and_margin_trading: bool
    ip_restrict: bool = False


class TopRow(Row, frozen=True, kw_only=True):
    """The top of the book."""

    symbol: str
    bid_price: Number
    ask_price: Number


class TimeRow(Row, frozen=True, kw_only=True):
    """The exchange's clock."""

    server_time: int
