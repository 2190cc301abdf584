"""What a verdict costs with every limit on: with a few positions, and with ten thousand."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec

from bus.clock import SystemClock
from schema.house import Command, Started
from schema.identity import client_order_id
from schema.market import Instrument, Quote
from schema.orders import Deposit, Fill
from schema.trading import OrderIntent, Verdict
from services.risk.core import Risk
from tests.bench.figure import Figure
from tests.services.shipped import shipped

FEW, MANY = 10, 10_000
INTENTS = 5_000
ROUNDS = 9
NOW_NS = 1_750_000_000_000_000_000
SECOND_NS = 1_000_000_000
UNIT = 10**8
PX, QTY = 10_000, 1_000  # 100.00 and 0.01000
ON: dict[str, Any] = {
    "max_order_qty": tuple(f"A{n}/USDT 1000" for n in range(FEW)),
    "max_position_notional": 1_000_000,
    "max_net_exposure": 1_000_000_000,
    "max_gross_exposure": 1_000_000_000,
    "max_open_positions": 20_000,
    "max_open_orders": 100_000,
    "order_rate": 100_000,
    "max_msgs_per_day": 100_000_000,
    "max_order_to_fill_ratio": 100_000,
    "protective_stop_required": True,
}
"""Large enough for what is asked here; none is off."""

_clock = SystemClock()


def verdicts() -> Iterator[Figure]:
    """Judge orders that all pass, alone and with the books that they lead to."""
    for suffix, symbols in (("", FEW), (f".{MANY}", MANY)):
        risk, orders = _desk(symbols), _orders(INTENTS)
        every = _best_s(partial(_judge, risk, orders))
        yield Figure(f"core.verdict{suffix}", INTENTS / every, 50_000, "verdicts/s")
        booked = _best_s(partial(_desk, symbols), _book)
        yield Figure(f"core.verdict.booked{suffix}", INTENTS / booked, 0, "verdicts/s")
        yield Figure(f"core.verdict.limits{suffix}", _told_ms(risk), 0, "ms")


def _judge(risk: Risk, orders: list[OrderIntent]) -> None:
    handle, now_ns = risk.handle, NOW_NS + SECOND_NS
    for order in orders:
        handle(order, now_ns)


def _book(risk: Risk) -> None:
    now_ns = NOW_NS + SECOND_NS
    for order in _orders(INTENTS):
        risk.apply(order)
        for said in risk.handle(order, now_ns):
            assert not isinstance(said, Verdict) or said.approved, said
            risk.apply(said)  # type: ignore[arg-type]


def _told_ms(risk: Risk) -> float:
    command = Command(request_id="1", verb="limits", args=(), by="bench")
    return _best_s(lambda: risk.handle(command, NOW_NS + SECOND_NS)) * 1_000


def _desk(symbols: int) -> Risk:
    """Return a core that holds so many positions and has looked at its account."""
    house = shipped()
    own = msgspec.structs.replace(house.risk, **ON)
    risk = Risk(msgspec.structs.replace(house, risk=own))
    risk.handle(Started(epoch=1, grade="fresh"), NOW_NS)
    cash = Deposit(ts_event=NOW_NS, asset="USDT", amount=10**9, exp=0, venue_id="opening")
    risk.apply(cash)
    for n in range(symbols):
        base = f"A{n}"
        risk.handle(_instrument(base), NOW_NS)
        risk.apply(_bought(n, base))
        risk.handle(_quote(base), NOW_NS)
    for said in risk.handle(_quote("A0"), NOW_NS + SECOND_NS):
        risk.apply(said)  # type: ignore[arg-type]
    return risk


def _orders(count: int) -> list[OrderIntent]:
    return [
        OrderIntent(
            ts_event=NOW_NS,
            client_order_id=client_order_id("bench", "pulse", f"A{n % FEW}", str(n), 0),
            strategy="pulse",
            symbol=f"A{n % FEW}/USDT",
            side="buy",
            order_type="limit",
            qty=1_000 + n,
            px_exp=2,
            qty_exp=5,
            limit_px=PX - n % 50,
            protect_px=PX // 2,
        )
        for n in range(count)
    ]


def _instrument(base: str) -> Instrument:
    return Instrument(
        ts_event=NOW_NS,
        symbol=f"{base}/USDT",
        venue_symbol=f"{base}USDT",
        base=base,
        quote="USDT",
        px_exp=2,
        qty_exp=5,
        quote_exp=8,
        tick=1,
        lot=1,
        min_qty=1,
    )


def _bought(n: int, base: str) -> Fill:
    return Fill(
        ts_event=NOW_NS,
        client_order_id=client_order_id("bench", "trend", base, "moment", 0),
        symbol=f"{base}/USDT",
        side="buy",
        venue_order_id=str(n),
        venue_trade_id=str(n),
        px=PX,
        qty=QTY,
        quote_qty=PX * QTY,
        fee=0,
        fee_asset="USDT",
        maker=False,
        px_exp=2,
        qty_exp=5,
        quote_exp=7,
        fee_exp=8,
    )


def _quote(base: str) -> Quote:
    return Quote(
        ts_event=NOW_NS,
        symbol=f"{base}/USDT",
        bid_px=PX - 1,
        bid_qty=QTY,
        ask_px=PX + 1,
        ask_qty=QTY,
        px_exp=2,
        qty_exp=5,
    )


def _best_s(prepare: Callable[[], Any], run: Callable[[Any], None] | None = None) -> float:
    """Return the shortest of some rounds; what is prepared before each is not timed."""
    found = []
    for _ in range(ROUNDS if run is None else 3):
        given = prepare() if run is not None else None
        begun_ns = _clock.mono_ns()
        if run is None:
            prepare()
        else:
            run(given)
        found.append(_clock.mono_ns() - begun_ns)
    return min(found) / SECOND_NS
