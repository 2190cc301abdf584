"""The venue as a service: it says nothing on the bus, and keeps the figures of its edge."""

from bus.service import Said, Service
from schema.head import Message
from schema.house import Command, CommandDone
from services.venue import HEARS, NAME, SAYS
from services.venue.effects import Served
from services.venue.state import Windows


class Venue(Service):
    """A source without streams; everything happens between its edge and HTTP clients."""

    name = NAME
    hears = HEARS
    says = SAYS

    def __init__(self) -> None:
        self.state = Windows()

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        assert not isinstance(message, Message), "the venue hears nobody"
        match message:
            case Served():
                self.state.served = message
            case Command():
                text = f"venue has no command {message.verb!r}"
                return [CommandDone(request_id=message.request_id, ok=False, text=text)]
            case _:
                pass
        return []

    def counters(self) -> tuple[tuple[str, int], ...]:
        served = self.state.served
        return (
            ("requests", served.requests),
            ("refused", served.refused),
            ("sockets", served.sockets),
            ("events", served.events),
            ("dropped", served.dropped),
            ("replay_ended_ns", served.ended_ns),
            ("orders", served.orders),
            ("fills", served.fills),
            ("open_orders", served.open_orders),
        )
