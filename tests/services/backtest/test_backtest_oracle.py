"""Runs whose outcome is known: counted here by a bare loop, or published by others."""

import csv
import json
from decimal import Decimal
from math import isclose
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schema.house import RunTrade
from services.backtest.figures import Outcome
from services.backtest.plan import Plan, house_of
from services.backtest.record import Record
from services.backtest.running import run
from tests.services.backtest.recorded import walk_file

DATA = Path(__file__).parents[3] / ".." / "shared" / "data"
PERPETUAL = DATA / "quant" / "crypto" / "btc-perp-20211231-20220201_1m.csv"
SHARES = DATA / "backtestingpy" / "GOOG.csv"
PUBLISHED = DATA / "oracle_backtest"
CENT = 100
FEE_SHARE = 1000


def recorded(strategy: str, file: Path, bars: int = 0, **changes: str) -> Record:
    plan = Plan(strategy, files=(file,), bars=bars)
    dotted = {name.replace("__", "."): text for name, text in changes.items()}
    return run(house_of({}, plan, dotted), plan, lambda _: None)


def ran(strategy: str, file: Path, bars: int = 0, **changes: str) -> Outcome:
    return recorded(strategy, file, bars, **changes).outcome


def crossed(file: Path, bars: int) -> tuple[int, str]:
    """Return orders and quote money of the cross of two exponential means, by a bare loop."""
    with file.open() as lines:
        rows = [row[1:5] for row in list(csv.reader(lines))[1 : bars + 1]]
    cash, side, orders, fast, slow = 10_000_000 * 10**8, 0, 0, 0.0, 0.0
    for number, row in enumerate(rows, 1):
        open_, high, low, close = (int(Decimal(text) * CENT) for text in row)
        px = close / CENT
        fast = px if number == 1 else fast + (px - fast) * 2 / 11
        slow = px if number == 1 else slow + (px - slow) * 2 / 21
        wanted = 1 if fast >= slow else -1
        if number < 20 or open_ == high == low == close or wanted == side:
            continue
        for way in (-side, wanted) if side else (wanted,):
            cash, orders = _paid(cash, way, close), orders + 1
        side = wanted
    if side:
        cash, orders = _paid(cash, -side, close), orders + 1
    return orders, f"{Decimal(cash).scaleb(-8):.8f}"


def _paid(cash: int, way: int, close: int) -> int:
    money = close * 10**4  # a hundredth of a coin
    return cash - way * money - money // FEE_SHARE


def test_the_books_of_a_walk_are_those_of_a_bare_loop(tmp_path: Path) -> None:
    file = walk_file(tmp_path / "walk.csv", 700, seed=5)
    found = ran("ema_cross_oracle", file)
    orders, quote = crossed(file, 700)
    assert orders > 40
    assert (found.orders, found.quote, found.base) == (orders, quote, "10.00000000")
    assert (found.open_trades, found.denied, found.failures) == (0, 0, [])


def test_a_market_of_cheap_coins_is_traded_to_the_last_order(tmp_path: Path) -> None:
    header, *rows = walk_file(tmp_path / "walk.csv", 300, seed=5).read_text().splitlines()
    cheap = tmp_path / "cheap.csv"
    cells = [row.split(",") for row in rows]
    lines = [
        ",".join([at, *(f"{float(px) / 500:.2f}" for px in pxs), "9"]) for at, *pxs, _ in cells
    ]
    cheap.write_text("\n".join([header, *lines, ""]))
    found = ran("ema_cross_oracle", cheap)
    assert (found.orders, found.quote) == crossed(cheap, 300)
    assert found.orders > 10


def test_a_file_that_tells_no_symbol_is_of_what_the_house_hears_first(tmp_path: Path) -> None:
    for name, symbol in (
        ("some bars", "BTC/USDT"),
        ("bars", "BTC/USDT"),
        ("ETH_USDT-1m", "ETH/USDT"),
    ):
        file = walk_file(tmp_path / f"{name}.csv", 60)
        assert ran("pulse", file).symbols == (symbol,)


def test_a_file_without_a_symbol_is_of_what_the_account_trades(tmp_path: Path) -> None:
    file = walk_file(tmp_path / "some bars.csv", 60)
    assert ran("ema_cross_oracle", file, 50).symbols == ("BTC/USDT",)


def test_a_parameter_and_a_setting_make_another_run(tmp_path: Path) -> None:
    file = walk_file(tmp_path / "walk.csv", 120)
    first, again = (ran("ema_cross_oracle", file) for _ in range(2))
    slower = ran("ema_cross_oracle", file, fast="19")
    dearer = ran("ema_cross_oracle", file, venue__taker_bps="20")
    shorter = ran("ema_cross_oracle", file, 100)
    assert msgspec.json.encode(again) == msgspec.json.encode(first)
    assert len({one.run_id for one in (first, slower, dearer, shorter)}) == 4
    assert slower.params["fast"] == 19
    assert Decimal(dearer.quote) < Decimal(first.quote)
    assert shorter.bars == 100


@pytest.mark.skipif(not PERPETUAL.exists(), reason="the recorded bars are not here")
def test_ten_thousand_minutes_come_to_the_published_cash() -> None:
    found = ran("ema_cross_oracle", PERPETUAL, 10_000)
    assert (found.orders, found.quote) == (902, "9999549.43133000")
    assert found.base == "10.00000000"
    assert found.denied == 0


@pytest.mark.skipif(not SHARES.exists(), reason="the recorded bars are not here")
def test_every_published_trade_of_the_plain_cross_is_made() -> None:
    found = recorded("sma_cross", SHARES)
    with (PUBLISHED / "trades_GOOG_commission0.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert len(found.trades) == len(rows) == 66
    for trade, row in zip(found.trades, rows, strict=True):
        assert told(trade) == pytest.approx(published(row), abs=1e-6), row
    assert isclose(found.outcome.equity_final, 51422.98999999996, abs_tol=1e-8)


@pytest.mark.skipif(not SHARES.exists(), reason="the recorded bars are not here")
def test_the_equity_of_every_day_is_the_published_one() -> None:
    text = (PUBLISHED / "GOOG_commission0_stats.json").read_text()
    wanted = json.loads(text)["published_in_repo_test"]["values"]
    found = ran("sma_cross", SHARES).statistics
    for name, value in wanted.items():
        assert isclose(float(found[name]), value, rel_tol=1e-8, abs_tol=1e-8), name


@pytest.mark.skipif(not SHARES.exists(), reason="the recorded bars are not here")
def test_a_commission_is_paid_as_others_count_it() -> None:
    found = ran(
        "sma_cross",
        SHARES,
        venue__taker_bps="20",
        venue__maker_bps="20",
        engine__cash_reserve_bps="20",
    )
    assert found.trades == 66
    assert isclose(found.equity_final, 39280.73681999998, abs_tol=1e-8)


def told(trade: RunTrade) -> tuple[float, ...]:
    sign = 1 if trade.side == "long" else -1
    qty = sign * trade.qty / 10.0**trade.qty_exp
    places = (trade.opened_bar, trade.closed_bar)
    return (*places, qty, trade.entry_px, trade.exit_px, trade.gain / 10.0**8)


def published(row: dict[str, Any]) -> tuple[float, ...]:
    names = ("EntryBar", "ExitBar", "Size", "EntryPrice", "ExitPrice", "PnL")
    return tuple(float(row[name]) for name in names)
