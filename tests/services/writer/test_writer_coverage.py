"""What a month says of itself is what its rows say, in whatever order they come, kills too."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.clock import ManualClock
from bus.lease import Lease
from bus.service import Run
from schema.head import Message
from schema.market import Bar, Trade
from schema.setting_types import TIMEFRAMES_NS
from schema.units import floor_scale
from services.writer.core import Writer
from services.writer.market_store import MarketStore
from services.writer.months import Months
from tests.services.market_desk import BAR, LIMITS, MINUTE_NS, NOW, TRADE, at, bar, rows, trade

FIRST_NS = at("2026-02-03T23:50:00")
SECOND_NS = 1_000_000_000
SYMBOLS = ("BTC/USDT", "ETH/USDT")

COUNTS = (
    "SELECT series, bars, first_idx, last_idx, from_trades FROM {m}.candlestick_metadata",
    (
        "SELECT k >> 26, count(*), min(k & 67108863), max(k & 67108863), sum(src = 0) FROM {m}.bar "
        "GROUP BY 1"
    ),
)
MARKS = (
    "SELECT k, first_id, last_id FROM {m}.tick_mark",
    (
        "SELECT (k >> 44) << 26 | ts_ns / 60000000000, min(k & 17592186044415), "
        "max(k & 17592186044415) FROM {m}.tick GROUP BY 1"
    ),
)
LIVE = (
    "SELECT symbol, timeframe, idx, o, h, l, c, v, q, n FROM {m}.bar_live "
    "JOIN {m}.series ON series.id = series"
)


class Desk:
    """A writer that may be killed, and all that was said to it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = ManualClock()
        self.core = Writer("market")
        self.positions = {TRADE: 0, BAR: 0}
        self.trades: dict[tuple[str, int], Trade] = {}
        self.bars: dict[tuple[str, str, int], Bar] = {}
        self.open()

    def open(self) -> None:
        self.lease = Lease(self.directory / "shard_market.lease")
        assert self.lease.take()
        self.store = MarketStore(Months(self.directory, "w"), self.lease, self.clock, LIMITS)

    def say(self, stream: int, messages: Sequence[Message]) -> None:
        run = Run(messages, stream, self.positions[stream] + 1, 0, 0)
        self.positions[stream] += len(messages)
        outs = self.core.hear_run(run, NOW)
        self.store.commit(outs, dict(self.positions))  # type: ignore[arg-type]
        for one in messages:
            if isinstance(one, Trade):
                self.trades.setdefault((one.symbol, one.trade_id), one)
            elif isinstance(one, Bar):
                self.bars[one.symbol, one.timeframe, one.open_ns] = one

    def kill(self) -> None:
        for shard in self.store.shards():
            shard.db.close()
        self.lease.release()
        self.open()

    def rest(self, moved_ns: int) -> None:
        self.clock.advance(moved_ns)
        self.store.idle()

    def expected(self) -> set[tuple[object, ...]]:
        """Return every open bar, folded minute by minute from all that was said."""
        found = set()
        for symbol in SYMBOLS:
            for name, tf_ns in TIMEFRAMES_NS.items():
                if any(key[:2] == (symbol, name) for key in self.bars):
                    row = self._open_bar(symbol, tf_ns)
                    found |= {(symbol, name, *row)} if row else set()
        return found

    def _open_bar(self, symbol: str, tf_ns: int) -> tuple[int, ...] | None:
        said = [one for (name, _), one in sorted(self.trades.items()) if name == symbol]
        ends = [one.ts_event for (name, *_), one in self.bars.items() if name == symbol]
        now_ns = max([*ends, *(one.ts_event for one in said[-1:])])
        idx = now_ns // tf_ns
        pieces = []
        for minute_ns in range(idx * tf_ns, (idx + 1) * tf_ns, MINUTE_NS):
            closed = self.bars.get((symbol, "1m", minute_ns))
            inside = [one for one in said if minute_ns <= one.ts_event < minute_ns + MINUTE_NS]
            if closed is not None:
                pieces.append(of_bar(closed))
            elif inside:
                pieces.append(of_trades(inside))
        if not pieces:
            return None
        opens, highs, lows, closes, *sums = zip(*pieces, strict=True)
        return idx, opens[0], max(highs), min(lows), closes[-1], *map(sum, sums)


def of_bar(one: Bar) -> tuple[int, ...]:
    prices = one.open, one.high, one.low, one.close
    return *prices, one.volume, one.quote_volume, one.trades


def of_trades(inside: Sequence[Trade]) -> tuple[int, ...]:
    prices = [one.px for one in inside]
    turnover = sum(one.px * one.qty for one in inside)
    sums = sum(one.qty for one in inside), floor_scale(turnover, 10, 8), len(inside)
    return prices[0], max(prices), min(prices), prices[-1], *sums


@st.composite
def some_trades(draw: st.DrawFn) -> list[Message]:
    symbol = draw(st.sampled_from(SYMBOLS))
    first = draw(st.integers(0, 40))
    count = draw(st.integers(1, 8))
    ids = draw(st.permutations(range(first, first + count)))
    qty = draw(st.integers(1, 10**8))
    return [
        trade(
            number,
            FIRST_NS + number * 17 * SECOND_NS + draw(st.integers(0, 60)) * SECOND_NS,
            symbol=symbol,
            px=6_400_000 + draw(st.integers(-9, 9)),
            qty=qty,
        )
        for number in ids
    ]


@st.composite
def some_bars(draw: st.DrawFn) -> list[Message]:
    name = draw(st.sampled_from(["1m", "1m", "1m", "5m", "1h", "1d"]))
    tf_ns = TIMEFRAMES_NS[name]
    first = (FIRST_NS // tf_ns) + draw(st.integers(-2, 14 if name == "1m" else 1))
    numbers = range(first, first + draw(st.sampled_from([1, 1, 2, 3, 12])))
    return [
        bar(
            number * tf_ns,
            symbol=draw(st.sampled_from(SYMBOLS)),
            timeframe=name,
            ts_event=(number + 1) * tf_ns,
            volume=draw(st.integers(0, 3)) * 100,
            source=draw(st.sampled_from(["trades", "trades", "rest"])),
        )
        for number in numbers
    ]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("trades"), some_trades()),
        st.tuples(st.just("bars"), some_bars()),
        st.tuples(st.just("kill"), st.none()),
        st.tuples(st.just("rest"), st.sampled_from([100_000_000, 2 * SECOND_NS])),
    ),
    min_size=1,
    max_size=14,
)


def follow(steps: Sequence[tuple[str, object]]) -> None:
    """Do all steps, and see that the month's own words are true after them."""
    with TemporaryDirectory(prefix="rrr") as name:
        desk = Desk(Path(name))
        for what, given_ in steps:
            match what:
                case "trades":
                    desk.say(TRADE, given_)  # type: ignore[arg-type]
                case "bars":
                    desk.say(BAR, given_)  # type: ignore[arg-type]
                case "kill":
                    desk.kill()
                case _:
                    desk.rest(given_)  # type: ignore[arg-type]
        desk.rest(2 * SECOND_NS)
        check(desk)
        desk.store.close()


def check(desk: Desk) -> None:
    """Compare what the newest month says of itself with its rows, and with all that was said."""
    if not list(desk.directory.glob("*.db")):
        return
    month = "market_data_2026_02"
    for told, counted in (COUNTS, MARKS):
        assert rows(desk.directory, told.format(m=month)) == rows(
            desk.directory, counted.format(m=month)
        )
    assert set(rows(desk.directory, LIVE.format(m=month))) == desk.expected()


@settings(max_examples=30, deadline=None)
@given(STEPS)
def test_a_month_says_of_itself_what_its_rows_say(steps: list[tuple[str, object]]) -> None:
    follow(steps)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_a_month_says_the_truth_in_many_more_orders(steps: list[tuple[str, object]]) -> None:
    follow(steps)


def test_a_repeat_among_new_bars_is_counted_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    first, second = bar(FIRST_NS), bar(FIRST_NS + MINUTE_NS)
    desk.say(BAR, [first])
    desk.say(BAR, [msgspec.structs.replace(first, source="rest"), second, second])
    check(desk)
    (row,) = rows(tmp_path, COUNTS[0].format(m="market_data_2026_02"))
    assert row[1] == 2
    assert row[4] == 1
    desk.store.close()


def test_open_bars_are_written_at_most_once_a_second(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.say(BAR, [bar(FIRST_NS)])
    desk.rest(2 * SECOND_NS)
    live = LIVE.format(m="market_data_2026_02")
    for number in range(3):
        desk.say(TRADE, [trade(number, FIRST_NS + MINUTE_NS + number)])
        desk.rest(100_000_000)
        assert rows(tmp_path, live)[0][-1] == 1
    desk.rest(SECOND_NS)
    assert rows(tmp_path, live)[0][-1] == 3
    desk.store.close()


def test_a_poison_row_leaves_the_counts_of_those_around_it_exact(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.say(BAR, [bar(FIRST_NS - MINUTE_NS)])
    good = [bar(FIRST_NS + number * MINUTE_NS) for number in range(8)]
    poison = bar(FIRST_NS + 9 * MINUTE_NS, low=0)
    desk.say(BAR, [*good[:3], poison, *good[3:]])
    assert dict(desk.store.counters())["dead_letters"] == 1
    (row,) = rows(tmp_path, COUNTS[0].format(m="market_data_2026_02"))
    assert row[1] == 9
    desk.store.close()


def test_the_open_bars_of_a_month_that_is_over_are_gone(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.say(BAR, [bar(FIRST_NS)])
    desk.say(TRADE, [trade(1, FIRST_NS + MINUTE_NS)])
    desk.rest(2 * SECOND_NS)
    assert len(rows(tmp_path, LIVE.format(m="market_data_2026_02"))) == 1
    desk.say(TRADE, [trade(2, at("2026-03-01T00:00:01"))])
    assert rows(tmp_path, LIVE.format(m="market_data_2026_02")) == []
    desk.store.close()
