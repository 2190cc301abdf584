"""A run: the shipped cores over a file of bars, and books that add up to the last unit."""

from pathlib import Path

import pytest

from bus.errors import HouseError
from schema.ledger import ACCOUNT, decimals
from schema.settings import Settings
from schema.units import MINUTE_NS, MS_NS, floor_scale, rescale
from services.backtest.history import History
from services.backtest.running import Played, play
from services.backtest.tally import MONEY_EXP
from services.venue.account import EXP
from services.venue.book import top_of
from tests.services.backtest.recorded import START_MS, flat_file, walk_file
from tests.services.shipped import shipped

SYMBOL = "BTC/USDT"
WHOLE = (None, None)


def settings_for(strategy: str, **more: str) -> Settings:
    return shipped(
        RRR_MODE="backtest",
        RRR_CLOCK__SCALE="1",
        RRR_VENUE__SYMBOL=SYMBOL,
        RRR_ENGINE__STRATEGIES=strategy,
        **more,
    )


def played(path: Path, settings: Settings, span: tuple[int | None, int | None] = WHOLE) -> Played:
    history = History(path, SYMBOL, 7)
    return play(settings, "backtest", history, history.span(*span), lambda _: None)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return walk_file(tmp_path_factory.mktemp("bars") / "walk.csv", 400)


@pytest.fixture(scope="module")
def trades(walk: Path) -> Played:
    eager = {"RRR_THRESHOLD__ENTER": "0.495", "RRR_THRESHOLD__EXIT": "0.49"}
    close = {"RRR_THRESHOLD__STOP_DEVIATIONS": "0.5"}
    return played(walk, settings_for("threshold", **eager, **close))


def test_the_strategy_trades_and_its_stops_work(trades: Played) -> None:
    orders = trades.exchange.desk.records.orders.values()
    assert len(trades.tally.trips) >= 3
    assert {order.type for order in orders} == {"MARKET", "STOP_LOSS"}
    assert any(order.type == "STOP_LOSS" and order.filled for order in orders)
    assert trades.tally.orders == len(orders)
    assert not trades.tally.failures


def test_books_of_desk_engine_and_tally_are_the_same(trades: Played) -> None:
    balances = trades.exchange.desk.records.account.balances.items()
    venue = {asset: rescale(b.free + b.locked, EXP, 12) for asset, b in balances}
    for ledger in (trades.engine.state.books.ledger, trades.tally.ledger):
        assert {key: rescale(m.amount, m.exp, 12) for key, m in ledger.balances.items()} == venue
    assert decimals(trades.tally.ledger) == decimals(trades.engine.state.books.ledger)


def test_equity_is_opening_and_what_was_earned_less_fees(trades: Played, walk: Path) -> None:
    tally = trades.tally
    holding = tally.ledger.holding(SYMBOL, ACCOUNT)
    assert holding is not None
    history = History(walk, SYMBOL, 7)
    *_, bar = history.bars(history.first_ms, history.end_ms)
    unrealized = holding.unrealized(bar.close)
    whole = rescale(tally.equity[0], MONEY_EXP, 12)
    whole += rescale(holding.realized + unrealized - holding.fees, holding.quote_exp, 12)
    assert floor_scale(whole, 12, MONEY_EXP) == tally.equity[-1]
    assert tally.equity[0] == 100_000 * 10**MONEY_EXP


def test_trips_that_are_over_add_up_to_the_books(walk: Path) -> None:
    tally = played(walk, settings_for("pulse")).tally
    holding = tally.ledger.holding(SYMBOL, ACCOUNT)
    assert holding is not None
    assert len(tally.trips) > 50
    assert holding.flat and holding.quote_exp == MONEY_EXP
    assert holding.realized - holding.fees == sum(tally.trips)


def test_an_order_reaches_the_desk_after_half_of_the_latency(trades: Played) -> None:
    bought = [f for f in trades.exchange.desk.records.fills.values() if f.buyer]
    assert bought
    assert {fill.at_ms % 60_000 for fill in bought} == {25}


def test_a_flat_market_makes_no_trade(tmp_path: Path) -> None:
    tally = played(flat_file(tmp_path / "flat.csv", 200), settings_for("threshold")).tally
    assert (tally.orders, tally.fills, tally.denials.total()) == (0, 0, 0)
    assert set(tally.equity) == {100_000 * 10**MONEY_EXP}


def test_a_limit_holds_and_its_denials_are_counted(walk: Path) -> None:
    low = settings_for("pulse", RRR_RISK__MAX_ORDER_NOTIONAL="20")
    tally = played(walk, low, (None, (START_MS + 30 * 60_000) * MS_NS)).tally
    assert (tally.orders, tally.fills) == (0, 0)
    assert tally.denials.keys() == {"NOTIONAL_EXCEEDS_MAX_PER_ORDER"}
    assert tally.denials.total() > 5


def test_bars_before_the_run_are_known_and_not_traded(walk: Path) -> None:
    eager = settings_for("threshold", RRR_THRESHOLD__ENTER="0.4", RRR_THRESHOLD__EXIT="0.3")
    begin_ns = (START_MS + 100 * 60_000) * MS_NS
    found = played(walk, eager, (begin_ns, begin_ns + 10 * MINUTE_NS))
    first = min(order.created_ms for order in found.exchange.desk.records.orders.values())
    assert first * MS_NS == begin_ns + MINUTE_NS + 25 * MS_NS
    assert len(found.tally.equity) == 11


def test_a_run_without_bars_is_refused_with_what_there_is(walk: Path) -> None:
    with pytest.raises(HouseError, match="no bar of BTC/USDT") as caught:
        played(walk, settings_for("pulse"), (10**18, 10**18 + MINUTE_NS))
    assert "2025-06-15T15:07:00Z" in str(caught.value)


def test_without_money_to_pay_with_nothing_runs(walk: Path) -> None:
    poor = settings_for("pulse", RRR_VENUE__BALANCES="EUR 5")
    with pytest.raises(HouseError, match="expected some USDT"):
        played(walk, poor)


def test_the_quick_top_is_that_of_the_book(walk: Path) -> None:
    market = History(walk, SYMBOL, 7).market
    for at_ms in range(START_MS - 1000, START_MS + 3_600_000, 61_357):
        assert market.top("BTCUSDT", at_ms) == top_of(market.book("BTCUSDT", at_ms))


def test_nothing_is_bought_while_nobody_trades(walk: Path, tmp_path: Path) -> None:
    lines = walk.read_text().splitlines(keepends=True)
    torn = tmp_path / "torn.csv"
    torn.write_text("".join([*lines[:61], *lines[181:241]]))  # Two hours are missing.
    found = played(torn, settings_for("pulse"))
    hole = range(60 * 60_000 + 30_000, 180 * 60_000)
    bought = [f.at_ms - START_MS for f in found.exchange.desk.records.fills.values() if f.buyer]
    assert [at_ms for at_ms in bought if at_ms < hole.start]
    assert [at_ms for at_ms in bought if at_ms > hole.stop]
    assert not [at_ms for at_ms in bought if at_ms in hole]
