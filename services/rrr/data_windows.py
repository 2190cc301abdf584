"""Which stretches of a series are not there yet, in as few questions as they take.

What the exchange was asked for and does not have stands in `imports/fetched.jsonl`, so that nobody
asks for it again; it is never filled with anything.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np

from bus.disk import sync_file
from services.ingest.edge_history import PAGE
from services.rrr.data_digits import Ints

FILE = "fetched.jsonl"
SETTLED_NS = 3_600_000_000_000
"""A bar that is absent so long after its time will not come any more."""

Span = tuple[int, int]
"""The opening times of the first bar, and of the one behind the last."""


class Asked(msgspec.Struct, frozen=True):
    """A stretch of which the exchange gave all that it has."""

    symbol: str
    timeframe: str
    first_ns: int
    stop_ns: int
    wall_ns: int


def absent(opens_ns: Ints, span_ns: Span, tf_ns: int, asked: Iterable[Span] = ()) -> Ints:
    """Return the intervals of a span without a bar, counted from its begin, less what was asked."""
    first, stop = -(-span_ns[0] // tf_ns), -(-span_ns[1] // tf_ns)
    wanted = np.ones(max(0, stop - first), np.bool_)
    there = opens_ns // tf_ns - first
    wanted[there[(there >= 0) & (there < len(wanted))]] = False
    for begin_ns, end_ns in asked:
        begin, end = begin_ns // tf_ns - first, end_ns // tf_ns - first
        wanted[max(0, begin) : max(0, end)] = False
    return np.flatnonzero(wanted) + first


def windows(missing: Ints, tf_ns: int, page: int = PAGE) -> Iterator[Span]:
    """Yield spans that hold all missing intervals, each of them one question, oldest first.

    One question costs the same for one bar and for a page of them, so that short stretches between
    two gaps are asked with them.
    """
    at = 0
    while at < len(missing):
        stop = int(np.searchsorted(missing, missing[at] + page))
        yield int(missing[at]) * tf_ns, (int(missing[stop - 1]) + 1) * tf_ns
        at = stop


def asked_before(imports: Path, symbol: str, timeframe: str) -> list[Span]:
    """Return the stretches of a series of which the exchange gave all that it has."""
    path = imports / FILE
    found: list[Span] = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            one = msgspec.json.decode(line, type=Asked)
        except msgspec.MsgspecError:
            continue  # Torn, when somebody was killed: it is asked again.
        if (one.symbol, one.timeframe) == (symbol, timeframe):
            found.append((one.first_ns, one.stop_ns))
    return found


def note_asked(imports: Path, found: Iterable[Asked]) -> None:
    """Keep which stretches were asked for."""
    lines = b"".join(msgspec.json.encode(one) + b"\n" for one in found)
    if not lines:
        return
    with (imports / FILE).open("ab") as file:
        file.write(b"\n" + lines)  # Behind a line that may be torn.
        file.flush()
        sync_file(file.fileno())
    os.chmod(imports / FILE, 0o600)  # noqa: PTH101 - as those beside it
