"""Pair locks by hand: nothing enters, exits go on, and a person or the time lets it go."""

import msgspec
import pytest

from schema.trading import PairLocked
from tests.services.engine.engine_desk import Desk
from tests.services.engine.engine_made import MINUTE_NS, SYMBOL, engine

FOR_EVER = "0"


@pytest.fixture
def desk() -> Desk:
    return Desk(engine()).open(bars=10)


def locks(desk: Desk) -> list[dict[str, str]]:
    rows = msgspec.json.decode(desk.command("stops").body, type=list[dict[str, str]])
    return [row for row in rows if row["what"] == "locked"]


def test_a_lock_is_a_stop_with_its_release_until_a_person_clears_it(desk: Desk) -> None:
    done = desk.command("lock", SYMBOL, "until", FOR_EVER, "news")
    assert done.ok, done.text
    (row,) = locks(desk)
    assert (row["scope"], row["why"], row["release"]) == (
        SYMBOL, "news", f"rrr lock {SYMBOL} --clear",
    )  # fmt: skip
    assert row["by"] not in {"", "engine"}
    assert desk.command("unlock", SYMBOL, "over").ok
    assert locks(desk) == []
    assert desk.command("unlock", SYMBOL, "again").text.endswith("not locked")


def test_a_lock_for_a_while_ends_by_itself(desk: Desk) -> None:
    assert desk.command("lock", SYMBOL, "for", str(MINUTE_NS), "news").ok
    assert "clears itself at" in locks(desk)[0]["release"]
    desk.now_ns += MINUTE_NS
    assert locks(desk) == []


def test_a_shorter_lock_does_not_shorten_a_longer_one(desk: Desk) -> None:
    desk.command("lock", "*", "for", str(9 * MINUTE_NS), "news")
    done = desk.command("lock", "*", "for", str(MINUTE_NS), "less")
    assert "locked already" in done.text
    assert [row["why"] for row in locks(desk)] == ["news"]


def test_what_a_protection_has_locked_is_cleared_too(desk: Desk) -> None:
    desk.core.apply(
        PairLocked(ts_event=1, symbol=SYMBOL, until_ns=desk.now_ns + MINUTE_NS, reason="lost twice")
    )
    assert locks(desk)[0]["by"] == "engine"
    assert desk.command("unlock", SYMBOL, "looked").ok
    assert locks(desk) == []


@pytest.mark.parametrize(
    "args",
    [
        ("lock", "NO/SUCH", "until", "0", "why"),
        ("lock", SYMBOL, "until", "0", " "),
        ("lock", SYMBOL, "until", "1", "it is past"),
        ("lock", SYMBOL, "until", "-1", "why"),
        ("lock", SYMBOL, "until", "²", "why"),
        ("lock", SYMBOL, "for", "9" * 30, "why"),
        ("lock", SYMBOL, "soon", "5", "why"),
        ("lock", SYMBOL),
        ("unlock", SYMBOL),
        ("unlock", SYMBOL, ""),
        ("unlock", "NO/SUCH", "why"),
    ],
)
def test_garbage_locks_nothing_and_is_told_so(desk: Desk, args: tuple[str, ...]) -> None:
    verb, *rest = args
    assert not desk.command(verb, *rest).ok
    assert locks(desk) == []
