"""Notebooks, backtests and trainings read archives and history as they read live months."""

from pathlib import Path

import pytest

from bus.bars import open_bars
from bus.clock import SystemClock
from bus.errors import HouseError
from bus.reading import Value
from bus.rows import Reader
from schema.head import Message
from schema.units import DAY_NS, MINUTE_NS, SECOND_NS
from services.backtest.shelf import newest_ns, read_shelf
from services.predictor.edge_training import Training
from services.predictor.lesson import Lesson
from services.predictor.training import read_bars
from services.rrr.lab_bars import joined, months, symbols, wanted
from services.writer.archiving import archive_month
from services.writer.retiring import retire_month
from tests.bus.month_rig import FINER, Place, at, bars
from tests.services import market_desk

BTC = "BTC/USDT"
CHRISTMAS, MIDNIGHT = at("2025-12-24T00:00:00"), at("2026-02-01T00:00:00")
HOUR_NS = 60 * MINUTE_NS


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Place]:
    top = tmp_path_factory.mktemp("places")
    own, history = Place(top / "own"), Place(top / "history")
    history.archive(bars(BTC, "1m", "2025-12-24T00:00:00", 120))
    own.archive(bars(BTC, "1m", "2026-01-31T22:00:00", 120), exps=FINER)
    own.live(bars(BTC, "1m", "2026-02-01T00:00:00", 150))
    return own, history


def test_a_notebook_sees_every_place_and_makes_hours_of_minutes(
    places: tuple[Place, Place],
) -> None:
    own, history = places
    want = wanted("btc/usdt", "1m", 0, 1 << 62)
    parts = list(months(own.db_dir, want, (history.top,)))
    assert [len(part["time"]) for part in parts] == [120, 120, 150]
    assert joined(parts)["close"][0] == 64_000.0
    assert parts[1]["close"][0] == 640.0  # The same number with two decimals more.
    hours = joined(list(months(own.db_dir, wanted(BTC, "1h", 0, 1 << 62), (history.top,))))
    first = [CHRISTMAS, CHRISTMAS + HOUR_NS]
    assert hours["time"].tolist() == [*first, *(MIDNIGHT + n * HOUR_NS for n in range(-2, 2))]
    assert hours["trades"].tolist() == [180] * 6  # The last, of half its minutes, is open still.
    assert symbols(own.db_dir) == [BTC]
    assert list(months(own.db_dir, wanted("NO/ONE", "1m", 0, 1 << 62))) == []


def test_a_backtest_reads_archives_and_what_lies_behind(places: tuple[Place, Place]) -> None:
    own, history = places
    columns = read_shelf(own.db_dir, BTC, CHRISTMAS, MIDNIGHT + DAY_NS, (history.top,))
    assert len(columns) == 390
    assert columns.exps == (4, 8, 8)
    assert columns.close[0] == columns.close[240] == 640_000_000
    assert newest_ns(own.db_dir, BTC) == MIDNIGHT + 150 * MINUTE_NS
    assert newest_ns(own.db_dir, "NO/ONE") == 0
    with pytest.raises(HouseError, match="hold no 1m bar of BTC/USDT"):
        read_shelf(own.db_dir, BTC, CHRISTMAS, CHRISTMAS + DAY_NS)


def test_a_model_is_trained_on_what_lies_behind_too(
    places: tuple[Place, Place], tmp_path: Path
) -> None:
    own, history = places
    lesson = Lesson(
        world="w", db_dir=str(own.db_dir), models=str(tmp_path), symbols=(BTC,), timeframe="1m",
        horizon_bars=1, history_bars=300, epochs=1, history=(str(history.top),),
    )  # fmt: skip
    (series,) = read_bars(lesson).values()
    assert len(series) == 300
    assert (series[0].px_exp, series[-1].ts_event) == (4, MIDNIGHT + 150 * MINUTE_NS)
    assert Training(lesson)._counts() == [390]


QUESTIONS = (
    "SELECT * FROM bars ORDER BY symbol, timeframe, open_ms",
    "SELECT * FROM ticks ORDER BY symbol, ts_ms, trade_id",
    "SELECT count(*) FROM ticks WHERE symbol = 'BTC/USDT' AND time < '2026-01-15T00:02'",
)


def test_a_month_answers_from_its_archive_as_it_did_before(tmp_path: Path) -> None:
    place = Place(tmp_path / "w")
    start, later = at("2026-01-15T00:00:00"), at("2026-02-03T00:00:00")
    many = [market_desk.bar(start + n * MINUTE_NS, close=6_400_001 + n % 9) for n in range(700)]
    trades = [market_desk.trade(n, start + n * SECOND_NS) for n in range(900)]
    _write(place, *many, *trades, market_desk.bar(later), market_desk.trade(900, later))

    def answers() -> list[list[tuple[Value, ...]]]:
        with Reader(place.db_dir, "market") as reader:
            return [[tuple(row.values()) for row in reader.rows(sql)] for sql in QUESTIONS]

    before = answers()
    with open_bars(place.db_dir) as reader:
        counted = reader.count(BTC, "1m")
        archive_month(place.top, 202601, SystemClock())
        retire_month(place.top, 202601, "w", SystemClock())
        assert answers() == before
        assert reader.count(BTC, "1m") == counted == 701
        _write(place, market_desk.bar(start, close=6_400_009), market_desk.bar(start - MINUTE_NS))
        assert reader.count(BTC, "1m") == 702
        corrected = reader.at(BTC, "1m", start)
        assert corrected is not None
        assert corrected.close == 6_400_009


def _write(place: Place, *messages: Message) -> None:
    writer = market_desk.store(place.db_dir)
    writer.commit(market_desk.kept(*messages), {})
    writer.close()
