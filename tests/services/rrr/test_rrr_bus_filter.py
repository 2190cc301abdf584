"""The filter of `rrr bus watch`: what holds, what is refused, and that nothing else happens."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.forecast import Forecast
from schema.head import Message
from schema.orders import OrderSubmitted
from schema.trading import OrderIntent, Verdict
from services.rrr.bus_fields import has_key, key_of
from services.rrr.bus_filter import FilterError, read_filter, read_rule
from services.rrr.ears import Seen
from tests.services.rrr.bus_desk import NOON_NS, bar, fill, kill, trade

STREAMS = ["ingest.bar", "gateway.order", "predictor.forecast"]
PARTS = [
    "symbol", "close", "px", "fee", "type", "None", "True", "'BTC'", "1", "0", "2.5", "-", "+",
    "*", "/", "//", "%", "**", "<", ">=", "==", "!=", "in", "not", "and", "or", "is", "(", ")",
    "[", "]", ",", ".", ":", "lambda", "if", "else", "for", "x", "__class__", "open()", "{", "}",
    "1e999", "1j", "b'x'", "f'{x}'", "...", "\\", "'", "\n", "\0", ":=", "await", "*symbol",
]  # fmt: skip


def seen(message: Message, stream: str = "ingest.bar") -> Seen:
    return Seen(stream, 7, NOON_NS, message)


def submitted() -> OrderSubmitted:
    intent = OrderIntent(
        ts_event=NOON_NS, client_order_id="ab" * 16, strategy="trend", symbol="BTC/USDT",
        side="buy", order_type="limit", qty=100, px_exp=2, qty_exp=5, limit_px=6_000_010,
    )  # fmt: skip
    verdict = Verdict(
        ts_event=NOON_NS, client_order_id="ab" * 16, order_hash=b"", approved=True, code="OK",
        detail="", epoch=1, expires_ns=0,
    )  # fmt: skip
    return OrderSubmitted(
        ts_event=NOON_NS, client_order_id="ab" * 16, intent=intent, verdict=verdict, signed_ms=1
    )


def forecast(up: float) -> Forecast:
    return Forecast(
        ts_event=NOON_NS, symbol="BTC/USDT", timeframe="1m", bar_open_ns=0, horizon_ns=1,
        probability_up=up, confidence=0.6,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("symbol == 'BTC/USDT'", True),
        ("symbol != 'BTC/USDT'", False),
        ("'BTC' in symbol", True),
        ("symbol in ('ETH/USDT', 'BTC/USDT')", True),
        ("symbol not in ['ETH/USDT']", True),
        ("open == 60000.01", True),
        ("60000 < open < 60000.02", True),
        ("(high - low) / low > 0.00003", True),
        ("close * volume > 74074", True),
        ("not (trades > 2)", True),
        ("trades % 2 == 0 and trades // 2 == 1", True),
        ("-trades < 0 and +trades > 1", True),
        ("type == 'Bar' and stream == 'ingest.bar' and pos == 7", True),
        ("key == 'BTC/USDT'", True),
        ("open / 0 > 1", False),
        ("fee > 1", False),
        ("fee == None", True),
        ("fee + 1 > 0", False),
        ("fee in (1, 2)", False),
        ("fee > 1 or type == 'Bar'", True),
        ("source", True),
        ("  symbol=='BTC/USDT'  ", True),
    ],
)
def test_a_filter_holds_or_does_not(text: str, *, holds: bool) -> None:
    assert read_filter(text, STREAMS)(seen(bar(1))) is holds


def test_a_fraction_is_compared_as_it_is_written() -> None:
    assert read_filter("confidence == 0.6", STREAMS)(seen(forecast(0.1)))
    assert not read_filter("probability_up > 0.1", STREAMS)(seen(forecast(float("nan"))))


def test_a_part_of_a_part_is_exact_by_its_own_exponent() -> None:
    assert read_filter("intent.limit_px == 60000.10", STREAMS)(seen(submitted()))
    assert not read_filter("intent.limit_px == 60000.10", STREAMS)(seen(bar()))


def test_a_fee_has_the_decimals_of_its_asset() -> None:
    assert read_filter("fee == 0.012 and quote_qty == 60000", STREAMS)(seen(fill()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "open >",
        "opne > 1",
        "__import__('os').system('true')",
        "symbol.__class__",
        "intent.__class__",
        "[x for x in symbol]",
        "lambda: 1",
        "9 ** 9 ** 9",
        "1 << 99",
        "symbol is None",
        "symbol[0] == 'B'",
        "1j == 1",
        "b'x' == symbol",
        "f'{symbol}'",
        "'a' * 9",
        "'a' + 'b' == 'ab'",
        "symbol > 5",
        "1 in trades",
        "-symbol == 1",
        "(" * 300,
        "not " * 60 + "trades",
        "1 + " * 400 + "1",
        "x = 1",
        "\0",
    ],
)
def test_a_filter_that_is_none_is_refused_with_a_line(text: str) -> None:
    with pytest.raises(FilterError) as refused:
        read_filter(text, STREAMS)(seen(bar()))
    assert refused.value.exit_code == 2
    assert refused.value.message


@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.sampled_from(PARTS), max_size=14).map(" ".join),
        st.lists(st.sampled_from(PARTS), max_size=8).map("".join),
    )
)
def test_no_text_does_anything_but_hold_or_be_refused(text: str) -> None:
    with suppress(FilterError):
        holds = read_filter(text, STREAMS)
        for message in (bar(), fill(), kill(), trade(), submitted(), forecast(float("inf"))):
            assert holds(seen(message)) in {True, False}


def test_an_own_rule_asks_for_what_it_names_alone() -> None:
    asked: list[str] = []
    assert read_rule("a and b.c", asked.append)({"a": 1, "b.c": 2}.get) is True
    assert asked == ["a", "b.c"]


def test_a_key_is_whom_a_message_is_about() -> None:
    assert [key_of(message) for message in (bar(), kill(), fill())] == ["BTC/USDT", "", "BTC/USDT"]
    assert has_key(fill(), ["AB" * 16])
    assert not has_key(kill(), [""])
