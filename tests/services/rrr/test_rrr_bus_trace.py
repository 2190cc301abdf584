"""`rrr bus trace`: from any name to all that belongs together, up to the tick and down."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bus.clock import SystemClock
from bus.errors import HouseError
from bus.house import House
from schema.frame import N_MASK
from schema.streams import BY_NUMBER
from tests.services.bare import entered_house
from tests.services.rrr.tape_desk import run
from tests.services.rrr.trade_day import (
    Day,
    bar,
    books,
    bought,
    decision,
    files_of,
    forecast,
    trade,
)

TRACE = 0x1234_5678_9ABC_DEF0
EVER = ("--since", "9999d")
WAY = ["trade", "bar", "forecast", "decision", "intent", "verdict", "submitted", "accepted", "fill"]
STOP = ["intent", "verdict", "submitted", "accepted"]


@pytest.fixture
def house() -> Iterator[House]:
    with entered_house() as made:
        yield made


@pytest.fixture
def day(house: House) -> Day:
    return Day(house)


def traced(*words: str) -> dict[str, Any]:
    done = run("trace", *words, *EVER, "--json")
    assert done.exit_code == 0, done.output + repr(done.exception)
    (line,) = done.output.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def steps(found: dict[str, Any]) -> list[str]:
    return [step["step"] for step in found["steps"]]


def test_every_name_of_a_trade_leads_to_the_whole_of_it(day: Day) -> None:
    order_id = bought(day, TRACE)
    filled = next(step for step in traced(order_id)["steps"] if step["step"] == "fill")
    place = str(filled["pos"])
    names = [
        (order_id,), (str(TRACE),), (hex(TRACE),), (f"gateway.order:{place}",),
        ("gateway.order", place), (f"gateway.order:1:{int(place) & N_MASK}",),
    ]  # fmt: skip
    for words in names:
        found = traced(*words)
        assert steps(found) == [*WAY, *STOP], words
        assert found["traces"] == [TRACE]
        assert found["missing"] == []


def test_it_goes_down_from_the_tick_that_it_began_with(day: Day) -> None:
    bought(day, TRACE)
    tick = traced(str(TRACE))["steps"][0]
    assert steps(traced(f"{tick['stream']}:{tick['pos']}")) == [*WAY, *STOP]


def test_each_step_names_the_one_that_it_came_from(day: Day) -> None:
    bought(day, TRACE)
    found = traced(str(TRACE))["steps"]
    kinds = {(step["stream"], step["pos"]): step["step"] for step in found}
    parents = [
        kinds[BY_NUMBER[step["parent"][0]].name, step["parent"][1]] if step["parent"] else None
        for step in found
    ]
    way = [None, "trade", "bar", "forecast", "decision", "intent", "verdict"]
    assert parents == [*way, "submitted", "submitted", "fill", "intent", "verdict", "submitted"]


def test_a_tree_is_drawn_by_who_came_from_whom(day: Day) -> None:
    bought(day, TRACE)
    lines = run("trace", str(TRACE), "--tree", *EVER).output.splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith("STEP")) + 1
    depths = [(len(line) - len(line.lstrip())) // 2 for line in lines[begin:]]
    assert depths == [0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 9, 10, 11]


def test_a_person_reads_what_each_step_says(day: Day) -> None:
    bought(day, TRACE)
    text = run("trace", str(TRACE), *EVER).output
    for said in ("SIMULATED", "13 steps", "probability 0.6100", "buy 0.00300 at 60001.00"):
        assert said in text


def test_what_a_fill_changed_in_the_books_belongs_to_it(day: Day) -> None:
    bought(day, TRACE)
    fill = next(step for step in traced(str(TRACE))["steps"] if step["step"] == "fill")
    books(day)
    cause = (30, fill["pos"])
    day.say(decision("hold", "filled", cause=cause))
    found = traced(str(TRACE))
    assert steps(found) == [*WAY, *STOP, "decision"]


def test_another_trace_is_left_out(day: Day) -> None:
    bought(day, TRACE)
    other = day.say(bar(TRACE + 100))
    day.say(forecast(other, TRACE + 100))
    day.say(trade(99, TRACE + 100))
    assert steps(traced(str(TRACE))) == [*WAY, *STOP]
    assert steps(traced(str(TRACE + 100)))[:2] == ["bar", "forecast"]


def test_a_tick_that_led_to_nothing_is_found_by_its_trace(day: Day) -> None:
    bought(day, TRACE)
    assert steps(traced(str(TRACE - 5))) == ["trade"]


def test_what_came_much_later_is_found_by_the_order_alone(day: Day) -> None:
    order_id = bought(day, TRACE)
    day.clock.advance(3_600_000_000_000)
    day.say(decision("hold", "much later", trace=TRACE))
    assert steps(traced(order_id)) == [*WAY, *STOP]
    assert steps(traced(order_id, "--within", "2h"))[-1] == "decision"


def test_no_more_is_shown_than_is_asked_for(day: Day) -> None:
    bought(day, TRACE)
    found = traced(str(TRACE), "-n", "3")
    assert steps(found) == WAY[:3]
    assert "the first 3 are shown" in found["missing"][0]


def test_what_retention_took_is_said_to_be_gone(day: Day) -> None:
    order_id = bought(day, TRACE)
    day.close()
    for path in files_of(day.house, "predictor.forecast"):
        path.unlink()
    found = traced(order_id)
    assert "forecast" not in steps(found)
    assert any("predictor.forecast" in gap and "no longer kept" in gap for gap in found["missing"])


@pytest.mark.parametrize(
    "words",
    [
        ("gateway.order:x",),
        ("gateway.order:",),
        ("gateway.order",),
        ("gateway.order", "-1"),
        ("gateway.order", "²"),
        ("gateway.order", "1" * 30),
        ("nobody.says", "1"),
        ("nobody.says:1",),
        ("a", "b", "c"),
        ("1", "--within", "soon"),
        ("1", "-n", "0"),
        (),
    ],
)
@pytest.mark.usefixtures("house")
def test_trace_refuses_what_it_does_not_know(words: tuple[str, ...]) -> None:
    done = run("trace", "--", *words) if "-1" in words else run("trace", *words)
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "words",
    [
        ("12345678901",), ("0xffffffffffffffffffff",), ("gateway.order:7",), ("risk.hb:7",),
        ("f" * 32,), ("nonsense",),
    ],
)  # fmt: skip
def test_what_nobody_ever_said_is_not_found(day: Day, words: tuple[str, ...]) -> None:
    bought(day, TRACE)
    day.keep()
    done = run("trace", *words, *EVER)
    assert isinstance(done.exception, HouseError), done.output
    assert done.exception.exit_code == 1


def test_a_days_journal_is_not_read_for_one_trace(day: Day) -> None:
    for number in range(30):
        day.say(*(trade(number * 1000 + n, number * 1000 + n + 1) for n in range(1000)))
    order_id = bought(day, TRACE)
    begun_ns = SystemClock().mono_ns()
    assert steps(traced(order_id)) == [*WAY, *STOP]
    assert SystemClock().mono_ns() - begun_ns < 2_000_000_000
