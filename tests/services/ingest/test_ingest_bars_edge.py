"""The comparison of bars, through unmodified ccxt, with the bars of the real venue."""

import asyncio
from pathlib import Path

import pytest

from schema.market import Bar, BarSoFar, Quarantined
from services.ingest.core import Ingest
from services.ingest.edge import Binance
from tests.ports import free_port
from tests.services.ingest.exchange import settings
from tests.services.ingest.house import Seat, market_clock, venue_seat
from tests.services.ingest.test_ingest_edge import ORIGIN_NS, SCALE, STALE_MS, SYMBOLS, synthetic

COMPARED = 20


async def run(tmp_path: Path) -> Seat:
    clock, port = market_clock(ORIGIN_NS, SCALE), free_port()
    venue = venue_seat(synthetic(), clock, port, tmp_path)
    chosen = settings(port, SYMBOLS, STALE_MS, check=True, sofar_ms=100)
    ingest = Seat(Binance(chosen), clock, Ingest(chosen))
    core = ingest.core
    assert core is not None
    await venue.start()
    await ingest.start()
    try:
        await ingest.until(
            lambda: dict(core.counters())["bars_checked"] >= COMPARED, "bars are compared"
        )
    finally:
        await ingest.stop()
        await venue.stop()
    return ingest


@pytest.mark.slow
def test_bars_of_the_live_feed_are_those_of_the_exchange_to_the_last_unit(tmp_path: Path) -> None:
    seat = asyncio.run(run(tmp_path))
    assert seat.core is not None
    assert dict(seat.core.counters())["bars_corrected"] == 0
    assert all(bar.whole and not bar.revision for bar in seat.said if isinstance(bar, Bar))
    assert not [one for one in seat.said if isinstance(one, Quarantined)]
    assert {one.symbol for one in seat.said if isinstance(one, BarSoFar)} == set(SYMBOLS)
