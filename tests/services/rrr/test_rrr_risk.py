"""`rrr risk` and its verbs as processes, beside a risk that answers as a test says."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bus.house import House
from tests.services.bare import bare_house
from tests.services.rrr.answering import Answers, Services

ROWS: list[dict[str, Any]] = [
    {"name": "max_order_notional", "value": "20000", "used": "5005", "share_pct": 26},
    {
        "name": "daily_loss", "value": "1000", "used": "17.5", "share_pct": 2, "latched": True,
        "source": "set by ann:7 at 2026-03-15T12:00:00.000Z", "why": "a storm",
        "pending": "3000", "pending_at": "2026-03-15T12:10:00.000Z",
    },
    {"name": "weekly_loss", "value": "0", "used": "17.5"},
]  # fmt: skip
ANSWERS: Answers = {
    ("risk", "limits"): (True, "", ROWS),
    ("risk", "set"): (True, "max_order_notional is 4000; it was 20000", None),
    ("risk", "unset"): (True, "daily_loss is 2000; it was 1000", None),
    ("risk", "cancel"): (True, "daily_loss is 1000; it was 3000", None),
}
SET = ("risk", "set", "max_order_notional", "4000", "--why", "too much")


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        yield made


@pytest.fixture
def services(house: House) -> Iterator[Services]:
    made = Services(house, ("risk",), ANSWERS)
    yield made
    made.close()


def test_each_limit_is_shown_with_its_use_its_source_and_what_waits(services: Services) -> None:
    done = services.rrr("risk")
    assert done.code == 0
    assert [line.split() for line in done.out.splitlines()[1:4]] == [
        ["LIMIT", "VALUE", "USED", "SHARE", "SOURCE"],
        ["max_order_notional", "20000", "5005", "26%", "settings"],
        [
            *("daily_loss", "1000", "17.5", "2%", "set", "by", "ann:7", "at"),
            *("2026-03-15T12:00:00.000Z:", "a", "storm", "LATCHED,", "3000", "from"),
            *("2026-03-15T12:10:00.000Z", "on"),
        ],
    ]
    assert done.out.splitlines()[4].split() == ["weekly_loss", "off", "17.5", "settings"]


def test_a_limit_is_set_with_its_reason_after_a_preview(services: Services) -> None:
    done = services.rrr(*SET, "--yes")
    assert (done.code, done.told) == (
        0, [("risk", "set", "max_order_notional", "4000", "", "too much")],
    )  # fmt: skip
    assert done.out.splitlines()[1:] == [
        "max_order_notional is 20000, 5005 of it used.",
        "It would be 4000 from the next order on.",
        "max_order_notional is 4000; it was 20000",
    ]


def test_a_limit_of_one_symbol_or_strategy_is_set_by_its_name(services: Services) -> None:
    done = services.rrr(*SET, "--symbol", "btc/usdt", "--yes", "--json")
    assert json.loads(done.out)["ok"]
    assert done.told[0][-2] == "BTC/USDT"
    words = ("risk", "set", "strategy_loss", "50", "--strategy", "trend", "--why", "x", "--yes")
    assert services.rrr(*words).told == [("risk", "set", "strategy_loss", "50", "trend", "x")]


def test_unset_and_cancel_name_the_limit_and_the_reason(services: Services) -> None:
    done = services.rrr("risk", "unset", "daily_loss", "--why", "calm", "--yes")
    assert done.told == [("risk", "unset", "daily_loss", "", "calm")]
    assert "It would be what the settings say." in done.out
    done = services.rrr("risk", "cancel", "daily_loss")
    assert done.told == [("risk", "cancel", "daily_loss", "", "by a person")]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("set", "max_order_notional", "1e12", "--why", "x"), "expected a plain number from 1"),
        (("set", "max_order_notional", "nan", "--why", "x"), "the ceiling in the code"),
        (("set", "max_order_notional", "99999999999", "--why", "x"), "to 1000000000"),
        (("set", "nonsense", "1", "--why", "x"), "is no limit: expected one of"),
        (("set", "daily_loss", "1", "--symbol", "BTC/USDT", "--why", "x"), "whole account"),
        (("set", "daily_loss", "1", "--why", " "), "the reason is empty"),
        (("set", "daily_loss", "1"), "Missing option '--why'"),
        (("set", "daily_loss", "1", "--why", "x"), "nobody is at a terminal"),
        (("unset", "nonsense", "--why", "x"), "is no limit"),
    ],
)
def test_garbage_ends_with_one_clear_line_and_changes_nothing(
    services: Services, words: tuple[str, ...], text: str
) -> None:
    done = services.rrr("risk", *words)
    assert (done.code, done.told) == (2, [])
    assert text in done.err.replace("\n", " ")
    assert "Traceback" not in done.err


def test_a_refusal_of_risk_is_told_and_fails(house: House) -> None:
    answers = {**ANSWERS, ("risk", "set"): (False, "expected less", None)}
    services = Services(house, ("risk",), answers)
    done = services.rrr(*SET, "--yes")
    services.close()
    assert done.code == 1
    assert "it was refused: expected less" in done.err


def test_without_risk_no_limit_can_be_set(house: House) -> None:
    assert Services(house, (), {}).rrr(*SET, "--yes").code == 4
