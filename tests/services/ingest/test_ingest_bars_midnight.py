"""Bars of a recording that crosses midnight, whose recorder's clock runs behind the exchange's."""

import gzip
import json
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from schema.market import Bar
from schema.units import DAY_NS, MINUTE_NS
from services.ingest.effects import RawTrade
from services.ingest.rows import live_trade
from tests.services.ingest.exchange import (
    MINUTE_MS,
    MS,
    Exchange,
    Stand,
    fold,
    row_of,
)

FOLDER = Path(__file__).parents[3] / ".." / "shared" / "data" / "hftbacktest_binance_ws"
FILES = [FOLDER / "spot_btcusdt_20240808.gz", FOLDER / "spot_btcusdt_20240809.gz"]
pytestmark = pytest.mark.skipif(
    not all(file.exists() for file in FILES), reason="the recorded data is not here"
)
BATCH = 50
EIGHT = 8

Heard = tuple[int, RawTrade]
"""The recorder's time in ns, and the trade."""


@cache
def recorded() -> list[Heard]:
    found: list[Heard] = []
    for file in FILES:
        with gzip.open(file, "rt") as rows:
            for row in rows:
                at, _, text = row.partition(" ")
                if "@trade" in text[:80]:
                    found.append((int(at), live_trade(json.loads(text)["data"])))
    return found


@cache
def fed() -> Stand:
    """Play the recording by the recorder's clock to a feed that stood before it."""
    heard = recorded()
    tape = [trade for _, trade in heard]
    stand = Stand(Exchange(tape), heard[0][0] - MINUTE_MS * MS)
    stand.open()
    stand.connect()
    stand.settle()
    for begin in range(0, len(heard), BATCH):
        batch = heard[begin : begin + BATCH]
        stand.advance(max(0, batch[-1][0] - stand.now_ns) // MS)
        stand.live(tuple(trade for _, trade in batch))
        stand.settle()
    return stand


def bars(timeframe: str) -> list[Bar]:
    return [bar for bar in fed().bars(timeframe) if bar.source == "trades"]


def eights(bar: Bar) -> tuple[int, ...]:
    px, qty = 10 ** (EIGHT - bar.px_exp), 10 ** (EIGHT - bar.qty_exp)
    open_ns, *prices, volume, trades = row_of(bar)
    return (open_ns, *(price * px for price in prices), volume * qty, trades)


@pytest.mark.slow
def test_every_trade_of_the_recording_is_said_once_in_order() -> None:
    ids = [trade[0] for _, trade in recorded()]
    said = fed().trades()
    assert said == ids[ids.index(said[0]) :]


@pytest.mark.slow
@pytest.mark.parametrize("timeframe", ["1m", "5m"])
def test_bars_of_the_recording_are_right_on_both_sides_of_midnight(timeframe: str) -> None:
    tape = [trade for _, trade in recorded()]
    whole = {row[0]: row for row in fold(tape, timeframe, (EIGHT, EIGHT))}
    made = bars(timeframe)
    assert made
    assert timeframe != "1m" or len({bar.open_ns // DAY_NS for bar in made}) == 2
    assert all(eights(bar) == whole[bar.open_ns] for bar in made)
    assert all(bar.whole and bar.revision == 0 for bar in made)


@pytest.mark.slow
def test_each_minute_begins_with_the_trade_behind_the_last_of_the_minute_before() -> None:
    made = bars("1m")
    assert len(made) >= 8
    for before, after in pairwise(made):
        assert after.open_ns == before.open_ns + MINUTE_NS
        assert after.first_trade_id == before.last_trade_id + 1
