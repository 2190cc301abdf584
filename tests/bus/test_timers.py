"""Timers in market time."""

from bus.clock import ManualClock
from bus.timers import Timers
from schema.house import Timer, Wake

MOST_NS = 50


def test_a_timer_fires_once_when_its_time_has_come() -> None:
    clock = ManualClock()
    timers = Timers(clock)
    timers.ask(Wake(name="close", at_ns=10))
    assert timers.due() == []
    clock.advance(10)
    assert timers.due() == [Timer(name="close", at_ns=10)]
    assert timers.due() == []


def test_the_latest_request_of_a_name_counts() -> None:
    clock = ManualClock()
    timers = Timers(clock)
    timers.ask(Wake(name="close", at_ns=10))
    timers.ask(Wake(name="close", at_ns=30))
    clock.advance(20)
    assert timers.due() == []


def test_late_timers_fire_in_the_order_of_their_times() -> None:
    clock = ManualClock()
    timers = Timers(clock)
    for name, at_ns in (("b", 2), ("a", 3), ("c", 1)):
        timers.ask(Wake(name=name, at_ns=at_ns))
    clock.advance(5)
    assert [timer.name for timer in timers.due()] == ["c", "b", "a"]


def test_the_wait_is_a_persons_time_and_bounded() -> None:
    clock = ManualClock(scale=10.0)
    timers = Timers(clock)
    assert timers.next_in_ns(MOST_NS) == MOST_NS
    timers.ask(Wake(name="close", at_ns=100))
    assert timers.next_in_ns(MOST_NS) == 10
    clock.advance(200)
    assert timers.next_in_ns(MOST_NS) == 0
