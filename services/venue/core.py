"""The venue as a service: it says nothing on the bus, and keeps the figures of its edge.

Where its market plays elsewhere it hears what ingest says of it and hands that to its edge, which
has the books that orders meet; where it plays the market itself it hears nobody.
"""

import re
from collections.abc import Mapping
from typing import ClassVar

from bus.service import Run, Said, Service
from schema.head import Message
from schema.house import Command, CommandDone, PeerSeen, Unanswered
from services.venue import HEARS, NAME, SAYS
from services.venue.effects import (
    Attend,
    FaultsTold,
    Follow,
    Followed,
    MoneyMoved,
    MoveMoney,
    ObeyFaults,
    Served,
)
from services.venue.state import Windows

ASSET = re.compile("[A-Z0-9]{1,15}")
AMOUNT = re.compile(r"(?=.*[1-9])[0-9]{1,10}(\.[0-9]{1,8})?")

SILENCE_MS = 2_000
"""So long without a sign of life from ingest, and nothing is matched by what it said."""

DEAF = frozenset({"STARTING", "RECOVERING", "DRAINING", "STOPPED", "FAILED", "SILENT"})
"""States in which ingest says nothing; in every other it tells of each symbol how far it goes."""


class Venue(Service):
    """A source without streams; everything happens between its edge and HTTP clients."""

    name: ClassVar[str] = NAME
    hears: ClassVar[tuple[str, ...]] = HEARS
    says: ClassVar[tuple[str, ...]] = SAYS
    rereads: ClassVar[tuple[str, ...]] = ("ingest.feed",)
    needs: ClassVar[Mapping[str, int]] = {"ingest": SILENCE_MS}
    whole: ClassVar[bool] = True

    def __init__(self, *, plays: bool = True, listens: bool = False) -> None:
        self.state = Windows()
        self._plays = plays  # False: the market is a real one, and there is nothing to spoil
        self._listens = listens
        if not listens:
            self.hears, self.rereads, self.needs = (), (), {}  # type: ignore[misc]

    def hear_run(self, run: Run, now_ns: int) -> list[Said]:
        effect_id = f"{run.stream} {run.pos}"
        return [Follow(effect_id=effect_id, said=run.messages, said_ns=run.ts_ns)]

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        assert not isinstance(message, Message), "what is heard comes in runs"
        match message:
            case Served():
                self.state.served = message
            case Followed():
                self.state.followed = message
            case PeerSeen():
                return [_attend(message)]
            case Command():
                return [self._obeying(message)]
            case FaultsTold():
                return [_done(message)]
            case MoneyMoved(effect_id=request_id, ok=ok, text=text):
                return [CommandDone(request_id=request_id, ok=ok, text=text)]
            case Unanswered() if self._plays:
                return [CommandDone(request_id=message.effect_id, ok=False, text=message.reason)]
            case _:
                pass
        return []

    def _obeying(self, command: Command) -> Said:
        match command.verb:
            case "deposit" | "withdraw" if self._plays or self._listens:
                return _moving(command)
            case "deposit" | "withdraw":
                return _refused(command, "it has no account where the exchange takes the orders")
            case "fault" if self._plays:
                return ObeyFaults(effect_id=command.request_id, args=command.args)
            case "fault":
                return _refused(command, "the venue makes faults in local mode alone")
        return _refused(command, f"venue has no command {command.verb!r}")

    def trouble(self, now_ns: int) -> str | None:
        followed = self.state.followed
        deaf = self._listens and not followed.open
        return f"it matches nothing: {followed.why}" if deaf else None

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
            ("closed_symbols", self.state.followed.closed),
        )


def _attend(seen: PeerSeen) -> Attend:
    reason = f": {seen.reason}" if seen.reason else ""
    why_not = f"ingest is {seen.state}{reason}" if seen.state in DEAF else ""
    return Attend(effect_id=f"peer {seen.service}", why_not=why_not)


def _moving(command: Command) -> Said:
    """Return what lets play money come or go, or why it does not."""
    match command.args:
        case asset, amount if ASSET.fullmatch(asset) and AMOUNT.fullmatch(amount):
            delta = amount if command.verb == "deposit" else f"-{amount}"
            return MoveMoney(effect_id=command.request_id, asset=asset, delta=delta)
    return _refused(command, "expected an asset such as USDT, and an amount such as 100.25")


def _refused(command: Command, text: str) -> CommandDone:
    return CommandDone(request_id=command.request_id, ok=False, text=text)


def _done(told: FaultsTold) -> CommandDone:
    return CommandDone(request_id=told.effect_id, ok=told.ok, text=told.text, body=told.body)
