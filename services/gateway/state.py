"""What the gateway remembers: books that `gateway.order` changes, and windows on the exchange.

Books are a fold of the own stream, so that they stand again after any death. Windows hold what is
asked, waited for and half known; without them it asks the exchange anew.
"""

import msgspec

from schema.exchange import ClockSeen, OrderReport, PlaceSeen, VenueTrade
from schema.lifecycle import TERMINAL, Place
from schema.market import Instrument
from schema.trading import OrderIntent, Verdict
from schema.units import DAY_NS
from schema.weights import Rates

ENDED_MAX = 2_000
"""So many ended orders are kept whole, for what comes late; of older ones only the id is."""

SENT_MAX = 1_000

ARM_MAX_NS = 30 * DAY_NS
"""No permission to trade real money lasts longer, whoever gave it."""


class Amount(msgspec.Struct):
    """An exact number that gains decimals when it needs them."""

    n: int = 0
    exp: int = 0


class Order(msgspec.Struct):
    """One order that was submitted; quantities have `exp` decimals."""

    intent: OrderIntent
    signed_ms: int
    submitted_ns: int
    exp: int
    qty: int
    filled: int = 0
    place: Place = Place()
    venue_order_id: str = ""
    successor: str = ""  # client order id of the newest order that was to take its place
    canceled: bool = False  # its cancel under way is wanted for itself, not for its successor

    @property
    def id(self) -> str:
        return self.intent.client_order_id

    @property
    def symbol(self) -> str:
        return self.intent.symbol

    @property
    def ended(self) -> bool:
        return self.place.state in TERMINAL

    @property
    def left(self) -> int:
        return 0 if self.ended else max(0, self.qty - self.filled)


class Stop(msgspec.Struct):
    """Something that stops trading: since when, by whom and why."""

    since_ns: int = 0
    by: str = ""
    why: str = ""


class Arm(msgspec.Struct):
    """A person's permission to trade real money; 0: there is none. Times are the wall's."""

    until_ns: int = 0
    account: str = ""
    seen_ns: int = 0  # the latest that the clock has shown while it lasted
    told: Stop = msgspec.field(default_factory=Stop)  # who gave it, or took it, and why


class Stake(msgspec.Struct):
    """What one strategy holds of one symbol, and where it gives that up; 0: nowhere."""

    symbol: str
    strategy: str = ""
    held: Amount = msgspec.field(default_factory=Amount)
    stop_px: int = 0
    px_exp: int = 0


class Books(msgspec.Struct):
    """All that `gateway.order` said, folded."""

    open: dict[str, Order] = {}
    ended: dict[str, Order] = {}
    ids: set[str] = set()  # every client order id that was ever answered
    venue_ids: dict[str, str] = {}  # "symbol venue-order-id" → client order id, while kept
    seen: dict[str, set[str]] = {}  # trade ids of each symbol, for ever
    newest: dict[str, int] = {}  # the highest of them
    marks: dict[str, tuple[int, int]] = {}  # `newest` at the last two comparisons
    positions: dict[str, Amount] = {}
    assets: dict[str, Amount] = {}
    external: dict[str, Amount] = {}  # the part of it that is not the house's to trade with
    credited: set[str] = set()  # "asset id" of all that the exchange said to have moved
    given: dict[str, Amount] = {}  # what of the opening the ring fence let the house have …
    spared: dict[str, Amount] = {}  # … and what of it was kept outside
    outside: int = 0  # how often money moved that is not the house's
    opened_ns: int = 0  # when the opening balances were taken: earlier trades are in them
    differences: dict[str, Amount] = {}
    level: str = "ACTIVE"
    killed: Stop = msgspec.field(default_factory=Stop)
    flattens: int = 0
    legs: dict[str, int] = {}  # closing orders of this FLATTEN by symbol
    halted: dict[str, Stop] = {}
    told: set[str] = set()  # "symbol reason" of every halt: each is said once
    strangers: dict[str, Stop] = {}  # "symbol venue-order-id" of others' orders nobody looked at
    adopted: dict[str, Stop] = {}  # and of those that a person knows of
    resolved: dict[str, str] = {}  # orders by a person's word on their fate
    sent: list[int] = []  # market times of the newest submissions
    spent: list[tuple[int, int]] = []  # and what those that add risk are worth, in quote units
    retry_after_ns: int = 0  # wall time
    weight_said_ns: int = 0
    weight_used: int = 0
    submitted: int = 0
    denied: int = 0
    fills: int = 0
    late_fills: int = 0
    foreign_orders: int = 0
    reconciled_ns: int = 0  # market time of the last comparison with the exchange
    stakes: dict[str, Stake] = {}  # by "strategy's tag symbol"
    staked: dict[str, list[str]] = {}  # the names of a symbol's stakes, oldest first
    arm: Arm = msgspec.field(default_factory=Arm)
    guards: int = 0  # orders made for strategies' positions while the engine was silent


class Ask(msgspec.Struct):
    """A question on its way."""

    effect_id: str
    asked_ns: int


class Pace(msgspec.Struct):
    """When something may be tried again, and how often it was."""

    next_ns: int = 0
    tries: int = 0


class Doubt(msgspec.Struct):
    """What is known of an order whose fate is not: when the exchange did not know it, in ms."""

    pace: Pace = msgspec.field(default_factory=Pace)
    over: bool = False  # the exchange can no longer take its request
    absent_ms: tuple[int, int] = (0, 0)  # first and last answer that it knows no such order
    untraded_ms: tuple[int, int] = (0, 0)  # first and last whole list of trades without it


class Absence(msgspec.Struct):
    """An order that the exchange took and no longer knows; times are its own, in ms."""

    absent_ms: tuple[int, int] = (0, 0)  # first and last answer that it knows no such order
    lists: int = 0  # comparisons in which it was missing
    untraded_ms: int = 0  # last whole list of trades that had nothing of it


class Wish(msgspec.Struct):
    """A cancel that is wanted until the order has ended or the exchange will not."""

    reason: str
    pace: Pace = msgspec.field(default_factory=Pace)
    doubtful: bool = False  # the exchange is asked for the order before it is tried again
    refused: tuple[str, str] = ("", "")  # code and text, once it has been


class Cycle(msgspec.Struct):
    """One comparison with the exchange, under way."""

    symbols: list[str]
    moves: int = 0  # what had moved when balances were asked for
    account_ns: int = 0  # when they came; trades are asked for after that
    traded: dict[str, None] = {}  # symbols whose trades were read to their end
    missing: list[str] | None = None  # open orders that the exchange's list lacks
    listings: int = 0  # so often had an instrument been listed
    fills_found: int = 0


class Waiting(msgspec.Struct):
    """A command that is answered a moment later."""

    request_id: str
    by: str
    why: str
    until_ns: int


class Windows(msgspec.Struct):
    """What is under way between the house, the gateway and the exchange."""

    epoch: int = 0
    armed: bool = True
    instruments: dict[str, Instrument] = {}
    listings: int = 0  # how often one was listed
    intents: dict[str, OrderIntent] = {}
    verdicts: dict[str, Verdict] = {}
    risk: str = "it was not heard yet"  # why risk is not to be relied on; empty when it is
    clock: ClockSeen | None = None
    clock_doubt: bool = False  # it was set, or the machine slept, since it was compared
    asked: dict[str, Ask] = {}
    effects: int = 0
    paces: dict[str, Pace] = {}  # of questions without an answer, by what they ask
    held: dict[str, OrderReport] = {}  # reports whose fills are not booked yet
    venue_ids: dict[str, str] = {}
    unclaimed: dict[str, VenueTrade] = {}  # trades of orders that may be ours
    wanted: dict[str, int] = {}  # symbols whose trades are needed, since when
    pages: dict[str, str] = {}  # where to read on in a list of trades that has more
    polled: dict[str, int] = {}  # when a symbol's trades were last asked for
    poll_ns: int = 0  # when the next of them is due …
    poll_of: tuple[int, int] = (0, 0)  # … of so many listings and symbols; else it is not known
    listed: dict[str, int] = {}  # the highest trade id seen in a list
    marks: dict[str, tuple[int, int]] = {}  # `listed` at the last two comparisons
    doubts: dict[str, Doubt] = {}
    wishes: dict[str, Wish] = {}
    partners: dict[str, Pace] = {}  # orders whose pair has lost its other half: asked for
    replaced: dict[str, Pace] = {}  # orders whose successor's answer never came: asked for
    closing: dict[str, Pace] = {}  # positions that FLATTEN closes
    dust: dict[str, None] = {}  # symbols whose rest is too small for the exchange
    cycle: Cycle | None = None
    reconcile: str = "it has just started"  # why a comparison is due; empty when none is
    reconciled: dict[str, None] | None = None  # symbols of the last one in this life …
    reconciled_of: tuple[int, int] = (0, 0)  # … and of how many listings and symbols it was
    reconciled_ns: int = 0
    stream: bool = False
    balances: tuple[tuple[str, str, str], ...] = ()
    balances_ns: int = 0  # when they came
    sights: dict[str, Amount] = {}  # differences at the last comparison
    moves: int = 0
    can_trade: bool = True
    can_withdraw: bool = False
    ip_bound: bool = True
    place: PlaceSeen | None = None  # this process's own; looked at for real money alone
    contracts: dict[str, str] = {}  # of the others, as last heard
    seen_ns: int = 0  # the latest that the clock has shown while it was armed
    kill_file: bool = False
    waiting: list[Waiting] = []
    wake_ns: int = 0
    externals: dict[str, OrderReport] = {}  # others' orders at the exchange, by symbol and its id
    since: dict[str, int] = {}  # conditions that stop trading now, and since when
    engine_lost_ns: int = 0  # since when the engine gives no sign of life; 0 while it does
    guarding: dict[str, Pace] = {}  # stakes that a stop is sought for
    restless: dict[str, Pace] = {}  # orders that cannot rest and have not ended
    vanished: dict[str, Absence] = {}
    rates: Rates = Rates()  # what the exchange allows, as ingest read it in the listing
    strays: int = 0  # cancels of orders that nobody knows, verdicts that came again


class State(msgspec.Struct):
    """Everything that a snapshot keeps."""

    books: Books = msgspec.field(default_factory=Books)
    windows: Windows = msgspec.field(default_factory=Windows)
