"""What stands in the venue's books: orders, pairs of orders, fills, and what is said of them.

Prices and quantities carry the exponents of their symbol; money has eight decimals, whatever the
asset. Nothing here changes: a new state is a new struct, so that what was said stays true.
"""

from typing import Literal

import msgspec

Side = Literal["BUY", "SELL"]
Type = Literal[
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
]
Tif = Literal["GTC", "IOC", "FOK"]
Status = Literal["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED"]
Kind = Literal["NEW", "TRADE", "CANCELED", "EXPIRED"]

NO_LIST = -1
NOT_WORKING = -1

PRICED = frozenset({"LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})
STOPPED = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
TIMED = frozenset({"LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})
PROFITS = frozenset({"TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})


class Order(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One order, as of its last change."""

    id: int
    symbol: str  # as the exchange writes it
    client_id: str
    side: Side
    type: Type
    tif: Tif
    asset: str  # what it locks
    qty: int
    px: int = 0
    stop_px: int = 0
    quote_qty: int = 0  # money that a MARKET order spends or raises
    list_id: int = NO_LIST
    tied: bool = False  # its pair locks what it needs
    status: Status = "NEW"
    filled: int = 0
    money: int = 0  # what its fills cost or raised
    created_ms: int
    updated_ms: int
    working_ms: int = NOT_WORKING
    ahead: int = 0  # quantity of others at its price that still comes first

    @property
    def open(self) -> bool:
        return self.status in {"NEW", "PARTIALLY_FILLED"}

    @property
    def working(self) -> bool:
        """Whether it is in the book; a stop is not before it was triggered."""
        return self.working_ms != NOT_WORKING

    @property
    def left(self) -> int:
        return self.qty - self.filled

    @property
    def buys(self) -> bool:
        return self.side == "BUY"

    @property
    def rises(self) -> bool:
        """Whether its stop is reached from below."""
        return self.buys != (self.type in PROFITS)

    def reached(self, px: int) -> bool:
        """Say whether a price triggers it."""
        return px >= self.stop_px if self.rises else px <= self.stop_px


class Pair(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Two orders of which one alone is done (OCO); while both wait, it locks for both."""

    id: int
    symbol: str
    client_id: str
    legs: tuple[int, int]
    asset: str
    locked: int
    done: bool = False
    created_ms: int
    updated_ms: int


class Fill(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One trade of ours."""

    id: int
    symbol: str
    order_id: int
    list_id: int
    px: int
    qty: int
    money: int
    fee: int
    fee_asset: str
    at_ms: int
    buyer: bool
    maker: bool


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to an order, and how it stood right after."""

    number: int
    kind: Kind
    order: Order
    at_ms: int
    fill: Fill | None = None
    cancel_id: str = ""


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it is asked for; everything with eight decimals, as on the wire."""

    symbol: str
    side: Side
    type: Type
    tif: Tif = "GTC"
    qty: int = 0
    quote_qty: int = 0
    px: int = 0
    stop_px: int = 0
    client_id: str = ""  # empty: the exchange makes one


class PairTicket(msgspec.Struct, frozen=True, kw_only=True):
    """A pair as it is asked for: the order above the market, and the one below."""

    above: Ticket
    below: Ticket
    client_id: str = ""
