"""Whatever the feed does, the bars are those of the whole tape, each exactly once."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.effects import RawTrade
from tests.services.ingest.exchange import (
    MINUTE_MS,
    MS,
    START_MS,
    Exchange,
    Stand,
    fold,
    row_of,
    tape_of,
)

GAPS = st.lists(
    st.one_of(st.integers(0, 3_000), st.integers(0, 30_000), st.integers(60_000, 400_000)),
    min_size=1,
    max_size=160,
)
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(
            (
                "wait",
                "wait",
                "live",
                "live",
                "lose",
                "twice",
                "shuffle",
                "answer",
                "answer",
                "answer",
                "refuse",
                "drop",
                "open",
                "connect",
                "snapshot",
                "fold",
            )
        ),
        st.integers(0, 60_000),
    ),
    max_size=80,
)


def act(stand: Stand, deed: str, number: int) -> None:  # noqa: C901 - one line a deed
    match deed:
        case "wait":
            stand.advance(number)
        case "live":
            stand.live(stand.due())
        case "lose":
            stand.live(stand.due()[number % 3 :: 2])
        case "twice":
            trades = stand.due()
            stand.live(trades)
            stand.live(trades[::2])
        case "shuffle":
            stand.live(tuple(reversed(stand.due())))
        case "answer" if stand.effects:
            stand.answer(number % len(stand.effects))
        case "refuse" if stand.effects:
            stand.refuse(number % len(stand.effects))
        case "drop":
            stand.drop()
        case "open":
            stand.open()
        case "connect":
            stand.open()
            stand.connect()
        case "snapshot" | "fold":
            stand.restart(from_snapshot=deed == "snapshot")


def finish(stand: Stand) -> None:
    """Let everything arrive, and the longest bar close."""
    stand.open()
    stand.connect()
    for _ in range(40):
        stand.settle()
        stand.advance(MINUTE_MS)
        stand.live(stand.due())
    stand.settle()
    last_ms = stand.exchange.tape[-1][3]
    stand.advance(max(0, last_ms + 86_400_000 - stand.now_ns // MS))
    stand.live(stand.due())
    for _ in range(40):
        stand.settle()
        stand.advance(MINUTE_MS)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    gaps=GAPS, deeds=DEEDS, begin=st.integers(0, 20 * MINUTE_MS), recent=st.sampled_from((5, 50))
)
def test_any_order_of_events_gives_the_bars_of_the_whole_tape(
    gaps: list[int], deeds: list[tuple[str, int]], begin: int, recent: int
) -> None:
    tape = tape_of(gaps)
    stand = Stand(Exchange(tape, recent=recent), (START_MS + begin) * MS)
    for deed, number in deeds:
        act(stand, deed, number)
    finish(stand)

    ids = stand.trades()
    assert ids == sorted(set(ids))
    lost = sum(gap.last_trade_id - gap.first_trade_id + 1 for gap in stand.gaps() if not gap.filled)
    if ids:
        assert ids[-1] - ids[0] + 1 == len(ids) + lost
    assert [row_of(bar) for bar in stand.bars()] == fold(tape, "1m")
    for timeframe in ("5m", "15m", "1h", "4h", "1d"):
        assert [row_of(b) for b in stand.bars(timeframe)] == whole(stand, tape, timeframe)


def whole(stand: Stand, tape: list[RawTrade], timeframe: str) -> list[tuple[int, ...]]:
    first = min((bar.open_ns for bar in stand.bars()), default=0)
    return [row for row in fold(tape, timeframe) if row[0] >= first]
