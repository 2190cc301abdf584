"""What a page, a table and a comparison show of a run, wherever it was read from."""

from typing import Any

import msgspec

from schema.house import RunEquity, RunPrices, RunTrade


class Picture(msgspec.Struct, frozen=True):
    """A run as it was kept; `report` is an outcome as JSON has it, where nothing is no number."""

    report: dict[str, Any]
    trades: tuple[RunTrade, ...]
    equity: RunEquity
    prices: tuple[RunPrices, ...]
