"""From a strategy's decision to cash: what `engine` and `risk` say.

An order's numbers are integers in the instrument's `px_exp` and `qty_exp`; money is in the
quote asset's `quote_exp`. A price of 0 means that the order has none.
"""

from typing import Literal

from schema.head import Message, Side

OrderType = Literal[
    "market", "limit", "limit_maker", "stop", "stop_limit", "take_profit", "take_profit_limit"
]
TimeInForce = Literal["GTC", "IOC", "FOK", "GTD"]

Rung = tuple[int, int]
"""One step of a ladder: its price, and how much of it."""


STOPPED = "stop"
"""The reason of what closes a position because its stop was reached …"""

TRAILED = "trailing stop"
"""… and of that, and of the stop itself, where the stop has followed the market."""


class OrderIntent(Message, tag=40, frozen=True, kw_only=True):
    """An order that a strategy wants; nothing leaves before risk approves its exact hash."""

    client_order_id: str  # 32 lower-case hex, a pure function of the decision (design, section 6)
    strategy: str
    symbol: str
    side: Side
    order_type: OrderType
    qty: int
    px_exp: int
    qty_exp: int
    limit_px: int = 0
    stop_px: int = 0
    time_in_force: TimeInForce = "GTC"
    reduce_only: bool = False
    ref_px: int = 0  # the price that the strategy decided on
    valid_until_ns: int = 0  # market time after which it must not be sent
    leg: str = "entry"  # entry | exit | stop | target
    parent: str = ""  # client order id of the entry that this leg protects
    reason: str = ""
    oco: str = ""  # client order id of the other of two that leave as one, and of which one is done
    protect_px: int = 0  # of an entry: what it trades is given up at this price; 0: nowhere
    replaces: str = ""  # client order id of the order whose place it takes, in one request
    expire_ns: int = 0  # GTD: market time at which what is left of it is cancelled


class CancelIntent(Message, tag=41, frozen=True, kw_only=True):
    """A wish to cancel; it needs no verdict and is never held back."""

    client_order_id: str
    strategy: str
    symbol: str
    reason: str = ""


class Decision(Message, tag=42, frozen=True, kw_only=True):
    """Why a strategy did or did not trade on one input; `notes` are for people."""

    strategy: str
    symbol: str
    action: str  # enter | resize | adjust | exit | hold | refuse
    reason: str
    bar_open_ns: int = 0
    client_order_id: str = ""
    notes: tuple[tuple[str, str], ...] = ()
    moment: str = ""  # names the decision in the ids of its orders
    qty: int = 0  # the position wanted, qty_exp, below 0 for a short; 0: none
    stop_px: int = 0  # where the position is given up; 0: no stop
    px_exp: int = 0
    qty_exp: int = 0
    until_ns: int = 0  # market time at which a position is closed at the latest; 0: never
    limit_px: int = 0  # what an entry pays at most, or sells for at least; 0: the market's price
    take_px: int = 0  # where the position is closed with a gain; 0: nowhere
    shadow: bool = False  # nothing is ordered
    kind: str = ""  # of the target: weight, qty or notional …
    size: float = 0.0  # … and how much of it was asked for
    trigger_px: int = 0  # an entry waits until the market has come this far; 0: it does not
    stop_limit_px: int = 0  # what the stop sells for at least, or buys for at most; 0: the market's
    time_in_force: TimeInForce = "GTC"  # of an entry with a limit
    post_only: bool = False  # an entry with a limit never takes from the book
    trail_px: int = 0  # the stop follows the market at this distance; 0: it does not …
    trail_ppm: int = 0  # … or at this share of the price, in millionths
    trail_from_px: int = 0  # … once the market has come this far; 0: from the beginning
    water_px: int = 0  # the best price that the stop has followed so far; 0: it has not
    good_till_ns: int = 0  # market time at which an entry that waits is over; 0: never
    rungs: tuple[Rung, ...] = ()  # entries of a ladder: limit, and quantity
    takes: tuple[Rung, ...] = ()  # where the position is closed in parts: price, and millionths
    taken: int = 0  # how many of the takes are done


class StrategyFailed(Message, tag=43, frozen=True, kw_only=True):
    """A strategy raised, returned nonsense or overran its time; latched until resumed."""

    strategy: str
    reason: str
    detail: str = ""


class StrategyPaused(Message, tag=44, frozen=True, kw_only=True):
    """A person or the start-up breadcrumb paused a strategy."""

    strategy: str
    by: str
    reason: str


class StrategyResumed(Message, tag=45, frozen=True, kw_only=True):
    """A person allows a strategy to trade again."""

    strategy: str
    by: str
    reason: str


class PairLocked(Message, tag=46, frozen=True, kw_only=True):
    """No entries in a symbol (`*`: any) until a market time; exits are never locked."""

    symbol: str
    until_ns: int
    reason: str
    side: str = "*"
    by: str = ""  # a person; empty: the engine itself


class Position(Message, tag=50, frozen=True, kw_only=True):
    """One symbol's position: signed quantity and its cost; the average price is a view."""

    symbol: str
    qty: int
    cost: int  # quote_exp, same sign as qty
    realized: int  # quote_exp, before fees
    fees: int  # quote_exp
    mark_px: int
    px_exp: int
    qty_exp: int
    quote_exp: int
    strategy: str = ""  # empty: the whole account
    funding: int = 0  # quote_exp, what holding it has earned; negative is cost
    mark: str = "mid"  # what mark_px is: mid | last | fill | none, when there is no price


class Portfolio(Message, tag=51, frozen=True, kw_only=True):
    """The account as the engine sees it, in the quote asset."""

    quote: str
    cash: int
    equity: int
    gross_exposure: int
    net_exposure: int
    realized: int
    unrealized: int
    fees: int
    peak_equity: int
    quote_exp: int
    funding: int = 0
    unpriced: tuple[str, ...] = ()  # symbols without a price: they are in `equity` at their cost
    period: str = "minute"  # minute | day: the last of a UTC day
    deposits: int = 0  # net of what was taken out: equity less this is what was earned


class Verdict(Message, tag=60, frozen=True, kw_only=True):
    """Yes or no to the exact order that `order_hash` names, for a short time, once."""

    client_order_id: str
    order_hash: bytes
    approved: bool
    code: str  # OK, or a denial code of reference field names such as PRICE_OUTSIDE_COLLAR
    detail: str
    epoch: int  # risk's epoch
    expires_ns: int
    symbol: str = ""
    by: str = "risk"  # risk | gateway (a reduction while risk is silent)


class RiskState(Message, tag=61, frozen=True, kw_only=True):
    """What risk allows now."""

    state: str  # ACTIVE | REDUCING | HALTED
    reason: str
    by: str = "risk"


class LimitBreached(Message, tag=62, frozen=True, kw_only=True):
    """A limit was reached; `observed` and `limit` are decimals as text."""

    limit_name: str
    scope: str
    observed: str
    limit: str
    latched: bool


class LimitChanged(Message, tag=63, frozen=True, kw_only=True):
    """A limit has a new value, by whom and why."""

    limit_name: str
    scope: str
    before: str
    after: str
    by: str
    reason: str
    effective_ns: int = 0  # market time from which on it holds; 0: at once
    unset: bool = False  # `after` is what the settings say, which holds again


class LimitReleased(Message, tag=64, frozen=True, kw_only=True):
    """A latched limit was released by a person or by the day roll."""

    limit_name: str
    scope: str
    by: str
    reason: str


class DayOpened(Message, tag=66, frozen=True, kw_only=True):
    """What the account was worth when a UTC day began: the anchor of the daily loss."""

    quote: str
    equity: int
    quote_exp: int
    deposits: int = 0  # booked so far, so that money moved in or out is no profit or loss


class EquityMarked(Message, tag=67, frozen=True, kw_only=True):
    """What there was to lose at a time: an hour, a peak, the begin of a strategy's day."""

    quote: str
    equity: int  # quote_exp; of a strategy: what its book has earned so far
    quote_exp: int
    deposits: int = 0  # booked so far
    kind: str = "hour"  # hour | peak | strategy
    scope: str = "account"  # or the tag of a strategy
    reason: str = ""


class Protection(Message, tag=65, frozen=True, kw_only=True):
    """A protection stops entries for a while; exits and stops go on."""

    name: str  # of [protection.NAME]
    symbol: str  # *: any
    until_ns: int
    reason: str  # with the numbers that led to it
    side: str = "*"  # * | long | short
    since_ns: int = 0  # of the newest of what led to it: a person who cleared later has seen it
