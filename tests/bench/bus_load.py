"""What both sides of a comparison say and hear: the same messages, and one consumer for all."""

from statistics import median

import msgspec

from bus.clock import SystemClock
from bus.service import Said
from schema.house import Command, CommandDone
from schema.market import Trade
from schema.messages import encode
from schema.orders import OrderAccepted

WORDS = 2048
WORD_BYTES = 126
NOON_NS = 1_700_000_000_000_000_000
SYMBOL_CHARS = 82  # so long that a trade, eight fields and its head, has about WORD_BYTES

HEARD = frozenset({Trade, OrderAccepted})

_clock = SystemClock()


class Told(msgspec.Struct):
    """What a consumer has heard since it was asked to count, by the monotonic clock."""

    heard: int = 0
    first_ns: int = 0
    last_ns: int = 0
    late_ns: list[int] = []  # of each message that was stamped: from before it was said
    at_ns: list[int] = []  # when each of them was handled

    @property
    def rate(self) -> float:
        """Messages a second from the first one to the last one."""
        return (self.heard - 1) * 1e9 / (self.last_ns - self.first_ns)

    def late_us(self, share: float) -> float:
        """Return what a share of the stamped messages did not exceed, in microseconds."""
        return sorted(self.late_ns)[int(share * (len(self.late_ns) - 1))] / 1e3


class Counter:
    """The one handler that everybody's consumer calls, once for each message."""

    def __init__(self) -> None:
        self.begin(0)

    def begin(self, goal: int, *, timing: bool = False) -> None:
        """Count anew, up to a goal; with `timing` each message is looked at for its stamp."""
        self.told = Told()
        self._heard, self._goal, self._timing = 0, goal, timing
        self._mark = 0 if timing else 1

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        """Hear one message."""
        if type(message) not in HEARD:
            return self._answered(message)
        self._heard += 1
        if self._heard >= self._mark:
            self._note(message)
        return []

    def so_far(self) -> Told:
        """Return what was heard until now."""
        self.told.heard = self._heard
        return self.told

    def _answered(self, message: Said) -> list[Said]:
        if not isinstance(message, Command):
            return []
        if message.verb == "count":
            goal, timing = message.args
            self.begin(int(goal), timing=bool(timing))
        body = msgspec.msgpack.encode(self.so_far())
        return [CommandDone(request_id=message.request_id, ok=True, text="", body=body)]

    def _note(self, message: Said) -> None:
        now_ns = _clock.mono_ns()
        if self._heard == 1:
            self.told.first_ns = now_ns
        if self._heard == self._goal:
            self.told.last_ns = now_ns
        self._mark = 0 if self._timing else max(self._goal, self._heard + 1)
        if self._timing and isinstance(message, Trade) and message.ts_recv:
            self.told.late_ns.append(now_ns - message.ts_recv)
            self.told.at_ns.append(now_ns)


def trades() -> list[Trade]:
    """Return trades to be said over and over."""
    symbol = "BTC/USDT".ljust(SYMBOL_CHARS, ".")
    found = [
        Trade(
            ts_event=NOON_NS + number,
            trace=NOON_NS + number,
            symbol=symbol,
            trade_id=4_000_000_000 + number,
            px=6_512_345,
            qty=123_456_789,
            buyer_maker=bool(number & 1),
            px_exp=2,
            qty_exp=8,
        )
        for number in range(WORDS)
    ]
    assert abs(len(encode(list(found))) / WORDS - WORD_BYTES) < 2
    return found


def stamped(trade: Trade) -> Trade:
    """Return a trade that tells when it was about to be said."""
    return msgspec.structs.replace(trade, ts_recv=_clock.mono_ns())


def acceptances() -> list[OrderAccepted]:
    """Return messages of class A, as long as the trades."""
    return [
        OrderAccepted(
            ts_event=NOON_NS + number,
            trace=NOON_NS + number,
            client_order_id=f"{number:032x}",
            symbol="BTC/USDT",
            venue_order_id=str(number).rjust(36, "0"),
        )
        for number in range(WORDS)
    ]


def owed(rate: float, elapsed_ns: int, said: int) -> int:
    """Return how many messages are to be said now, to have said `rate` a second."""
    return int(rate * elapsed_ns / 1e9) + 1 - said


def middle(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the medians of two columns."""
    left, right = zip(*rounds, strict=True)
    return median(left), median(right)
