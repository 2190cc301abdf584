"""Bars and ticks as numbers: months, archives and history as one, as a plain list has them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.bars import BarReader, open_bars
from bus.columns import decimal_texts
from bus.errors import ShardError
from bus.month_names import month_of, month_span_ns
from bus.shard import Connection
from schema.setting_types import TIMEFRAMES_NS
from schema.units import MINUTE_NS, to_text
from tests.bus.month_rig import FINER, Place, Row, at, bars
from tests.bus.month_world import BTC, ETH, HastyClock, World, ticks_of

NAMES = [(BTC, "1m"), (BTC, "1h"), (ETH, "1m"), ("NO/ONE", "1m")]
FIRST, STOP = at("2025-12-31T00:00:00"), at("2026-03-03T00:00:00")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("bars"))


@pytest.fixture(scope="module")
def reader(world: World) -> Iterator[BarReader]:
    with open_bars(world.own.db_dir, history=(world.history.top,)) as made:
        yield made


def numbers(found: list[tuple[int, Row]], px_exp: int) -> list[tuple[int, ...]]:
    return [
        (row.open_ns, *(px * 10 ** (px_exp - exp) for px in row[3:7]), *row[7:10])
        for exp, row in found
    ]


@settings(max_examples=60)
@given(name=st.sampled_from(NAMES), count=st.integers(0, 3000))
def test_the_last_bars_are_those_of_a_plain_list(
    world: World, reader: BarReader, name: tuple[str, str], count: int
) -> None:
    found = reader.last(*name, count)
    expected = world.rows(*name)[-count:] if count else []
    px_exp = max((exp for exp, _ in expected), default=0)
    assert found.rows() == numbers(expected, px_exp)
    assert found.exponents[0] == px_exp


@settings(max_examples=80)
@given(
    name=st.sampled_from(NAMES),
    ends=st.tuples(st.integers(FIRST, STOP), st.integers(FIRST, STOP)),
    whole=st.booleans(),
)
def test_a_stretch_of_bars_is_that_of_a_plain_list(
    world: World, reader: BarReader, name: tuple[str, str], ends: tuple[int, int], *, whole: bool
) -> None:
    first_ns, stop_ns = (end // MINUTE_NS * MINUTE_NS if whole else end for end in sorted(ends))
    expected = [one for one in world.rows(*name) if first_ns <= one[1].open_ns < stop_ns]
    px_exp = max((exp for exp, _ in expected), default=0)
    assert reader.between(*name, first_ns, stop_ns).rows() == numbers(expected, px_exp)
    closes = reader.between(*name, first_ns, stop_ns, ("close", "source"))
    assert closes.open_ns.tolist() == [row.open_ns for _, row in expected]
    assert closes["source"].tolist() == [row.source for _, row in expected]
    assert {*closes.columns} == {"close", "source"}


@settings(max_examples=60)
@given(name=st.sampled_from(NAMES), data=st.data())
def test_one_bar_is_found_by_its_open_and_nothing_between_two(
    world: World, reader: BarReader, name: tuple[str, str], data: st.DataObject
) -> None:
    step_ns = TIMEFRAMES_NS[name[1]]
    idx = data.draw(st.integers(FIRST // step_ns, STOP // step_ns) | _near(world, name))
    found = reader.at(*name, idx * step_ns)
    expected = world.truth.get((*name, idx * step_ns))
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        exp, row = expected
        assert (found.exponents[0], found.close, found.source) == (exp, row.close, row.source)
    assert reader.at(*name, idx * step_ns + 1) is None


def _near(world: World, name: tuple[str, str]) -> st.SearchStrategy[int]:
    step_ns = TIMEFRAMES_NS[name[1]]
    return st.sampled_from([row.open_ns // step_ns for _, row in world.rows(*name)] or [0])


def test_counts_names_and_the_newest_are_those_of_all_places(
    world: World, reader: BarReader
) -> None:
    for name in NAMES:
        assert reader.count(*name) == len(world.rows(*name))
    assert reader.series() == sorted({key[:2] for key in world.truth})
    assert reader.symbols() == [BTC, ETH]
    assert reader.newest_ns() == at("2026-03-01T06:40:00")


def test_only_the_files_that_are_needed_are_opened(world: World) -> None:
    with open_bars(world.own.db_dir, history=(world.history.top,)) as fresh:
        fresh.last(BTC, "1m", 100)
        assert len(fresh.files._open) == 1
        fresh.at(BTC, "1m", at("2026-02-01T09:30:00"))
        assert len(fresh.files._open) == 3


def test_numbers_that_64_bits_do_not_hold_with_more_decimals_are_refused(tmp_path: Path) -> None:
    place = Place(tmp_path / "w")
    huge = Row(BTC, "1m", at("2026-01-01T00:00:00"), *[9 * 10**18] * 4)
    place.live([huge])
    place.live(bars(BTC, "1m", "2026-02-01T00:00:00", 1), exps=FINER)
    with (
        open_bars(place.db_dir) as reader,
        pytest.raises(ShardError, match=r"open of BTC/USDT 1m has 2 decimals .* and 4 in another"),
    ):
        reader.last(BTC, "1m", 2)


def test_a_reader_may_take_no_longer_than_its_time(world: World) -> None:
    with (
        open_bars(world.own.db_dir, HastyClock(), time_limit_ms=3000) as hasty,
        pytest.raises(ShardError, match="longer than it may"),
    ):
        hasty.last(BTC, "1m", 3000)


@pytest.mark.parametrize("marked", [True, False])
def test_trades_come_by_time_from_rows_and_chunks(tmp_path: Path, *, marked: bool) -> None:
    place = Place(tmp_path / "w")
    old, new = ticks_of(1200, "2026-01-31T21:00:00", 50), ticks_of(900, "2026-02-01T00:00:00", 9000)
    place.archive([], old)
    path = place.live([], new)
    if not marked:
        db = Connection(str(path))
        db.execute("DROP TABLE tick_mark")
        db.close()
    everything = sorted(old + new, key=lambda tick: (tick.ts_ns, tick.trade_id))
    with open_bars(place.db_dir) as reader:
        assert reader.ticks(BTC).trade_id.tolist() == [tick.trade_id for tick in everything]
        for first_ns, stop_ns in (
            (at("2026-01-31T22:10:00"), at("2026-01-31T22:20:03")),
            (at("2026-01-31T23:10:01"), at("2026-02-01T00:10:00")),
            (at("2026-02-01T01:00:00"), at("2026-02-01T01:00:01")),
            (at("2026-02-02T00:00:00"), at("2026-02-03T00:00:00")),
        ):
            expected = [tick for tick in everything if first_ns <= tick.ts_ns < stop_ns]
            found = reader.ticks(BTC, first_ns, stop_ns)
            assert found.ts_ns.tolist() == [tick.ts_ns for tick in expected]
            assert found["px"].tolist() == [tick.px for tick in expected]
        few = reader.ticks(BTC, ids=(60, 62))
        assert few.trade_id.tolist() == [60, 61, 62]
        assert reader.tick_edge_ns(BTC, 0, at("2026-02-01T00:00:00")) == at("2026-01-31T21:00:00")


@given(st.lists(st.integers(-(10**6), 10**18 - 1), max_size=9), st.integers(0, 18))
def test_decimal_texts_are_those_of_one_number_at_a_time(values: list[int], exp: int) -> None:
    expected = [to_text(value, exp) for value in values]
    assert decimal_texts(np.array(values, np.int64), exp) == expected


@given(st.integers(0, 7999 * 12))
def test_a_month_spans_all_its_times_and_no_other(number: int) -> None:
    month = (1970 + number // 12) * 100 + number % 12 + 1
    first_ns, stop_ns = month_span_ns(month)
    assert month_of(first_ns) == month_of(stop_ns - 1) == month
    assert month_of(stop_ns) > month
