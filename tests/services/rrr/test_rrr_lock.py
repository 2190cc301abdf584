"""`rrr lock` as a process: it lists, locks and clears, and refuses what means nothing."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bus.house import House
from schema.trading import PairLocked, Protection
from schema.units import MINUTE_NS
from tests.services.bare import bare_house
from tests.services.rrr.answering import Answers, Done, Services
from tests.services.rrr.trade_day import NOON_NS, SYMBOL, Day

LOCK: dict[str, str] = {
    "symbol": SYMBOL, "side": "*", "since": "2026-01-01T00:00:00Z",
    "until": "2026-01-01T01:00:00Z", "by": "risk", "protection": "stoploss_guard",
    "why": "stoploss_guard: stops=4 trade_limit=4", "release": f"rrr lock {SYMBOL} --clear",
}  # fmt: skip
ANSWERS: Answers = {
    ("engine", "locks"): (True, "1 locks", [LOCK]),
    ("engine", "stops"): (True, "", []),
    ("engine", "lock"): (True, "no entries in it", None),
    ("engine", "unlock"): (True, "it may be entered again", None),
}


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        yield made


def rrr(house: House, *words: str, answers: Answers = ANSWERS) -> Done:
    services = Services(house, ("engine",), answers)
    try:
        return services.rrr("lock", *words)
    finally:
        services.close()


def changed(done: Done) -> list[tuple[str, ...]]:
    assert done.code == 0, done.err
    return [one[1:] for one in done.asked if one[1] not in {"stops", "locks"}]


def test_alone_it_lists_who_locked_what_until_when_and_why(house: House) -> None:
    done = rrr(house)
    assert done.code == 0, done.err
    for text in ("stoploss_guard", "2026-01-01T01:00:00Z", "stops=4", "--clear", "exits and stops"):
        assert text in done.out
    assert json.loads(rrr(house, "--json").out) == [LOCK]


def test_where_nothing_is_locked_it_says_so(house: House) -> None:
    none: Answers = {("engine", "locks"): (True, "nothing is locked", [])}
    assert "Nothing is locked." in rrr(house, answers=none).out
    assert json.loads(rrr(house, "--json", answers=none).out) == []


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ((SYMBOL, "news"), ("lock", SYMBOL, "until", "0", "news")),
        ((SYMBOL, "--why", "news"), ("lock", SYMBOL, "until", "0", "news")),
        ((SYMBOL, "news", "--for", "2m"), ("lock", SYMBOL, "for", str(2 * MINUTE_NS), "news")),
        ((SYMBOL, "x", "--side", "long"), ("lock", SYMBOL, "long", "until", "0", "x")),
        (("btc/usdt", "--clear"), ("unlock", SYMBOL, "by hand")),
        (("*", "--clear", "--side", "short", "--why", "x"), ("unlock", "*", "short", "x")),
    ],
)
def test_a_lock_and_its_clearing_go_to_the_engine(
    house: House, words: tuple[str, ...], command: tuple[str, ...]
) -> None:
    assert changed(rrr(house, *words, "--yes")) == [command]


@pytest.mark.parametrize(
    "words",
    [
        (SYMBOL, "--yes"),
        (SYMBOL, "a", "--why", "b", "--yes"),
        (SYMBOL, "a", "--side", "up", "--yes"),
        (SYMBOL, "a", "--until", "soon", "--yes"),
        (SYMBOL, "a", "--for", "1m", "--until", "2026-01-01", "--yes"),
        (SYMBOL, "--clear", "--for", "1m", "--yes"),
        (SYMBOL, "nobody is asked"),
        ("--clear",),
        ("--for", "1m"),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(house: House, words: tuple[str, ...]) -> None:
    done = rrr(house, *words)
    assert done.code == 2, (done.out, done.err)
    assert "Traceback" not in done.err
    assert [one for one in done.asked if one[1] not in {"stops", "locks"}] == []


def test_while_the_engine_is_away_the_shard_tells_what_is_locked(house: House) -> None:
    day = Day(house)
    until_ns = NOON_NS + 5 * MINUTE_NS
    locked: dict[str, Any] = {"ts_event": NOON_NS, "until_ns": until_ns, "reason": "news"}
    day.say(PairLocked(symbol=SYMBOL, by="ann", **locked))
    day.say(PairLocked(symbol="ETH/USDT", by="ann", **locked))
    day.say(Protection(symbol="*", name="max_drawdown", side="long", **locked))
    cleared = {**locked, "until_ns": NOON_NS}
    day.say(PairLocked(symbol="ETH/USDT", by="ann", **cleared))
    day.keep()
    day.close()
    done = Services(house, (), {}).rrr("lock", "--json")
    rows = json.loads(done.out)
    assert [(row["symbol"], row["by"], row["protection"]) for row in rows] == [
        ("*", "risk", "max_drawdown"), (SYMBOL, "ann", ""),
    ]  # fmt: skip
    assert rows[0]["release"] == 'rrr lock "*" --side long --clear'
    assert "does not run" in Services(house, (), {}).rrr("lock").out


def test_a_lock_without_an_engine_is_refused(house: House) -> None:
    done = Services(house, (), {}).rrr("lock", SYMBOL, "news", "--yes")
    assert done.code == 4
    assert done.err.count("\n") <= 2
