"""What the disk and a death cost: synced messages, and a publisher that is killed."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import msgspec

from bus.disk import sync_file
from tests.bench.bus_house import LOOK_MS, House, Task, clock, speaker_words
from tests.bench.bus_load import WORD_BYTES, Told, middle
from tests.bench.bus_service import Plan
from tests.bench.figure import Figure

ROUNDS = 7
IN_FLIGHT = 64
SYNCED = 20_000
SYNCS = 100
UP_MS = 400  # how long a publisher speaks before it is killed
ENDLESS = 1 << 40
FOLLOWING = Plan(count=ENDLESS, stamps=True)
LISTENER = "writer_market"
PLAIN = "tests.bench.bus_plain"


def group_commit() -> Iterator[Figure]:
    """Time messages of class A, 64 in flight, against one sync for each."""
    plan = Plan(count=SYNCED, most=IN_FLIGHT)
    with House() as house:
        house.speaker("gateway")
        house.listener("writer_trading", "gateway.order")
        rounds = [
            (
                house.play(plan, "writer_trading", speaker="gateway")[0].rate,
                _syncs_a_second(house.top),
            )
            for _ in range(ROUNDS)
        ]
        yield Figure(
            "bus.group_commit", *middle(rounds), "messages/s", house.batches("gateway.order")
        )


def recovery(rate: float) -> Iterator[Figure]:
    """Time from kill -9 of a publisher to the first message of the next one.

    It speaks as fast as its consumer hears, so that nothing but the start is waited for. The next
    one stands by with everything imported, and is told to start at the moment of the kill; so does
    a plain publisher, which has nothing to recover.
    """
    plan = Plan(count=ENDLESS, rate=rate)
    rounds = [(_ours_ms(plan), _plain_ms()) for _ in range(ROUNDS)]
    yield Figure("bus.recovery", *middle(rounds), "ms")


def _syncs_a_second(directory: Path) -> float:
    fd = os.open(directory / "syncs", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    taken_ns = []
    for _ in range(SYNCS):
        os.write(fd, bytes(WORD_BYTES))
        begun_ns = clock.mono_ns()
        sync_file(fd)
        taken_ns.append(clock.mono_ns() - begun_ns)
    os.close(fd)
    return 1e9 / median(taken_ns)


def _ours_ms(plan: Plan) -> float:
    with House() as house:
        house.listener(LISTENER)
        house.speaker(first=plan)
        following = house.start("next", *speaker_words("ingest", FOLLOWING), "standby")
        assert following.line()
        clock.pause_ms(UP_MS)
        killed_ns = clock.mono_ns()
        house.tasks["ingest"].signal(signal.SIGKILL)
        following.tell("start")
        while not (told := house.so_far(LISTENER)).at_ns:
            clock.pause_ms(LOOK_MS)
        return (told.at_ns[0] - killed_ns) / 1e6


def _plain_ms() -> float:
    with House() as house:
        path = str(house.run / "plain.pub")
        listener = house.start("listener", PLAIN, "hear", path)
        first, following = (house.start(n, PLAIN, "standby", path) for n in ("first", "next"))
        for task in (listener, first, following):
            assert task.line()
        listener.tell(msgspec.json.encode(Plan()).decode())
        _speak(first, Plan(count=ENDLESS))
        clock.pause_ms(UP_MS)
        killed_ns = clock.mono_ns()
        first.signal(signal.SIGKILL)
        _speak(following, FOLLOWING)
        told = msgspec.json.decode(listener.line(), type=Told)
        return (told.at_ns[0] - killed_ns) / 1e6


def _speak(task: Task, plan: Plan) -> None:
    task.tell("start")
    task.tell(msgspec.json.encode(plan).decode())
