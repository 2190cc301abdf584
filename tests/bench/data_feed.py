"""Ingest beside ccxt.pro alone, at one exchange: trades a second, age on the bus, and memory."""

from collections.abc import Iterator
from contextlib import closing
from statistics import median, quantiles
from typing import Self

import msgspec
import psutil  # type: ignore[import-untyped]  # it ships none, and the lock has none

from bus.journal import open_reader
from bus.wire import Subscriber
from schema.frame import unpack
from schema.market import Trade
from schema.streams import STREAMS
from services.rrr.ears import opened
from tests.bench.bus_house import PATIENCE_MS, SETTLE_MS, House, clock
from tests.bench.data_exchange import Burst, Sent
from tests.bench.figure import Figure
from tests.ports import free_port

OURS, THEIRS = "BTC/USDT", "ETH/USDT"
BURST, ROUNDS = 15_000, 5
PACE, PACED = 200, 2_000
MANY = 200
MEMORY_S = 120
EACH_S = 5  # trades a second of each of the many
STREAM = "ingest.trade"
MIB = 1 << 20


class FeedHouse(House):
    """An exchange, ingest, and ccxt.pro alone."""

    def __init__(self, ours: tuple[str, ...], theirs: tuple[str, ...]) -> None:
        super().__init__()
        listed = tuple(dict.fromkeys((*ours, *theirs)))
        port = free_port()
        self.environ |= {
            "MODE": "paper",
            "RRR_HOUSE__NUMBER": "53",
            "RRR_EXCHANGE__URL": f"http://127.0.0.1:{port}",
            "RRR_VENUE__SYMBOL": msgspec.json.encode(listed).decode(),
            "RRR_INGEST__SYMBOLS": msgspec.json.encode(ours).decode(),
            "RRR_INGEST__HISTORY_DAYS": "1",
        }
        self._port, self._listed, self._theirs = str(port), listed, theirs

    def __enter__(self) -> Self:
        self.exchange = self.start("exchange", "tests.bench.data_exchange", self._port,
                                   *self._listed)  # fmt: skip
        assert self.exchange.line()
        self.start("ingest", "services.ingest")
        self.await_ready("ingest")
        self.plain = self.start("plain", "tests.bench.data_plain", *self._theirs)
        assert self.plain.line()
        clock.pause_ms(SETTLE_MS)
        return self

    def begin(self, burst: Burst) -> None:
        """Have the exchange begin to say something."""
        self.exchange.tell(msgspec.json.encode(burst).decode())

    def said(self) -> Sent:
        """Wait until it has said it."""
        return msgspec.json.decode(self.exchange.line(), type=Sent)

    def plainly(self, last_id: int) -> dict[int, int]:
        """Return when the bare way had each trade."""
        self.plain.tell(str(last_id))
        return msgspec.json.decode(self.plain.line(), type=dict[int, int])


def measure() -> Iterator[Figure]:
    """Measure the way of a trade, and what it takes to hear many."""
    with FeedHouse((OURS,), (THEIRS,)) as house:
        yield _throughput(house)
        yield from _ages(house)
    yield from _memory()


def _throughput(house: FeedHouse) -> Figure:
    rates = [(_journaled(house), _heard(house)) for _ in range(ROUNDS)]
    ours, raw = (median(column) for column in zip(*rates, strict=True))
    return Figure("data.ingest", ours, raw, "trades/s")


def _journaled(house: FeedHouse) -> float:
    with closing(open_reader(house.journal(STREAM), STREAMS[STREAM])) as reader:
        before = reader.last()
        house.begin(Burst([OURS], BURST))
        sent = house.said()
        for _ in range(PATIENCE_MS):
            if reader.last() >= before + BURST:
                return BURST * 1e9 / (clock.mono_ns() - sent.begun_ns)
            clock.pause_ms(5)
    raise AssertionError(f"{reader.last() - before} of {BURST} trades were journaled")


def _heard(house: FeedHouse) -> float:
    house.begin(Burst([THEIRS], BURST))
    sent = house.said()
    return BURST * 1e9 / (house.plainly(sent.last_id)[sent.last_id] - sent.begun_ns)


def _ages(house: FeedHouse) -> Iterator[Figure]:
    with closing(Subscriber(house.run, (STREAM,))) as ear:
        clock.pause_ms(SETTLE_MS)
        house.begin(Burst([OURS, THEIRS], PACED, PACE))
        ours = _on_the_bus(ear)
        sent = house.said()
    raw = house.plainly(sent.last_id)  # Both have had as many bursts, and so the same ids.
    late = [_late_us(sent, OURS, ours), _late_us(sent, THEIRS, raw)]
    for name, at in (("p50", 49), ("p99", 98)):
        mine, other = (quantiles(one, n=100)[at] for one in late)
        yield Figure(f"data.age.{name}", mine, other, "us")


def _on_the_bus(ear: Subscriber) -> dict[int, int]:
    found: dict[int, int] = {}
    for _ in range(PATIENCE_MS):
        frames = ear.receive(1_000)
        now_ns = clock.mono_ns()
        for frame in frames:
            for seen in opened(unpack(frame)):
                if isinstance(seen.message, Trade):
                    found[seen.message.trade_id] = now_ns
        if len(found) >= PACED:
            return found
    raise AssertionError(f"{len(found)} of {PACED} trades came on the bus")


def _late_us(sent: Sent, symbol: str, heard: dict[int, int]) -> list[float]:
    times = sent.at_ns[symbol.replace("/", "")]
    return [(heard[sent.first_id + n] - at_ns) / 1e3 for n, at_ns in enumerate(times)]


def _memory() -> Iterator[Figure]:
    symbols = tuple(f"C{n:03d}/USDT" for n in range(MANY))
    with FeedHouse(symbols, symbols) as house:
        house.begin(Burst(list(symbols), MEMORY_S * EACH_S, EACH_S, quotes=True))
        clock.pause_ms(MEMORY_S * 500)
        half = [_rss_mib(house, name) for name in ("ingest", "plain")]
        clock.pause_ms(MEMORY_S * 500)
        whole = [_rss_mib(house, name) for name in ("ingest", "plain")]
    yield Figure("data.memory", whole[0], whole[1], "MiB")
    hours = MEMORY_S / 2 / 3_600
    ours, raw = ((end - begin) / hours for begin, end in zip(half, whole, strict=True))
    yield Figure("data.memory.slope", ours, raw, "MiB/h")


def _rss_mib(house: FeedHouse, name: str) -> float:
    return float(psutil.Process(house.tasks[name].process.pid).memory_info().rss) / MIB
