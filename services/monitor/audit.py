"""The audit: folds what the gateway said by itself, and says where something does not add up.

It remembers nothing across a start: `gateway.order` is read from its beginning every time. Until
all of it has been read nothing is said, and an alert that fires stays as it is.
"""

from schema.head import Message
from schema.house import Heartbeat
from schema.orders import (
    BalanceSeen,
    Deposit,
    Fill,
    InstrumentHalted,
    InstrumentResumed,
    KillLevel,
)
from schema.streams import STREAMS
from schema.trading import Portfolio, Position
from services.monitor.books import Books, in_text
from services.monitor.claims import Claims
from services.monitor.conditions import (
    Condition,
    of_balances,
    of_books,
    of_breaches,
    of_halts,
    of_kill,
    of_unconfirmed,
)
from services.monitor.laws import Orders

ORDER = STREAMS["gateway.order"].number
HAVE_READ = frozenset({"READY", "DEGRADED"})
"""States of a service that has caught up with its streams once."""


class Audit:
    """Our books, our orders, and what the engine and the gateway say of theirs."""

    def __init__(self, own: str, stale_ns: int) -> None:
        self.books = Books()
        self.orders = Orders()
        self.level = True  # Without heartbeats of our own there is nothing long to read.
        self._claims = Claims(stale_ns)
        self._own = own
        self._kill: KillLevel | None = None
        self._halts: dict[str, InstrumentHalted] = {}
        self._balances: dict[str, BalanceSeen] = {}
        self._untrue: dict[str, str] = {}  # what the gateway said of a balance, and is not so

    @property
    def faults(self) -> int:
        """How many books differ and symbols have a breach."""
        return len(self._claims.differences) + len(self._untrue) + len(self.orders.breaches)

    def take(self, message: Message, pos: int) -> None:
        """Fold one message of `gateway.order`, or take the engine's word on its books."""
        if isinstance(message, Position | Portfolio):
            self._claims.take(message)
            return
        self.books.pos = pos
        repeated = False
        match message:
            case Fill():
                repeated = not self.books.fill(message, pos)
            case Deposit():
                self.books.deposit(message, pos)
            case KillLevel():
                self._kill = message
            case InstrumentHalted():
                self._halts[message.symbol] = message
            case InstrumentResumed():
                self._halts.pop(message.symbol, None)
            case BalanceSeen():
                self._balances[message.asset] = message
                self._check(message)
        self.orders.take(message, repeated=repeated)

    def _check(self, seen: BalanceSeen) -> None:
        scope, apart = f"{seen.asset} at the venue", self.books.apart(seen)
        self._untrue.pop(scope, None)
        if apart:
            self._untrue[scope] = (
                f"{seen.asset}: the venue's figure and what the gateway said so far are "
                f"{in_text(apart)} further apart than it says"
            )

    def beat(self, heartbeat: Heartbeat, now_ns: int) -> None:
        """Learn how far the engine, and this service itself, have read."""
        if heartbeat.service == self._own:
            self.level = heartbeat.state in HAVE_READ
        elif heartbeat.service == "engine":
            cursor = dict(heartbeat.cursors).get(ORDER, 0)
            self.books.passed(cursor, heartbeat.ts_event, now_ns)

    def conditions(self, now_ns: int) -> list[Condition]:
        """Return all that does not add up, or that trading waits for a person to do."""
        if not self.level:
            return []
        self._claims.compare(self.books, now_ns)
        return [
            *of_books(self._claims.differences | self._untrue),
            *of_breaches(self.orders.breaches),
            *of_unconfirmed(self.orders.unconfirmed),
            *of_kill(self._kill),
            *of_halts(self._halts),
            *of_balances(self._balances),
        ]
