"""`rrr resolve`, `adopt` and `lock` as processes, against control sockets that answer."""

import json
import os
from collections.abc import Iterator

import msgspec
import pytest

from bus.house import House
from tests.services.bare import bare_house
from tests.services.rrr.answering import Answers, Done, Services

ORDER = "0123456789abcdef0123456789abcdef"
SEEN = ("--evidence", "its page says so")
FILL = ("--trade-id", "77", "--qty", "0.01", "--px", "50000", "--fee", "0.5", "--fee-asset", "usdt")
ROW = {
    "symbol": "BTC/USDT", "venue_order_id": "9", "side": "sell", "qty": "1", "filled": "0",
    "open": "yes", "adopted": "", "by": "", "why": "",
}  # fmt: skip
CALM: Answers = {
    ("gateway", "resolve-look"): (True, "", ["order 0123", "it is taken for dead"]),
    ("gateway", "resolve"): (True, "it is absent", None),
    ("gateway", "adopt-look"): (True, "", ["-12.34 USDT goes into the external book"]),
    ("gateway", "adopt"): (True, "adopted", None),
    ("gateway", "external"): (True, "", [ROW]),
    ("engine", "stops"): (True, "", []),
    ("engine", "lock"): (True, "locked", None),
    ("engine", "unlock"): (True, "unlocked", None),
}


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        yield made


@pytest.fixture
def services(house: House) -> Iterator[Services]:
    made = Services(house, ("gateway", "engine"), CALM)
    yield made
    made.close()


def told(done: Done) -> list[tuple[str, ...]]:
    return [one for one in done.told if not one[1].endswith("-look")]


def test_a_word_on_an_order_is_previewed_and_then_given(services: Services) -> None:
    done = services.rrr("resolve", ORDER[:8], "absent", *SEEN, "--yes")
    assert done.code == 0, done.err
    assert [one[1] for one in done.asked] == ["resolve-look", "resolve"]
    ((_, _, wish),) = told(done)
    assert json.loads(wish) == {
        "order": ORDER[:8], "fate": "absent", "evidence": "its page says so",
    }  # fmt: skip
    assert done.out.splitlines()[1:] == ["  order 0123", "  it is taken for dead", "it is absent"]


def test_a_fill_is_told_as_the_page_of_the_venue_has_it(services: Services) -> None:
    done = services.rrr("resolve", ORDER, "filled", *SEEN, *FILL, "--yes", "--json")
    assert json.loads(done.out) == {"ok": True, "text": "it is absent"}
    ((_, _, wish),) = told(done)
    assert msgspec.json.decode(wish) == {
        "order": ORDER, "fate": "filled", "evidence": "its page says so", "trade_id": "77",
        "qty": "0.01", "px": "50000", "fee": "0.5", "fee_asset": "USDT",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "args"),
    [
        (("btc/usdt", "9", "mine"), ("order", "BTC/USDT", "9", "mine")),
        (
            ("usdt", "-12.34", "--book", "external", "mine"),
            ("balance", "USDT", "-12.34", "external", "mine"),
        ),
        (("BTC", "0.5", "mine", "--book", "trading"), ("balance", "BTC", "0.5", "trading", "mine")),
    ],
)
def test_orders_and_balances_are_adopted(
    services: Services, words: tuple[str, ...], args: tuple[str, ...]
) -> None:
    done = services.rrr("adopt", *words, "--yes")
    assert done.code == 0, done.err
    assert told(done) == [("gateway", "adopt", *args)]
    assert done.asked[0] == ("gateway", "adopt-look", *args[:-1])


def test_orders_of_others_are_listed(services: Services) -> None:
    assert json.loads(services.rrr("adopt", "--list", "--json").out) == [ROW]
    line = services.rrr("adopt", "--list").out.splitlines()[2]
    assert line.split()[:2] == ["BTC/USDT", "9"]


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("btc/usdt", "news", "--for", "2h"), ("lock", "BTC/USDT", "for", "7200000000000", "news")),
        (
            ("BTC/USDT", "news", "--until", "2026-01-31T12:00:00Z"),
            ("lock", "BTC/USDT", "until", "1769860800000000000", "news"),
        ),
        (("*", "news"), ("lock", "*", "until", "0", "news")),
        (("BTC/USDT", "--clear"), ("unlock", "BTC/USDT", "by hand")),
        (("BTC/USDT", "over", "--clear"), ("unlock", "BTC/USDT", "over")),
    ],
)
def test_a_pair_is_locked_and_cleared(
    services: Services, words: tuple[str, ...], command: tuple[str, ...]
) -> None:
    done = services.rrr("lock", *words, "--yes")
    assert done.code == 0, done.err
    assert told(done) == [("engine", *command)]


@pytest.mark.parametrize(
    "words",
    [
        ("resolve",),
        ("resolve", ORDER, "absent"),
        ("resolve", ORDER, "gone", *SEEN),
        ("resolve", ORDER, "absent", "--evidence", " \t"),
        ("resolve", ORDER, "absent", *SEEN, "--px", "5"),
        ("resolve", ORDER, "filled", *SEEN),
        ("resolve", ORDER, "filled", *SEEN, *FILL[:-2]),
        ("adopt",),
        ("adopt", "BTC/USDT", "9"),
        ("adopt", "BTC/USDT", "9", " "),
        ("adopt", "BTC/USDT", "9", "why", "--book", "external"),
        ("adopt", "USDT", "-1", "why"),
        ("adopt", "USDT", "-1", "why", "--book", "mine"),
        ("adopt", "--bok", "external", "USDT", "-1", "why"),
        ("lock", "--for", "1h"),
        ("lock", "BTC/USDT"),
        ("lock", "BTC/USDT", "why", "--for", "soon"),
        ("lock", "BTC/USDT", "why", "--until", "yesterday"),
        ("lock", "BTC/USDT", "why", "--for", "1h", "--until", "2026-01-31T12:00:00Z"),
        ("lock", "BTC/USDT", "--clear", "--for", "1h"),
    ],
)
def test_garbage_is_one_clear_line_and_asks_nobody(
    services: Services, words: tuple[str, ...]
) -> None:
    done = services.rrr(*words, "--yes")
    assert (done.code, done.asked) == (2, [])
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("resolve", ORDER, "absent", *SEEN),
        ("adopt", "BTC/USDT", "9", "why"),
        ("lock", "BTC/USDT", "why"),
    ],
)
def test_nobody_at_a_terminal_is_asked_and_nothing_is_changed(
    services: Services, words: tuple[str, ...]
) -> None:
    done = services.rrr(*words)
    assert (done.code, told(done)) == (2, [])
    assert "--yes" in done.err


@pytest.mark.parametrize(("typed", "code"), [(b"resolve\n", 0), (b"yes\n", 1)])
def test_a_person_types_the_word_before_an_order_is_resolved(
    services: Services, typed: bytes, code: int
) -> None:
    ours, theirs = os.openpty()
    services.typing = ours
    done = services.rrr("resolve", ORDER, "absent", *SEEN, stdin=theirs, typed=typed)
    os.close(ours)
    os.close(theirs)
    assert done.code == code, done.err
    assert bool(told(done)) == (code == 0)


def test_a_refusal_comes_before_anybody_is_asked(house: House) -> None:
    no = (False, "the exchange may still take its request", None)
    services = Services(house, ("gateway",), {("gateway", "resolve-look"): no})
    done = services.rrr("resolve", ORDER, "absent", *SEEN, "--yes")
    services.close()
    assert done.code == 1
    assert "may still take" in done.err
    assert len(done.asked) == 1


@pytest.mark.parametrize("verb", [("resolve", ORDER, "absent", *SEEN), ("adopt", "A/B", "9", "w")])
def test_without_a_gateway_it_is_unreachable(house: House, verb: tuple[str, ...]) -> None:
    done = Services(house, (), {}).rrr(*verb, "--yes")
    assert done.code == 4
    assert "Traceback" not in done.err


def test_an_answer_that_cannot_be_read_is_one_line(house: House) -> None:
    services = Services(house, ("gateway",), {("gateway", "adopt-look"): (True, "", {"a": 1})})
    done = services.rrr("adopt", "A/B", "9", "why", "--yes")
    services.close()
    assert done.code == 1
    assert "rrr restart gateway" in done.err
