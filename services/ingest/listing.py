"""What the exchange lists of a symbol, and whether it says anything new."""

import msgspec

from schema.instruments import instrument_of
from schema.market import Instrument
from services.ingest.effects import Listed
from services.ingest.line import Pass


def hear_listing(turn: Pass, listed: Listed) -> None:
    """Say the instrument when it is new; a symbol without one has no feed."""
    line, symbol = turn.line, turn.feed.symbol
    if symbol not in listed.markets:
        line.offline = f"the exchange does not list {symbol}"
        return
    try:
        instrument = instrument_of(listed.markets[symbol], turn.now_ns)
    except ValueError as error:
        line.offline = f"the exchange's listing cannot be read: {error}"
        return
    if not _same(instrument, turn.feed.instrument):
        turn.say(instrument)
    line.listed, line.offline = True, "the live feed does not stand yet"


def _same(one: Instrument, other: Instrument | None) -> bool:
    if other is None:
        return False
    at_the_same_time = msgspec.structs.replace(
        one, ts_event=other.ts_event, trace=other.trace, cause=other.cause
    )
    return at_the_same_time == other
