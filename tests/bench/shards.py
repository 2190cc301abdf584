"""The shards: what is written, read and kept, beside the bare libraries on the same tables."""

from collections.abc import Iterator
from itertools import chain

from tests.bench import shards_import, shards_keep, shards_read, shards_write
from tests.bench.figure import Figure


def measure() -> Iterator[Figure]:
    """Measure the shards."""
    parts = (shards_write, shards_read, shards_import, shards_keep)
    yield from chain.from_iterable(part.measure() for part in parts)
