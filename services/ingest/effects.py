"""What passes between the feed's core and its edge; none of it ever stands on a stream.

Numbers travel as the exchange's own text, so that no float ever touches them.
"""

from typing import Any, ClassVar

from schema.head import Effect, Local

NONE = -1
"""The id of no trade; exchanges count from 0 or 1."""

RawTrade = tuple[int, str, str, int, bool]
"""Trade id, price, quantity, time in ms, and whether the buyer was the maker."""

RawBar = tuple[int, str, str, str, str, str, str, int]
"""Open time in ms, open, high, low, close, volume, quote volume, and number of trades."""


RawLevels = tuple[tuple[str, str], ...]
"""Price and quantity of some levels of one side of a book."""


class Listed(Local, tag=240, frozen=True, kw_only=True):
    """A session with the exchange began; this is what it lists of our symbols."""

    markets: dict[str, dict[str, Any]]  # by symbol, as exchangeInfo has them


class Offline(Local, tag=241, frozen=True, kw_only=True):
    """The session ended, or none could begin."""

    reason: str


class Connected(Local, tag=242, frozen=True, kw_only=True):
    """The live feed of a symbol stands."""

    symbol: str


class LiveTrades(Local, tag=243, frozen=True, kw_only=True):
    """Trades that the live feed brought, in its order."""

    symbol: str
    trades: tuple[RawTrade, ...]
    recv_ns: int  # wall time


class LiveQuote(Local, tag=244, frozen=True, kw_only=True):
    """The top of the book that the live feed brought."""

    symbol: str
    bid_px: str
    bid_qty: str
    ask_px: str
    ask_qty: str
    update_id: int
    recv_ns: int  # wall time


class LiveDepth(Local, tag=360, frozen=True, kw_only=True):
    """A change of a book that the live feed brought; an id of NONE is none that can be read."""

    symbol: str
    first_id: int
    last_id: int
    bids: RawLevels
    asks: RawLevels
    at_ms: int  # the exchange's time
    recv_ns: int  # wall time


class FetchDepth(Effect, tag=361, frozen=True, kw_only=True):
    """Asks for a book, so many levels of each side."""

    symbol: str
    limit: int


class FetchedDepth(Local, tag=362, frozen=True, kw_only=True):
    """A book as of an update id, best levels first."""

    effect_id: str
    symbol: str
    update_id: int
    bids: RawLevels
    asks: RawLevels
    recv_ns: int  # wall time


class FetchTrades(Effect, tag=250, frozen=True, kw_only=True):
    """Asks for the trades from an id on; from NONE for the newest that there are."""

    symbol: str
    from_id: int


class FetchedTrades(Local, tag=251, frozen=True, kw_only=True):
    """Trades in the order of their ids, the first ones from the id asked for."""

    effect_id: str
    symbol: str
    trades: tuple[RawTrade, ...]
    head_id: int  # the newest trade that the exchange has; NONE when it has none


class FetchBars(Effect, tag=252, frozen=True, kw_only=True):
    """Asks for the 1m bars that open in [start_ns, until_ns), oldest first."""

    symbol: str
    start_ns: int
    until_ns: int


class FetchedBars(Local, tag=253, frozen=True, kw_only=True):
    """A page of 1m bars; all of the range up to `through_ns` is in it."""

    effect_id: str
    symbol: str
    bars: tuple[RawBar, ...]
    through_ns: int


class Spoiled(Local, tag=370, frozen=True, kw_only=True):
    """Something that the exchange said, and of which not even the fields can be read."""

    symbol: str  # empty where it names none that is known
    kind: str
    reason: str
    row: str


class ServerTime(Local, tag=371, frozen=True, kw_only=True):
    """How far the exchange's clock is ahead of ours."""

    offset_ms: int


class AskTime(Effect, tag=372, frozen=True, kw_only=True):
    """Asks for the exchange's time soon, because its rows seem to come from the future."""

    symbol: str


class TimeAsked(Local, tag=373, frozen=True, kw_only=True):
    """It is being asked for."""

    effect_id: str
    symbol: str


class BudgetMet(Local, tag=332, frozen=True, kw_only=True):
    """The exchange's request budget as an answer told of it; a limit of 0 was not named."""

    used: int
    retry_wall_ms: int = 0  # nothing may be asked before
    weight_1m: int = 0
    orders_10s: int = 0
    orders_1d: int = 0


class Obey(Effect, tag=333, frozen=True, kw_only=True):
    """Tells the edge until when nothing may be asked; before the first one it asks nothing."""

    urgent: ClassVar[bool] = True

    retry_wall_ms: int


class Obeyed(Local, tag=334, frozen=True, kw_only=True):
    """The edge is quiet until then."""

    effect_id: str


class Redial(Effect, tag=254, frozen=True, kw_only=True):
    """Asks for a new session, because the live feed is silent while the exchange trades."""

    symbol: str


class Redialed(Local, tag=255, frozen=True, kw_only=True):
    """The old session is being closed."""

    effect_id: str
    symbol: str
