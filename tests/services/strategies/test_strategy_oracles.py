"""The two oracles: what they decide, bar by bar, against figures that others published."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from strategies.ema_cross_oracle import EmaCrossOracle
from strategies.sma_cross import SmaCross
from tests.services.strategies.desk import Desk

SHARED = Path(__file__).parents[3] / ".." / "shared" / "data"
PERP = SHARED / "quant" / "crypto" / "btc-perp-20211231-20220201_1m.csv"
GOOG = SHARED / "backtestingpy" / "GOOG.csv"
TRADES = SHARED / "oracle_backtest" / "trades_GOOG_commission0.csv"
BARS = 10_000

here = pytest.mark.skipif(not PERP.exists() or not GOOG.exists(), reason="../shared/data: absent")


class Cash:
    """An account that fills whole targets at a price, and pays a thousandth of each order."""

    def __init__(self) -> None:
        self.base, self.quote = Decimal(10), Decimal(10_000_000)
        self.position = Decimal(0)
        self.orders = 0

    def reach(self, wanted: Decimal, price: Decimal) -> None:
        """Trade until the position is the wanted one: a reversal is two orders."""
        if self.position and wanted != self.position:
            self._order(-self.position, price)
        if wanted != self.position:
            self._order(wanted, price)

    def _order(self, qty: Decimal, price: Decimal) -> None:
        fee = (abs(qty) * price * Decimal("0.001")).quantize(Decimal("1e-8"))
        self.base += qty
        self.quote -= qty * price + fee
        self.position += qty
        self.orders += 1


def rows(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.reader(lines))[1:]


def played(desk: Desk, file: Path, bars: int) -> Cash:
    cash, last = Cash(), Decimal(0)
    for _, opened, high, low, close, _ in rows(file)[:bars]:
        target = desk.bar(float(close), float(low), float(high), float(opened))
        last = Decimal(close).quantize(Decimal("0.01"))
        if target is not None:
            cash.reach(Decimal(str(target.size)), last)
    cash.reach(Decimal(0), last)
    return cash


@here
def test_the_orders_and_the_cash_are_those_of_the_published_account() -> None:
    cash = played(Desk(EmaCrossOracle()), PERP, BARS)
    assert cash.orders == 902
    assert cash.quote == Decimal("9999549.43133000")
    assert cash.base == 10


@here
def test_its_crosses_are_the_trades_that_were_published() -> None:
    desk, crosses = Desk(SmaCross()), []
    for index, (_, opened, high, low, close, _) in enumerate(rows(GOOG)):
        target = desk.bar(float(close), float(low), float(high), float(opened))
        if target is not None:
            crosses.append((index + 1, target.size))
    published = [(int(entry), 1.0 if int(size) > 0 else -1.0) for size, entry, *_ in rows(TRADES)]
    assert len(published) == 66
    assert crosses == published


def test_the_exponential_cross_acts_from_its_twentieth_bar() -> None:
    answers = Desk(EmaCrossOracle()).bars([100.0 + n for n in range(25)])
    assert answers[:19] == [None] * 19
    assert [a.size for a in answers[19:] if a] == [0.01] * 6


def test_a_bar_with_a_single_price_is_skipped_and_followed() -> None:
    desk = Desk(EmaCrossOracle())
    desk.bars([100.0 + n for n in range(25)])
    before = desk.view().ema(10)
    assert desk.bar(90.0, 90.0, 90.0, 90.0) is None
    assert desk.view().ema(10) == before + (90.0 - before) * (2 / 11)


def test_means_that_are_equal_are_long() -> None:
    desk = Desk(EmaCrossOracle())
    target = [desk.bar(100.0, low=99.0) for _ in range(20)][-1]
    assert target is not None
    assert (target.size, target.why) == (0.01, "fast_above")


def test_a_plain_cross_turns_once_and_is_quiet_between() -> None:
    falls = [100.0 - n for n in range(40)]
    answers = Desk(SmaCross()).bars([*falls, *(60.0 + n for n in range(40)), *falls])
    assert [a.size for a in answers if a] == [1.0, -1.0]
