"""Which strategies run: what the settings offer at a start, and what a person offers later."""

from typing import Any

import msgspec
import pytest

from schema.house import CommandDone
from schema.strategy import (
    Offer,
    StrategiesOffered,
    StrategyFell,
    StrategyLoaded,
    StrategyRetired,
    StrategyState,
)
from schema.trading import CancelIntent, Decision, OrderIntent, StrategyFailed
from services.engine.boundary import Bare, Overran
from services.engine.bundle import digest_of
from tests.services.engine.engine_desk import Desk, decisions, none_ordered, only, restarted
from tests.services.engine.engine_made import (
    PX,
    SYMBOL,
    TOLD,
    TTL_NS,
    engine,
    told,
    written,
)

SAME = {"params": {"me": "told"}}


def offered(desk: Desk, offer: Offer, why: str = "try it") -> CommandDone:
    return desk.command("offer", msgspec.json.encode(offer).decode(), why)


def start(desk: Desk, *offers: Offer, deaths: tuple[tuple[str, int], ...] = ()) -> list[Any]:
    return desk.hear(StrategiesOffered(offers=offers, deaths=deaths))


def rows(desk: Desk) -> dict[str, dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.json.decode(desk.command("strategies").body)
    return {str(row["name"]): row for row in found}


def changed(old: str, new: str, **changes: Any) -> Offer:
    assert TOLD.count(old)
    return written("told", TOLD.replace(old, new), **SAME | changes)


BAD = changed("return None", "return None +")


def test_at_a_start_what_is_new_is_loaded_and_what_is_the_same_is_not_said() -> None:
    desk = Desk(engine(made=(told(), told("two")))).open()
    loaded = [m for m in desk.said if isinstance(m, StrategyLoaded)]
    assert [(m.strategy, m.by) for m in loaded] == [("told", "settings"), ("two", "settings")]
    assert loaded[0].offer == told()
    assert start(desk, told(), told("two")) == []
    (again,) = start(desk, told(), told("two", budget=5.0))
    assert (again.strategy, again.offer.budget) == ("two", 5.0)
    assert list(desk.core.state.books.loaded) == ["told", "two"]


def test_what_the_settings_name_no_more_is_retired_and_stays_protected() -> None:
    desk = Desk(engine(made=(told(), told("two")))).open()
    desk.take(desk.wants("told:qty 0.05 stop=59000"))
    stop = desk.orders()[-1]
    assert only(start(desk, told("two")), StrategyRetired).strategy == "told"
    assert none_ordered(desk.pass_time(3 * TTL_NS, PX))
    assert none_ordered(desk.wants("told:flat"))
    again = only(desk.cancel(stop.client_order_id) + desk.pass_time(2 * TTL_NS, PX), OrderIntent)
    assert (again.leg, again.qty) == ("stop", 5_000)
    desk.accept(again)
    assert desk.command("close", "told", "enough").ok
    exit_ = only(desk.cancel(again.client_order_id), OrderIntent)
    desk.take([exit_])
    assert desk.held() == desk.held("told") == 0


@pytest.mark.parametrize(
    ("offer", "why"),
    [
        (told(trouble="strategies/told.py: no such file"), "no such file"),
        (BAD, "strategies/told.py line"),
        (told(symbols=("DOGE/USDT",)), "DOGE/USDT: this house does not hear of it"),
        (told(digest="another"), "another than the one"),
        (written("told", TOLD, params={"you": "told"}), "parameter `you` is unknown"),
    ],
)
def test_what_does_not_load_at_a_start_fails_and_an_older_one_runs_on(
    offer: Offer, why: str
) -> None:
    desk = Desk(engine(made=(offer, told("two")))).open()
    failed = only(desk.said, StrategyFailed)
    assert (failed.strategy, failed.reason) == ("told", "it could not be loaded")
    assert why in failed.detail
    assert why in rows(desk)["told"]["trouble"]
    assert only(desk.wants("told:weight 1|two:weight 1"), OrderIntent).strategy == "two"
    older = Desk(engine(made=(told(),))).open()
    assert start(older, offer) == []
    assert why in rows(older)["told"]["trouble"]
    assert only(older.wants("weight 1"), OrderIntent)
    assert not offered(older, offer).ok
    assert why in older.done[-1].text
    assert only(older.wants("flat"), CancelIntent | Decision)


def test_whom_this_process_died_in_is_asked_no_more_until_resumed() -> None:
    desk = Desk(engine(made=(told(), told("two")))).open()
    assert start(desk, told(), told("two"), deaths=(("told", 1),)) == []
    said = start(desk, told(), told("two"), deaths=(("told", 2),))
    assert only(said, StrategyFailed).reason == "the engine died in it"
    assert start(desk, told(), told("two"), deaths=(("told", 3),)) == []
    assert only(desk.wants("told:weight 1|two:weight 1"), OrderIntent).strategy == "two"
    mended = changed('why", "told"', 'why", "mended"')
    assert start(desk, mended, told("two"), deaths=(("told", 2),)) == []
    assert "rrr strategy reload told" in rows(desk)["told"]["trouble"]
    assert offered(desk, mended).ok
    assert desk.command("resume", "told", "mended").ok
    assert decisions(desk.wants("told:weight 0.1"))[0].reason == "mended"


def test_one_that_died_while_it_was_loaded_is_not_loaded_again() -> None:
    desk = Desk(engine(made=(told("two"),))).open()
    said = start(desk, told(), told("two"), deaths=(("told", 2),))
    assert only(said, StrategyFailed).strategy == "told"
    assert "told" not in desk.core.state.books.loaded
    assert "died" in rows(desk)["told"]["trouble"]


class Slow(Bare):
    """Has no patience with the loading of one strategy."""

    def run(self, name: str, call: Any) -> object:
        if name == "slow":
            raise Overran("a call may use 50 ms")
        return call()


def test_a_source_that_hangs_while_it_is_loaded_is_noticed() -> None:
    desk = Desk(engine(made=(told("slow"), told()), guard=Slow())).open()
    failed = only(desk.said, StrategyFailed)
    assert failed.detail == "it did not load: Overran: a call may use 50 ms"
    (fell,) = desk.noticed
    assert isinstance(fell, StrategyFell)
    assert fell.moment == f"load {told('slow').digest}"
    again = Desk(engine(made=(told("slow"), told())))
    again.hear(fell)
    again.open()
    assert only(again.said, StrategyFailed) == failed
    assert again.noticed == []


def test_a_person_adds_a_strategy_while_the_others_run() -> None:
    desk = Desk(engine(made=(told(),))).open()
    done = offered(desk, told("two", budget=500.0))
    assert (done.ok, done.text) == (True, "loaded")
    loaded = [m for m in desk.said if isinstance(m, StrategyLoaded)][-1]
    assert (loaded.strategy, loaded.by, loaded.reason) == ("two", "me", "try it")
    said = desk.wants("told:weight 1|two:weight 1")
    first, second = (m for m in said if isinstance(m, OrderIntent))
    assert 19 < first.qty / second.qty < 21
    assert not desk.command("offer", "{}", "why").ok
    assert desk.done[-1].text.startswith("the offer is none: ")


def test_a_reload_keeps_position_slot_and_state_and_applies_parameters() -> None:
    desk = Desk(engine(made=(told(),))).open()
    desk.take(desk.wants("told:qty 0.05 stop=59000"))
    slot, orders = desk.slot(), len(desk.orders())
    assert offered(desk, written("told", TOLD, params={"me": "new"})).ok
    assert none_ordered(desk.pass_time(3 * TTL_NS, PX))
    assert (desk.slot(), len(desk.orders())) == (slot, orders)
    assert desk.wants("told:flat") == []
    said = desk.wants("new:keep")
    assert msgspec.msgpack.decode(only(said, StrategyState).state) == {"times": 2}
    assert dict(only(said, Decision).notes)["position"] == "0.05"
    assert rows(desk)["told"]["params"] == {"me": "new"}


def test_a_reload_migrates_state_by_defaults_or_is_refused() -> None:
    desk = Desk(engine(made=(told(),))).open()
    desk.wants("keep")
    more = changed("times: int = 0", "times: float = 0.0\n        level: float = 2.5")
    assert offered(desk, more).ok
    said = desk.wants("keep")
    packed = only(said, StrategyState).state
    assert msgspec.msgpack.decode(packed) == {"times": 2.0, "level": 2.5}
    desk.core = restarted(desk.core, engine(made=()))
    text = changed("times: int = 0", 'times: str = ""')
    refused = offered(desk, text)
    assert not refused.ok
    assert "state `times` was 2.0, expected str: reload refused" in refused.text
    assert msgspec.msgpack.decode(only(desk.wants("keep"), StrategyState).state)["times"] == 3.0


def test_a_reload_takes_a_changed_parent_too() -> None:
    def child(why: str) -> Offer:
        parent = written("base", TOLD.replace('"told")', f'"{why}")')).files[0][1]
        text = "from strategies.base import Told\n\nclass Child(Told):\n    pass\n"
        files = (("strategies.told", text), ("strategies.base", parent))
        return told(files=files, digest=digest_of(files))

    desk = Desk(engine(made=(child("one"),))).open()
    assert only(desk.wants("qty 0.01"), Decision).reason == "one"
    assert offered(desk, child("two")).ok
    assert only(desk.wants("keep"), Decision).reason == "two"


def test_another_budget_is_followed_from_the_next_target_on() -> None:
    desk = Desk(engine(made=(told(),))).open()
    desk.take(desk.wants("weight 0.5"))
    assert offered(desk, told(budget=1_000.0)).ok
    assert none_ordered(desk.pass_time(3 * TTL_NS, PX))
    less = only(desk.wants("weight 0.5"), OrderIntent)
    assert (less.leg, less.side) == ("exit", "sell")
    desk.take([less])
    assert desk.held("told") * 10**5 == 500 * 10**7 // (PX + 1)


def test_a_symbol_that_it_holds_is_not_taken_from_a_strategy() -> None:
    both = (SYMBOL, "ETH/USDT")
    desk = Desk(engine(made=(told(symbols=both),), symbols=both)).open()
    desk.take(desk.wants("qty 0.05", symbol=both[1]))
    refused = offered(desk, told())
    assert not refused.ok
    assert refused.text.startswith("told holds ETH/USDT, and it would trade it no more")
    assert offered(desk, told(symbols=both[1:])).ok


def test_nobody_comes_into_the_position_of_another_that_is_gone() -> None:
    desk = Desk(engine(made=(told("pulse"),))).open()
    desk.take(desk.wants("pulse:qty 0.05 stop=59000"))
    desk.command("retire", "pulse", "why")
    done = offered(desk, told("trend101962"))
    assert (done.ok, "the tag of `pulse`" in done.text) == (False, True)


def test_a_latch_outlives_a_reload_and_a_person_ends_it() -> None:
    desk = Desk(engine(made=(told(),))).open()
    desk.command("pause", "told", "look")
    assert offered(desk, told(budget=20_000.0)).ok
    assert only(desk.wants("weight 1"), Decision).action == "refuse"
    desk.command("resume", "told", "seen")
    assert only(desk.wants("weight 1"), OrderIntent)


WISHES = (
    "told:qty 0.05 stop=59000|two:weight 0.4 stop=58000",
    "told:qty 0.08 stop=59000|two:keep",
    "told:flat|two:weight 0.9 stop=58500",
    "told:weight 0.2|two:flat",
)


@pytest.mark.parametrize("how", ["reload", "add", "fail", "retire", "set"])
def test_the_others_decide_the_same_whatever_becomes_of_one(how: str) -> None:
    alone, desk = (Desk(engine(made=(told(), told("two")))).open() for _ in range(2))
    doings = {
        "reload": lambda: offered(desk, changed('why", "told"', 'why", "new"')),
        "add": lambda: offered(desk, told("three")),
        "fail": lambda: offered(desk, BAD),
        "retire": lambda: desk.command("retire", "told", "why"),
        "set": lambda: offered(desk, told(budget=77.0)),
    }
    for n, wish in enumerate(WISHES):
        if n == 1:
            doings[how]()
        one, other = alone.take(alone.wants(wish)), desk.take(desk.wants(wish))
        assert about(other, "two") == about(one, "two")
    assert about(desk.said, "two")


def about(said: list[Any], name: str) -> list[Any]:
    kinds = (Decision, OrderIntent, CancelIntent, StrategyState)
    return [
        msgspec.structs.replace(m, cause=(0, 0))
        for m in said
        if isinstance(m, kinds) and m.strategy == name
    ]
