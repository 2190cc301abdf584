"""What a service hears: live frames and journals, merged into one gapless order per stream."""

from collections.abc import Iterable, Mapping

import msgspec

from bus.clock import Clock
from bus.errors import JournalError, ProtocolError
from bus.journals import Journals
from bus.merge import Merge, Step
from bus.peers import Peers
from bus.service import Heard, Service
from bus.transport import Transport
from schema.frame import Frame, FrameError, Kind, epoch_of, unpack
from schema.head import Message
from schema.house import Heartbeat, Positions
from schema.messages import decode, decoder
from schema.streams import BY_NUMBER, STREAMS, TURNS, Stream

SLICE_BYTES = 1 << 18
SILENCE_NS = 1_000_000_000
"""After a second without a heartbeat the journal is asked: it answers for a dead publisher too."""


class Lane:
    """One journaled stream as this service follows it."""

    def __init__(self, stream: Stream, journals: Journals, cursor: int | None) -> None:
        self.stream = stream
        self.reader = journals.reader(stream)
        self.merge = Merge(cursor or 0)
        self.behind = True
        self.signed_ns = 0
        self.holes = 0
        self.ahead = 0

    def live(self, frame: Frame) -> list[Heard]:
        """Take a frame from the wire: deliver it, drop it, or ask for the journal."""
        step = self.merge.live(frame)
        if step.action == "catch_up":
            self.behind = True
        return self._delivered(frame, step)

    def catch_up(self) -> list[Heard]:
        """Take one bounded slice from the journal."""
        frames = self.reader.read(self.merge.pos, SLICE_BYTES)
        if not frames:
            self.behind = False
        heard: list[Heard] = []
        for frame in frames:
            step = self.merge.journal(frame)
            if step.action == "hole":
                step = self._jump(frame)
            self.ahead += step.action == "ahead"
            heard += self._delivered(frame, step)
        return heard

    def signed(self, last: int, now_ns: int) -> None:
        """Take from a heartbeat how far the owner has come."""
        self.signed_ns = now_ns
        self.behind = self.behind or self.merge.heartbeat(last)
        if epoch_of(last) < epoch_of(self.merge.pos):
            self._refuse_older()

    def _refuse_older(self) -> None:
        # A heartbeat may be late; the journal, which holds the record of each epoch, is not.
        last = self.reader.last()
        if epoch_of(last) < epoch_of(self.merge.pos):
            raise JournalError(
                f"{self.stream.name}: position {self.merge.pos} was read here, "
                f"and its journal ends in an earlier epoch, at {last}",
                "It is another journal than the one that was read: bring that one back, "
                "or move the shard or snapshot that remembers it away with it",
            )

    def _jump(self, frame: Frame) -> Step:
        if self.stream.durability in "AB":
            raise JournalError(
                f"{self.stream.name}: a hole after position {self.merge.pos}, "
                f"the journal goes on at {frame.pos}",
                "Money may hang on what is missing: see docs/runbook.md, JournalHole",
            )
        self.holes += 1
        self.merge.jump(frame)
        return self.merge.journal(frame)

    def _delivered(self, frame: Frame, step: Step) -> list[Heard]:
        if step.action != "deliver" or frame.kind != Kind.DATA:
            return []
        number = self.stream.number
        messages = read_body(self.stream, frame.body)
        return [
            Heard(message, number, frame.pos + index, frame.ts_ns, frame.mono_ns)
            for index, message in enumerate(messages)
            if index >= step.skip and message is not None and type(message) not in TURNS
        ]


class Intake:
    """All streams that a service hears, and the cursors of the journaled ones."""

    def __init__(
        self,
        transport: Transport,
        journals: Journals,
        hears: Iterable[str],
        clock: Clock,
        peers: Peers | None = None,
    ) -> None:
        self._peers = peers
        self._transport = transport
        self._journals = journals
        self._clock = clock
        self._streams = [STREAMS[name] for name in hears]
        self._ephemeral = {s.name: s for s in self._streams if not s.journaled}
        self.lanes: dict[str, Lane] = {}
        self.frames_dropped = 0

    def open(self, cursors: Mapping[int, int], *, from_end: bool) -> None:
        """Begin each stream behind its cursor; without one at its beginning or at its end."""
        for stream in self._streams:
            if stream.journaled:
                cursor = cursors.get(stream.number)
                if cursor is None and from_end:
                    cursor = self._journals.reader(stream).last()
                self.lanes[stream.name] = Lane(stream, self._journals, cursor)

    def take(self) -> list[Heard]:
        """Return what is here, in order within each stream; bounded."""
        heard: list[Heard] = []
        for raw in self._transport.receive():
            try:
                heard += self._frame(unpack(raw))
            except FrameError:
                self.frames_dropped += 1
        now_ns = self._clock.mono_ns()
        for lane in self.lanes.values():
            if now_ns - lane.signed_ns > SILENCE_NS:
                lane.behind, lane.signed_ns = True, now_ns
            if lane.behind:
                heard += lane.catch_up()
        return heard

    @property
    def behind(self) -> bool:
        """Whether a journal holds more than has been taken."""
        return any(lane.behind for lane in self.lanes.values())

    def cursors(self) -> Positions:
        """Return the last position taken of each journaled stream."""
        return tuple((lane.stream.number, lane.merge.pos) for lane in self.lanes.values())

    def counters(self) -> tuple[tuple[str, int], ...]:
        """Return what was refused or skipped."""
        holes = sum(lane.holes for lane in self.lanes.values())
        ahead = sum(lane.ahead for lane in self.lanes.values())
        return (("frames_dropped", self.frames_dropped), ("holes", holes), ("ahead", ahead))

    def _frame(self, frame: Frame) -> list[Heard]:
        lane = self.lanes.get(frame.stream)
        if lane is not None:
            return lane.live(frame)
        stream = STREAMS.get(frame.stream)
        if stream is None:
            self.frames_dropped += 1
            return []
        messages = [message for message in read_body(stream, frame.body) if message is not None]
        if frame.kind == Kind.HEARTBEAT:
            for message in messages:
                assert isinstance(message, Heartbeat)
                self._signed(message)
        return [Heard(m) for m in messages] if frame.stream in self._ephemeral else []

    def _signed(self, heartbeat: Heartbeat) -> None:
        if self._peers is not None:
            self._peers.heard(heartbeat)
        for number, last in heartbeat.last:
            known = BY_NUMBER.get(number)
            lane = self.lanes.get(known.name) if known else None
            if lane is not None:
                lane.signed(last, self._clock.mono_ns())


def wanted(core: Service) -> tuple[str, ...]:
    """Return what to subscribe to: streams, and heartbeats of their owners and of who is needed."""
    owners = {STREAMS[name].owner for name in core.hears} | set(core.needs)
    return tuple(sorted(set(core.hears) | {f"{owner}.hb" for owner in owners}))


def read_body(stream: Stream, body: bytes) -> list[Message | None]:
    """Decode a body; a message of an unknown kind is None in C and E, and stops A and B."""
    try:
        return list(decode(stream.number, body))
    except msgspec.ValidationError:
        return [
            _read_one(stream, raw) for raw in msgspec.msgpack.decode(body, type=list[msgspec.Raw])
        ]


def _read_one(stream: Stream, raw: msgspec.Raw) -> Message | None:
    try:
        return decoder(stream.number).decode(b"\x91" + bytes(raw))[0]
    except msgspec.ValidationError as error:
        if stream.durability in "AB":
            raise ProtocolError(
                f"{stream.name}: a message that this code does not read: {error}",
                "Its publisher runs newer code: restart this service on the same tree",
            ) from error
        return None
