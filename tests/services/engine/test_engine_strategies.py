"""Several strategies in one engine, and the boundary that no strategy's code can cross."""

import re

import pytest

from schema.head import Message
from schema.strategy import Offer, StrategyFell, StrategyState
from schema.trading import CancelIntent, Decision, OrderIntent, StrategyFailed
from services.engine.boundary import Overran
from tests.services.engine.engine_desk import Desk, decisions, none_ordered, only, restarted
from tests.services.engine.engine_made import (
    BROKEN,
    COUNTS,
    MINUTE_NS,
    PX,
    SECOND_NS,
    SYMBOL,
    Nervous,
    bar,
    engine,
    instrument,
    quote,
    told,
    written,
)

FAULTS = [
    ("raise ValueError('no')", "it raised", "ValueError: no (strategies/broken.py:15)"),
    ("return [][object()]", "it raised", "TypeError"),
    ("sys.exit(0)", "it raised", "SystemExit: 0"),
    ("return 'buy'", "it returned no target", "found str"),
    ("return True", "it returned no target", "found bool"),
    ("return object()", "it returned no target", "found object"),
    ("return Target.weight(math.nan)", "it returned nonsense", "size: expected a finite number"),
    ("return Target.weight(2.0)", "it returned nonsense", "a weight from -1 to 1"),
    ("return Target.weight(0.1, stop=math.nan)", "it returned nonsense", "stop: expected"),
    ("return Target.weight(0.1, expires=1 << 70)", "it returned nonsense", "expires: expected"),
    ("return Target('sideways')", "it returned nonsense", "kind: expected"),
    ("self.state.best = object()", "it raised", "the state cannot be remembered"),
    ("self.state.best = 'high'", "it raised", "the state cannot be remembered"),
    ("self.best = 1", "it raised", "Broken.best cannot be set"),
]


def three(fault: str = "pass", **changes: object) -> tuple[Offer, ...]:
    broken = written("broken", BROKEN.format(fault=fault), **changes)
    return written("first", COUNTS), broken, written("last", COUNTS)


def spoken(said: list[Message]) -> list[str]:
    return [m.strategy for m in said if isinstance(m, StrategyState)]


def hold(desk: Desk) -> tuple[OrderIntent, OrderIntent]:
    """Let `broken` enter at its first bar; return its entry and its stop."""
    entry = only(desk.bar(), OrderIntent)
    desk.accept(entry)
    stop = only(desk.fill(entry), OrderIntent)
    desk.accept(stop)
    desk.bar()
    return entry, stop


@pytest.mark.parametrize(("fault", "reason", "detail"), FAULTS, ids=[one[0] for one in FAULTS])
def test_a_strategy_that_fails_is_latched_and_the_others_hear_the_same_bar(
    fault: str, reason: str, detail: str
) -> None:
    desk = Desk(engine(made=three(fault))).open()
    _, stop = hold(desk)
    said = desk.bar()
    failed = only(said, StrategyFailed)
    assert (failed.strategy, failed.reason) == ("broken", reason)
    assert detail in failed.detail
    assert not re.search("0x[0-9a-f]", failed.detail)  # It would be another one in a replay.
    assert spoken(said) == ["first", "last"]
    assert [(d.strategy, d.reason) for d in decisions(said)] == []  # They say the same as before.
    assert spoken(desk.bar()) == ["first", "last"]
    again = only(desk.cancel(stop.client_order_id) + desk.pass_time(MINUTE_NS, PX), OrderIntent)
    assert (again.leg, again.qty, again.stop_px) == ("stop", stop.qty, stop.stop_px)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Overran("a call may use 50 ms"), "it took too long"),
        (MemoryError(), "it wanted too much memory"),
    ],
)
def test_a_call_that_takes_too_much_is_a_failure_too(error: BaseException, reason: str) -> None:
    desk = Desk(engine(made=three(), guard=Nervous(error, 3))).open()
    hold(desk)
    said = desk.bar()
    assert only(said, StrategyFailed).reason == reason
    assert spoken(said) == ["first", "last"]
    (fell,) = desk.noticed
    assert isinstance(fell, StrategyFell)
    assert (fell.strategy, fell.symbol, fell.reason) == ("broken", SYMBOL, reason)


def test_what_happened_is_noticed_before_the_failure_is_said() -> None:
    desk = Desk(engine(made=three("raise ValueError"))).open()
    hold(desk)
    open_ns = desk.now_ns // MINUTE_NS * MINUTE_NS
    desk.pass_time(MINUTE_NS)
    kinds = [type(out) for out in desk.core.handle(bar(open_ns), desk.now_ns)]
    assert kinds.index(StrategyFell) + 1 == kinds.index(StrategyFailed)


def test_a_turn_that_is_run_again_does_not_call_what_fell() -> None:
    desk = Desk(engine(made=three())).open()
    hold(desk)
    open_ns = desk.now_ns // MINUTE_NS * MINUTE_NS
    fell = StrategyFell(
        strategy="broken", symbol=SYMBOL, moment=f"bar 1m {open_ns}", reason="it took too long",
        detail="long ago",
    )  # fmt: skip
    desk.pass_time(MINUTE_NS)
    said = desk.hear(fell, bar(open_ns))
    assert only(said, StrategyFailed).detail == "long ago"
    assert spoken(said) == ["first", "last"]
    assert desk.core.state.windows.fell == {}


def test_the_entry_of_a_strategy_that_fails_is_cancelled() -> None:
    waiting = BROKEN.format(fault="raise ValueError").replace("stop=", "limit=")
    desk = Desk(engine(made=(written("broken", waiting),))).open()
    entry = only(desk.bar(), OrderIntent)
    desk.accept(entry)
    desk.bar()
    assert only(desk.bar(), StrategyFailed)
    said = desk.hear(quote(desk.now_ns))
    assert only(said, CancelIntent).client_order_id == entry.client_order_id
    assert none_ordered(desk.cancel(entry.client_order_id))
    assert desk.slot("broken").qty == 0


def test_resumed_it_begins_with_what_it_said_last() -> None:
    desk = Desk(engine(made=three("raise ValueError"))).open()
    hold(desk)
    desk.bar()
    assert desk.command("resume", "broken", "try again").ok
    said = desk.bar()  # Its third bar again: of the one that failed nothing is remembered.
    assert only(said, StrategyFailed).strategy == "broken"
    desk.core = restarted(desk.core, engine(made=three("raise ValueError")))
    assert desk.command("resume", "broken", "try again").ok
    assert only(desk.bar(), StrategyFailed)


def test_a_strategy_that_fails_for_one_symbol_is_asked_for_none() -> None:
    both = (SYMBOL, "ETH/USDT")
    offers = three("raise ValueError", symbols=both)
    desk = Desk(engine(made=offers, symbols=both)).open()
    hold(desk)
    desk.bar()
    desk.pass_time(SECOND_NS)
    assert desk.hear(bar(desk.now_ns // MINUTE_NS * MINUTE_NS - MINUTE_NS, symbol=both[1])) == []


def test_a_timer_that_fails_for_one_symbol_is_not_told_to_the_next() -> None:
    late = """
        class Late(Strategy):
            every_s = 5

            def on_timer(self, now, view):
                raise ValueError(view.symbol)
    """
    both = (SYMBOL, "ETH/USDT")
    desk = Desk(engine(made=(written("late", late, symbols=both), told()), symbols=both)).open()
    assert [m.detail[:20] for m in desk.said if isinstance(m, StrategyFailed)] == [
        "ValueError: BTC/USDT"
    ]
    assert len(desk.noticed) == 1


def test_a_text_that_cannot_be_written_is_written_as_far_as_it_can() -> None:
    mute = COUNTS.replace('f"seen {self.state.bars}"', '"no \\ud800 letter"')
    desk = Desk(engine(made=(written("mute", mute),))).open()
    assert only(desk.bar(), Decision).reason == "no ? letter"


def test_a_strategy_with_nothing_to_say_says_nothing() -> None:
    silent = written("silent", "class S(Strategy):\n    def on_bar(self, bar, view): pass\n")
    assert Desk(engine(made=(silent,))).open().bar() == []


@pytest.mark.parametrize(
    ("noted", "why"),
    [
        ("{f'n{number}': number for number in range(500)}", "500 notes beside one answer"),
        (r"{'\ud800 \u20ac': 1, type('Own', (str,), {})('own'): 2, 'k' * 2_000_000: 3}", ""),
    ],
)
def test_notes_of_any_name_and_number_travel_or_fail_in_the_call(noted: str, why: str) -> None:
    text = f"""
        class Noisy(Strategy):
            def on_bar(self, bar, view):
                self.note(**{noted})
                return Target.keep("noisy")
    """
    said = Desk(engine(made=(written("noisy", text),))).open().bar()
    if why:
        assert why in only(said, StrategyFailed).detail
    else:
        assert [name for name, _ in only(said, Decision).notes] == ["? \u20ac", "own", "k" * 300]


def test_notes_stand_beside_one_answer_and_the_next_begins_anew() -> None:
    desk = Desk(engine(made=(told(),))).open()
    first = only(desk.wants("keep why=one"), Decision)
    assert [name for name, _ in first.notes] == ["position", "equity", "average"]
    assert dict(first.notes)["equity"] == "10000"
    noisy = """
        class Noisy(Strategy):
            class State(State):
                n: int = 0

            def on_bar(self, bar, view):
                self.state.n += 1
                self.note(**{f"n{self.state.n}": self.state.n})
                return Target.keep("abc"[self.state.n % 3])
    """
    desk = Desk(engine(made=(written("noisy", noisy),))).open()
    assert [only(desk.bar(), Decision).notes for _ in range(3)] == [
        ((f"n{n}", str(n)),) for n in (1, 2, 3)
    ]


def test_state_is_said_when_it_changed_and_not_else() -> None:
    desk = Desk(engine(made=(told(), told("other")))).open()
    assert spoken(desk.wants("keep")) == ["told"]
    assert spoken(desk.wants("nobody:keep")) == []
    assert spoken(desk.wants("told:keep|other:keep")) == ["told", "other"]
    memory = desk.core.state.books.memory
    assert memory[f"told {SYMBOL}"] != memory[f"other {SYMBOL}"]


def test_a_pulse_is_a_small_round_trip_on_a_timer() -> None:
    desk = Desk(engine("pulse")).open()
    said = desk.pass_time(4 * SECOND_NS, PX)
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
    again = only(desk.pass_time(190 * SECOND_NS, PX), OrderIntent)
    assert (again.side, again.leg) == ("buy", "entry")


def test_a_pulse_buys_enough_to_be_sold_again() -> None:
    desk = Desk(engine("pulse")).open()
    desk.hear(instrument(min_notional=100 * 10**7))
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
    assert desk.held("threshold") + desk.held("pulse") == desk.held()
