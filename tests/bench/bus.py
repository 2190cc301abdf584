"""The bus beside the plainest use of its parts: what safety costs, and what batches give back.

Ours are services that run by `bus.process.main`, in processes of their own: measured are decision,
numbering, packing, checksum, append to the journal, send, receive, the check of each position,
decoding, one handler call a message, and the commit of cursors. The bare way is `bus_plain`: the
same messages and the same handler. Both speak in turns; a figure is the median of its rounds.
"""

from collections.abc import Generator, Iterator
from itertools import chain

from tests.bench import bus_brokers, bus_faults, bus_watched
from tests.bench.bus_house import House, Plain, pair
from tests.bench.bus_load import Told, middle
from tests.bench.bus_service import Plan
from tests.bench.figure import Figure

ROUNDS = 7
OURS = 1_000_000
BARE = 250_000
KEPT = 1_500_000
FULL = 0.8  # of what a consumer can take, that it may keep up
SINGLE = Plan(count=400, most=1, rate=500.0, stamps=True)
WRITERS = ("writer_market", "writer_trading", "writer_analytics")


def measure() -> Iterator[Figure]:
    """Measure the bus."""
    with pair() as (house, plain):
        rate = yield from throughput(house, plain)
        yield from latency(house, plain)
        yield from catch_up(plain)
    yield from three(rate / 2)
    yield from chain(
        bus_watched.watched(rate / 2),
        bus_watched.journal_cost(),
        bus_faults.group_commit(),
        bus_faults.recovery(rate * FULL),
        bus_brokers.measure(),
    )


def throughput(house: House, plain: Plain) -> Generator[Figure, None, float]:
    """Time one durable consumer of a publisher that says as much as it can."""
    rounds = [(_ours(house).rate, _bare(plain).rate) for _ in range(ROUNDS)]
    ours, raw = middle(rounds)
    yield Figure("bus.durable_throughput", ours, raw, "messages/s", house.batches())
    return ours


def latency(house: House, plain: Plain) -> Iterator[Figure]:
    """Time single messages from their publisher's decision to their handler."""
    rounds = [(house.play(SINGLE, WRITERS[0])[0], plain.play(SINGLE)) for _ in range(ROUNDS)]
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        both = [(ours.late_us(share), raw.late_us(share)) for ours, raw in rounds]
        yield Figure(f"bus.latency_{name}", *middle(both), "us")


def catch_up(plain: Plain) -> Iterator[Figure]:
    """Time a consumer that begins when everything stands in the journal, and nobody speaks."""
    with House() as house:
        house.speaker()
        house.say(Plan(count=KEPT))
        house.spoken()
        rounds = [(_late(house).rate, _bare(plain).rate) for _ in range(ROUNDS)]
        yield Figure("bus.catch_up", *middle(rounds), "messages/s", house.batches())


def three(rate: float) -> Iterator[Figure]:
    """Weigh a publisher with three durable consumers against one with one, at half its rate."""
    plan = Plan(count=int(rate), rate=rate)
    with House() as one, House() as many:
        for house, names in ((one, WRITERS[:1]), (many, WRITERS)):
            house.speaker()
            for name in names:
                house.listener(name)
        rounds = [
            (_weighed(many, plan, WRITERS), _weighed(one, plan, WRITERS[:1])) for _ in range(ROUNDS)
        ]
        yield Figure("bus.durable_throughput_3", *middle(rounds), "ns/message", many.batches())


def _ours(house: House) -> Told:
    return house.play(Plan(count=OURS), WRITERS[0])[0]


def _bare(plain: Plain) -> Told:
    return plain.play(Plan(count=BARE))


def _weighed(house: House, plan: Plan, listeners: tuple[str, ...]) -> float:
    begun_us = house.spoken().used_us
    house.play(plan, *listeners)
    return (house.spoken().used_us - begun_us) * 1e3 / plan.count


def _late(house: House) -> Told:
    house.listener(WRITERS[0], goal=KEPT)
    told = house.heard(WRITERS[0], KEPT)
    house.stop(WRITERS[0])
    return told
