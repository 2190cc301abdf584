"""Of a bar that is said again the newest word stays, whatever the order; it is counted once."""

from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.market import Bar
from services.writer.core import Writer
from services.writer.effects import Told
from services.writer.revisions import is_noted
from tests.services.market_desk import (
    BAR,
    END_OF_JANUARY,
    MINUTE_NS,
    NOW,
    at,
    bar,
    kept,
    rows,
    store,
)
from tests.services.writer.archive_desk import add_late, archive, fill, retire

LATER = at("2026-03-10T00:00:00")
NOTES = "SELECT symbol, timeframe, open_ms, revision, whole FROM bar_notes"
CLOSES = "SELECT open_ms, close, source FROM bars ORDER BY symbol, timeframe, time"
FIRST = bar()
SECOND = bar(close=6400003, revision=1, source="rest")
THIRD = bar(close=6400005, revision=2, whole=False)
OPEN_MS = END_OF_JANUARY // 1_000_000


def told(place: Path) -> tuple[list[tuple[object, ...]], ...]:
    coverage = "SELECT symbol, timeframe, bars, from_trades FROM coverage"
    return rows(place, CLOSES), rows(place, NOTES), rows(place, coverage)


def test_a_higher_revision_replaces_and_a_lower_one_is_ignored(tmp_path: Path) -> None:
    writer = store(tmp_path)
    writer.commit(kept(FIRST), {BAR: 1})
    writer.commit(kept(SECOND), {BAR: 2})
    assert rows(tmp_path, CLOSES) == [(OPEN_MS, "64000.03", "rest")]
    writer.commit(kept(FIRST), {BAR: 3})
    assert rows(tmp_path, CLOSES) == [(OPEN_MS, "64000.03", "rest")]
    assert rows(tmp_path, NOTES) == [("BTC/USDT", "1m", OPEN_MS, 1, 1)]
    assert dict(writer.counters())["corrections"] == 1
    writer.close()


@pytest.mark.parametrize("order", list(permutations((FIRST, SECOND, THIRD))))
def test_the_order_in_which_they_are_written_changes_nothing(
    tmp_path: Path, order: tuple[Bar, ...]
) -> None:
    for name in ("alone", "together"):
        (tmp_path / name).mkdir()
    alone, together = store(tmp_path / "alone"), store(tmp_path / "together")
    for number, one in enumerate(order, 1):
        alone.commit(kept(one), {BAR: number})
    together.commit(kept(*order), {BAR: 3})
    assert told(tmp_path / "alone") == told(tmp_path / "together")
    assert told(tmp_path / "alone") == (
        [(OPEN_MS, "64000.05", "trades")],
        [("BTC/USDT", "1m", OPEN_MS, 2, 0)],
        [("BTC/USDT", "1m", 1, 1)],
    )
    alone.close()
    together.close()


@settings(max_examples=25, deadline=None)
@given(said=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=12))
def test_the_rows_are_those_of_the_highest_revisions(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[int, int, bool]]
) -> None:
    place = tmp_path_factory.mktemp("shard")
    bars = {
        (minute, revision): bar(
            END_OF_JANUARY - minute * MINUTE_NS, close=6400001 + revision, revision=revision
        )
        for minute, revision, _ in said
    }
    writer = store(place)
    for number, (minute, revision, quick) in enumerate(said, 1):
        one = bars[minute, revision]
        batch = [Told(messages=[one], now_ns=NOW)] if quick else kept(one)
        writer.commit(batch, {BAR: number})
    newest: dict[int, int] = {}
    for minute, revision in bars:
        newest[minute] = max(revision, newest.get(minute, 0))
    found = [row[1] for row in rows(place, CLOSES)] if said else []
    assert found == [f"64000.0{1 + newest[one]}" for one in sorted(newest, reverse=True)]
    if said:
        assert rows(place, "SELECT bars FROM coverage") == [(len(newest),)]
    writer.close()


def test_the_way_of_whole_runs_is_taken_by_bars_without_a_note_alone(tmp_path: Path) -> None:
    writer = store(tmp_path)
    writer.commit(kept(FIRST), {BAR: 1})
    writer.commit(
        [Told(messages=[bar(LATER), SECOND, bar(LATER + MINUTE_NS)], now_ns=NOW)], {BAR: 4}
    )
    assert len(rows(tmp_path, CLOSES)) == 3
    assert [row[3] for row in rows(tmp_path, NOTES)] == [1]
    assert [is_noted(one) for one in (FIRST, SECOND, bar(whole=False))] == [False, True, True]
    writer.close()


def test_a_correction_of_a_closed_month_goes_into_its_file(tmp_path: Path) -> None:
    writer = store(tmp_path)
    writer.commit(kept(FIRST, bar(LATER)), {BAR: 2})
    writer.commit(kept(SECOND), {BAR: 3})
    assert rows(tmp_path, CLOSES)[0][1] == "64000.03"
    writer.close()


def test_a_correction_of_an_archived_month_is_in_its_next_archive(tmp_path: Path) -> None:
    fill(tmp_path, bars=20, ticks=5)
    archive(tmp_path)
    retire(tmp_path)
    add_late(tmp_path, 7, close=6400011, revision=1)
    shown = "SELECT close FROM bars WHERE symbol = 'BTC/USDT' AND close = '64000.11'"
    assert len(rows(tmp_path / "db", shown)) == 1
    archive(tmp_path)
    retire(tmp_path)
    assert len(rows(tmp_path / "db", shown)) == 1
    assert [row[3:] for row in rows(tmp_path / "db", NOTES)] == [(1, 1)]
    assert rows(tmp_path / "db", "SELECT sum(bars) FROM coverage") == [(41,)]


def test_a_bar_that_was_never_said_before_may_come_as_a_revision(tmp_path: Path) -> None:
    writer = store(tmp_path)
    writer.commit(kept(SECOND), {BAR: 1})
    assert told(tmp_path)[2] == [("BTC/USDT", "1m", 1, 0)]
    writer.close()


def test_a_revision_below_zero_is_refused_with_a_reason() -> None:
    (out,) = Writer("market").handle(bar(revision=-1), NOW)
    assert "revision" in getattr(out, "refused", "")
