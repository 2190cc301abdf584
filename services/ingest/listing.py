"""What the exchange lists of a symbol, and whether it says anything new."""

from msgspec.structs import replace

from schema.listing import instrument_of
from schema.market import Instrument
from services.ingest.effects import Listed
from services.ingest.line import Pass

DELISTED = "DELISTED"
"""The status of what the exchange listed once and lists no more."""


def hear_listing(turn: Pass, listed: Listed) -> None:
    """Say the instrument when it is new; a symbol without one has no feed."""
    line, symbol = turn.line, turn.feed.symbol
    if symbol not in listed.markets:
        line.listed, line.offline = False, f"the exchange does not list {symbol}"
        if turn.feed.instrument is not None:
            _say(turn, replace(turn.feed.instrument, ts_event=turn.now_ns, status=DELISTED))
        return
    try:
        instrument = instrument_of(listed.markets[symbol], turn.now_ns)
    except ValueError as error:
        # Nobody trades by rules that may have changed; the next listing may be better.
        line.listed, line.offline = False, f"the exchange's listing cannot be read: {error}"
        line.refused.add("listing", str(error), repr(listed.markets[symbol]))
        return
    _say(turn, instrument)
    if not line.listed:
        line.listed, line.offline = True, "the live feed does not stand yet"


def _say(turn: Pass, instrument: Instrument) -> None:
    if not _same(instrument, turn.feed.instrument):
        turn.say(instrument)


def _same(one: Instrument, other: Instrument | None) -> bool:
    if other is None:
        return False
    at_the_same_time = replace(one, ts_event=other.ts_event, trace=other.trace, cause=other.cause)
    return at_the_same_time == other
