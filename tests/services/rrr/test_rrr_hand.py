"""`rrr buy`, `sell`, `close`, `flatten` and `cancel` as processes, against an answering engine."""

import json
from collections.abc import Iterator

import pytest

from bus.house import House
from tests.services.bare import bare_house
from tests.services.rrr.answering import Answers, Done, Services

ORDER = "0123456789abcdef0123456789abcdef"
LINES = ["buy 0.01 BTC at the market, now about 60000: 600 USDT, and about 0.6 as fee"]
CALM: Answers = {
    ("engine", "order-look"): (True, "", LINES),
    ("engine", "order"): (True, f"order {ORDER} goes to risk", [ORDER]),
    ("engine", "close-symbol-look"): (True, "", ["trend closes 0.2 of BTC/USDT"]),
    ("engine", "close-symbol"): (True, "trend closes 0.2 of BTC/USDT", ["trend closes 0.2"]),
    ("engine", "cancel-look"): (True, "", ["the buy of 0.2 BTC/USDT by trend is cancelled"]),
    ("engine", "cancel"): (True, "the buy is cancelled", ["the buy is cancelled"]),
}


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        yield made


@pytest.fixture
def services(house: House) -> Iterator[Services]:
    made = Services(house, ("engine",), CALM)
    yield made
    made.close()


def told(done: Done) -> list[tuple[str, ...]]:
    return [one for one in done.told if not one[1].endswith("-look")]


def test_a_purchase_is_previewed_and_then_ordered(services: Services) -> None:
    words = ("buy", "btc/usdt", "0.01", "--stop", "50000", "--why", "a feeling")
    done = services.rrr(*words, "--yes", "--json")
    assert done.code == 0, done.err
    assert [one[1] for one in done.asked] == ["order-look", "order"]
    ((_, _, wish, why),) = told(done)
    assert why == "a feeling"
    assert json.loads(wish) == {
        "symbol": "BTC/USDT", "side": "buy", "amount": "0.01", "limit": "", "trigger": "",
        "stop": "50000", "take": "", "tif": "GTC", "post_only": False, "unit": "base",
        "short": False,
    }  # fmt: skip
    assert json.loads(done.out) == {
        "ok": True, "text": f"order {ORDER} goes to risk", "of": [ORDER],
    }  # fmt: skip


def test_nobody_at_a_terminal_orders_nothing_without_yes(services: Services) -> None:
    done = services.rrr("sell", "BTC/USDT", "all")
    assert done.code == 2
    assert "--yes" in done.err
    assert told(done) == []


def test_money_is_given_with_quote(services: Services) -> None:
    done = services.rrr("buy", "BTC/USDT", "500", "--quote", "--yes", "--json")
    assert json.loads(told(done)[0][2])["unit"] == "quote"


@pytest.mark.parametrize(
    ("words", "args"),
    [
        (("close", "btc/usdt"), ("BTC/USDT", "by a person")),
        (("flatten",), ("*", "by a person")),
        (("flatten", "eth/usdt", "--why", "enough"), ("ETH/USDT", "enough")),
    ],
)
def test_what_is_held_is_closed_by_symbol(
    services: Services, words: tuple[str, ...], args: tuple[str, ...]
) -> None:
    done = services.rrr(*words, "--yes")
    assert done.code == 0, done.err
    assert told(done) == [("engine", "close-symbol", *args)]
    assert "trend closes 0.2 of BTC/USDT" in done.out


def test_an_entry_is_cancelled_by_the_beginning_of_its_id(services: Services) -> None:
    done = services.rrr("cancel", ORDER[:8].upper(), "--yes")
    assert done.code == 0, done.err
    assert told(done) == [("engine", "cancel", ORDER[:8], "by a person")]


def test_a_refusal_is_told_and_nothing_is_ordered(house: House) -> None:
    refusal = (False, "BTC/USDT has no price now", None)
    answers: Answers = {**CALM, ("engine", "order-look"): refusal}
    services = Services(house, ("engine",), answers)
    try:
        done = services.rrr("buy", "BTC/USDT", "1", "--yes")
    finally:
        services.close()
    assert done.code == 1
    assert "has no price now" in done.err
    assert told(done) == []


def test_without_an_engine_it_says_how_to_start_one(house: House) -> None:
    services = Services(house, (), {})
    try:
        done = services.rrr("buy", "BTC/USDT", "1", "--yes")
    finally:
        services.close()
    assert done.code == 4
    assert "supervisorctl start engine" in done.err
