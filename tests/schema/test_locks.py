"""Locks as a fold: who locks and clears what, and one outcome however two streams are woven."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.locks import ANY, FOREVER_NS, Locks, fold_lock, side_of
from schema.trading import PairLocked, Protection

BTC, ETH = "BTC/USDT", "ETH/USDT"
Said = PairLocked | Protection


def locked(at_ns: int, until_ns: int, symbol: str = BTC, side: str = ANY) -> PairLocked:
    return PairLocked(
        ts_event=at_ns, symbol=symbol, until_ns=until_ns, reason="news", side=side, by="ann"
    )


def protected(at_ns: int, until_ns: int, symbol: str = BTC, side: str = ANY) -> Protection:
    return Protection(
        ts_event=at_ns, name="guard", symbol=symbol, until_ns=until_ns, reason="four", side=side
    )


def folded(*said: Said) -> Locks:
    locks = Locks()
    for message in said:
        fold_lock(locks, message)
    return locks


def test_a_lock_holds_until_its_time_and_no_longer() -> None:
    locks = folded(locked(10, 20))
    assert locks.against(BTC, "long", 19) is not None
    assert locks.against(BTC, "long", 20) is None
    assert locks.against(ETH, "long", 19) is None


@pytest.mark.parametrize(
    ("of", "asked", "holds"),
    [
        (ANY, "long", True), (ANY, "short", True), ("long", "long", True),
        ("long", "short", False), ("long", ANY, True), ("short", side_of("sell"), True),
    ],
)  # fmt: skip
def test_a_lock_of_one_side_leaves_the_other(of: str, asked: str, *, holds: bool) -> None:
    assert (folded(locked(1, 9, side=of)).against(BTC, asked, 5) is not None) == holds


def test_a_lock_of_all_holds_every_symbol() -> None:
    assert folded(locked(1, FOREVER_NS, ANY)).against(ETH, "long", 5) is not None


def test_a_protection_neither_shortens_nor_replaces_the_lock_of_a_person() -> None:
    locks = folded(locked(1, 100), protected(2, 10))
    assert [lock.by for lock in locks.now(5)] == ["ann", "risk"]
    assert [lock.by for lock in locks.now(50)] == ["ann"]


def test_a_person_clears_both_his_lock_and_that_of_a_protection() -> None:
    locks = folded(locked(1, 100), protected(2, 100), locked(3, 3))
    assert locks.now(5) == []
    assert locks.cleared_ns(BTC, "long") == 3
    assert locks.cleared_ns(ETH, "long") == 0


def test_a_clear_of_one_side_leaves_the_locks_of_the_other() -> None:
    locks = folded(protected(1, 100, side="long"), protected(1, 100, side="short"))
    fold_lock(locks, locked(3, 3, side="long"))
    assert [lock.side for lock in locks.now(5)] == ["short"]


def test_what_a_protection_said_before_a_clear_stays_cleared_when_it_is_heard_late() -> None:
    assert folded(locked(3, 3), protected(2, 100)).now(5) == []
    assert len(folded(locked(3, 3), protected(4, 100)).now(5)) == 1


def test_a_person_may_lock_again_in_the_moment_of_the_clear() -> None:
    assert len(folded(locked(3, 3), locked(3, 9)).now(5)) == 1


times = st.integers(1, 30)
symbols, sides = st.sampled_from([BTC, ETH, ANY]), st.sampled_from([ANY, "long", "short"])
by_hand = st.builds(
    lambda at, s, d, for_: locked(at, at + for_, s, d), times, symbols, sides, st.integers(0, 9)
)
by_rule = st.builds(
    lambda at, s, d, for_: protected(at, at + for_, s, d), times, symbols, sides, st.integers(1, 9)
)


@given(st.lists(by_hand, max_size=12), st.lists(by_rule, max_size=12), st.integers(0, 99))
def test_two_streams_woven_in_any_way_come_to_the_same_locks(
    hand: list[Any], rule: list[Any], seed: int
) -> None:
    hand.sort(key=lambda one: one.ts_event)
    rule.sort(key=lambda one: one.ts_event)
    chance, woven, rest = random.Random(seed), [], [list(hand), list(rule)]
    while any(rest):
        woven.append(chance.choice([one for one in rest if one]).pop(0))
    one, other = folded(*hand, *rule), folded(*woven)
    for now_ns in range(40):
        assert one.now(now_ns) == other.now(now_ns)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Locks) == one
