"""What a service says: append, sync where the class asks, then send, never the other way round."""

from collections.abc import Sequence
from itertools import groupby

import msgspec

from bus.clock import Clock
from bus.journals import Journals
from bus.record import Before, JournalWriter
from bus.sync import Syncer
from bus.transport import Transport
from schema.frame import Flag, Frame, Kind, pack, position
from schema.head import Message
from schema.house import Positions
from schema.messages import encode
from schema.streams import BY_NUMBER, Stream, home, owned_by


class Own(msgspec.Struct):
    """One own journaled stream and its writer."""

    stream: Stream
    writer: JournalWriter


class Outlet:
    """The streams of one service, strongest class first."""

    def __init__(self, service: str, transport: Transport, clock: Clock) -> None:
        self.streams = tuple(s for s in owned_by(service) if not s.name.endswith(".hb"))
        self.journaled = tuple(s for s in self.streams if s.journaled)
        self.epoch = 0
        self.bytes_said = 0
        self._strength = {stream.number: rank for rank, stream in enumerate(self.streams)}
        self._transport = transport
        self._clock = clock
        self._own: dict[int, Own] = {}
        self._syncer: Syncer | None = None
        self._ephemeral_n: dict[int, int] = {}

    def open(self, journals: Journals, epoch: int, code: str) -> dict[str, Before]:
        """Repair, and begin a new epoch of every own stream; return how each stood before."""
        self.epoch = epoch
        for stream in self.journaled:
            writer = journals.writer(stream, epoch, code)
            self._own[stream.number] = Own(stream, writer)
            self._transport.send(writer.opened)
        return {own.stream.name: own.writer.before for own in self._own.values()}

    def say(self, said: Sequence[Message], records: Sequence[Message] = ()) -> None:
        """Append all, sync class A, then send.

        The bus's own records open the strongest stream that is written to; where nothing is said,
        they go to the weakest one, so that silence costs no sync and is not kept the longest.
        """
        batches = self._batches(said)
        if records:
            written = [stream for stream in self.journaled if stream.number in batches]
            number = (written[0] if written else self.journaled[-1]).number
            batches[number] = [*records, *batches.get(number, [])]
        frames: list[bytes] = []
        for number in sorted(batches, key=self._strength.__getitem__):
            frames += self._frames(number, batches[number])
        for frame in frames:
            self._transport.send(frame)
            self.bytes_said += len(frame)

    def tick(self) -> None:
        """Start the background syncs that are due, and note those that are done."""
        now_ns = self._clock.mono_ns()
        for own in self._own.values():
            if own.writer.due(now_ns):
                self._syncer = self._syncer or Syncer()
                self._syncer.request(own.writer)
        if self._syncer is not None:
            self._syncer.settle()

    def sync(self) -> None:
        """Bring everything said to the disk."""
        for own in self._own.values():
            if own.writer.synced < own.writer.last:
                own.writer.sync()

    def last(self) -> Positions:
        """Return the last position of each own journaled stream."""
        return tuple((number, own.writer.last) for number, own in self._own.items())

    def synced(self) -> Positions:
        """Return the last position of each own journaled stream that is on the disk."""
        return tuple((number, own.writer.synced) for number, own in self._own.items())

    def close(self, reason: str) -> None:
        """Say goodbye on every stream and sync."""
        if self._syncer is not None:
            self._syncer.close()
        for own in self._own.values():
            for frame in own.writer.close(reason):
                self._transport.send(frame)
        self._own.clear()

    def _batches(self, said: Sequence[Message]) -> dict[int, list[Message]]:
        homes = {kind: self._home(kind) for kind in set(map(type, said))}
        if len(homes) == 1:  # Most often: then nothing is looked at one by one.
            return {number: list(said) for number in homes.values()}
        batches: dict[int, list[Message]] = {}
        for kind, alike in groupby(said, type):
            batches.setdefault(homes[kind], []).extend(alike)
        return batches

    def _home(self, kind: type[Message]) -> int:
        stream = home(kind)
        assert stream in self.streams, f"{kind.__name__} is not for this service to say"
        return stream.number

    def _frames(self, number: int, messages: list[Message]) -> list[bytes]:
        own = self._own.get(number)
        if own is None:
            return [self._ephemeral(BY_NUMBER[number], messages)]
        frames = own.writer.append(messages)
        if own.stream.durability == "A":
            own.writer.sync()
        return frames

    def _ephemeral(self, stream: Stream, messages: list[Message]) -> bytes:
        n = self._ephemeral_n.get(stream.number, 0)
        self._ephemeral_n[stream.number] = n + len(messages)
        return pack(
            Frame(
                stream=stream.name,
                kind=Kind.DATA,
                flags=Flag(0),
                pos=position(self.epoch, n),
                ts_ns=self._clock.wall_ns(),
                mono_ns=self._clock.mono_ns(),
                count=len(messages),
                schema=0,
                body=encode(messages),
            )
        )
