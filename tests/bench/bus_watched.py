"""What it costs a stream that it is kept, and that others look at it."""

import signal
from collections.abc import Iterator

from tests.bench.bus_house import SETTLE_MS, House, clock
from tests.bench.bus_load import Told, middle
from tests.bench.bus_service import Plan
from tests.bench.figure import Figure

ROUNDS = 7
COUNT = 500_000
STREAM = "ingest.trade"
LISTENER = "writer_market"
BYSTANDERS = "tests.bench.bus_bystanders"


def watched(rate: float) -> Iterator[Figure]:
    """Time messages at a rate, with three watchers and with none; one of them hangs."""
    plan = Plan(count=int(rate), rate=rate, stamps=True)
    with House() as quiet, House() as house:
        for one in (quiet, house):
            one.speaker()
            one.listener(LISTENER)
        _watch(house)
        rounds = [(_heard(house, plan), _heard(quiet, plan)) for _ in range(ROUNDS)]
        heard = sum(ours.heard for ours, _ in rounds)
        yield Figure("bus.watched.delivered", heard, plan.count * ROUNDS, "messages")
        late = [(ours.late_us(0.99), raw.late_us(0.99)) for ours, raw in rounds]
        yield Figure("bus.watched", *middle(late), "us at p99", house.batches())


def journal_cost() -> Iterator[Figure]:
    """Time a saturated publisher that keeps its journal beside one that keeps none."""
    with House() as kept, House() as unkept:
        for house, kind in ((kept, "kept"), (unkept, "unkept")):
            house.start("ingest", BYSTANDERS, kind, str(house.run))
            house.await_ready("ingest")
            house.start("ear", BYSTANDERS, "socket", str(house.run)).line()
        clock.pause_ms(SETTLE_MS)
        rounds = [(_rate(kept), _rate(unkept)) for _ in range(ROUNDS)]
        yield Figure("bus.journal_cost", *middle(rounds), "messages/s")


def _watch(house: House) -> None:
    house.start("tail", BYSTANDERS, "journal", str(house.journal(STREAM))).line()
    for name in ("ear", "hanging ear"):
        house.start(name, BYSTANDERS, "socket", str(house.run)).line()
    clock.pause_ms(SETTLE_MS)
    house.tasks["hanging ear"].signal(signal.SIGSTOP)


def _heard(house: House, plan: Plan) -> Told:
    return house.play(plan, LISTENER)[0]


def _rate(house: House) -> float:
    house.say(Plan(count=COUNT))
    return house.spoken().saying_rate
