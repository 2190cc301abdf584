"""What passes from the venue's edge to its core; none of it ever stands on a stream."""

from schema.head import Local


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
