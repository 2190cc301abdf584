"""What the exchange says, as `ingest` repeats it.

Prices, quantities and volumes are integers; `px_exp`, `qty_exp` and `quote_exp` beside them say
how many decimals they have (`price = px / 10**px_exp`), so that each message reads alone.
"""

from schema.head import Message

Level = tuple[int, int]
"""Price and quantity of one level of a book."""


class Trade(Message, tag=1, frozen=True, kw_only=True):
    """One public trade; ids of a symbol follow each other without a hole."""

    symbol: str
    trade_id: int
    px: int
    qty: int
    buyer_maker: bool  # True: the seller was the aggressor
    px_exp: int
    qty_exp: int
    ts_recv: int = 0  # wall time of receipt, ns; 0 when fetched afterwards


class Quote(Message, tag=2, frozen=True, kw_only=True):
    """The top of the book."""

    symbol: str
    bid_px: int
    bid_qty: int
    ask_px: int
    ask_qty: int
    px_exp: int
    qty_exp: int
    update_id: int = 0
    ts_recv: int = 0


class DepthSnapshot(Message, tag=3, frozen=True, kw_only=True):
    """The book as of `update_id`, best levels first, for who joins late: updates told it before.

    The books of all symbols are told side by side, each a part of one snapshot.
    """

    symbol: str
    update_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    px_exp: int
    qty_exp: int
    ts_recv: int = 0
    part: int = 1
    parts: int = 1


class DepthUpdate(Message, tag=4, frozen=True, kw_only=True):
    """Changed levels between two update ids, both included; quantity 0 removes a level."""

    symbol: str
    first_update_id: int
    last_update_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    px_exp: int
    qty_exp: int
    ts_recv: int = 0
    anew: bool = False  # the book begins here: it was fetched, and every level before is gone


class Bar(Message, tag=5, frozen=True, kw_only=True):
    """One closed bar of [open_ns, ts_event); `ts_event` is its close."""

    symbol: str
    timeframe: str
    open_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int  # base quantity, qty_exp
    quote_volume: int  # quote_exp
    trades: int  # how many trades it holds; 0 when the source does not say
    px_exp: int
    qty_exp: int
    quote_exp: int
    source: str = "trades"  # trades | rest
    first_trade_id: int = 0  # of those that it holds; 0 when the source does not say
    last_trade_id: int = 0
    whole: bool = True  # nothing that belongs into it is known to be missing
    revision: int = 0  # a bar that was said before and is corrected counts on


class FeedStatus(Message, tag=6, frozen=True, kw_only=True):
    """How far one symbol's feed can be trusted; said when it changes."""

    symbol: str
    state: str  # OK | CONNECTING | BACKFILLING | STALE | ENDED | HALTED
    reason: str
    last_trade_id: int = 0
    last_trade_ns: int = 0  # its watermark: nothing that happened before is still to come
    reconnects: int = 0
    median_gap_ms: int = 0  # between two trades, lately; 0: not known yet
    offset_ms: int = 0  # of the exchange's clock to ours
    quarantined: int = 0  # rows that were refused since the start


class FeedGap(Message, tag=7, frozen=True, kw_only=True):
    """Trades that the feed skipped, and whether they were fetched afterwards."""

    symbol: str
    first_trade_id: int
    last_trade_id: int
    filled: bool
    reason: str = ""
    refused: bool = False  # they were told and cannot be true: trades go on in the same minute


class FeedBudget(Message, tag=9, frozen=True, kw_only=True):
    """The exchange's request budget as ingest met it: its limits, and a ban, whoever earned it.

    Said when one of them changes; nobody of this house asks anything before `retry_after_ns`.
    """

    used: int
    limit: int  # weight a minute
    retry_after_ns: int = 0  # wall time
    orders_10s: int = 0
    orders_1d: int = 0


class Instrument(Message, tag=8, frozen=True, kw_only=True):
    """What can be traded and by which filters; said at start and when it changes.

    `tick`, `min_px`, `max_px` are in `px_exp`; `lot` and quantities in `qty_exp`; notionals in
    `quote_exp`. A maximum of 0 means that the exchange names none. It holds from `ts_event` on.
    """

    symbol: str
    venue_symbol: str
    base: str
    quote: str
    px_exp: int
    qty_exp: int
    quote_exp: int
    tick: int
    lot: int
    min_px: int = 0
    max_px: int = 0
    min_qty: int = 0
    max_qty: int = 0
    market_max_qty: int = 0
    min_notional: int = 0
    max_notional: int = 0
    status: str = "TRADING"
    order_types: tuple[str, ...] = ()
    oco: bool = False  # two orders may rest as a pair, of which one is done
    market_min_qty: int = 0
    market_lot: int = 0  # of market orders, beside `lot`; 0: none of their own
    min_spares_market: bool = False  # `min_notional` does not hold for market orders
    max_spares_market: bool = False
    average_mins: int = 0  # over which the exchange averages the price of the bands
    band_exp: int = 0  # decimals of the four multiples of that average; 0 of one: no band
    bid_up: int = 0  # a buy's price is at most this many times the average …
    bid_down: int = 0  # … and at least this many times
    ask_up: int = 0
    ask_down: int = 0
    max_orders: int = 0  # open orders
    max_algo_orders: int = 0  # open stops and take-profits that were not triggered
    max_order_lists: int = 0  # open pairs
    max_position: int = 0  # of the base asset, with what open buys may add
    ignored_filters: tuple[str, ...] = ()  # by name: no order of ours is ever of that kind
    unknown_filters: tuple[str, ...] = ()  # nobody here knows what they ask for
    cancel_replace: bool = False  # an order may take another's place in one request


class Quarantined(Message, tag=10, frozen=True, kw_only=True):
    """Something that the exchange said and nobody may act on; as many as came since the last word.

    `row` is what it was, shortened: for a person to look at, and never read by a machine.
    """

    symbol: str  # empty where it names none that is known
    kind: str  # trade | quote | depth | bar | listing | text
    reason: str
    row: str
    times: int = 1


class BarSoFar(Message, tag=11, frozen=True, kw_only=True):
    """The minute that is not over yet, at most once a second: for people, never for decisions."""

    symbol: str
    timeframe: str
    open_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    trades: int
    px_exp: int
    qty_exp: int
