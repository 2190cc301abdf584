"""A run: the shipped cores over a file of bars, and books that add up to the last unit."""

from pathlib import Path

import numpy as np
import pytest

from bus.errors import HouseError
from schema.ledger import ACCOUNT, decimals
from schema.settings import Settings
from schema.units import MINUTE_NS, MS_NS, SECOND_NS, rescale
from services.backtest.desk import DeskExchange, replayed
from services.backtest.history import History
from services.backtest.plan import Plan
from services.backtest.running import Played, part_of, play, wants_forecasts
from services.backtest.sheet import Grain, read_sheet
from services.backtest.tally import MONEY_EXP
from services.venue.account import EXP
from services.venue.book import top_of
from services.venue.records import Records
from tests.services.backtest.recorded import START_MS, flat_file, walk_file
from tests.services.shipped import ROOT, shipped

SYMBOL = "BTC/USDT"
WHOLE = (None, None)
START_NS = START_MS * MS_NS


def settings_for(**more: str) -> Settings:
    return shipped(
        RRR_MODE="backtest",
        RRR_CLOCK__SCALE="1",
        RRR_VENUE__SYMBOL=SYMBOL,
        RRR_INGEST__SYMBOLS=SYMBOL,
        **more,
    )


def history_of(path: Path) -> History:
    return History({SYMBOL: read_sheet(path, Grain())})


def played(
    path: Path,
    strategy: str,
    settings: Settings,
    span: tuple[int | None, int | None] = WHOLE,
) -> Played:
    part = part_of(ROOT, settings, strategy)
    plan = Plan(strategy, from_ns=span[0], to_ns=span[1])
    return play(settings, "backtest", part, history_of(path), plan, lambda _: None)


def records_of(found: Played) -> Records:
    assert isinstance(found.exchange, DeskExchange)
    return found.exchange.desk.records


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return walk_file(tmp_path_factory.mktemp("bars") / "walk.csv", 400)


@pytest.fixture(scope="module")
def trades(walk: Path) -> Played:
    own = "RRR_STRATEGY__THRESHOLD__PARAMS__"
    eager = {"ENTER": "0.495", "EXIT": "0.49", "STOP_DEVIATIONS": "0.5"}
    changes = {f"{own}{name}": value for name, value in eager.items()}
    return played(walk, "threshold", settings_for(**changes))


def test_the_strategy_trades_and_its_stops_work(trades: Played) -> None:
    orders = records_of(trades).orders.values()
    assert len(trades.tally.trips) >= 3
    assert {order.type for order in orders} == {"MARKET", "STOP_LOSS"}
    assert any(order.type == "STOP_LOSS" and order.filled for order in orders)
    assert trades.tally.orders == len(orders)
    assert not trades.tally.failures


def test_books_of_desk_engine_and_tally_are_the_same(trades: Played) -> None:
    balances = records_of(trades).account.balances.items()
    venue = {asset: rescale(b.free + b.locked, EXP, 12) for asset, b in balances}
    for ledger in (trades.engine.state.books.ledger, trades.tally.ledger):
        assert {key: rescale(m.amount, m.exp, 12) for key, m in ledger.balances.items()} == venue
    assert decimals(trades.tally.ledger) == decimals(trades.engine.state.books.ledger)


def test_equity_is_the_budget_and_what_was_earned(trades: Played, walk: Path) -> None:
    tally = trades.tally
    holding = tally.ledger.holding(SYMBOL, ACCOUNT)
    assert holding is not None
    close = int(history_of(walk).base[SYMBOL].close[-1])
    earned = holding.realized + holding.unrealized(close) - holding.fees
    assert tally.equity[0] == 10_000 * 10**MONEY_EXP
    assert tally.equity[-1] - tally.equity[0] == rescale(earned, holding.quote_exp, MONEY_EXP)


def test_trips_that_are_over_add_up_to_the_books(walk: Path) -> None:
    tally = played(walk, "pulse", settings_for()).tally
    holding = tally.ledger.holding(SYMBOL, ACCOUNT)
    assert holding is not None
    assert len(tally.trips) > 50
    assert holding.flat and holding.quote_exp == MONEY_EXP
    assert holding.realized - holding.fees == sum(tally.gains)


def test_an_order_reaches_the_desk_after_half_of_the_latency(trades: Played) -> None:
    bought = [f for f in records_of(trades).fills.values() if f.buyer]
    assert bought
    assert {fill.at_ms % 60_000 for fill in bought} == {25}


def test_a_flat_market_makes_no_trade(tmp_path: Path) -> None:
    tally = played(flat_file(tmp_path / "flat.csv", 200), "threshold", settings_for()).tally
    assert (tally.orders, tally.fills, tally.denials.total()) == (0, 0, 0)
    assert set(tally.equity) == {10_000 * 10**MONEY_EXP}


def test_a_limit_holds_and_its_denials_are_counted(walk: Path) -> None:
    low = settings_for(RRR_RISK__MAX_ORDER_NOTIONAL="20")
    tally = played(walk, "pulse", low, (None, START_NS + 30 * MINUTE_NS)).tally
    assert (tally.orders, tally.fills) == (0, 0)
    assert tally.denials.keys() == {"NOTIONAL_EXCEEDS_MAX_PER_ORDER"}
    assert tally.denials.total() > 5


def test_bars_before_the_run_are_known_and_not_traded(walk: Path) -> None:
    own = "RRR_STRATEGY__THRESHOLD__PARAMS__"
    eager = settings_for(**{f"{own}ENTER": "0.4", f"{own}EXIT": "0.3"})
    begin_ns = START_NS + 250 * MINUTE_NS
    found = played(walk, "threshold", eager, (begin_ns, begin_ns + 10 * MINUTE_NS))
    first = min(order.created_ms for order in records_of(found).orders.values())
    assert first * MS_NS == begin_ns + MINUTE_NS + 25 * MS_NS
    assert found.tally.bars == 10
    assert found.span_ns == (begin_ns, begin_ns + 10 * MINUTE_NS)


def test_a_run_without_bars_is_refused_with_what_there_is(walk: Path) -> None:
    with pytest.raises(HouseError, match="no bar of BTC/USDT") as caught:
        played(walk, "pulse", settings_for(), (10**18, 10**18 + MINUTE_NS))
    assert "2025-06-15T15:07:00Z" in str(caught.value)


def test_without_money_to_pay_with_nothing_runs(walk: Path) -> None:
    poor = settings_for(RRR_VENUE__BALANCES="EUR 5")
    with pytest.raises(HouseError, match="expected some USDT"):
        played(walk, "pulse", poor)


def test_fills_of_the_book_need_minutes(tmp_path: Path) -> None:
    hours = [f"2025-06-15 {hour:02d}:00,1,2,1,2,5" for hour in range(9)]
    file = tmp_path / "hours.csv"
    file.write_text("\n".join(["date,open,high,low,close,volume", *hours]))
    with pytest.raises(HouseError, match="next_open"):
        played(file, "pulse", settings_for(RRR_STRATEGY__PULSE__BUDGET="1"))


def test_the_quick_top_is_that_of_the_book(walk: Path) -> None:
    market = replayed(history_of(walk), 7)
    for at_ms in range(START_MS - 1000, START_MS + 3_600_000, 61_357):
        assert market.top("BTCUSDT", at_ms) == top_of(market.book("BTCUSDT", at_ms))


def test_the_tape_is_that_of_the_venue(walk: Path) -> None:
    history = history_of(walk)
    market, base = replayed(history, 7), history.base[SYMBOL]
    for row in (0, 57, 399):
        open_ms = int(base.open_ns[row]) // MS_NS
        tape = market.tape("BTCUSDT", open_ms, open_ms + 60_000)
        assert (tape.px[0], tape.px[-1]) == (base.open[row], base.close[row])
        assert (np.max(tape.px), np.min(tape.px)) == (base.high[row], base.low[row])


def test_nothing_is_bought_while_nobody_trades(walk: Path, tmp_path: Path) -> None:
    lines = walk.read_text().splitlines(keepends=True)
    torn = tmp_path / "torn.csv"
    torn.write_text("".join([*lines[:61], *lines[181:241]]))  # Two hours are missing.
    found = played(torn, "pulse", settings_for())
    hole = range(60 * 60_000 + 30_000, 180 * 60_000)
    bought = [f.at_ms - START_MS for f in records_of(found).fills.values() if f.buyer]
    assert [at_ms for at_ms in bought if at_ms < hole.start]
    assert [at_ms for at_ms in bought if at_ms > hole.stop]
    assert not [at_ms for at_ms in bought if at_ms in hole]


def test_a_strategy_that_sells_out_at_the_end_holds_nothing(walk: Path) -> None:
    sells = settings_for(
        RRR_STRATEGY__PULSE__PARAMS__HOLD_S="280",
        RRR_STRATEGY__PULSE__BACKTEST__FLAT_AT_END="true",
    )
    begin_ns = START_NS + 100 * MINUTE_NS
    found = played(walk, "pulse", sells, (begin_ns, begin_ns + 2 * MINUTE_NS))
    holding = found.tally.ledger.holding(SYMBOL, ACCOUNT)
    assert holding is not None and holding.flat
    assert len(found.tally.trips) == 1
    assert found.tally.bars == 2


def test_only_who_speaks_of_forecasts_gets_them() -> None:
    settings = settings_for()
    wanted = {name: part_of(ROOT, settings, name).offer for name in ("threshold", "pulse", "trend")}
    said = {name: wants_forecasts(offer) for name, offer in wanted.items()}
    assert said == {"threshold": True, "pulse": False, "trend": False}


def test_longer_bars_are_all_that_a_strategy_of_them_hears(walk: Path) -> None:
    found = played(walk, "trend", settings_for())
    assert found.engine.state.windows.series.keys() == {f"{SYMBOL} 5m", f"{SYMBOL} 1h"}
    assert found.tally.bars == 400 // 5 - 1
    assert found.tally.at_ns[1] % (5 * 60 * SECOND_NS) == 0


IN_AND_OUT = """
from services.engine.strategy import Bar, State, Strategy, Target, View


class InAndOut(Strategy):
    timeframe = "5m"

    class State(State):
        bars: int = 0

    def on_bar(self, bar: Bar, view: View) -> Target | None:
        self.state.bars += 1
        phase = self.state.bars + 2 * bar.symbol.startswith("ETH")
        return Target.notional(100.0, why="in") if phase % 7 < 5 else Target.flat("out")
"""


def test_in_two_symbols_the_price_of_each_is_known_when_the_other_trades(tmp_path: Path) -> None:
    (tmp_path / "both.py").write_text(IN_AND_OUT)
    settings = shipped(
        RRR_MODE="backtest",
        RRR_CLOCK__SCALE="1",
        RRR_VENUE__SYMBOL='["BTC/USDT","ETH/USDT"]',
        RRR_STRATEGY__BOTH__FILE=str(tmp_path / "both.py"),
        RRR_STRATEGY__BOTH__BUDGET="1000",
        RRR_ENGINE__SNAPSHOT_S="604800",
    )
    files = {
        name: walk_file(tmp_path / f"{seed}.csv", 600, seed)
        for seed, name in enumerate(settings.venue.symbol)
    }
    history = History({name: read_sheet(file, Grain()) for name, file in files.items()})
    part = part_of(ROOT, settings, "both")
    found = play(settings, "backtest", part, history, Plan("both"), lambda _: None)
    assert {trip.symbol for trip in found.tally.trips} == set(files)
    assert not found.tally.denials
