"""The strategy `pulse`: how soon it begins, and how often it buys."""

from typing import Any

import pytest

from services.engine.strategy import Target
from strategies.pulse import SECOND_NS, Pulse
from tests.services.strategies.desk import Desk, entries


def desk(**params: Any) -> Desk:
    made = Desk(Pulse(Pulse.Params(**params)))
    made.bar(100.0)
    return made


def bought(made: Desk) -> Target:
    (first, *_) = entries(made.waits(made.strategy.every_s))
    made.fills(first.size / made.price)
    return first


def test_the_first_round_trip_begins_within_seconds() -> None:
    made = desk()
    started_ns = made.now
    target = bought(made)
    assert made.now - started_ns <= 20 * SECOND_NS
    assert target == Target.notional(50.0, expires=made.now + 120 * SECOND_NS, why="timer")


def test_nothing_is_said_until_the_next_one_is_due() -> None:
    made = desk()
    bought(made)
    assert not any(made.waits(120))
    made.fills(-made.position, leg="exit")
    assert not any(made.waits(175))
    assert entries(made.waits(10))


def test_a_restart_does_not_buy_again() -> None:
    made = desk()
    bought(made)
    made.fills(-made.position, leg="exit")
    made.restart()
    assert not any(made.waits(290))


def test_a_target_that_was_not_followed_is_said_again() -> None:
    assert len(entries(desk().waits(20))) == 4


def test_an_order_that_was_denied_is_not_tried_again_at_once() -> None:
    made = desk()
    assert entries(made.waits(5))
    made.denies()
    assert not any(made.waits(295))
    assert entries(made.waits(5))


def test_the_size_passes_the_smallest_order() -> None:
    made = desk(notional=1.0)
    made.least = 8.0
    assert entries(made.waits(5))[0].size == 10.0


def test_a_short_pulse_looks_as_often_as_it_buys() -> None:
    assert Pulse(Pulse.Params(every_s=3, hold_s=1)).every_s == 3


def test_a_round_trip_ends_before_the_next_one_begins() -> None:
    with pytest.raises(ValueError, match="hold_s is 300: expected below every_s, 300"):
        Pulse.Params(hold_s=300)
