"""Recorded trades and the candles that their exchange made of them."""

import csv
import gzip
from functools import cache
from pathlib import Path

import pytest

from schema.market import Bar
from services.ingest.effects import RawTrade
from tests.services.ingest.exchange import MINUTE_MS, MS, Exchange, Stand

FOLDER = Path(__file__).parents[3] / ".." / "shared" / "data" / "freqtrade"
pytestmark = pytest.mark.skipif(
    not (FOLDER / "XRP_ETH-trades.csv.gz").exists(), reason="the recorded data is not here"
)


def rows(name: str) -> list[dict[str, str]]:
    with gzip.open(FOLDER / name, "rt") as file:
        return list(csv.DictReader(file))


def recorded() -> list[RawTrade]:
    return [
        (int(row["id"]), row["price"], row["amount"], int(row["timestamp"]), row["side"] == "sell")
        for row in rows("XRP_ETH-trades.csv.gz")
    ]


@cache
def fed() -> list[Bar]:
    """Play the recording to a feed that has waited since before its first trade."""
    tape = recorded()
    stand = Stand(Exchange(tape), (tape[0][3] - MINUTE_MS) * MS)
    stand.open()
    stand.connect()
    stand.settle()
    while stand.now_ns < (tape[-1][3] + MINUTE_MS) * MS:
        stand.advance(40_000)
        stand.live(stand.due())
        stand.settle()
    return [message for message in stand.said if isinstance(message, Bar)]


@pytest.mark.slow
@pytest.mark.parametrize("timeframe", ["1m", "5m"])
def test_recorded_trades_make_exactly_the_recorded_candles(timeframe: str) -> None:
    candles = rows(f"XRP_ETH-{timeframe}.csv.gz")
    by_open = {int(row["timestamp_ms"]): row for row in candles if float(row["volume"])}
    bars = [bar for bar in fed() if bar.timeframe == timeframe and bar.source == "trades"]
    # The first minute comes by REST, the last is still open.
    assert {bar.open_ns // MS for bar in bars} >= set(sorted(by_open)[1:-1])
    for bar in bars:
        candle = by_open[bar.open_ns // MS]
        # The candles are floats written out; the bars are exact.
        found = [n / 10**bar.px_exp for n in (bar.open, bar.high, bar.low, bar.close)]
        assert found == [float(candle[name]) for name in ("open", "high", "low", "close")]
        assert bar.volume / 10**bar.qty_exp == pytest.approx(float(candle["volume"]), abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("timeframe", ["1m", "5m"])
def test_recorded_bars_name_the_trades_that_they_are_made_of(timeframe: str) -> None:
    tape, ids = recorded(), [row[0] for row in recorded()]
    bars = [bar for bar in fed() if bar.timeframe == timeframe and bar.source == "trades"]
    assert bars
    for bar in bars:
        first, last = ids.index(bar.first_trade_id), ids.index(bar.last_trade_id)
        own = tape[first : last + 1]
        assert len(own) == bar.trades
        assert bar.open_ns <= own[0][3] * MS <= own[-1][3] * MS < bar.ts_event
        assert not first or tape[first - 1][3] * MS < bar.open_ns
        assert last + 1 == len(tape) or bar.ts_event <= tape[last + 1][3] * MS
        assert bar.whole
        assert bar.revision == 0
