"""What a service says: append, sync where the class asks, then send, never the other way round."""

from collections.abc import Sequence

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
from schema.streams import Stream, home, owned_by


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
        batches: dict[int, list[Message]] = {}
        for message in said:
            stream = home(type(message))
            assert stream in self.streams, (
                f"{type(message).__name__} is not for this service to say"
            )
            batches.setdefault(stream.number, []).append(message)
        if records:
            written = [stream for stream in self.journaled if stream.number in batches]
            number = (written[0] if written else self.journaled[-1]).number
            batches[number] = [*records, *batches.get(number, [])]
        frames = [frame for stream in self.streams for frame in self._frames(stream, batches)]
        for frame in frames:
            self._transport.send(frame)

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

    def _frames(self, stream: Stream, batches: dict[int, list[Message]]) -> list[bytes]:
        messages = batches.get(stream.number)
        if not messages:
            return []
        own = self._own.get(stream.number)
        if own is None:
            return [self._ephemeral(stream, messages)]
        frames = own.writer.append(messages)
        if stream.durability == "A":
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
