"""What the venue's core remembers: the figures of its edge. Its market needs no memory."""

import msgspec

from services.venue.effects import Served


class Windows(msgspec.Struct):
    """The last figures heard from the edge."""

    served: Served = msgspec.field(
        default_factory=lambda: Served(requests=0, refused=0, sockets=0, events=0, dropped=0)
    )
