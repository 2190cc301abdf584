"""What passes from the venue's edge to its core; none of it ever stands on a stream."""

from schema.head import Effect, Local


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
