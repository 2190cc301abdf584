"""What was refused of one symbol: counted by kind, and said so seldom that a flood harms nobody."""

import msgspec

from schema.market import Quarantined

ROW_CHARS = 160

KINDS = frozenset({"trade", "quote", "depth", "bar", "listing", "text"})


class Waiting(msgspec.Struct):
    """Rows of one kind that were refused since the last word on them."""

    reason: str
    row: str
    times: int


class Refusals(msgspec.Struct):
    """What was refused since the start; these are windows, and none of it is a fact of trading."""

    kinds: dict[str, int] = {}
    waiting: dict[str, Waiting] = {}
    told_ns: dict[str, int] = {}

    @property
    def total(self) -> int:
        """Return how many rows were refused."""
        return sum(self.kinds.values())

    def add(self, kind: str, reason: str, row: str, times: int = 1) -> None:
        """Count rows that are refused; the newest is what is shown of them."""
        assert kind in KINDS, f"{kind} is no kind of row"
        before = self.waiting.get(kind)
        self.kinds[kind] = self.kinds.get(kind, 0) + times
        told = times + (before.times if before is not None else 0)
        self.waiting[kind] = Waiting(reason, row[:ROW_CHARS], told)

    def due_ns(self, pause_ns: int) -> int:
        """Return when the next word may be said; 0 when there is none to say."""
        times = [self.told_ns[kind] + pause_ns for kind in self.waiting if kind in self.told_ns]
        return min(times, default=0)

    def tell(self, symbol: str, now_ns: int, pause_ns: int) -> list[Quarantined]:
        """Return what may be said now: the first of a kind at once, then one in each pause."""
        told: list[Quarantined] = []
        for kind in sorted(self.waiting):
            if kind in self.told_ns and now_ns < self.told_ns[kind] + pause_ns:
                continue
            one = self.waiting.pop(kind)
            self.told_ns[kind] = now_ns
            told.append(
                Quarantined(
                    ts_event=now_ns,
                    symbol=symbol,
                    kind=kind,
                    reason=one.reason,
                    row=one.row,
                    times=one.times,
                )
            )
        return told


class Suspects(msgspec.Struct):
    """What one symbol's rows are suspected of."""

    bad: dict[int, tuple[str, str]] = {}  # why the newest row of a trade was refused, and it
    times: dict[int, int] = {}  # how often the exchange's answer had it like that
    odd: list[str] = []  # prices that were given up, the newest last
    mids: list[str] = []  # of tops that follow each other and are not believed
    strays: list[int] = []  # old ids of trades that are new
    denied: int = 0  # answers that did not know of what the live feed brought
    bars: int = 0  # pages in a row that held a bad bar
    time_ns: int = 0  # when the exchange's time was last asked for
