"""Who asks the exchange by hand obeys the ban that ingest knows, and tells it of one's own."""

import msgspec
import pytest

from bus.service import Said
from schema.house import Command, CommandDone
from schema.market import FeedBudget
from services.ingest.effects import BudgetMet, Obey
from tests.services.ingest.exchange import MS
from tests.services.ingest.steady import steady

UNTIL_MS = 1_900_000_000_000


def asked(*args: str, known_ms: int = 0) -> list[Said]:
    core = steady().core
    if known_ms:
        for said in core.handle(BudgetMet(used=1, retry_wall_ms=known_ms), 1):
            if isinstance(said, FeedBudget):
                core.apply(said)
    return core.handle(Command(request_id="1", verb="budget", args=args, by="a person"), 1)


def test_the_ban_that_is_known_is_told() -> None:
    (done,) = asked(known_ms=UNTIL_MS)
    assert isinstance(done, CommandDone)
    assert msgspec.json.decode(done.body)["retry_wall_ms"] == UNTIL_MS


def test_a_ban_that_a_hand_met_is_kept_and_obeyed() -> None:
    told, obey, done = asked(str(UNTIL_MS))
    assert isinstance(told, FeedBudget)
    assert told.retry_after_ns == UNTIL_MS * MS
    assert isinstance(obey, Obey)
    assert obey.retry_wall_ms == UNTIL_MS
    assert isinstance(done, CommandDone)
    assert done.ok


def test_a_shorter_ban_shortens_nothing() -> None:
    obey, _ = asked(str(UNTIL_MS - 1), known_ms=UNTIL_MS)
    assert isinstance(obey, Obey)
    assert obey.retry_wall_ms == UNTIL_MS


@pytest.mark.parametrize("args", [("soon",), ("-1",), ("1", "2"), ("9" * 14,)])
def test_what_is_no_time_is_refused(args: tuple[str, ...]) -> None:
    (done,) = asked(*args)
    assert isinstance(done, CommandDone)
    assert not done.ok
