"""A gateway's edge that runs in this process, at the real venue or at an exchange that fails."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from bus.clock import Clock, MarketTime, SystemClock
from bus.edge import EdgeThread
from bus.lease import Lease
from schema.exchange import AskOrder, AskTop, SendCancel, SendOrder, SetLevel, TopSeen
from schema.head import Effect, Local
from schema.house import Unanswered
from schema.settings import Settings
from schema.trading import OrderIntent
from services.gateway.edge import Exchange
from services.gateway.edge_session import Pace
from services.venue.columns import DAY_MS
from services.venue.synthetic import Synthetic
from tests.services.gateway.failing import Failing, failing, wait_for
from tests.services.shipped import shipped
from tests.services.venue.serving import Serving, serving

BTC = "BTC/USDT"
SYMBOLS = (BTC, "ETH/USDT", "SOL/USDT")
DAY = 20_400
ORIGIN_MS = DAY * DAY_MS + 9 * 3_600_000
SCALE = 60.0
ANSWER_MS = 1_000
PACE = Pace(budget_s=0.02, kill_s=0.01, pause_s=0.02, pause_max_s=0.05, close_s=0.0)

_ids = itertools.count(1)


def settings(port: int, **environ: str) -> Settings:
    return shipped(
        RRR_PORTS__VENUE=str(port),
        RRR_CLOCK__SCALE=str(SCALE),
        RRR_GATEWAY__ANSWER_MS=str(ANSWER_MS),
        **environ,
    )


def intent(**changes: Any) -> OrderIntent:
    """Return an order for a hundredth of a bitcoin, with an id of its own."""
    given = OrderIntent(
        ts_event=0,
        client_order_id=f"{next(_ids):032x}",
        strategy="pulse",
        symbol="BTC/USDT",
        side="buy",
        order_type="market",
        qty=1_000,
        px_exp=2,
        qty_exp=5,
    )
    return msgspec.structs.replace(given, **changes)


def order(wanted: OrderIntent, **changes: int) -> SendOrder:
    """Return the effect that sends an order now."""
    now_ms = SystemClock().wall_ns() // 1_000_000
    given = {"signed_ms": now_ms, "deadline_wall_ms": now_ms + 1_000, "timeout_ms": ANSWER_MS}
    return SendOrder(effect_id=f"send {wanted.client_order_id}", intent=wanted, **(given | changes))


def ask_of(wanted: OrderIntent) -> AskOrder:
    name = wanted.client_order_id
    return AskOrder(effect_id=f"ask {name}", client_order_id=name, symbol=wanted.symbol)


def cancel_of(wanted: OrderIntent) -> SendCancel:
    name = wanted.client_order_id
    return SendCancel(effect_id=f"cancel {name}", client_order_id=name, symbol=wanted.symbol)


@dataclass
class Gateway:
    """The edge in its thread, with a hand on everything that it says."""

    thread: EdgeThread
    clock: Clock
    run: Path
    heard: list[Local] = field(default_factory=list)

    def begin(self, effect: Effect) -> None:
        self.thread.perform(effect)

    def answer(self, effect: Effect) -> Local:
        """Return the one answer of an effect that was begun."""
        return self.until(lambda heard: getattr(heard, "effect_id", "") == effect.effect_id)

    def ask(self, effect: Effect) -> Local:
        self.begin(effect)
        return self.answer(effect)

    def until(self, wanted: Callable[[Local], bool]) -> Local:
        """Return the first input that is wanted, and keep the others."""
        found: list[Local] = []

        def there() -> bool:
            self.heard += self.thread.take()
            found.extend(heard for heard in self.heard if wanted(heard))
            return bool(found)

        wait_for(there, lambda: f"only {self.heard[-5:]} and {self.thread.notes()}")
        self.heard.remove(found[0])
        return found[0]

    def first(self, kind: type[Any]) -> Any:
        return self.until(lambda heard: isinstance(heard, kind))

    def unanswered(self, effect: Effect) -> str:
        """Return why an effect has no answer."""
        answer = self.ask(effect)
        assert isinstance(answer, Unanswered), answer
        return answer.reason

    def allow(self, level: str = "ACTIVE", halted: tuple[str, ...] = ()) -> None:
        self.ask(SetLevel(effect_id="level", level=level, halted=halted))


def bid(gate: Gateway) -> int:
    """Return the best bid, in cents."""
    top = gate.ask(AskTop(effect_id="top", symbol=BTC))
    assert isinstance(top, TopSeen)
    return int(Decimal(top.bid) * 100)


def market_clock() -> SystemClock:
    clock = SystemClock()
    clock.start(MarketTime(ORIGIN_MS * 1_000_000, clock.wall_ns(), SCALE, "test"))
    return clock


@contextmanager
def gateway(
    port: int,
    run: Path,
    *,
    clock: Clock | None = None,
    pace: Pace = PACE,
    ready: bool = True,
    level: str = "ACTIVE",
    symbols: str = "[]",
) -> Iterator[Gateway]:
    """Run an edge that holds its place and was told a level, once it is ready."""
    run.mkdir(exist_ok=True)
    lease = Lease(run / "gateway.lease")
    assert lease.take()
    clock = clock or market_clock()
    thread = EdgeThread(Exchange(settings(port, RRR_INGEST__SYMBOLS=symbols), run, pace), clock)
    thread.start()
    made = Gateway(thread, clock, run)
    try:
        if level:
            made.allow(level)
        if ready:
            wait_for(lambda: thread.why_not is None, lambda: f"{thread.why_not} {thread.notes()}")
        yield made
        assert thread.failure is None
    finally:
        thread.stop()
        lease.release()


@contextmanager
def at_venue(
    folder: Path, scale: float = SCALE, symbols: str = "[]"
) -> Iterator[tuple[Gateway, Serving]]:
    """Run an edge at the real venue."""
    with (
        serving(Synthetic(7, SYMBOLS, DAY - 30), ORIGIN_MS, scale, folder) as venue,
        gateway(venue.port, folder / "run", clock=venue.clock, symbols=symbols) as made,
    ):
        yield made, venue


@contextmanager
def at_failing(folder: Path) -> Iterator[tuple[Gateway, Failing]]:
    """Run an edge at an exchange that fails."""
    with failing() as exchange, gateway(exchange.port, folder / "run") as made:
        yield made, exchange
