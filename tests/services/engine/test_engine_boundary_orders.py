"""The strategy boundary, what it says of trails, times and ladders: the field, expected, found."""

from typing import Any

import numpy as np
import pytest

from schema.units import INT64_LIMIT
from services.engine.boundary import NONSENSE, Bare, Failure, ask
from services.engine.strategy import Target
from services.engine.target_lots import passed_by

NAN, INF = float("nan"), float("inf")
TWO = ((99.0, 0.5), (98.0, 0.5))
UP = ((101.0, 0.5), (102.0, 0.5))


def answered(answer: object) -> Target | Failure | None:
    return ask(Bare(), "trend", lambda: answer)


@pytest.mark.parametrize(
    "fields",
    [
        {"trail": 1.0},
        {"trail_bps": 50.0, "stop": 95.0},
        {"trail": 1.0, "trail_from": 105.0, "stop": 95.0, "take": 120.0},
        {"limit": 99.0, "good_till": 10**18},
        {"trigger": 101.0, "good_till": 10**18},
        {"ladder": TWO, "stop": 97.0, "post_only": True, "good_till": 10**18},
        {"ladder": ((99.0, 1 / 3), (98.0, 1 / 3), (97.0, 1 / 3))},
        {"takes": UP, "stop": 99.0},
        {"ladder": TWO, "takes": UP, "trail": 1.0},
    ],
)
def test_what_goes_together_is_followed_as_it_is(fields: dict[str, Any]) -> None:
    assert answered(Target.qty(1.0, **fields)) == Target.qty(1.0, **fields)


def test_numbers_of_other_kinds_become_plain_ones() -> None:
    asked: Any = [(np.float64(99), 1), [98, np.float32(0.5)]]
    found = answered(Target.qty(1.0, ladder=asked[1:] * 1 + [(97, 0.5)], trail=np.float32(2)))
    assert found == Target.qty(1.0, ladder=((98.0, 0.5), (97.0, 0.5)), trail=2.0)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"trail": NAN}, "trail: expected a finite price or 0, found nan"),
        ({"trail": -1.0}, "trail: expected a finite price or 0, found -1.0"),
        ({"trail_bps": INF}, "trail_bps: expected a finite number or 0, found inf"),
        ({"trail_bps": 10_000.0}, "trail_bps: expected below 10000"),
        ({"trail": 1.0, "trail_bps": 1.0}, "trail_bps: expected one of trail and trail_bps"),
        ({"trail_from": 105.0}, "trail_from: expected trail or trail_bps beside it"),
        ({"trail": 1.0, "trail_from": 105.0}, "trail_from: expected a stop beside it"),
        ({"trail": 1.0, "stop": 95.0, "stop_limit": 94.0}, "stop_limit: a stop that trails"),
        ({"good_till": 5}, "good_till: expected a limit, a trigger or a ladder beside it"),
        ({"good_till": 5, "limit": 99.0, "tif": "IOC"}, "good_till: expected tif GTC"),
        ({"good_till": -5, "limit": 99.0}, "good_till: expected a market time in ns"),
        ({"good_till": INT64_LIMIT, "limit": 99.0}, "good_till: expected a market time in ns"),
        ({"good_till": 1.5, "limit": 99.0}, "good_till: expected a market time in ns, found float"),
        ({"ladder": TWO, "limit": 99.0}, "limit: a ladder has its own limits, found 99.0"),
        ({"ladder": TWO, "trigger": 99.0}, "trigger: a ladder has its own limits"),
        ({"ladder": TWO, "tif": "IOC"}, "tif: expected GTC beside a ladder"),
        ({"ladder": ((99.0, 0.5), (98.0, 0.4))}, "ladder: expected shares whose sum is 1, found 0"),
        ({"ladder": ((99.0, 1.5),)}, "ladder: expected a share above 0, at most 1, in no. 1"),
        ({"ladder": ((99.0, NAN),)}, "ladder: expected a share above 0, at most 1, in no. 1"),
        ({"ladder": ((INF, 1.0),)}, "ladder: expected a finite price above 0 in no. 1, found inf"),
        ({"ladder": ((9.0, 0.5), (9.0, 0.5))}, "ladder: expected each price once, found 9 9"),
        ({"ladder": tuple((9.0 + n, 1 / 11) for n in range(11))}, "ladder: expected at most 10"),
        ({"ladder": ((99.0,),)}, "ladder: expected pairs of a price and a share, found tuple"),
        ({"ladder": "99"}, "ladder: expected pairs of a price and a share, found str"),
        ({"ladder": TWO, "stop": 98.5}, "ladder: expected all above its stop 98.5, found 99 98"),
        ({"takes": UP, "take": 103.0}, "take: expected one of take and takes"),
        ({"takes": UP, "stop": 101.5}, "takes: expected all above its stop 101.5, found 101 102"),
        ({"takes": UP, "ladder": ((101.5, 1.0),)}, "takes: expected all above its ladder 101.5"),
    ],
)
def test_what_does_not_is_told_by_its_field(fields: dict[str, Any], told: str) -> None:
    found = answered(Target.qty(1.0, **fields))
    assert isinstance(found, Failure)
    assert found.reason == NONSENSE
    assert told in found.detail


def test_of_a_short_the_sides_are_exchanged() -> None:
    assert isinstance(answered(Target.qty(-1.0, ladder=UP, takes=TWO, stop=103.0)), Target)
    found = answered(Target.qty(-1.0, ladder=UP, stop=101.5))
    assert isinstance(found, Failure)
    assert "ladder: expected all below its stop 101.5" in found.detail


def test_flat_and_keep_take_none_of_them() -> None:
    for fields in ({"trail": 1.0}, {"good_till": 5}, {"takes": UP}):
        found = answered(Target("flat", **fields))
        assert isinstance(found, Failure)
        assert f"{next(iter(fields))}: flat takes none" in found.detail


@pytest.mark.parametrize(
    ("target", "passed"),
    [
        (Target.qty(1.0, takes=((99.0, 0.5), (102.0, 0.5))), "take"),
        (Target.qty(1.0, takes=UP), ""),
        (Target.qty(1.0, ladder=TWO, stop=97.0), ""),
        (Target.qty(-1.0, takes=TWO), ""),
    ],
)
def test_a_take_that_is_passed_is_no_failure(target: Target, passed: str) -> None:
    assert passed_by(target, 100.0) == passed
    assert passed_by(target, 100.0, held=True) == ""
