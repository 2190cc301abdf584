"""The request budget: never beyond its limit, never closed to a cancel while weight remains."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.weights import (
    BAN_MAX_MS,
    BANNED_MS,
    MARGIN_MS,
    MINUTE_MS,
    SLOW_DOWN_MS,
    Meter,
    Rates,
    Refused,
    rates_of,
    wait_ms,
)

LIMIT = 60
NOW_MS = 1_800_000_000_000
DATE = "Fri, 15 Jan 2027 08:00:00 GMT"  # NOW_MS
STEPS = st.tuples(
    st.integers(0, 20_000),  # wait before it
    st.integers(1, 40),  # cost
    st.sampled_from((0, 50, 400)),  # way there
    st.sampled_from((0, 50, 400)),  # and back
    st.booleans(),  # the answer is lost
)


@given(st.lists(STEPS, max_size=60), st.integers(-MARGIN_MS + 1, MARGIN_MS - 1))
def test_no_window_of_the_exchange_holds_more_than_its_limit(
    steps: list[tuple[int, int, int, int, bool]], ahead_ms: int
) -> None:
    meter, spent, at_ms = Meter(MINUTE_MS, LIMIT), Counter[int](), NOW_MS
    for wait, cost, there_ms, back_ms, lost in steps:
        at_ms += wait
        if not meter.has_room(at_ms, cost, 1.0):
            continue
        begun_ms = at_ms
        meter.begin(at_ms, cost)
        at_ms += there_ms
        window = (at_ms + ahead_ms) // MINUTE_MS
        spent[window] += cost
        at_ms += back_ms
        if lost:
            meter.lose(at_ms, cost)
        else:
            meter.tell(at_ms, spent[window], begun_ms, cost)
        meter.end(at_ms, cost)
        assert meter.flying == 0
    assert all(found <= LIMIT for found in spent.values())


@given(
    st.lists(st.tuples(st.integers(1_000, 50_000), st.integers(1, 40)), max_size=40),
    st.integers(0, 3),
)
def test_a_cancel_has_room_while_weight_remains(
    steps: list[tuple[int, int]], strangers: int
) -> None:
    meter = Meter(MINUTE_MS, LIMIT)
    for minute, (offset_ms, cost) in enumerate(steps):
        at_ms = NOW_MS + minute * MINUTE_MS + offset_ms
        told = strangers * 10
        if not meter.has_room(at_ms, cost, 0.6):
            assert cost > LIMIT * 0.6
            continue
        meter.begin(at_ms, cost)
        meter.tell(at_ms, told + cost, at_ms, cost)
        meter.end(at_ms, cost)
        assert meter.has_room(at_ms, 1, 1.0) == (told + cost < LIMIT)


def test_a_share_keeps_the_rest_for_others() -> None:
    meter = Meter(MINUTE_MS, LIMIT)
    meter.tell(NOW_MS + 5_000, 48, NOW_MS + 5_000, 1)
    assert not meter.has_room(NOW_MS + 5_000, 1, 0.8)
    assert meter.has_room(NOW_MS + 5_000, 12, 1.0)
    assert not meter.has_room(NOW_MS + 5_000, 13, 1.0)
    assert meter.has_room(NOW_MS + MINUTE_MS + MARGIN_MS, 48, 0.8)


def test_what_is_closed_opens_with_the_next_window() -> None:
    meter = Meter(10_000, 50)
    meter.close(NOW_MS + 2_000)
    assert not meter.has_room(NOW_MS + 9_000, 1, 1.0)
    assert meter.has_room(NOW_MS + 10_000 + MARGIN_MS, 1, 1.0)


def banned(status: int = 429, body: str = "", code: int = 0, **headers: str) -> Refused:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Refused(status, named, body, code)


@pytest.mark.parametrize(
    ("refused", "wait"),
    [
        (banned(retry_after="30"), 30_000),
        (banned(retry_after=" 7 "), 7_000),
        (banned(retry_after="0"), 1_000),
        (banned(), SLOW_DOWN_MS),
        (banned(418), BANNED_MS),
        (banned(retry_after="soon"), SLOW_DOWN_MS),
        (banned(418, retry_after="-5"), BANNED_MS),
        (banned(retry_after="1.5"), SLOW_DOWN_MS),
        (banned(retry_after="٣"), SLOW_DOWN_MS),
        (banned(retry_after="9" * 40), BAN_MAX_MS),
        (banned(retry_after="Fri, 15 Jan 2027 08:00:20 GMT"), 20_000),
        (banned(retry_after="Fri, 15 Jan 2027 08:00:20 GMT", date=DATE), 20_000),
        (
            banned(
                retry_after="Fri, 15 Jan 2027 08:00:20 GMT", date="Fri, 15 Jan 2027 07:59:50 GMT"
            ),
            30_000,
        ),
        (banned(retry_after="Fri, 15 Jan 2027 07:00:00 GMT"), SLOW_DOWN_MS),
        (banned(418, f"IP banned until {NOW_MS + 300_000}. Please"), 300_000),
        (banned(418, f"IP banned until {NOW_MS + 300_000}.", retry_after="10"), 300_000),
        (banned(418, f"IP banned until {NOW_MS + 3_000}.", retry_after="10"), 10_000),
    ],
)
def test_a_ban_lasts_as_long_as_the_longest_word_of_it(refused: Refused, wait: int) -> None:
    assert wait_ms(refused, NOW_MS, NOW_MS) == wait


def test_too_many_orders_are_no_ban_and_too_much_weight_is() -> None:
    assert not banned(429, code=-1015).is_ban
    assert banned(400, code=-1003).is_ban
    assert banned(418).is_ban
    assert not banned(503).is_ban


def test_limits_are_those_of_the_listing() -> None:
    entries = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 30},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": "many"},
        {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61000},
        {},
    ]
    assert rates_of(entries) == Rates(weight_1m=1200, orders_10s=30)
