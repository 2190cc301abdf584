"""A feed that has come to rest: live, complete, its history there."""

from tests.services.ingest.exchange import (
    GRACE_MS,
    MINUTE_MS,
    MS,
    START_MS,
    Exchange,
    Stand,
    tape_of,
)

STEADY = [500] * 400  # two trades a second


def ready(stand: Stand) -> Stand:
    """Bring a stand to where its feed is live and its history is there."""
    stand.open()
    stand.connect()
    stand.settle()
    stand.advance(MINUTE_MS + GRACE_MS)
    stand.live(stand.due())
    stand.settle()
    return stand


def steady(kept_from: int = 0, recent: int = 200, first_id: int = 1, quote_ms: int = 0) -> Stand:
    tape = tape_of(STEADY, first_id)
    now_ns = (START_MS + 65_000) * MS
    return ready(Stand(Exchange(tape, recent, kept_from), now_ns, quote_ms))
