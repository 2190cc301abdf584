"""Market data: from the exchange to bars, beside the bare ways to the same."""

from collections.abc import Iterator
from itertools import chain

from tests.bench import data_bars, data_depth, data_feed, data_fill
from tests.bench.figure import Figure


def measure() -> Iterator[Figure]:
    """Measure market data."""
    parts = (data_bars, data_depth, data_feed, data_fill)
    yield from chain.from_iterable(part.measure() for part in parts)
