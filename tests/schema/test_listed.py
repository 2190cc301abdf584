"""The whole listing of the real exchange, as it was recorded, becomes instruments."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from schema.listing import instrument_of
from schema.units import to_text

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
RECORDED = SHARED / "cryptofeed_recordings" / "BINANCE.0.gz"


def recorded() -> list[dict[str, Any]]:
    text = gzip.decompress(RECORDED.read_bytes()).decode()
    found, _ = json.JSONDecoder().raw_decode(text[text.index('{"timezone"') :])
    symbols: list[dict[str, Any]] = found["symbols"]
    return symbols


@pytest.mark.skipif(not RECORDED.exists(), reason="../shared/data is not here")
def test_every_recorded_symbol_becomes_an_instrument_with_its_own_steps() -> None:
    entries = recorded()
    assert len(entries) > 1000
    for entry in entries:
        found = instrument_of(entry, 1)
        filters = {each["filterType"]: each for each in entry["filters"]}
        tick, lot = to_text(found.tick, found.px_exp), to_text(found.lot, found.qty_exp)
        assert float(tick) == float(filters["PRICE_FILTER"]["tickSize"])
        assert float(lot) == float(filters["LOT_SIZE"]["stepSize"])
        assert found.min_notional > 0
