"""The exchange's filters of the day: fitted to the bars, and met in their own time."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.listing import instrument_of
from schema.market import Bar, Instrument
from schema.settings import Settings
from schema.units import MINUTE_NS, MS_NS, SECOND_NS
from services.backtest.filters import fitted, limits_of, that_hold
from services.backtest.history import History, in_order, with_changes
from services.backtest.plan import Plan
from services.backtest.running import Played, part_of, play
from services.backtest.sheet import Grain, read_sheet
from services.venue.columns import Facts
from services.venue.limits import UNIT, Limits
from services.venue.orders import Order
from services.venue.payload import symbol_row
from tests.services.backtest.person import ROOT
from tests.services.backtest.recorded import START_MS, walk_file
from tests.services.backtest.test_backtest_run import records_of, settings_for

SYMBOL = "BTC/USDT"
START_NS = START_MS * MS_NS
CHANGE_NS = START_NS + 200 * MINUTE_NS
EAGER = {"ENTER": "0.495", "EXIT": "0.49", "STOP_DEVIATIONS": "0.5"}
FACTS = Facts(SYMBOL, 2, 5, grid=1, depth_lots=1, key=0)


def version(ts_event: int = START_NS, **changes: Any) -> Instrument:
    found = instrument_of(symbol_row(FACTS), ts_event)
    return msgspec.structs.replace(found, **changes)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return walk_file(tmp_path_factory.mktemp("bars") / "walk.csv", 400)


def history_of(walk: Path, *versions: Instrument) -> History:
    known = {SYMBOL: versions} if versions else None
    return History({SYMBOL: read_sheet(walk, Grain())}, known)


def played(history: History, strategy: str, house: Settings | None = None) -> Played:
    house = house or settings_for()
    part = part_of(ROOT, house, strategy)
    return play(house, "backtest", part, history, Plan(strategy), lambda _: None)


def created(found: Played) -> list[Order]:
    return list(records_of(found).orders.values())


def test_a_smallest_order_holds_from_its_own_time_on(walk: Path) -> None:
    dear = version(CHANGE_NS, min_notional=10_000 * 10**7)
    found = played(history_of(walk, version(), dear), "pulse")
    entries = [order.created_ms * MS_NS for order in created(found) if order.buys]
    assert len(entries) > 20
    assert max(entries) < CHANGE_NS
    assert found.tally.refusals.keys() == {"QUANTITY_BELOW_MINIMUM"}
    dear = version(START_NS, min_notional=10_000 * 10**7)
    before = played(history_of(walk, dear, version(CHANGE_NS)), "pulse")
    entries = [order.created_ms * MS_NS for order in created(before) if order.buys]
    assert len(entries) > 20
    assert min(entries) > CHANGE_NS


def test_a_tick_holds_from_its_own_time_on(walk: Path) -> None:
    own = "RRR_STRATEGY__THRESHOLD__PARAMS__"
    house = settings_for(**{f"{own}{name}": value for name, value in EAGER.items()})
    change_ns = START_NS + 300 * MINUTE_NS
    coarse = version(change_ns, tick=2500)
    found = played(history_of(walk, version(), coarse), "threshold", house)
    stops = [order for order in created(found) if order.stop_px]
    early = [order.stop_px for order in stops if order.created_ms * MS_NS < change_ns]
    late = [order.stop_px for order in stops if order.created_ms * MS_NS > change_ns]
    assert any(px % 2500 for px in early)
    assert late
    assert not any(px % 2500 for px in late)
    assert not found.tally.denials


def test_the_desk_refuses_what_was_sent_under_filters_that_have_passed(walk: Path) -> None:
    orders = created(played(history_of(walk, version()), "pulse"))
    entry = next(one for one in orders if one.buys and one.created_ms * MS_NS > CHANGE_NS)
    on_its_way_ns = (entry.created_ms - 10) * MS_NS
    dear = version(on_its_way_ns, min_notional=10_000 * 10**7)
    found = played(history_of(walk, version(), dear), "pulse")
    assert found.tally.denials == {"rejected -1013": 1}
    assert [one.id for one in created(found)] == [one.id for one in orders if one.id < entry.id]


def test_a_pair_that_is_not_traded_any_more_stands_still_in_its_run(walk: Path) -> None:
    found = played(history_of(walk, version(), version(CHANGE_NS, status="BREAK")), "pulse")
    assert max(order.created_ms for order in created(found)) * MS_NS < CHANGE_NS + SECOND_NS


def test_fills_at_known_prices_follow_lots_and_know_no_smallest_order(walk: Path) -> None:
    house = settings_for(RRR_STRATEGY__PULSE__BACKTEST__FILLS="close")
    coarse = version(CHANGE_NS, lot=10, min_qty=10, min_notional=10_000 * 10**7)
    history = history_of(walk, version(), coarse)
    found = played(history, "pulse", house)
    exp = history.facts[SYMBOL].qty_exp - 4
    early = [t.qty for t in found.tally.trips if t.closed_ns < CHANGE_NS]
    late = [t.qty for t in found.tally.trips if t.opened_ns > CHANGE_NS]
    assert any(qty % 10**exp for qty in early)
    assert late
    assert not any(qty % 10**exp for qty in late)


def test_without_versions_everything_is_as_it_is_without_a_shard(walk: Path) -> None:
    plain, empty = History({SYMBOL: read_sheet(walk, Grain())}), history_of(walk)
    none = History({SYMBOL: read_sheet(walk, Grain())}, {"ETH/USDT": (version(),), SYMBOL: ()})
    assert plain.digest() == empty.digest() == none.digest()
    assert none.instruments(7) == plain.instruments(7)
    assert none.known(7) == none.changes(0, 1 << 62) == []
    first, again = played(plain, "pulse"), played(none, "pulse")
    assert first.tally.fingerprint() == again.tally.fingerprint()


def test_filters_come_before_a_bar_of_the_same_moment(walk: Path) -> None:
    history = history_of(walk, version(), version(START_NS + MINUTE_NS, tick=2))
    bars = in_order(history.tracks([(SYMBOL, "1m")]), START_NS, START_NS + 2 * MINUTE_NS)
    changes = history.changes(START_NS, START_NS + 2 * MINUTE_NS)
    said = list(with_changes(bars, changes))
    assert [type(one) for one in said] == [Instrument, Bar, Bar]
    assert [one.ts_event - START_NS for one in said[:2]] == [MINUTE_NS, MINUTE_NS]


def test_what_is_said_again_and_what_lies_outside_is_no_version() -> None:
    versions = [version(at, tick=tick) for at, tick in ((1, 5), (2, 5), (3, 7), (4, 7), (9, 8))]
    kept = [(one.ts_event, one.tick) for one in that_hold(versions, 2, 5)]
    assert kept == [(2, 5), (3, 7)]
    assert [one.ts_event for one in that_hold(versions, 0, 0)] == [1]  # The oldest that is known.
    assert that_hold([], 0, 9) == []


def test_known_filters_are_a_part_of_the_data_of_a_run(walk: Path) -> None:
    first, other = history_of(walk, version()), history_of(walk, version(tick=3))
    later = history_of(walk, version(), version(1 << 62, tick=3))  # After all bars.
    assert len({history_of(walk).digest(), first.digest(), other.digest()}) == 3
    assert later.digest() == first.digest()


def test_a_version_is_fitted_to_the_decimals_of_the_bars() -> None:
    own = version(tick=25, lot=4, min_qty=12345, max_qty=99_999, min_notional=5, max_position=3)
    finer = fitted(own, Facts(SYMBOL, 3, 8, 1, 1, 0), 7)
    assert (finer.ts_event, finer.px_exp, finer.qty_exp, finer.quote_exp) == (7, 3, 8, 8)
    assert (finer.tick, finer.lot, finer.min_qty) == (250, 4000, 12_345_000)
    coarser = fitted(own, Facts(SYMBOL, 1, 2, 1, 1, 0), 7)
    assert (coarser.tick, coarser.lot) == (5, 1)  # 0.25 and 0.1: 0.5; 0.00004 and 0.01: 0.01.
    assert (coarser.min_qty, coarser.max_qty, coarser.max_position) == (13, 99, 1)
    assert coarser.min_notional == 1
    assert fitted(version(tick=0, lot=0), Facts(SYMBOL, 1, 2, 1, 1, 0), 7).tick == 0


AMOUNT = st.integers(1, 10**15)
BAND = st.tuples(st.integers(1, 10**4), st.integers(10**4, 10**6))


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        Limits, tick=st.integers(1, 99).map(lambda n: n * UNIT // 100),
        lot=st.integers(1, 99).map(lambda n: n * UNIT // 10**5), least=AMOUNT, most=AMOUNT,
        least_of_market=st.booleans(), most_of_market=st.booleans(), bid=BAND, ask=BAND,
        average_mins=st.integers(0, 60), orders=st.integers(1, 999), lists=st.integers(1, 99),
    )
)  # fmt: skip
def test_the_desk_asks_for_what_the_exchange_listed(own: Limits) -> None:
    facts = Facts(SYMBOL, 2, 5, grid=1, depth_lots=1, key=0, own=own)
    listed = instrument_of(symbol_row(facts), START_NS)
    unit = 10 ** (8 - listed.quote_exp)  # Money has the decimals of the instrument.
    expected = msgspec.structs.replace(
        own,
        least_px=own.tick,
        least_qty=own.lot,
        least=-(-own.least // unit) * unit,
        most=own.most // unit * unit or Limits(1, 1, 0).most,
    )
    assert limits_of(listed) == expected


def test_bounds_that_are_not_named_ask_for_nothing() -> None:
    bare = Instrument(
        ts_event=1, symbol=SYMBOL, venue_symbol="BTCUSDT", base="BTC", quote="USDT", px_exp=2,
        qty_exp=5, quote_exp=7, tick=0, lot=0,
    )  # fmt: skip
    found = limits_of(bare)
    assert (found.tick, found.lot) == (10**6, 10**3)
    assert found.bid[0] == found.least == found.least_px == found.market_lot == 0
    assert min(found.bid[1], found.most, found.orders, found.lists, found.most_px) >= 10**9
