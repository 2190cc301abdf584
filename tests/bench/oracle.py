"""How many bars a second the shipped cores trade, against a bare loop over the same bars."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bus.clock import SystemClock
from schema.ledger import decimals
from schema.units import SECOND_NS, to_text
from services.backtest.columns import Columns
from services.backtest.plan import Plan, grain_of, house_of, opened
from services.backtest.running import part_of, play
from tests.bench.figure import Figure
from tests.services.backtest.recorded import walk_file

BARS = 10_000
ROUNDS = 3
STRATEGY = "ema_cross_oracle"
SEED = 21
EXP = 8
OPENING = 10_000_000 * 10**EXP
FEE_SHARE = 1000

_clock = SystemClock()


def measure() -> Iterator[Figure]:
    """Measure the oracle's workload: an order at every cross, its cash exact to the last digit."""
    with TemporaryDirectory() as made:
        file = walk_file(Path(made) / "walk.csv", BARS, SEED)
        plan = Plan(STRATEGY, files=(file,))
        house = house_of({}, plan, {})
        part = part_of(house.root, house.settings, STRATEGY)
        history = opened(plan, grain_of(part.own), house.settings.venue.symbol)
    (columns,) = history.base.values()
    cash, orders = crossed(columns)

    def traded() -> None:
        found = play(house.settings, house.world, part, history, plan, lambda _: None)
        assert found.tally.orders == orders
        assert decimals(found.tally.ledger)["USDT"] == to_text(cash, EXP)

    ours, raw = _bars_a_second(traded), _bars_a_second(lambda: crossed(columns))
    yield Figure("core.oracle", ours, raw, "bars/s")


def crossed(columns: Columns) -> tuple[int, int]:
    """Return cash and orders of the cross of two exponential means, by a bare loop."""
    unit, cash, side, orders, fast, slow, close = 10.0**columns.px_exp, OPENING, 0, 0, 0.0, 0.0, 0
    rows = zip(*columns.part(0, len(columns)), strict=True)
    for number, (_, open_, high, low, close, *_) in enumerate(rows, 1):
        px = close / unit
        fast = px if number == 1 else fast + (px - fast) * 2 / 11
        slow = px if number == 1 else slow + (px - slow) * 2 / 21
        wanted = 1 if fast >= slow else -1
        if number < 20 or open_ == high == low == close or wanted == side:
            continue
        for way in (-side, wanted) if side else (wanted,):
            cash, orders = _paid(cash, way, close, columns.px_exp), orders + 1
        side = wanted
    return _paid(cash, -side, close, columns.px_exp), orders + 1


def _paid(cash: int, way: int, close: int, px_exp: int) -> int:
    money = close * int(10 ** (EXP - 2 - px_exp))  # a hundredth of a coin
    return cash - way * money - money // FEE_SHARE


def _bars_a_second(work: Callable[[], object]) -> float:
    return BARS * SECOND_NS / min(_timed_ns(work) for _ in range(ROUNDS))


def _timed_ns(work: Callable[[], object]) -> int:
    begun_ns = _clock.mono_ns()
    work()
    return _clock.mono_ns() - begun_ns
