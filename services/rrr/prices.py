"""What an asset cost at a time: the close of the last minute before it, from the market shard."""

from bisect import bisect_right
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from bus.errors import ShardError
from bus.history import history_of
from bus.house import House
from bus.month_names import month_of, month_span_ns
from schema.units import MINUTE_NS
from services.rrr.moment import exact

if TYPE_CHECKING:
    from bus.bars import BarReader

TIMEFRAME = "1m"
HOUR_NS = 60 * MINUTE_NS


class Price(msgspec.Struct, frozen=True):
    """A price, and how old it was when it was asked for."""

    value: Decimal
    age_ns: int


class Prices:
    """Closes of minutes, a month of a symbol at a time; without a market shard there are none."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._reader: BarReader | None = None
        self._months: dict[tuple[str, int], tuple[list[int], list[int], int]] = {}
        self._is_absent = False

    def at(self, symbol: str, at_ns: int, age_max_ns: int = HOUR_NS) -> Price | None:
        """Return the last close at or before a time; None where it is too old, or none is known."""
        month = month_of(at_ns)
        for _ in range(2):
            closed_ns, closes, exp = self._month(symbol, month)
            found = bisect_right(closed_ns, at_ns) - 1
            if found >= 0:
                age_ns = at_ns - closed_ns[found]
                return Price(exact(closes[found], exp), age_ns) if age_ns <= age_max_ns else None
            first_ns, _ = month_span_ns(month)
            if at_ns - first_ns > age_max_ns:
                return None
            month = month_of(first_ns - 1)
        return None

    def close(self) -> None:
        """Let go of the files."""
        if self._reader is not None:
            self._reader.close()

    def _month(self, symbol: str, month: int) -> tuple[list[int], list[int], int]:
        held = self._months.get((symbol, month))
        if held is None:
            held = self._months[symbol, month] = self._read(symbol, month)
        return held

    def _read(self, symbol: str, month: int) -> tuple[list[int], list[int], int]:
        reader = self._open()
        if reader is None:
            return [], [], 0
        first_ns, stop_ns = month_span_ns(month)
        bars = reader.between(symbol, TIMEFRAME, first_ns, stop_ns, ("close",))
        closed_ns = [open_ns + MINUTE_NS for open_ns in bars.open_ns.tolist()]
        return closed_ns, bars["close"].tolist() if closed_ns else [], bars.exponents[0]

    def _open(self) -> "BarReader | None":
        if self._reader is None and not self._is_absent:
            from bus.bars import open_bars  # noqa: PLC0415 - numpy, which few of these need

            try:
                self._reader = open_bars(self._house.db_dir, history=history_of(self._house))
            except ShardError:
                self._is_absent = True
        return self._reader
