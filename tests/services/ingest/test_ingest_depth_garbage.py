"""What is no book, or no change of one, is refused and said, and the book is fetched."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from bus.errors import ProtocolError
from schema.market import Quarantined
from services.ingest.effects import NONE, RawLevels
from services.ingest.numbers import read, read_many
from tests.services.ingest.books import BookStand, book_of
from tests.services.ingest.exchange import SYMBOL


@pytest.mark.parametrize(
    "row",
    [("NaN", "1"), ("-1", "1"), ("60000.00", "-2"), ("0", "1"), ("", ""), ("1e3", "1"),
     ("9" * 30, "1"), ("60000.00", "0." + "0" * 30 + "1"), ("\uff16", "1")],
)  # fmt: skip
def test_a_change_that_cannot_be_read_is_quarantined_and_the_book_fetched(
    row: tuple[str, str],
) -> None:
    stand = BookStand(book_of()).in_step()
    spoiled = structs.replace(stand.book.change(bids=[(5_999_900, 5)]), bids=(row,))
    stand.hear(spoiled)
    (refused,) = [message for message in stand.said if isinstance(message, Quarantined)]
    assert (refused.symbol, refused.kind) == (SYMBOL, "depth")
    assert len(stand.updates()) == 1
    stand.hear(stand.book.change())
    stand.advance(2_000)
    stand.give()
    assert stand.told() == stand.book.sides(3)


@pytest.mark.parametrize("ids", [(NONE, NONE), (110, 105), (0, 0), (NONE, 500)])
def test_a_change_without_ids_is_quarantined(ids: tuple[int, int]) -> None:
    stand = BookStand(book_of()).in_step()
    change = stand.book.change(bids=[(5_999_900, 5)])
    stand.hear(structs.replace(change, first_id=ids[0], last_id=ids[1]))
    assert [m.kind for m in stand.said if isinstance(m, Quarantined)] == ["depth"]
    assert stand.figure("depth_refused") == 1


@pytest.mark.parametrize(
    ("bids", "asks"),
    [
        ((("1", "1"), ("2", "1")), ()),
        ((), (("2", "1"), ("1", "1"))),
        ((("2", "1"), ("2", "1")), ()),
        ((("3", "1"),), (("2", "1"),)),
        ((("3", "0"),), ()),
        ((("NaN", "1"),), ()),
    ],
)
def test_a_fetched_book_that_is_none_is_quarantined(bids: RawLevels, asks: RawLevels) -> None:
    stand = BookStand(book_of()).up()
    stand.hear(stand.book.change())
    asked = stand.asked()[0]
    stand.effects.remove(asked)
    stand.hear(structs.replace(stand.book.answer(asked), bids=bids, asks=asks))
    assert [m.kind for m in stand.said if isinstance(m, Quarantined)] == ["depth"]
    assert stand.updates() == []
    stand.advance(2_000)
    stand.give()
    assert stand.told() == stand.book.sides(3)


TEXTS = st.lists(
    st.one_of(
        st.decimals(0, 10**9, places=8, allow_nan=False).map("{:f}".format),
        st.decimals(0, 10**6, places=2).map("{:f}".format),
        st.from_regex(r"[0-9 .e_+-]{1,12}", fullmatch=True),
        st.sampled_from(["1.00000000", "1.00000000 2.00000000", "1", "", "NaN", "\uff11.0"]),
    ),
    max_size=6,
)


@settings(max_examples=200)
@given(TEXTS, st.integers(0, 12))
def test_many_texts_are_read_as_each_of_them_is(texts: list[str], exp: int) -> None:
    try:
        found = read(texts, exp) if texts else ((), exp)
    except (ValueError, ProtocolError):
        with pytest.raises((ValueError, ProtocolError)):
            read_many(texts, exp)
    else:
        many = read_many(texts, exp) if texts else ((), exp)
        assert (tuple(many[0]), many[1]) == found
