"""The venue as a service: it says nothing on the bus, and keeps the figures of its edge."""

from bus.service import Said, Service
from schema.head import Message
from schema.house import Command, CommandDone, Unanswered
from services.venue import HEARS, NAME, SAYS
from services.venue.effects import FaultsTold, ObeyFaults, Served
from services.venue.state import Windows


class Venue(Service):
    """A source without streams; everything happens between its edge and HTTP clients."""

    name = NAME
    hears = HEARS
    says = SAYS

    def __init__(self, *, plays: bool = True) -> None:
        self.state = Windows()
        self._plays = plays  # False: the market is a real one, and there is nothing to spoil

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        assert not isinstance(message, Message), "the venue hears nobody"
        match message:
            case Served():
                self.state.served = message
            case Command(verb="fault") if self._plays:
                return [ObeyFaults(effect_id=message.request_id, args=message.args)]
            case Command(verb="fault"):
                return [_refused(message, "the venue makes faults in local mode alone")]
            case Command():
                return [_refused(message, f"venue has no command {message.verb!r}")]
            case FaultsTold():
                return [_done(message)]
            case Unanswered():
                return [CommandDone(request_id=message.effect_id, ok=False, text=message.reason)]
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


def _refused(command: Command, text: str) -> CommandDone:
    return CommandDone(request_id=command.request_id, ok=False, text=text)


def _done(told: FaultsTold) -> CommandDone:
    return CommandDone(request_id=told.effect_id, ok=told.ok, text=told.text, body=told.body)
