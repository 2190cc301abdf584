"""Each closed minute is compared with the exchange's own bar of it, and what differs is mended."""

import msgspec
import pytest

from schema.market import Bar, FeedGap, Quarantined
from schema.units import bar_open_ns
from services.ingest import state
from services.ingest.effects import FetchBars, FetchedBars, FetchTrades, RawBar, RawTrade
from services.ingest.kept import LONGER, SPAN_NS
from tests.services.ingest.exchange import (
    GRACE_MS,
    MINUTE_MS,
    MS,
    START_MS,
    Exchange,
    Stand,
    decimal,
    fold,
    row_of,
    tape_of,
)
from tests.services.ingest.steady import ready

TAPE = tape_of([500] * 9_000)  # an hour and a quarter
BEGAN_NS = (START_MS + 65_000) * MS
FIRST_MS = START_MS + 2 * MINUTE_MS  # the first minute that is made of trades, and the next
Rows = dict[int, RawBar]


class Contrary(Exchange):
    """An exchange some of whose own bars are not what its trades make."""

    def __init__(self, tape: list[RawTrade], rows: Rows) -> None:
        super().__init__(tape, recent=200)
        self.rows = rows

    def _bars(self, effect: FetchBars, there: list[RawTrade]) -> FetchedBars:
        rows: Rows = {}
        for open_ns, open_px, high, low, close, volume, trades in fold(there, "1m"):
            prices = [decimal(px, 2) for px in (open_px, high, low, close)]
            row = (open_ns // MS, *prices, decimal(volume, 5), "0", trades)
            rows[open_ns // MS] = row  # type: ignore[assignment]
        rows |= self.rows
        bars = [rows[ms] for ms in sorted(rows) if effect.start_ns <= ms * MS < effect.until_ns]
        return FetchedBars(
            effect_id=effect.effect_id,
            symbol=effect.symbol,
            bars=tuple(bars),
            through_ns=effect.until_ns,
        )


def stand_of(rows: Rows, tape: list[RawTrade] | None = None) -> Stand:
    return ready(Stand(Contrary(tape or TAPE, rows), BEGAN_NS, check=True))


def run(stand: Stand, minutes: int) -> Stand:
    for _ in range(minutes * 2):
        stand.advance(MINUTE_MS // 2)
        stand.live(stand.due())
        stand.settle()
    return stand


def counted(stand: Stand, name: str) -> int:
    return dict(stand.core.counters())[name]


def newest(stand: Stand, timeframe: str) -> dict[int, Bar]:
    found: dict[int, Bar] = {}
    for bar in stand.bars(timeframe):
        before = found.get(bar.open_ns)
        assert before is None or bar.revision == before.revision + 1
        found[bar.open_ns] = bar
    return found


def changed(trade: RawTrade) -> RawTrade:
    trade_id, px, _, ms, maker = trade
    return (trade_id, px, "0.12345", ms, maker)


def lie_of(tape: list[RawTrade]) -> RawBar:
    bar = next(bar for bar in fold(tape, "1m") if bar[0] == FIRST_MS * MS)
    prices = [decimal(px, 2) for px in bar[1:5]]
    prices[2] = "7.00"
    return (FIRST_MS, *prices, decimal(bar[5], 5), "0", bar[6])  # type: ignore[return-value]


def test_every_minute_of_trades_is_compared_with_the_exchanges_own() -> None:
    stand = run(stand_of({}), 12)
    made = [bar for bar in stand.bars() if bar.source == "trades"]
    assert len(made) - 6 <= counted(stand, "bars_checked") <= len(made)
    assert counted(stand, "bars_corrected") == 0
    assert all(bar.revision == 0 and bar.whole for bar in stand.bars())


def test_the_exchange_is_asked_once_in_five_minutes() -> None:
    stand = stand_of({})
    run(stand, 6)
    asked = 0
    for _ in range(20):
        stand.advance(MINUTE_MS)
        stand.live(stand.due())
        asked += sum(isinstance(effect, FetchBars) for effect in stand.effects)
        stand.settle()
    assert asked == 4


def test_a_bar_that_the_exchanges_trades_correct_is_said_again() -> None:
    tape = tape_of([2_000] * 900)
    stand = stand_of({}, tape)
    stand.advance(MINUTE_MS // 3)
    heard = stand.due()
    stand.live((*heard[:-1], changed(heard[-1])))
    wrong_ns = bar_open_ns(heard[-1][3] * MS, "1m")
    run(stand, 12)
    mended = newest(stand, "1m")[wrong_ns]
    assert (mended.revision, mended.source, mended.whole) == (1, "trades", True)
    assert row_of(mended) == next(bar for bar in fold(tape, "1m") if bar[0] == wrong_ns)
    assert mended.first_trade_id < heard[-1][0] < mended.last_trade_id
    assert [gap.filled for gap in stand.gaps() if "is not the exchange's own" in gap.reason] == [
        True
    ]
    assert counted(stand, "bars_corrected") == 1


def test_the_exchanges_row_wins_where_its_trades_do_not_make_it() -> None:
    lie = lie_of(TAPE)
    stand = run(stand_of({FIRST_MS: lie}), 20)
    mended = newest(stand, "1m")[FIRST_MS * MS]
    assert (mended.revision, mended.source, mended.low) == (1, "rest", 700)
    told = [one for one in stand.said if isinstance(one, Quarantined)]
    assert [one.kind for one in told] == ["bar"]
    assert "low" in told[0].reason
    assert counted(stand, "bars_corrected") == 1


def test_a_minute_that_was_taken_for_empty_is_said_and_is_in_the_longer_bars() -> None:
    tape = [row for row in TAPE if not FIRST_MS <= row[3] < FIRST_MS + MINUTE_MS]
    tape = [(at + 1, *row[1:]) for at, row in enumerate(tape)]
    stand = run(stand_of({FIRST_MS: lie_of(TAPE)}, tape), 40)
    assert newest(stand, "1m")[FIRST_MS * MS].revision == 1
    assert_longer_bars_are_sums(stand)


@pytest.mark.parametrize("minutes", [12, 65])
def test_every_longer_bar_is_what_its_newest_minutes_make(minutes: int) -> None:
    stand = run(stand_of({FIRST_MS: lie_of(TAPE)}), minutes)
    assert_longer_bars_are_sums(stand)
    said = [bar for name in LONGER for bar in stand.bars(name) if bar.revision]
    assert {bar.timeframe for bar in said} == ({"5m"} if minutes > 6 else set())


def assert_longer_bars_are_sums(stand: Stand) -> None:
    minutes = newest(stand, "1m")
    for name in LONGER:
        for open_ns, bar in newest(stand, name).items():
            parts = [minutes[at] for at in sorted(minutes) if bar_open_ns(at, name) == open_ns]
            assert (bar.open, bar.close) == (parts[0].open, parts[-1].close)
            assert bar.high == max(part.high for part in parts)
            assert bar.low == min(part.low for part in parts)
            assert bar.volume == sum(part.volume for part in parts)
            assert bar.trades == sum(part.trades for part in parts)
            assert bar.whole == all(part.whole for part in parts)
            ids = (parts[0].first_trade_id, parts[-1].last_trade_id)
            assert (bar.first_trade_id, bar.last_trade_id) == ids


def test_a_correction_that_is_folded_makes_the_same_books_as_before() -> None:
    stand = run(stand_of({FIRST_MS: lie_of(TAPE)}), 20)
    books = stand.core.state.feeds["BTC/USDT"]
    again = state.Feed(symbol="BTC/USDT")
    for message in stand.said:
        state.apply(again, message)
    assert msgspec.msgpack.encode(again) == msgspec.msgpack.encode(books)


def test_a_question_without_an_answer_is_asked_again_and_stops_nothing() -> None:
    stand = stand_of({FIRST_MS: lie_of(TAPE)})
    refused = 0
    for _ in range(30):
        stand.advance(MINUTE_MS // 2)
        stand.live(stand.due())
        while stand.effects:
            is_check = isinstance(stand.effects[0], FetchBars | FetchTrades) and (
                " check " in stand.effects[0].effect_id
            )
            if is_check and refused < 2:
                refused += 1
                stand.refuse()
            else:
                stand.answer()
    assert refused == 2
    assert counted(stand, "bars_corrected") == 1
    assert stand.status() == "OK"


def test_what_is_kept_for_corrections_stays_small() -> None:
    stand = stand_of({})
    run(stand, 70)
    kept = stand.core.state.feeds["BTC/USDT"].kept
    assert len(kept["1m"]) <= SPAN_NS // (MINUTE_MS * MS) + 5
    assert sum(map(len, kept.values())) < 200


def test_nothing_is_compared_where_the_settings_say_so() -> None:
    stand = ready(Stand(Contrary(TAPE, {FIRST_MS: lie_of(TAPE)}), BEGAN_NS))
    run(stand, 12)
    assert counted(stand, "bars_checked") == 0
    assert not [one for one in stand.said if isinstance(one, Quarantined)]


def test_empty_minutes_have_no_bar_and_late_trades_go_into_theirs() -> None:
    tape = tape_of([500] * 400 + [3 * MINUTE_MS] + [500] * 400)
    stand = ready(Stand(Exchange(tape), BEGAN_NS, check=True))
    for _ in range(24):
        stand.advance(MINUTE_MS // 2)
        heard = stand.due()
        stand.advance(GRACE_MS - 500)  # They come late, and within the grace.
        stand.live(heard)
        stand.settle()
    made = {row_of(bar)[0]: row_of(bar) for bar in stand.bars() if bar.source == "trades"}
    whole = {bar[0]: bar for bar in fold(tape, "1m")}
    assert made
    assert all(whole[open_ns] == row for open_ns, row in made.items())
    assert len(made) < (max(made) - min(made)) // (MINUTE_MS * MS) + 1
    assert not [one for one in stand.said if isinstance(one, FeedGap) and not one.filled]
