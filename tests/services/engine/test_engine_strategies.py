"""The shipped strategies, and the boundary that no strategy's code can cross."""

import re
from collections.abc import Callable
from math import inf, log, nan, sqrt
from statistics import stdev
from typing import Any, ClassVar

import pytest

from schema.forecast import Forecast
from schema.orders import Fill, KillLevel
from schema.trading import CancelIntent, Decision, OrderIntent, StrategyFailed
from services.engine.shipped import strategies
from services.engine.strategy import Strategy, Target, View
from services.engine.threshold import STOP_SHARE_MAX, STOP_SHARE_MIN
from tests.services.engine.engine_desk import (
    MINUTE_NS,
    PX,
    SECOND_NS,
    SYMBOL,
    Desk,
    decisions,
    engine,
    none_ordered,
    only,
    settings,
)

HORIZON_NS = 15 * MINUTE_NS


class Broken(Strategy):
    """Does what it is told to do wrong."""

    name: ClassVar[str] = "broken"
    symbols = (SYMBOL,)

    def __init__(self, wrong: Callable[[], Any]) -> None:
        super().__init__()
        self.wrong = wrong
        self.asked = 0

    def on_forecast(self, forecast: Forecast, view: View) -> Target | None:
        self.asked += 1
        answer: Target | None = self.wrong()
        return answer


WRONG: list[Callable[[], Any]] = [
    lambda: 1 / 0,
    lambda: "buy",
    object,
    lambda: [][object()],  # type: ignore[call-overload]
    lambda: Target.enter(1.0, "why", stop=PX / 100),
    lambda: Target.enter(1.0, "why", until_ns=1 << 70),
    lambda: Target.enter(10**400, "why"),
    lambda: True,
    lambda: Target.enter(nan, "why"),
    lambda: Target.enter(inf, "why"),
    lambda: Target.enter(-1.0, "why"),
    lambda: Target.enter(1.0, "why", stop=nan),
    lambda: Target.enter(1.0, "why", until_ns=-1),
    lambda: Target.enter(1.0, "why", until_ns=1.5),  # type: ignore[arg-type]
    lambda: Target.enter("much", "why"),  # type: ignore[arg-type]
    lambda: Target.flat(None),  # type: ignore[arg-type]
    lambda: Target("sideways", "why"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_strategy_that_fails_is_latched_and_the_others_trade_on(
    wrong: Callable[[], Any],
) -> None:
    broken = Broken(wrong)
    (threshold,) = strategies(settings("threshold"))
    desk = Desk(engine(made=(broken, threshold))).open()
    said = desk.forecast(0.7)
    failed = only(said, StrategyFailed)
    assert failed.strategy == "broken"
    assert failed.detail
    assert not re.search("0x[0-9a-f]", failed.detail)  # It would be another one in a replay.
    assert only(said, OrderIntent).strategy == "threshold"
    desk.forecast(0.7)
    assert broken.asked == 1


def test_the_stop_of_a_strategy_that_fails_stays_and_comes_back() -> None:
    answers = [Target.enter(1000.0, "up", stop=PX / 100 * 0.9), None]
    broken = Broken(lambda: answers.pop(0) if len(answers) > 1 else 1 / 0)
    desk = Desk(engine(made=(broken,))).open()
    entry = only(desk.forecast(0.7), OrderIntent)
    desk.accept(entry)
    stop = only(desk.fill(entry), OrderIntent)
    desk.accept(stop)
    assert only(desk.forecast(0.7), StrategyFailed)
    again = only(desk.cancel(stop.client_order_id) + desk.pass_time(MINUTE_NS, PX), OrderIntent)
    assert (again.leg, again.qty) == ("stop", entry.qty)


def test_a_text_that_cannot_be_written_is_written_as_far_as_it_can() -> None:
    desk = Desk(engine(made=(Broken(lambda: Target.keep("no \ud800 letter")),))).open()
    assert only(desk.forecast(0.7), Decision).reason == "no ? letter"


def test_a_strategy_with_nothing_to_say_says_nothing() -> None:
    assert none_ordered(Desk(engine(made=(Broken(lambda: None),))).open().forecast(0.7))


def view(**changes: Any) -> View:
    values: dict[str, Any] = {
        "symbol": SYMBOL, "now_ns": 0, "price": 60_000.0, "position": 0.0, "average": 0.0,
        "equity": 100_000.0, "least": 5.0, "step_ns": MINUTE_NS,
        "closes": tuple(60_000.0 + (30 if n % 2 else -30) for n in range(60)),
    }  # fmt: skip
    return View(**values | changes)


def answer(probability: float, seen: View) -> Target:
    (threshold,) = strategies(settings("threshold"))
    said = Forecast(
        ts_event=7, symbol=SYMBOL, timeframe="1m", bar_open_ns=0, horizon_ns=HORIZON_NS,
        probability_up=probability, confidence=0.1,
    )  # fmt: skip
    found = threshold.on_forecast(said, seen)
    assert found is not None
    return found


def test_the_size_is_what_a_stop_may_lose_and_at_most_the_budget() -> None:
    seen = view()
    moves = [log(b) - log(a) for a, b in zip(seen.closes, seen.closes[1:], strict=False)]
    share = 4.0 * stdev(moves) * sqrt(15)
    assert STOP_SHARE_MIN < share < STOP_SHARE_MAX
    target = answer(0.6, seen)
    assert target.notional == pytest.approx(min(10_000, 200 / share))
    assert target.stop == pytest.approx(60_000 * (1 - share))
    assert target.until_ns == 7 + 60 * MINUTE_NS
    rich = answer(0.6, view(equity=1e9))
    assert rich.notional == 10_000


@pytest.mark.parametrize(("wobble", "share"), [(1, STOP_SHARE_MIN), (20_000, STOP_SHARE_MAX)])
def test_a_stop_is_never_too_near_or_too_far(wobble: int, share: float) -> None:
    closes = tuple(60_000.0 + (wobble if n % 2 else -wobble) for n in range(60))
    assert answer(0.6, view(closes=closes)).stop == pytest.approx(60_000 * (1 - share))


@pytest.mark.parametrize(
    ("probability", "position", "kind"),
    [
        (0.539, 0, "keep"),
        (0.54, 0, "enter"),
        (0.48, 1, "keep"),
        (0.479, 1, "flat"),
        (0.9, 1, "keep"),
    ],
)
def test_it_enters_and_leaves_at_two_levels(probability: float, position: int, kind: str) -> None:
    assert answer(probability, view(position=float(position))).kind == kind


def test_a_pulse_is_a_small_round_trip_on_a_timer() -> None:
    desk = Desk(engine("pulse")).open()
    said = desk.pass_time(15 * SECOND_NS, PX)
    entry = only(said, OrderIntent)
    assert decisions(said)[0].trace == entry.trace > 0
    assert 5 * 10**7 < entry.qty * entry.ref_px <= 50 * 10**7
    desk.accept(entry)
    assert none_ordered(desk.fill(entry))  # It needs no stop.
    exit_ = only(desk.pass_time(121 * SECOND_NS, PX), OrderIntent)
    assert (exit_.side, exit_.qty, exit_.leg) == ("sell", entry.qty, "exit")
    assert exit_.trace == entry.trace
    desk.accept(exit_)
    desk.fill(exit_)
    again = only(desk.pass_time(180 * SECOND_NS, PX), OrderIntent)
    assert (again.side, again.leg) == ("buy", "entry")


def test_a_pulse_tries_again_soon_while_it_may_not_buy() -> None:
    desk = Desk(engine("pulse")).open()
    desk.hear(KillLevel(ts_event=1, level="HALTED", by="me", reason="drill"))
    said = desk.pass_time(120 * SECOND_NS, PX)
    assert none_ordered(said)
    assert 1 <= len(decisions(said)) <= 3
    desk.hear(KillLevel(ts_event=1, level="ACTIVE", by="me", reason="over"))
    assert only(desk.pass_time(6 * SECOND_NS, PX), OrderIntent).leg == "entry"


def test_a_pulse_buys_enough_to_be_sold_again() -> None:
    desk = Desk(engine("pulse")).open()
    desk.hear(_costly())
    entry = only(desk.pass_time(15 * SECOND_NS, PX), OrderIntent)
    assert entry.qty * entry.ref_px > 100 * 10**7


def test_two_strategies_in_one_symbol_have_books_of_their_own() -> None:
    desk = Desk(engine("threshold", "pulse")).open()
    small = only(desk.pass_time(15 * SECOND_NS, PX), OrderIntent)
    desk.accept(small)
    desk.fill(small)
    _, stop = desk.hold()
    assert stop.strategy == "threshold"
    said = desk.pass_time(121 * SECOND_NS, PX)
    assert only(said, OrderIntent).qty == small.qty
    assert not [m for m in said if isinstance(m, CancelIntent)]
    books = desk.core.state.books.ledger.holdings
    mine = [holding.qty for key, holding in books.items() if " " in key]
    assert sum(mine) == books[SYMBOL].qty
    assert [m for m in desk.said if isinstance(m, Fill)] == []


def test_an_answer_keeps_its_notes_and_the_next_one_begins_anew() -> None:
    desk = Desk(engine()).open()
    first = only(desk.forecast(0.51), Decision)
    assert dict(first.notes) == {
        "probability": "0.51", "source": "baseline", "price": "60000", "enter": "0.54",
        "volatility": dict(first.notes)["volatility"],
    }  # fmt: skip
    assert float(dict(first.notes)["volatility"]) > 0


def _costly() -> Any:
    from tests.services.engine.engine_desk import instrument  # noqa: PLC0415 - one use

    return instrument(min_notional=100 * 10**7)
