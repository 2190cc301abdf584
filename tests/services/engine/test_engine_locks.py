"""Pair locks by hand: nothing enters, exits go on, and a person or the time lets it go."""

import msgspec
import pytest

from schema.trading import PairLocked, Protection
from services.engine.gates import closed
from services.engine.line import Pass
from tests.services.engine.engine_desk import Desk
from tests.services.engine.engine_made import MINUTE_NS, SYMBOL, engine

FOR_EVER = "0"
MEANS = "; entries stopped, exits go on"


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
        SYMBOL, f"news{MEANS}", f"rrr lock {SYMBOL} --clear",
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
    assert [row["why"] for row in locks(desk)] == [f"news{MEANS}"]


def test_what_a_protection_has_locked_is_cleared_too(desk: Desk) -> None:
    desk.core.apply(
        PairLocked(ts_event=1, symbol=SYMBOL, until_ns=desk.now_ns + MINUTE_NS, reason="lost twice")
    )
    assert locks(desk)[0]["by"] == "engine"
    assert desk.command("unlock", SYMBOL, "looked").ok
    assert locks(desk) == []


def protect(desk: Desk, until_ns: int, symbol: str = SYMBOL) -> None:
    """Let it hear that a protection locks a symbol."""
    desk.core.apply(
        Protection(
            ts_event=desk.now_ns - 1, name="guard", symbol=symbol, until_ns=until_ns, reason="four"
        )
    )


def test_a_protection_does_not_take_the_place_of_a_persons_longer_lock(desk: Desk) -> None:
    desk.command("lock", SYMBOL, "until", FOR_EVER, "news")
    protect(desk, desk.now_ns + MINUTE_NS)
    assert [row["by"] for row in locks(desk)] == ["me", "risk"]
    desk.now_ns += MINUTE_NS
    assert [row["why"] for row in locks(desk)] == [f"news{MEANS}"]


def test_what_a_protection_of_risk_has_locked_is_cleared_by_a_person(desk: Desk) -> None:
    protect(desk, desk.now_ns + MINUTE_NS)
    (row,) = locks(desk)
    assert row["why"] == f"guard: four{MEANS}"
    assert row["release"].startswith(f"rrr lock {SYMBOL} --clear, or it clears itself at ")
    assert desk.command("unlock", SYMBOL, "looked").ok
    assert locks(desk) == []
    protect(desk, desk.now_ns + MINUTE_NS)  # It was said before, and is heard late.
    assert locks(desk) == []


def test_a_lock_of_one_side_is_told_with_it(desk: Desk) -> None:
    assert desk.command("lock", SYMBOL, "short", "until", FOR_EVER, "news").ok
    rows = msgspec.json.decode(desk.command("stops").body, type=list[dict[str, str]])
    (row,) = [row for row in rows if row["what"] == "locked short"]
    assert row["release"] == f"rrr lock {SYMBOL} --side short --clear"
    assert desk.command("unlock", SYMBOL, "long", "why").text.endswith("not locked")
    assert desk.command("unlock", SYMBOL, "short", "why").ok
    assert msgspec.json.decode(desk.command("locks").body) == []


def test_a_lock_of_one_side_closes_the_way_to_that_side_alone(desk: Desk) -> None:
    assert desk.command("lock", SYMBOL, "short", "until", FOR_EVER, "news").ok

    def why_not(sign: int) -> str:
        turn = Pass(desk.core.state, desk.core.terms, desk.now_ns)
        return closed(turn, "t", SYMBOL, sign) or ""

    assert why_not(1) == ""
    assert why_not(-1) == why_not(0) == f"{SYMBOL} is locked by me: news"


def test_all_locks_are_told_with_who_why_and_until_when(desk: Desk) -> None:
    desk.command("lock", "*", "until", FOR_EVER, "news")
    protect(desk, desk.now_ns + MINUTE_NS)
    every, one = msgspec.json.decode(desk.command("locks").body)
    assert (every["symbol"], every["until"], every["protection"]) == ("*", "", "")
    assert every["release"] == 'rrr lock "*" --clear'
    assert (one["symbol"], one["by"], one["protection"]) == (SYMBOL, "risk", "guard")


def test_a_symbol_that_is_cleared_is_told_what_still_locks_all(desk: Desk) -> None:
    desk.command("lock", "*", "until", FOR_EVER, "holiday")
    desk.command("lock", SYMBOL, "until", FOR_EVER, "news")
    assert 'but "*" is locked' in desk.command("unlock", SYMBOL, "over").text


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
        ("lock", SYMBOL, "up", "until", "0", "why"),
        ("lock", SYMBOL, "long", "until", "0"),
        ("unlock", SYMBOL),
        ("unlock", SYMBOL, ""),
        ("unlock", "NO/SUCH", "why"),
    ],
)
def test_garbage_locks_nothing_and_is_told_so(desk: Desk, args: tuple[str, ...]) -> None:
    verb, *rest = args
    assert not desk.command(verb, *rest).ok
    assert locks(desk) == []
