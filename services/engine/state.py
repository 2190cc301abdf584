"""What the engine remembers: books that said messages change, and windows on the market."""

import msgspec

from schema.forecast import Forecast
from schema.ledger import Ledger
from schema.lifecycle import Place
from schema.locks import Locks
from schema.market import Instrument
from schema.strategy import Offer, ShadowFill
from schema.trading import STOPPED, TRAILED, OrderIntent, Rung, TimeInForce
from services.engine.series import Series


class Order(msgspec.Struct):
    """One order of ours, as the gateway tells of it."""

    intent: OrderIntent
    place: Place = Place()
    filled: int = 0
    cancel_ns: int = 0  # when its cancel was asked for; 0: it is not
    rest_ns: int = 0  # when it, or a cancel of it, was refused
    ended_ns: int = 0
    triggered_ns: int = 0  # when a stop became an active order; 0: it has not
    code: str = ""  # why it was refused

    @property
    def cancel_asked(self) -> bool:
        return self.cancel_ns > 0

    @property
    def left(self) -> int:
        """What may still be filled; 0 once it has ended."""
        return 0 if self.place.terminal else max(0, self.intent.qty - self.filled)


class Slot(msgspec.Struct, frozen=True):
    """What one strategy wants to hold of one symbol: its last decision, and how far it came."""

    strategy: str
    symbol: str
    moment: str = ""
    qty: int = 0  # wanted, below 0 for a short; 0: nothing
    had: int = 0  # wanted before the decision asked for another size
    grows: bool = False  # the decision asked for more than there was
    kind: str = ""  # of the target: weight, qty or notional …
    size: float = 0.0  # … and how much of it
    limit_px: int = 0
    stop_px: int = 0
    take_px: int = 0
    px_exp: int = 0
    qty_exp: int = 0
    until_ns: int = 0
    since_ns: int = 0  # when the entry was decided
    legs: int = 0  # orders that the decision led to so far
    entry: str = ""  # client order id of the decision's entry
    why: str = ""  # of the last decision
    trace: int = 0
    trigger_px: int = 0  # the entry waits until the market has come this far
    stop_limit_px: int = 0  # what the stop sells for at least, or buys for at most
    time_in_force: TimeInForce = "GTC"  # of the entry
    post_only: bool = False
    trail_px: int = 0  # the stop follows the market at this distance …
    trail_ppm: int = 0  # … or at this share of the price, in millionths
    trail_from_px: int = 0  # … once the market has come this far
    water_px: int = 0  # the best price that the stop has followed so far
    trailed_ns: int = 0  # when it did so last
    good_till_ns: int = 0  # when an entry that waits is over
    rungs: tuple[Rung, ...] = ()  # the entries of a ladder: limit and quantity, the nearest first
    entries: tuple[str, ...] = ()  # client order ids of those that were said
    takes: tuple[Rung, ...] = ()  # prices at which parts are closed, the nearest first; millionths
    taken: int = 0  # how many of them are done

    @property
    def trails(self) -> bool:
        return self.trail_px > 0 or self.trail_ppm > 0

    @property
    def stop_name(self) -> str:
        """What an end by its stop is called."""
        follows = self.trails and (self.water_px > 0 or not self.trail_from_px)
        return TRAILED if follows else STOPPED

    def owns(self, order_id: str) -> bool:
        """Return whether an entry is one of the decision that this is."""
        return order_id == self.entry or order_id in self.entries


class Latch(msgspec.Struct, frozen=True):
    """Why a strategy does not trade until a person resumes it."""

    what: str  # strategy failed | strategy paused
    since_ns: int
    by: str
    why: str


class Books(msgspec.Struct):
    """Changed in `apply` alone; slots by "strategy symbol", orders by client order id."""

    ledger: Ledger = msgspec.field(default_factory=Ledger)
    orders: dict[str, Order] = {}
    slots: dict[str, Slot] = {}
    latches: dict[str, Latch] = {}
    locks: Locks = msgspec.field(default_factory=Locks)
    loaded: dict[str, Offer] = {}  # the strategies that run, by name, in the order of their loading
    memory: dict[str, bytes] = {}  # what each remembers of a symbol, packed by name
    shadow: Ledger = msgspec.field(default_factory=Ledger)  # what shadows would hold
    halted: dict[str, str] = {}
    kill: tuple[str, str] = ("ACTIVE", "")
    risk: tuple[str, str] = ("ACTIVE", "")
    peak_equity: int = 0
    peak_exp: int = 0
    peak_deposits: int = 0  # what was put in, when that peak was said
    valued_ns: int = 0  # when the account was valued last
    intents: int = 0
    decisions: int = 0


class Top(msgspec.Struct, frozen=True, array_like=True):
    """The newest quote of a symbol."""

    bid: int
    ask: int
    px_exp: int
    at_ns: int


class Last(msgspec.Struct, frozen=True, array_like=True):
    """The newest close of a symbol, of any timeframe."""

    px: int
    px_exp: int
    at_ns: int


class Health(msgspec.Struct, frozen=True, array_like=True):
    """The state of a peer or a feed, and since when."""

    state: str
    reason: str
    since_ns: int


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What was last said of not trading, and how often it was left out since."""

    sort: str = ""
    times: int = 0


class Windows(msgspec.Struct):
    """Filled anew from what is heard; `told`, `wakes` and `settled_ns` begin anew with them."""

    instruments: dict[str, Instrument] = {}
    feeds: dict[str, Health] = {}
    tops: dict[str, Top] = {}
    lasts: dict[str, Last] = {}
    series: dict[str, Series] = {}  # by "symbol timeframe"
    forecasts: dict[str, Forecast] = {}
    peers: dict[str, Health] = {}
    told: dict[str, Told] = {}
    fell: dict[str, tuple[str, str]] = {}  # calls that are known not to answer: reason and detail
    thought: dict[str, list[tuple[str, ShadowFill]]] = {}  # of shadows, not told yet; by leg
    unloaded: dict[str, str] = {}  # why a strategy runs from older source, or not at all
    wakes: dict[str, int] = {}
    moved: dict[str, None] = {}  # symbols to be valued anew: a price or the position is another
    waters: dict[str, tuple[str, int]] = {}  # by slot: its moment, the best price since it trails
    settled_ns: int = 0  # before this time what was said meanwhile is still being heard


class State(msgspec.Struct):
    """All that a snapshot keeps."""

    books: Books = msgspec.field(default_factory=Books)
    windows: Windows = msgspec.field(default_factory=Windows)


def slot_key(strategy: str, symbol: str) -> str:
    """Return the key of a slot."""
    return f"{strategy} {symbol}"
