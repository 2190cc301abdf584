"""Faults of a venue that runs in this process, set as its control socket sets them."""

import itertools
from typing import Any

import msgspec

from bus.clock import SystemClock
from services.venue.desk import Desk
from services.venue.effects import FaultsTold, ObeyFaults
from services.venue.faults_words import Told
from services.venue.requests import Line, read, requests_path
from tests.services.venue.serving import Serving

DEADLINE_NS = 5_000_000_000
_numbers = itertools.count(1)


def spoil(venue: Serving, *args: str) -> Told:
    """Say something to the venue about its faults, and return what it answers."""
    clock, effect_id = SystemClock(), str(next(_numbers))
    venue.thread.perform(ObeyFaults(effect_id=effect_id, args=args))
    deadline_ns = clock.mono_ns() + DEADLINE_NS
    while clock.mono_ns() < deadline_ns:
        for heard in venue.thread.take():
            if isinstance(heard, FaultsTold) and heard.effect_id == effect_id:
                return msgspec.json.decode(heard.body, type=Told)
        clock.pause_ms(1)
    raise AssertionError("the venue did not answer")


def desk_of(venue: Serving) -> Desk:
    """Return the desk of a venue: the truth about its account."""
    edge: Any = venue.thread._edge
    desk: Desk = edge._teller._desk
    return desk


def active(venue: Serving) -> set[str]:
    """Return the faults that are active."""
    return {one.name for one in spoil(venue, "list").faults if one.active}


def hits(venue: Serving, name: str) -> int:
    """Return how often a fault has struck."""
    return next(one.hits for one in spoil(venue, "list").faults if one.name == name)


def requests_of(venue: Serving) -> list[Line]:
    """Return what was asked of the venue."""
    return read(requests_path(venue.ledger.parent))
