"""A bar that is said again, corrected, takes its place and asks nobody."""

from random import Random

import msgspec
import numpy as np

from schema.market import Bar
from services.engine.hearing import hear_bar
from services.engine.series import CLOSE, VOLUME, Series
from services.engine.state import Windows
from tests.services.engine.engine_desk import Desk
from tests.services.engine.engine_made import COUNTS, MINUTE_NS, PX, START_NS, bar, engine, written

KEY = "BTC/USDT 1m"
KINDS = (("ema", 9), ("rsi", 14), ("atr", 5), ("macd", 3, 6, 2), ("psar", 0.02, 0.2), ("obv",))


def walk(count: int, holes: bool = False) -> list[Bar]:  # noqa: FBT001, FBT002 - a plain choice
    chance = Random(7)
    minutes = [n for n in range(count) if not (holes and n % 7 == 3)]
    return [bar(START_NS + n * MINUTE_NS, PX + chance.randrange(9_000)) for n in minutes]


def again(one: Bar, close: int, revision: int = 1) -> Bar:
    changes = {"open": close, "high": close, "low": close, "close": close, "volume": 70_000}
    return msgspec.structs.replace(one, revision=revision, **changes)


def heard(bars: list[Bar], indicators: bool = True) -> Windows:  # noqa: FBT001, FBT002 - as above
    windows = Windows()
    for one in bars:
        hear_bar(windows, one, KEY)
        if indicators:
            ask(windows)
    return windows


def ask(windows: Windows) -> list[object]:
    return [windows.series[KEY].indicator(*kind).value for kind in KINDS]


def test_a_corrected_bar_is_seen_in_its_place_by_arrays_and_indicators() -> None:
    bars = walk(120, holes=True)
    windows = heard(bars)
    right = again(bars[60], PX - 50_000)
    assert hear_bar(windows, right, KEY) is None
    fresh = heard([*bars[:60], right, *bars[61:]])
    mine, theirs = windows.series[KEY], fresh.series[KEY]
    assert np.array_equal(mine.row(CLOSE, 200), theirs.row(CLOSE, 200))
    assert np.array_equal(mine.row(VOLUME, 200), theirs.row(VOLUME, 200))
    assert ask(windows) == ask(fresh)
    after = bar(bars[-1].open_ns + MINUTE_NS, PX)
    for each in (windows, fresh):
        hear_bar(each, after, KEY)
    assert ask(windows) == ask(fresh)


def test_what_somebody_holds_stays_as_it_was_decided_on() -> None:
    bars = walk(20)
    windows = heard(bars)
    held = windows.series[KEY].row(CLOSE, 20)
    before = held.copy()
    hear_bar(windows, again(bars[10], 1), KEY)
    assert np.array_equal(held, before)


def test_a_correction_of_a_bar_that_is_not_kept_changes_nothing() -> None:
    bars = walk(40)
    windows = heard(bars[10:30])
    before = msgspec.msgpack.encode(windows)
    for one in (again(bars[3], 1), again(bars[29], 0), bars[20]):
        hear_bar(windows, one, KEY)
    assert msgspec.msgpack.encode(windows) == before
    hole = walk(40, holes=True)
    windows = heard(hole)
    lacking = bar(START_NS + 10 * MINUTE_NS, PX)
    hear_bar(windows, again(lacking, PX), KEY)
    assert windows.series[KEY].end == len(hole)


def test_the_newest_close_values_a_position_as_it_is_corrected() -> None:
    bars = walk(5)
    windows = heard(bars)
    windows.moved.clear()
    hear_bar(windows, again(bars[-1], PX + 777), KEY)
    assert windows.lasts["BTC/USDT"].px == PX + 777
    assert list(windows.moved) == ["BTC/USDT"]


def test_a_correction_is_found_after_many_bars_and_after_a_snapshot() -> None:
    bars = walk(1_500)
    windows = heard(bars, indicators=False)
    windows = msgspec.msgpack.decode(msgspec.msgpack.encode(windows), type=Windows)
    series = windows.series[KEY]
    hear_bar(windows, again(bars[-200], PX + 5), KEY)
    assert windows.series[KEY].row(CLOSE, 200)[0] == (PX + 5) / 100
    first = bars[-series.end].open_ns
    assert series.replace((1.0, 1.0, 1.0, 1.0, 1.0), first - MINUTE_NS) is False


def test_a_snapshot_from_before_times_were_kept_is_still_read() -> None:
    series = heard(walk(10), indicators=False).series[KEY]
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(series))
    del packed["opens"]
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(packed), type=Series)
    assert read.end == series.end
    assert read.replace((1.0, 1.0, 1.0, 1.0, 1.0), START_NS) is False


def test_strategies_are_not_asked_again_about_a_corrected_bar() -> None:
    desk = Desk(engine(made=(written("counts", COUNTS),))).open()
    desk.bar()
    said = desk.bar()
    open_ns = desk.now_ns // MINUTE_NS * MINUTE_NS - MINUTE_NS
    assert said
    assert desk.hear(again(bar(open_ns), PX + 1_000)) == []
    assert desk.core.state.windows.series[KEY].row(CLOSE, 1)[0] == (PX + 1_000) / 100
