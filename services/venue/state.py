"""What the venue's core remembers: the figures of its edge, which has market and account."""

import msgspec

from services.venue.effects import Followed, Served


class Windows(msgspec.Struct):
    """The last figures heard from the edge."""

    served: Served = msgspec.field(
        default_factory=lambda: Served(requests=0, refused=0, sockets=0, events=0, dropped=0)
    )
    followed: Followed = msgspec.field(
        default_factory=lambda: Followed(
            effect_id="", open=0, closed=0, why="ingest said nothing yet"
        )
    )
