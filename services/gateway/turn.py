"""One input being decided on: what is said so far, what is asked, and when to look again.

What is said changes the books at once, so that the next thought sees it; the runner's `apply` of
the same message then finds it done.
"""

from collections import deque

import msgspec

from bus.service import Said
from schema.exchange import SetLevel
from schema.head import Effect, Message
from schema.house import Wake
from schema.orders import Deposit, Fill, InstrumentHalted, OrderSubmitted
from schema.settings import GatewaySettings
from schema.units import MS_NS
from services.gateway.books import apply
from services.gateway.state import Ask, Pace, State
from services.gateway.times import span_ns, wall_ms

BACKOFF_MS = (1_000, 2_000, 3_000, 5_000)
"""Wall time between two tries, growing."""

MOVES = frozenset({Fill, OrderSubmitted, Deposit})
"""What changes balances, or may soon."""

WAKE = "settle"


class Rules(msgspec.Struct, frozen=True):
    """What the gateway was told at its start."""

    own: GatewaySettings
    world: str
    intent_ttl_ns: int  # of an order that does not say how long it is wanted
    needs_arm: bool = False  # nothing that adds risk leaves without a person's permission
    account: str = ""  # the account that the permission is for


class Turn:
    """The hands of every rule: books and windows, and what comes of them."""

    def __init__(self, state: State, rules: Rules, now_ns: int) -> None:
        self.books = state.books
        self.windows = state.windows
        self.rules = rules
        self.now_ns = now_ns
        self.said: list[Said] = []
        self.ahead: deque[Message] = deque()
        self._wake_ns = 0

    def say(self, message: Message) -> None:
        """Say a message on the stream; the books have it from here on."""
        apply(self.books, message)
        self.ahead.append(message)
        self.said.append(message)
        self.windows.moves += type(message) in MOVES

    def do(self, effect: Effect) -> None:
        """Have the edge do something."""
        if self.windows.armed:
            self.said.append(effect)

    def halt(self, symbol: str, reason: str, order_id: str = "", trace: int = 0) -> None:
        """Let nothing new into a symbol until a person has looked; each reason is said once."""
        if f"{symbol} {reason}" in self.books.told:
            return
        self.say(
            InstrumentHalted(
                ts_event=self.now_ns,
                trace=trace,
                symbol=symbol,
                reason=reason,
                client_order_id=order_id,
            )
        )
        self.tell_level()

    def tell_level(self) -> None:
        """Tell the edge what may still leave."""
        effect_id = self.effect_id("level")
        books, rates = self.books, self.windows.rates
        self.do(
            SetLevel(
                effect_id=effect_id,
                level=books.level,
                halted=tuple(books.halted),
                retry_wall_ms=books.retry_after_ns // MS_NS,
                weight_1m=rates.weight_1m,
                orders_10s=rates.orders_10s,
                orders_1d=rates.orders_1d,
                risk_until_wall_ms=self._risk_until_ms(),
            )
        )

    def _risk_until_ms(self) -> int:
        return max(1, self.books.arm.until_ns // MS_NS) if self.rules.needs_arm else 0

    def effect_id(self, key: str) -> str:
        """Return a new id for an effect, so that an answer to an older one is told from it."""
        self.windows.effects += 1
        return f"{key} {self.windows.effects}"

    def due(self, at_ns: int) -> bool:
        """Return whether a time has come, and see to it that it is looked at when it does."""
        if at_ns <= self.now_ns:
            return True
        self._wake_ns = min(self._wake_ns or at_ns, at_ns)
        return False

    def span_ns(self, span_ms: int) -> int:
        """Return wall time as market time."""
        return span_ns(self.windows, span_ms)

    def later(self, pace: Pace) -> None:
        """Put the next try off, longer each time."""
        wait_ms = BACKOFF_MS[min(pace.tries, len(BACKOFF_MS) - 1)]
        pace.next_ns = self.now_ns + self.span_ns(wait_ms)
        pace.tries += 1

    def banned(self) -> bool:
        """Return whether the exchange forbade to ask, and wake when it no longer does."""
        ours_ms = wall_ms(self.windows, self.now_ns)
        if ours_ms is None:
            return False
        left_ms = -(ours_ms - self.books.retry_after_ns // MS_NS)
        return left_ms > 0 and not self.due(self.now_ns + max(1, self.span_ns(left_ms)))

    def may_ask(self, key: str) -> bool:
        """Return whether a question of this kind may go out now."""
        windows = self.windows
        if windows.clock is None or not windows.armed or key in windows.asked or self.banned():
            return False
        return self.due(windows.paces.get(key, Pace()).next_ns)

    def ask(self, key: str, effect: Effect) -> None:
        """Send a question whose answer is awaited."""
        self.windows.asked[key] = Ask(effect.effect_id, self.now_ns)
        self.do(effect)

    def answered(self, effect_id: str, *, well: bool = True) -> Ask | None:
        """Return the question that an answer belongs to, None when it is no longer awaited."""
        key, windows = effect_id.rpartition(" ")[0], self.windows
        ask = windows.asked.get(key)
        if ask is None or ask.effect_id != effect_id:
            return None
        del windows.asked[key]
        if well:
            windows.paces.pop(key, None)
        else:
            self.later(windows.paces.setdefault(key, Pace()))
        return ask

    def wake(self) -> None:
        """Ask for a timer at the earliest time that something is due."""
        if self._wake_ns and self._wake_ns != self.windows.wake_ns:
            self.windows.wake_ns = self._wake_ns
            self.said.append(Wake(name=WAKE, at_ns=self._wake_ns))
