"""Client order ids and the hash of what a verdict approves."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.approval import WIRE_FIELDS, order_hash
from schema.identity import client_order_id, house_tag, is_of_house, strategy_tag, tag_of
from schema.trading import OrderIntent
from tests.schema.samples import sample

words = st.text(min_size=1, max_size=12)
decisions = st.tuples(words, words, words, words, st.integers(0, 99))


@given(decisions)
def test_an_id_is_what_every_exchange_takes_and_names_its_strategy(
    decision: tuple[str, str, str, str, int],
) -> None:
    made = client_order_id(*decision)
    assert len(made) == 32
    assert set(made) <= set("0123456789abcdef")
    assert tag_of(made) == strategy_tag(decision[1])
    assert is_of_house(made, decision[0])


@given(decisions, decisions)
def test_two_decisions_never_share_an_id(
    one: tuple[str, str, str, str, int], other: tuple[str, str, str, str, int]
) -> None:
    assert (client_order_id(*one) == client_order_id(*other)) == (one == other)


def test_another_house_is_a_stranger() -> None:
    made = client_order_id("local-synthetic-7", "pulse", "BTC/USDT", "0", 0)
    assert made.startswith(house_tag("local-synthetic-7"))
    assert not is_of_house(made, "local-synthetic-8")
    assert not is_of_house("web_1234", "local-synthetic-7")


@pytest.mark.parametrize("name", WIRE_FIELDS)
def test_an_order_changed_in_any_field_is_another_order(name: str) -> None:
    intent: OrderIntent = sample(OrderIntent)
    value = getattr(intent, name)
    other = (
        not value
        if isinstance(value, bool)
        else value + 1
        if isinstance(value, int)
        else f"{value}x"
    )
    changed = msgspec.structs.replace(intent, **{name: other})
    assert order_hash(changed) != order_hash(intent)


def test_what_people_read_is_no_part_of_what_is_approved() -> None:
    intent: OrderIntent = sample(OrderIntent)
    assert order_hash(msgspec.structs.replace(intent, reason="another")) == order_hash(intent)


def test_an_order_of_a_former_release_has_the_hash_that_was_approved_then() -> None:
    intent = OrderIntent(
        ts_event=1, client_order_id="a" * 32, strategy="s", symbol="BTC/USDT", side="buy",
        order_type="market", qty=300, px_exp=2, qty_exp=5, ref_px=6_000_007,
    )  # fmt: skip
    assert order_hash(intent).hex() == "2711ed719b998e40f280250bdfcca6db"
    dated = msgspec.structs.replace(intent, expire_ns=1)
    assert len({order_hash(one) for one in (intent, dated)}) == 2
