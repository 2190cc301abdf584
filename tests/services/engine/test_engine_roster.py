"""Who is asked, of what and when; and that nothing of it is remembered outside of the books."""

from typing import Any

import msgspec
import pytest

from schema.house import Started
from schema.orders import OrderRejected
from schema.strategy import StrategiesOffered
from schema.trading import Decision, OrderIntent, StrategyFailed
from tests.services.engine.engine_desk import Desk, decisions, none_ordered, only, restarted
from tests.services.engine.engine_made import (
    MINUTE_NS,
    PX,
    SECOND_NS,
    START_NS,
    SYMBOL,
    Made,
    bar,
    engine,
    instrument,
    money,
    quote,
    told,
    written,
)

TELLS = """
class Tells(Strategy):
    every_s = 7

    class State(State):
        heard: list[str] = []

    def on_forecast(self, forecast, view):
        return Target.weight(0.5, stop=view.price * 0.9, why="up")

    def on_fill(self, fill, view):
        self.state.heard.append(
            f"{fill.leg} {fill.side} {fill.qty} {fill.price} {fill.fee} {view.position}"
        )

    def on_denied(self, denial, view):
        self.state.heard.append(f"{denial.leg} {denial.code} {denial.detail}")

    def on_timer(self, now, view):
        return Target.keep(f"timer {'x' * (now // 7_000_000_000 % 2)}")
"""

WARM = """
class Warm(Strategy):
    warmup, also = 5, {"5m": 2, "ETH/USDT 1m": 3}

    def on_bar(self, bar, view):
        sizes = len(view.close), len(view["5m"].close), len(view["ETH/USDT 1m"].close)
        self.note(sizes=sizes, shown=len(view), newest=view.close[-1], closed=bar.close)
        return Target.keep("x" * (int(bar.close) % 7))
"""


def heard(desk: Desk, name: str = "tells") -> list[str]:
    packed = desk.core.state.books.memory[f"{name} {SYMBOL}"]
    found: list[str] = msgspec.msgpack.decode(packed)["heard"]
    return found


def timers(desk: Desk, ns: int) -> list[int]:
    return [int(d.moment.split()[1]) for d in decisions(desk.pass_time(ns)) if "timer" in d.moment]


def made() -> Made:
    return engine(made=(written("tells", TELLS),))


def test_a_fill_is_told_with_what_it_was_and_once() -> None:
    desk = Desk(made()).open()
    entry = only(desk.forecast(0.5), OrderIntent)
    desk.accept(entry)
    fill = desk.filling(entry, px=PX + 5, fee=entry.qty)
    (stop,) = [m for m in desk.hear(fill) if isinstance(m, OrderIntent)]
    held = (entry.qty * 999) / 10**8
    assert heard(desk) == [f"entry buy {entry.qty / 10**5} 60000.05 0.0 {held}"]
    desk.hear(fill)
    assert len(heard(desk)) == 1
    desk.accept(stop)
    desk.fill(stop, px=stop.stop_px, fee=123)
    assert heard(desk)[1] == f"stop sell {stop.qty / 10**5} 54000.0 {123 / 10**8} 0.0"


@pytest.mark.parametrize("kind", ["denied", "rejected"])
def test_a_denial_is_told_with_its_reason_and_leaves_the_slot_flat(kind: str) -> None:
    desk = Desk(made()).open()
    entry = only(desk.forecast(0.5), OrderIntent)
    for _ in range(2):
        if kind == "denied":
            assert none_ordered(desk.deny(entry.client_order_id, "MAX_POSITION_EXCEEDED"))
        else:
            desk.tell(OrderRejected, entry.client_order_id, code="MAX_POSITION_EXCEEDED")
    assert heard(desk) == ["entry MAX_POSITION_EXCEEDED "]
    assert desk.slot("tells").qty == 0


def test_an_order_that_goes_on_is_no_denial() -> None:
    desk = Desk(made()).open()
    entry = only(desk.forecast(0.5), OrderIntent)
    desk.accept(entry)
    desk.deny(entry.client_order_id, "DUPLICATE_ORDER")
    assert f"tells {SYMBOL}" not in desk.core.state.books.memory


def test_timers_come_at_whole_multiples_whatever_happens() -> None:
    desk = Desk(made()).open()
    every_ns = 7 * SECOND_NS

    def told_ns() -> int:
        (at_ns, *_) = timers(desk, 2 * every_ns)
        assert at_ns % every_ns == 0
        return at_ns

    before_ns = told_ns()
    desk.core = restarted(desk.core, made())
    desk.hear(Started(epoch=2, grade="exact"), StrategiesOffered(offers=desk.offers))
    assert told_ns() > before_ns
    desk.wakes.clear()
    desk.core.forget()  # As a folded recovery does.
    desk.lists(SYMBOL, 10)
    desk.hear(quote(desk.now_ns))
    desk.hear(Started(epoch=3, grade="folded"), StrategiesOffered(offers=desk.offers))
    assert told_ns() > before_ns
    faster = written("tells", TELLS.replace("every_s = 7", "every_s = 35"))
    assert desk.command("offer", msgspec.json.encode(faster).decode(), "slower").ok
    assert [at_ns % (35 * SECOND_NS) for at_ns in timers(desk, 71 * SECOND_NS)][-1:] == [0]
    broken = written("tells", TELLS.replace("return Target.keep", "raise KeyError"))
    assert desk.command("offer", msgspec.json.encode(broken).decode(), "worse").ok
    assert only(desk.pass_time(8 * SECOND_NS), StrategyFailed)
    assert timers(desk, MINUTE_NS) == []
    assert desk.command("offer", msgspec.json.encode(desk.offers[0]).decode(), "mended").ok
    assert desk.command("resume", "tells", "mended").ok
    assert told_ns() > before_ns


def test_a_timer_that_is_no_more_asks_nobody() -> None:
    desk = Desk(made()).open()
    still = written("tells", TELLS.replace("def on_timer", "def later"))
    assert desk.command("offer", msgspec.json.encode(still).decode(), "no timer").ok
    assert timers(desk, MINUTE_NS) == []
    assert "strategy tells" not in desk.wakes


def test_nothing_is_asked_before_all_bars_are_there() -> None:
    symbols = (SYMBOL, "ETH/USDT")
    desk = Desk(engine(made=(written("warm", WARM),), symbols=symbols)).open(bars=1)
    whys = [d.reason for _ in range(4) for d in decisions(desk.bar())]
    assert whys == [f"it warms up: 2 of 5 bars of {SYMBOL} 1m"]  # The next ones sound alike.
    assert decisions(desk.bar()) == []
    for n in (3, 2):
        fives = bar(START_NS - n * 5 * MINUTE_NS)
        desk.hear(msgspec.structs.replace(fives, timeframe="5m"))
    assert only(desk.bar(), Decision).reason == "it warms up: 1 of 3 bars of ETH/USDT 1m"
    for n in (2, 1):
        desk.hear(bar(desk.now_ns - n * MINUTE_NS, symbol=symbols[1]))
    for close in (PX, PX + 100, PX + 200):
        notes = dict(only(desk.bar(close), Decision).notes)
        assert (notes["sizes"], notes["shown"]) == ("(5, 2, 3)", "5")
        assert notes["newest"] == notes["closed"] == f"{close / 100:.6g}"


def test_dust_is_no_position_and_keeps_nobody_from_entering() -> None:
    desk = Desk(engine(made=(told(),))).open()
    entry = only(desk.wants("weight 0.5"), OrderIntent)
    desk.accept(entry)
    desk.fill(entry, fee=entry.qty)  # It has three decimals more than a lot.
    desk.take(desk.wants("flat"))
    rest = desk.held("told")
    assert 0 < rest < 1
    again = desk.wants("weight 0.5")
    assert dict(only(again, Decision).notes)["position"] == "0"
    assert only(again, OrderIntent).leg == "entry"


def test_position_average_and_equity_are_exact() -> None:
    desk = Desk(engine(made=(told(),))).open()
    entry = only(desk.wants("qty 0.1"), OrderIntent)
    desk.accept(entry)
    desk.fill(entry, 4_000, px=5_900_000)
    desk.fill(entry, 6_000, px=6_100_000)
    shown = dict(only(desk.wants("keep", 6_200_000), Decision).notes)
    assert shown == {"position": "0.1", "average": "60200", "equity": "10180"}
    (exit_,) = [m for m in desk.wants("flat", 6_200_000) if isinstance(m, OrderIntent)]
    desk.accept(exit_)
    desk.fill(exit_, px=6_200_000, fee=500 * 10**8)
    shown = dict(only(desk.wants("keep why=again"), Decision).notes)
    assert shown == {"position": "0", "average": "0", "equity": "9680"}


def test_a_restart_from_a_snapshot_makes_the_same_instances() -> None:
    desk, other = (Desk(engine(made=(told(), told("two")))).open() for _ in range(2))
    wishes = ["told:weight 0.3 stop=59000|two:qty 0.01", "told:keep|two:qty 0.02", "two:flat"]
    for wish in wishes:
        other.core = restarted(other.core, engine(made=()))
        assert other.take(other.wants(wish)) == desk.take(desk.wants(wish))
        other.core = restarted(other.core, engine(made=()))
    assert other.core.state == desk.core.state


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"files": ()}, "no source was offered"),
        ({"digest": "another"}, "its source is another than the one that was offered"),
    ],
)
def test_a_class_that_loads_no_more_is_told_and_stops_nothing_else(
    changes: dict[str, Any], why: str
) -> None:
    desk = Desk(engine(made=(told(), told("two")))).open()
    books = desk.core.state.books
    books.loaded["told"] = msgspec.structs.replace(books.loaded["told"], **changes)
    desk.core = restarted(desk.core, engine(made=()))
    assert only(desk.wants("told:weight 1|two:weight 0.5"), OrderIntent).strategy == "two"
    rows = msgspec.json.decode(desk.command("strategies").body)
    assert why in rows[0]["trouble"]
    assert [(row["name"], bool(row["trouble"])) for row in rows] == [("told", True), ("two", False)]


ONCE = """
class Once(Strategy):
    class State(State):
        n: int = 0

    def __init__(self, params, state):
        super().__init__(params, state)
        if state.n > 1:
            raise ZeroDivisionError

    @property
    def every_s(self):
        return 5 // (2 - self.state.n)

    def on_bar(self, bar, view):
        self.state.n += 1

    def on_timer(self, now, view):
        pass
"""


def test_an_instance_that_cannot_be_made_again_is_told_and_stops_nothing_else() -> None:
    desk = Desk(engine(made=(written("once", ONCE), told()))).open()
    for _ in range(2):
        desk.bar()
    desk.core = restarted(desk.core, engine(made=()))
    assert only(desk.wants("weight 0.5"), OrderIntent)
    row = msgspec.json.decode(desk.command("strategies").body)[0]
    assert "ZeroDivisionError" in row["trouble"]


def test_without_a_price_nobody_is_asked() -> None:
    made = engine(made=(told(),))
    desk = Desk(made)
    desk.hear(Started(epoch=1, grade="fresh"), StrategiesOffered(offers=made.offers))
    desk.hear(instrument(), money(desk.now_ns, 1_000))
    desk.now_ns += MINUTE_NS
    open_ns = desk.now_ns - MINUTE_NS
    desk.hear(msgspec.structs.replace(bar(open_ns), close=0))
    assert desk.core.state.books.memory == {}
