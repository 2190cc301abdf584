"""The strategy boundary: an answer is a target or nothing; everything else is a failure."""

from decimal import Decimal
from typing import Any, Never

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.units import INT64_LIMIT
from services.engine.boundary import (
    NO_TARGET,
    NONSENSE,
    OVERRAN,
    RAISED,
    STARVED,
    Bare,
    Failure,
    Overran,
    ask,
)
from services.engine.strategy import Target
from services.engine.target_lots import passed_by

PRICE = 100.0
BARE = Bare()


class Deaf(Bare):
    """Like the running engine's guard: nothing passes."""

    passes = ()


def answered(answer: object) -> Target | Failure | None:
    return ask(BARE, "trend", lambda: answer)


def raised(error: BaseException) -> Failure:
    def call() -> Never:
        raise error

    found = ask(Deaf(), "trend", call)
    assert isinstance(found, Failure)
    return found


def failure(answer: object) -> Failure:
    found = answered(answer)
    assert isinstance(found, Failure), found
    return found


GOOD = [
    Target.weight(0.2, stop=90.0, take=120.0, why="cross_up"),
    Target.weight(-1.0, stop=110.0, take=80.0, expires=INT64_LIMIT - 1),
    Target.weight(0.0, stop=120.0),
    Target.qty(-3.0),
    Target.notional(5e9, limit=95.0, stop=94.0),
    Target.notional(-100.0, limit=105.0, stop=106.0, take=104.0),
    Target.flat("cross_down"),
    Target.keep(),
]


@pytest.mark.parametrize("target", GOOD)
def test_a_target_of_plain_numbers_passes_as_it_is(target: Target) -> None:
    assert answered(target) is target


def test_nothing_to_say_is_no_failure() -> None:
    assert answered(None) is None


def test_whole_and_foreign_numbers_become_plain_ones() -> None:
    fields: list[Any] = [1, "", np.float64(99), np.float32(90.5), np.int64(120), np.int64(7)]
    found = answered(Target("weight", *fields))
    assert found == Target("weight", 1.0, "", 99.0, 90.5, 120.0, 7)
    assert isinstance(found, Target)
    assert [type(getattr(found, name)) for name in ("size", "limit", "stop", "take")] == [float] * 4
    assert type(found.expires) is int


def test_a_reason_becomes_plain_text() -> None:
    found = answered(Target.flat(f"\ud800 at 0x7f{'ab' * 300}"))
    assert isinstance(found, Target)
    assert found.why.startswith("? at 0x")
    assert len(found.why) < 300
    assert len(answered(Target.flat("a" * 1_000)).why) == 300  # type: ignore[union-attr]


NAN, INF = float("nan"), float("inf")


def sized(size: Any, **rest: Any) -> Target:
    return Target.qty(size, **rest)


def of_kind(kind: Any, size: float = 0.0, **rest: Any) -> Target:
    return Target(kind, size, **rest)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (sized(NAN), "size: expected a finite number, found nan"),
        (sized(-INF), "size: expected a finite number"),
        (Target.weight(1.01), "a weight from -1 to 1, found 1.01"),
        (sized(1.0, stop=NAN), "stop: expected a finite price or 0, found nan"),
        (sized(1.0, take=INF), "take: expected a finite price"),
        (sized(1.0, limit=-1.0), "limit: expected a finite price"),
        (sized(1.0, limit=1.7e308, take=1.7e308), "prices: expected finite ones"),
        (sized(10**400), "size: expected a number, found int 1"),
        (sized(True), "size: expected a number, found bool True"),
        (sized(np.bool_(True)), "size: expected a number, found bool"),
        (sized(1 + 0j), "size: expected a number, found complex"),
        (sized(np.ones(3)), "size: expected a number, found ndarray [1. 1. 1.]"),
        (sized("1"), "size: expected a number, found str 1"),
        (sized(Decimal(1)), "size: expected a number, found Decimal"),
        (sized(1.0, expires=1.5), "expires: expected a market time in ns, found float"),
        (sized(1.0, expires=-1), "expires: expected a market time in ns, found one below"),
        (sized(1.0, expires=10**9999), "expires: expected a market time in ns"),
        (sized(1.0, expires=True), "expires: expected a market time in ns, found bool"),
        (sized(1.0, why=None), "why: expected text, found NoneType"),
        (of_kind("all", 1.0), "kind: expected one of weight qty notional flat keep, found all"),
        (of_kind(7, 1.0), "kind: expected text, found int 7"),
        (of_kind("flat", 1.0), "size: flat takes none, found 1.0"),
        (of_kind("keep", stop=1.0), "stop: keep takes none, found 1.0"),
    ],
)
def test_nonsense_is_told_with_what_was_expected(target: Target, told: str) -> None:
    found = failure(target)
    assert found.reason == NONSENSE
    assert told in found.detail


@pytest.mark.parametrize(
    ("target", "passed"),
    [
        (Target.weight(0.1, stop=100.0), "stop"),
        (Target.weight(0.1, stop=99.0), ""),
        (Target.weight(0.1, take=99.0), "take"),
        (Target.weight(0.1, take=101.0), ""),
        (Target.qty(-1.0, stop=100.0), "stop"),
        (Target.qty(-1.0, stop=101.0), ""),
        (Target.qty(-1.0, take=101.0), "take"),
        (Target.qty(1.0, limit=95.0, stop=96.0), "stop"),
        (Target.qty(1.0, limit=95.0, stop=94.0), ""),
        (Target.qty(-1.0, limit=105.0, take=106.0), "take"),
    ],
)
def test_a_stop_and_a_take_that_are_passed_are_no_failure(target: Target, passed: str) -> None:
    assert answered(target) is target
    assert passed_by(target, PRICE) == passed


@pytest.mark.parametrize("answer", [True, 0.5, "long", object(), Target, [Target.flat()]])
def test_an_answer_of_another_kind_is_no_target(answer: object) -> None:
    found = failure(answer)
    assert found.reason == NO_TARGET
    assert found.detail == f"expected a Target or None, found {type(answer).__name__}"


def test_a_class_that_plays_a_target_is_none() -> None:
    class Trap(Target, frozen=True):
        def __getattribute__(self, name: str) -> object:
            raise SystemExit(name)

    assert failure(Trap("flat")).reason == NO_TARGET


class Mute(Exception):  # noqa: N818 - somebody's own name
    def __str__(self) -> str:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("bad"), "ValueError: bad ("),
        (SystemExit(3), "SystemExit: 3 ("),
        (KeyboardInterrupt(), "KeyboardInterrupt ("),
        (GeneratorExit(), "GeneratorExit ("),
        (Mute(), "what it raised cannot tell what it is ("),
        (ValueError(f"{object()}"), "ValueError: <object object at 0x> ("),
    ],
)
def test_whatever_is_raised_becomes_a_failure(error: BaseException, told: str) -> None:
    found = raised(error)
    assert found.reason == RAISED
    assert found.detail.startswith(told)
    assert "test_engine_boundary.py:" in found.detail


def test_too_long_and_too_much_memory_have_reasons_of_their_own() -> None:
    assert raised(Overran("a call may use 50 ms")).reason == OVERRAN
    assert raised(MemoryError()).reason == STARVED


def test_a_failure_names_the_line_of_the_strategy_not_of_a_library() -> None:
    source = "import json\ndef on_bar():\n    return json.loads('{')\n"
    space: dict[str, Any] = {"__name__": "trend"}
    exec(compile(source, "strategies/trend.py@01234567", "exec"), space)
    found = ask(BARE, "trend", space["on_bar"])
    assert isinstance(found, Failure)
    assert found.detail.startswith("JSONDecodeError: ")
    assert found.detail.endswith(" (strategies/trend.py:3)")


def test_a_person_in_front_of_a_backtest_can_interrupt_it() -> None:
    def call() -> Never:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(BARE, "trend", call)


def test_endless_recursion_is_a_failure() -> None:
    def call() -> object:
        return call()

    found = ask(BARE, "trend", call)
    assert isinstance(found, Failure)
    assert found.detail.startswith("RecursionError: ")


NUMBERS = st.one_of(
    st.floats(),
    st.integers(),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.complex_numbers(),
    st.decimals(),
    st.fractions(),
    st.floats(width=32).map(np.float32),
    st.just(np.zeros(2)),
)
KINDS = st.one_of(st.sampled_from(["weight", "qty", "notional", "flat", "keep"]), NUMBERS)


@given(st.tuples(KINDS, *[NUMBERS] * 6))
def test_an_answer_is_plain_or_a_failure_whatever_it_is_made_of(fields: tuple[Any, ...]) -> None:
    found = answered(Target(*fields))
    if isinstance(found, Target):
        kinds = [type(getattr(found, name)) for name in found.__struct_fields__[: len(fields)]]
        assert kinds == [str, float, str, float, float, float, int]
    else:
        assert isinstance(found, Failure)
        assert found.reason in {NONSENSE, RAISED}
