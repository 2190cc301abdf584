"""`rrr why-not`: the main cause is the first line, and all causes are sorted by weight."""

from collections.abc import Iterator
from typing import Any

import pytest

from bus.house import House
from schema.orders import KillLevel
from schema.trading import LimitBreached, PairLocked, Protection, StrategyPaused, StrategyResumed
from services.rrr.why_not_causes import causes_of, kept_stops, main_line, weight_of
from tests.services.bare import entered_house
from tests.services.rrr.money_desk import run, told
from tests.services.rrr.trade_day import (
    MINUTE_NS,
    NOON_NS,
    SYMBOL,
    Day,
    decision,
    denied,
    entry_id,
    fill,
)


@pytest.fixture
def house() -> Iterator[House]:
    """A house in which nothing runs, entered."""
    with entered_house() as made:
        yield made


def stop(what: str, by: str = "gateway", scope: str = "all") -> dict[str, str]:
    return {"what": what, "scope": scope, "since": "", "by": by, "why": "so", "release": "do it"}


def report(**changes: Any) -> dict[str, Any]:
    """Return a report of a symbol in which all is well, but for what is changed."""
    calm: dict[str, Any] = {
        "symbol": SYMBOL, "since": "1h", "stops": [], "feed": {"state": "OK", "reason": ""},
        "forecasts": {"count": 3}, "decisions": [], "denied": [], "shadows": [],
        "traded": {"fills": 0, "last": ""}, "kill_level": "ACTIVE", "kill_reason": "",
    }  # fmt: skip
    return calm | changes


def said(who: str, what: str, reason: str, detail: str = "") -> dict[str, Any]:
    return {
        "who": who, "what": what, "reason": reason, "times": 3, "last_ns": NOON_NS,
        "detail": detail,
    }  # fmt: skip


def test_a_kill_outweighs_arming_halts_limits_and_locks() -> None:
    names = [
        "locked", "max drawdown", "strategy paused", "instrument halted", "not armed",
        "kill level HALTED",
    ]  # fmt: skip
    stops = [stop(name, "risk" if name == "max drawdown" else "gateway") for name in names]
    causes = causes_of(report(stops=stops, decisions=[said("t", "hold", "below enter")]))
    assert [cause.what for cause in causes] == [
        "kill level HALTED", "not armed", "instrument halted", "strategy paused", "max drawdown",
        "locked", "hold",
    ]  # fmt: skip
    assert weight_of(stop("clock")) > weight_of(stop("locked"))


def test_the_first_line_says_the_main_cause_and_the_way_out() -> None:
    found = report(stops=[stop("locked", "me", SYMBOL)])
    line = main_line(found, causes_of(found))
    assert line == f"Nothing is traded in {SYMBOL}: {SYMBOL}: locked, by me: so -> do it."


def test_a_denial_tells_its_limit_and_its_newest_numbers() -> None:
    found = report(denied=[said("risk", "denied", "MAX_ORDER_NOTIONAL", "25000 of 20000")])
    assert "risk denied 3 orders, the last at" in main_line(found, causes_of(found))
    assert causes_of(found)[0].text.endswith("MAX_ORDER_NOTIONAL 25000 of 20000")


def test_a_threshold_is_told_with_the_numbers_it_was_held_against() -> None:
    found = report(decisions=[said("trend", "hold", "below enter", "probability 0.52")])
    (cause,) = causes_of(found)
    assert cause.text.startswith("trend said hold 3 times")
    assert cause.text.endswith("below enter (probability 0.52)")


def test_what_was_traded_is_said_first_unless_something_stops_it_now() -> None:
    traded = {"fills": 2, "last": "noon"}
    found = report(traded=traded, decisions=[said("t", "hold", "it waits")])
    assert main_line(found, causes_of(found)).startswith(f"{SYMBOL} was traded: 2 fills")
    found = report(traded=traded, stops=[stop("kill level HALTED")])
    assert "what stops it now: all: kill level HALTED" in main_line(found, causes_of(found))


def test_a_shadow_orders_nothing_and_that_is_a_cause() -> None:
    found = report(shadows=["trend"], decisions=[said("trend", "enter", "it rises")])
    assert "trend is a shadow" in main_line(found, causes_of(found))


def test_nothing_known_is_said_plainly() -> None:
    found = report(decisions=[said("trend", "enter", "it rises")])
    assert "Nothing is known" in main_line(found, causes_of(found))


def test_locks_and_latches_are_known_while_the_house_is_down(house: House) -> None:
    day = Day(house)
    until_ns = NOON_NS + 60 * MINUTE_NS
    day.say(
        StrategyPaused(ts_event=NOON_NS, strategy="trend", by="me", reason="late"),
        PairLocked(ts_event=NOON_NS, symbol=SYMBOL, until_ns=until_ns, reason="news", by="me"),
        PairLocked(ts_event=NOON_NS, symbol="ETH/USDT", until_ns=until_ns, reason="x"),
        StrategyPaused(ts_event=NOON_NS, strategy="pulse", by="me", reason="x"),
        StrategyResumed(ts_event=NOON_NS, strategy="pulse", by="me", reason="x"),
    )
    day.say(
        Protection(
            ts_event=NOON_NS,
            name="StoplossGuard",
            symbol="*",
            until_ns=until_ns,
            reason="4 stops",
            side="long",
        )
    )
    day.say(
        LimitBreached(
            ts_event=NOON_NS,
            limit_name="max_drawdown",
            scope="account",
            observed="0.21",
            limit="0.2",
            latched=True,
        )
    )
    day.keep()
    found = kept_stops(house, SYMBOL, NOON_NS)
    assert {(one["what"], one["scope"], one["by"]) for one in found} == {
        ("locked", SYMBOL, "me"), ("locked long", "*", "risk"), ("strategy paused", "trend", "me"),
        ("max drawdown", "account", "risk"),
    }  # fmt: skip
    (guarded,) = (one for one in found if one["what"] == "locked long")
    assert guarded["why"] == "StoplossGuard: 4 stops; entries stopped, exits go on"
    until = "or it clears itself at 2023-11-14T23:13:00Z"
    assert guarded["release"] == f'rrr lock "*" --side long --clear, {until}'
    assert "0.21 of 0.2 at most" in [one["why"] for one in found]
    left = [one["what"] for one in kept_stops(house, SYMBOL, until_ns)]
    assert left == ["max drawdown", "strategy paused"]


def test_json_has_causes_beside_what_it_always_had(house: House) -> None:
    day = Day(house)
    day.say(decision("hold", "below enter"))
    day.say(denied(entry_id(house)))
    day.say(fill(entry_id(house), "t1"))
    day.say(KillLevel(ts_event=NOON_NS, level="HALTED", by="me", reason="lunch"))
    found = told("why-not", SYMBOL)
    assert {"symbol", "since", "from", "kill_level", "stops", "feed", "forecasts", "decisions",
            "denied"} < found.keys()  # fmt: skip
    weights = [cause["weight"] for cause in found["causes"]]
    assert weights == sorted(weights)
    assert found["traded"]["fills"] == 1
    assert found["causes"][0]["text"] == "house: kill level HALTED: lunch"
    assert run("why-not", SYMBOL).output.splitlines()[0] == found["main"]
