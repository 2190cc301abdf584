"""What passes between the venue's core and its edge; none of it ever stands on a stream."""

from collections.abc import Mapping, Sequence

from schema.head import Effect, Local, Message


class Served(Local, tag=240, frozen=True, kw_only=True):
    """How much has been answered and said since the start."""

    requests: int
    refused: int
    sockets: int
    events: int
    dropped: int  # clients that did not read
    ended_ns: int = 0  # when the replay ended; 0 while it goes on
    orders: int = 0
    fills: int = 0
    open_orders: int = 0


class ObeyFaults(Effect, tag=241, frozen=True, kw_only=True):
    """Obey a person's words about faults."""

    args: tuple[str, ...]


class FaultsTold(Local, tag=242, frozen=True, kw_only=True):
    """What became of such words."""

    effect_id: str
    ok: bool
    text: str
    body: bytes


class MoveMoney(Effect, tag=342, frozen=True, kw_only=True):
    """Lets play money come, or, with a minus, go."""

    asset: str
    delta: str  # decimal


class MoneyMoved(Local, tag=343, frozen=True, kw_only=True):
    """What became of it."""

    effect_id: str
    ok: bool
    text: str


class Follow(Effect, tag=352, frozen=True, kw_only=True):
    """Take in what ingest said of the market."""

    said: Sequence[Message]
    said_ns: int  # wall time
    cursors: Mapping[int, int] = {}  # what lies before these positions has been handed on


class Attend(Effect, tag=353, frozen=True, kw_only=True):
    """Take in how ingest does; empty: it can be relied on."""

    why_not: str


class Followed(Local, tag=354, frozen=True, kw_only=True):
    """How far the market is matched, after what was taken in."""

    effect_id: str
    open: int  # symbols
    closed: int  # symbols in which nothing is matched
    why: str  # … and of the first of them, why
