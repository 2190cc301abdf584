"""Streams that somebody folds from their beginning stay for years; who needs less, for days."""

from schema.market import Instrument
from schema.streams import FOR_YEARS, STREAMS, Stream, owned_by
from services.engine.core import Engine
from services.gateway.core import Gateway
from services.ingest.core import Ingest
from services.risk.core import Risk
from services.rrr.parity_journals import INTENT

TRADERS = (Engine, Risk, Gateway)
LISTED = {stream.name for stream in STREAMS.values() if Instrument in stream.messages}


def journaled(service: str) -> list[Stream]:
    return [stream for stream in owned_by(service) if stream.journaled]


def test_the_traders_are_those_whom_an_order_passes_through() -> None:
    on_the_way = {STREAMS[name].owner for name in (*Gateway.hears, *Gateway.says)}
    assert Ingest.joins  # It fetches anew what it knows of the market: nothing of it is folded.
    assert {core.name for core in TRADERS} == on_the_way - {Ingest.name}


def test_what_is_folded_from_its_beginning_is_kept_for_years() -> None:
    own = {stream.name for core in TRADERS for stream in journaled(core.name)}
    folded = {name for core in TRADERS for name in core.folds}
    kept = {stream.name for stream in STREAMS.values() if stream.retention_days >= FOR_YEARS}
    assert kept == own | folded | LISTED
    assert INTENT in kept


def test_an_instrument_is_said_once_and_kept_for_every_later_start() -> None:
    assert {"ingest.feed"} == LISTED
    assert all(set(core.hears) >= LISTED for core in TRADERS)


def test_no_retention_is_shorter_than_what_a_restart_needs() -> None:
    assert all(stream.retention_days >= 1 for stream in STREAMS.values() if stream.journaled)
