"""The book is said without a hole, and begins anew behind each one."""

import pytest
from msgspec import structs

from schema.market import DepthUpdate, FeedStatus
from services.ingest.effects import FetchDepth
from services.ingest.ladder import shown_after
from tests.services.ingest.books import BookStand, book_of
from tests.services.ingest.exchange import SYMBOL
from tests.services.ingest.steady import steady


def test_a_book_that_is_off_is_neither_asked_for_nor_said() -> None:
    stand = steady()
    assert not [name for name, _ in stand.core.counters() if name.startswith("depth")]
    assert not [message for message in stand.said if isinstance(message, DepthUpdate)]


def test_the_first_word_about_a_book_tells_it_whole() -> None:
    stand = BookStand(book_of()).in_step()
    (update,) = stand.updates()
    assert update.anew
    assert (update.bids, update.asks) == stand.book.sides(3)
    assert update.first_update_id == update.last_update_id == stand.book.update_id


def test_a_book_is_asked_for_without_a_change_once_the_grace_is_over() -> None:
    stand = BookStand(book_of()).up()
    assert not stand.asked()
    stand.advance(2_000)
    stand.give()
    assert stand.told() == stand.book.sides(3)


def test_changes_that_came_before_the_book_are_held_for_it() -> None:
    stand = BookStand(book_of()).up()
    early = [stand.book.change(bids=[(5_999_900, n)]) for n in (1, 2)]
    for change in early:
        stand.hear(change)
    whole = stand.book.answer(stand.asked()[0])
    late = stand.book.change(bids=[(5_999_950, 3)])
    stand.hear(late)
    stand.hear(whole)
    assert stand.told() == stand.book.sides(3)
    assert stand.figure("depth_fetched") == 1


def test_a_fetched_book_may_end_within_a_change() -> None:
    stand = BookStand(book_of()).up()
    change = stand.book.change(bids=[(5_999_900, 7)], asks=[(6_000_100, 8)])
    stand.hear(change)
    whole = stand.book.answer(stand.asked()[0])
    stand.hear(structs.replace(whole, update_id=change.first_id))
    assert stand.told() == stand.book.sides(3)
    assert stand.figure("depth_out_of_step") == 0


def test_a_book_older_than_the_first_change_is_asked_for_again() -> None:
    stand = BookStand(book_of()).up()
    old = stand.book
    stand.hear(old.change(bids=[(5_999_900, 7)]))
    asked = stand.asked()[0]
    stand.effects.remove(asked)
    stand.hear(structs.replace(old.answer(asked), update_id=50))
    assert not stand.asked()
    stand.advance(2_000)
    stand.give()
    assert stand.told() == stand.book.sides(3)


def test_a_change_says_what_moved_among_the_best_levels() -> None:
    stand = BookStand(book_of()).in_step()
    before = stand.book.update_id
    stand.hear(stand.book.change(bids=[(5_999_900, 0)]))
    update = stand.updates()[-1]
    assert not update.anew
    assert update.first_update_id == before + 1
    assert update.bids == ((5_999_900, 0), (5_999_600, 10_003))
    assert update.asks == ()


def test_a_change_behind_the_best_levels_is_not_said() -> None:
    stand = BookStand(book_of()).in_step()
    stand.hear(stand.book.change(bids=[(5_999_100, 1)]))
    assert len(stand.updates()) == 1
    stand.hear(stand.book.change(bids=[(5_999_950, 1)]))
    assert stand.told() == stand.book.sides(3)


def test_changes_within_the_pause_are_one_word() -> None:
    stand = BookStand(book_of(), depth_ms=100).in_step()
    for qty in (1, 2, 3):
        stand.hear(stand.book.change(asks=[(6_000_100, qty)]))
    assert len(stand.updates()) == 1
    stand.advance(100)
    assert [update.asks for update in stand.updates()[1:]] == [((6_000_100, 3),)]
    assert stand.updates()[-1].last_update_id == stand.book.update_id


def test_a_hole_makes_the_book_begin_anew() -> None:
    stand = BookStand(book_of()).in_step()
    stand.hear(stand.book.change(bids=[(5_999_900, 1)]))
    stand.book.change(bids=[(5_999_950, 9)])  # It is lost.
    stand.hear(stand.book.change(asks=[(6_000_050, 1)]))
    said = len(stand.updates())
    assert (stand.figure("depth_gaps"), stand.figure("depth_out_of_step")) == (1, 1)
    stand.advance(2_000)
    stand.give()
    assert [update.anew for update in stand.updates()[said:]] == [True]
    assert stand.told() == stand.book.sides(3)


def test_a_change_that_comes_twice_changes_nothing() -> None:
    stand = BookStand(book_of()).in_step()
    once = stand.book.change(bids=[(5_999_900, 1)])
    stand.hear(once)
    stand.hear(stand.book.change(bids=[(5_999_900, 2)]))
    stand.hear(once)
    assert stand.told() == stand.book.sides(3)
    assert stand.figure("depth_gaps") == 0


def test_a_book_whose_sides_cross_is_fetched_anew() -> None:
    stand = BookStand(book_of()).in_step()
    stand.hear(stand.book.change(bids=[(6_000_100, 1)]))
    assert stand.figure("depth_crossed") == 1
    assert len(stand.updates()) == 1
    del stand.book.bids[6_000_100]
    stand.advance(2_000)
    stand.give()
    assert stand.told() == stand.book.sides(3)


def test_a_book_that_moves_off_the_fetched_levels_is_fetched_before_it_is_short() -> None:
    stand = BookStand(book_of(600)).in_step()
    stand.advance(2_000)
    stand.hear(stand.book.change(bids=[(5_999_900 - 100 * n, 0) for n in range(375)]))
    assert not stand.asked()
    stand.hear(stand.book.change(bids=[(5_999_900 - 37_500, 0)]))
    whole = stand.book.answer(stand.asked()[0])
    stand.hear(stand.book.change(bids=[(5_999_900 - 37_600, 77)]))
    stand.hear(structs.replace(whole, effect_id=stand.effects.pop().effect_id))
    stand.hear(stand.book.change(bids=[(5_999_900 - 37_700, 0)]))
    assert [update.anew for update in stand.updates()] == [True] + [False] * 4
    assert stand.told() == stand.book.sides(3)


def test_an_old_answer_does_not_take_the_place_of_a_book_in_step() -> None:
    stand = BookStand(book_of(600)).in_step()
    stand.advance(2_000)
    whole = stand.book.answer(FetchDepth(effect_id="", symbol=SYMBOL, limit=500))
    stand.hear(stand.book.change(bids=[(5_999_900 - 100 * n, 0) for n in range(376)]))
    stand.hear(structs.replace(whole, effect_id=stand.effects.pop().effect_id))
    assert stand.told() == stand.book.sides(3)
    assert stand.figure("depth_out_of_step") == 0


def test_a_book_that_left_the_fetched_levels_is_fetched_anew() -> None:
    stand = BookStand(book_of(600)).in_step()
    stand.hear(stand.book.change(bids=[(5_999_900 - 100 * n, 0) for n in range(498)]))
    assert stand.figure("depth_out_of_step") == 1
    stand.advance(2_000)
    stand.give()
    assert stand.told() == stand.book.sides(3)


def test_a_short_book_whose_levels_are_all_known_stays_in_step() -> None:
    stand = BookStand(book_of(2)).in_step()
    stand.hear(stand.book.change(bids=[(5_999_900, 0), (5_999_800, 0)]))
    assert stand.told() == stand.book.sides(3) != ((), ())
    assert stand.figure("depth_out_of_step") == 0


def test_after_a_lost_session_the_book_begins_anew() -> None:
    stand = BookStand(book_of()).in_step()
    stand.drop()
    stand.book.change(bids=[(5_999_900, 4)])
    stand.up()
    stand.hear(stand.book.change())
    stand.advance(2_000)
    stand.give()
    assert [update.anew for update in stand.updates()] == [True, True]
    assert stand.told() == stand.book.sides(3)


def test_an_answer_of_a_session_that_is_over_is_not_taken() -> None:
    stand = BookStand(book_of()).up()
    stand.hear(stand.book.change())
    old = stand.book.answer(stand.asked()[0])
    stand.drop()
    stand.hear(old)
    assert stand.updates() == []


def test_a_question_without_an_answer_is_asked_again_and_stops_nobody() -> None:
    stand = BookStand(book_of()).in_step()
    stand.hear(stand.book.change(bids=[(6_000_100, 1)]))
    del stand.book.bids[6_000_100]
    stand.advance(2_000)
    before = [message for message in stand.said if isinstance(message, FeedStatus)]
    stand.refuse(stand.effects.index(stand.asked()[0]))
    stand.advance(2_000)
    stand.give()
    assert [message for message in stand.said if isinstance(message, FeedStatus)] == before
    assert stand.told() == stand.book.sides(3)


def test_finer_prices_give_the_whole_book_more_decimals() -> None:
    stand = BookStand(book_of()).in_step()
    fine = structs.replace(stand.book.change(), bids=(("59999.005", "1.0000001"),))
    stand.hear(fine)
    update = stand.updates()[-1]
    assert (update.px_exp, update.qty_exp) == (3, 7)
    assert update.bids == ((59_999_000 - 2_000, 0), (59_999_005, 10_000_001))
    assert stand.core.state.feeds[SYMBOL].depth is not None
    assert stand.core.state.feeds[SYMBOL].depth.bids[1] == (59_999_000, 1_000_000)


def test_a_late_joiner_is_told_the_book_as_it_was_said() -> None:
    stand = BookStand(book_of()).in_step()
    stand.hear(stand.book.change(asks=[(6_000_050, 9)]))
    (snapshot,) = stand.snapshot()
    assert (snapshot.part, snapshot.parts) == (1, 1)
    assert (snapshot.bids, snapshot.asks) == stand.book.sides(3)
    assert snapshot.update_id == stand.book.update_id


def test_nobody_is_told_a_book_that_was_never_said() -> None:
    assert BookStand(book_of()).up().snapshot() == []


@pytest.mark.parametrize("from_snapshot", [True, False])
def test_a_restart_keeps_the_book_that_was_said_and_begins_anew(*, from_snapshot: bool) -> None:
    stand = BookStand(book_of()).in_step()
    stand.hear(stand.book.change(asks=[(6_000_050, 9)]))
    before = stand.snapshot()
    stand.restart(from_snapshot=from_snapshot)
    assert stand.snapshot() == before
    stand.up()
    stand.hear(stand.book.change())
    stand.give()
    assert stand.updates()[-1].anew
    assert stand.told() == stand.book.sides(3)


def test_a_fold_with_a_hole_has_no_book_until_it_is_told_whole() -> None:
    stand = BookStand(book_of()).in_step()
    for qty in (1, 2):
        stand.hear(stand.book.change(asks=[(6_000_100, qty)]))
    whole, first, second = stand.updates()
    assert shown_after(shown_after(None, whole), second) is None
    assert shown_after(None, first) is None
    (snapshot,) = stand.snapshot()
    assert shown_after(None, snapshot) == stand.core.state.feeds[SYMBOL].depth


def test_no_more_changes_are_held_than_a_minute_of_them() -> None:
    stand = BookStand(book_of()).up()
    for _ in range(700):
        stand.hear(stand.book.change())
    assert len(stand.core.lines[SYMBOL].depth.held) == 600
