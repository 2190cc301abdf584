"""What a service hears: live frames and journals, merged into one gapless order per stream."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from bus.bodies import Skipped, read_singly
from bus.clock import Clock
from bus.errors import JournalError, ProtocolError
from bus.holes import missing
from bus.journals import Journals
from bus.merge import Merge, Step
from bus.peers import Peers
from bus.service import Heard, Input, Run, Service
from bus.snapshots import parts_of
from bus.transport import Transport
from schema.frame import Frame, FrameError, Kind, epoch_of, unpack
from schema.head import Message
from schema.house import Heartbeat, Positions
from schema.messages import UNREADABLE, decode
from schema.streams import BY_NUMBER, STREAMS, TURNS, Stream

SLICE_BYTES = 1 << 16
WHOLE_BYTES = 1 << 18
"""A slice for who takes messages by the run: what is written at once touches a page once."""

SILENCE_NS = 1_000_000_000
"""After a second without a heartbeat the journal is asked: it answers for a dead publisher too."""

_APART = frozenset((*TURNS, type(None)))
"""What stands on a stream and is no message to its readers."""


class Lane:
    """One journaled stream as this service follows it."""

    def __init__(self, stream: Stream, journals: Journals, cursor: int | None) -> None:
        self.stream = stream
        self.reader = journals.reader(stream)
        self.merge = Merge(cursor or 0)
        self._joining = 0  # where the next part of the snapshot stands that this lane begins with
        self.slice_bytes = SLICE_BYTES
        self.behind = True
        self.signed_ns = 0
        self.holes = 0
        self.ahead = 0
        self.unknown = 0  # messages of kinds that this code does not know, passed over

    def join(self) -> None:
        """Begin with the last snapshot, and with it as the first message."""
        self._joining = self.reader.snapshot()
        self.merge.pos = max(0, self._joining - 1)

    def live(self, frame: Frame) -> list[Run]:
        """Take a frame from the wire: deliver it, drop it, or ask for the journal."""
        step = self.merge.live(frame)
        if step.action == "catch_up":
            self.behind = True
        return self._delivered(frame, step)

    def catch_up(self) -> list[Run]:
        """Take one bounded slice from the journal."""
        frames = self.reader.read(self.merge.pos, self.slice_bytes)
        if not frames:
            self.behind = False
        heard: list[Run] = []
        if frames and not self.merge.pos:
            self.merge.begin(frames[0], self.reader.first())
        for frame in frames:
            step = self.merge.journal(frame)
            if step.action == "hole":
                if heard:
                    break  # What stands before it is given out first.
                step = self._jump(frame, step)
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

    def _jump(self, frame: Frame, hole: Step) -> Step:
        accepted = self.stream.durability not in "AB"
        if not (accepted or self.reader.accepts(hole.expected, hole.found - 1)):
            raise missing(self.stream, hole)
        self.holes += 1
        self.merge.jump(frame)
        return self.merge.journal(frame)

    def _delivered(self, frame: Frame, step: Step) -> list[Run]:
        if step.action != "deliver" or (frame.kind != Kind.DATA and not self._is_begun_by(frame)):
            return []
        messages: Any = read_frame(self.stream, frame, self._skipped)
        if step.skip or not _APART.isdisjoint(map(type, messages)):
            return self._runs(frame, messages, step.skip)
        return [self._run(frame, messages)]

    def _runs(self, frame: Frame, messages: Sequence[Message], skip: int) -> list[Run]:
        runs, begin = [], skip
        for apart, group in groupby(messages[skip:], lambda one: type(one) in _APART):
            found = list(group)
            if not apart:
                runs.append(self._run(frame, found, begin))
            begin += len(found)
        return runs

    def _run(self, frame: Frame, messages: Sequence[Message], begin: int = 0) -> Run:
        number = self.stream.number
        return Run(messages, number, frame.pos + begin, frame.ts_ns, frame.mono_ns)

    def _skipped(self, count: int) -> None:
        self.unknown += count

    def _is_begun_by(self, frame: Frame) -> bool:
        if frame.kind != Kind.SNAPSHOT or frame.pos != self._joining:
            return False  # Who follows the stream has heard already what a snapshot tells.
        part, parts = parts_of(self.stream.number, frame)
        self._joining = frame.pos + 1 if part < parts else 0
        return True


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
        self._held = False
        self._unknown = 0

    def open(self, cursors: Mapping[int, int], core: Service, *, from_end: bool) -> None:
        """Begin each stream behind its cursor, or from its beginning where it is read again.

        Without one, at its last snapshot where it is joined, else at its beginning or at its end.
        """
        for stream in self._streams:
            if stream.journaled:
                cursor = 0 if stream.name in core.rereads else cursors.get(stream.number)
                lane = self.lanes[stream.name] = Lane(stream, self._journals, cursor)
                lane.slice_bytes = WHOLE_BYTES if core.whole else SLICE_BYTES
                if cursor is None and stream.name in core.joins:
                    lane.join()
                elif cursor is None and from_end:
                    lane.merge.pos = lane.reader.last()

    def take(self, *, held: bool = False) -> list[Input]:
        """Return what is here, in order within each stream; bounded.

        Who is held hears no journaled stream: its frames are let go, and read from the journal.
        """
        self._held = held
        heard: list[Input] = []
        for raw in self._transport.receive():
            try:
                heard += self._frame(unpack(raw))
            except FrameError:
                self.frames_dropped += 1
        now_ns = self._clock.mono_ns()
        for lane in self.lanes.values():
            if now_ns - lane.signed_ns > SILENCE_NS:
                lane.behind, lane.signed_ns = True, now_ns
            if lane.behind and not held:
                heard += lane.catch_up()
        return heard

    @property
    def behind(self) -> bool:
        """Whether a journal holds more than has been taken."""
        return not self._held and any(lane.behind for lane in self.lanes.values())

    def cursors(self) -> Positions:
        """Return the last position taken of each journaled stream."""
        return tuple((lane.stream.number, lane.merge.pos) for lane in self.lanes.values())

    def counters(self) -> tuple[tuple[str, int], ...]:
        """Return what was refused or skipped."""
        holes = sum(lane.holes for lane in self.lanes.values())
        ahead = sum(lane.ahead for lane in self.lanes.values())
        unknown = self._unknown + sum(lane.unknown for lane in self.lanes.values())
        return (
            ("frames_dropped", self.frames_dropped),
            ("holes", holes),
            ("ahead", ahead),
            ("unknown", unknown),
        )

    def _frame(self, frame: Frame) -> Sequence[Input]:
        lane = self.lanes.get(frame.stream)
        if lane is not None and self._held:
            lane.behind = True
            return []
        if lane is not None:
            return lane.live(frame)
        stream = STREAMS.get(frame.stream)
        if stream is None:
            self.frames_dropped += 1
            return []
        read = read_body(stream, frame.body, frame.pos, self._skipped)
        messages = [message for message in read if message is not None]
        if frame.kind == Kind.HEARTBEAT:
            for message in messages:
                if isinstance(message, Heartbeat):  # Whoever says else is not to end its hearers.
                    self._signed(message)
        return [Heard(m) for m in messages] if frame.stream in self._ephemeral else []

    def _skipped(self, count: int) -> None:
        self._unknown += count

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


def read_frame(
    stream: Stream, frame: Frame, skipped: Skipped | None = None
) -> Sequence[Message | None]:
    """Decode a frame of a journaled stream; one of A or B holds as many messages as it counts."""
    messages = read_body(stream, frame.body, frame.pos, skipped)
    if len(messages) != frame.count and stream.durability in "AB":
        raise ProtocolError(
            f"{stream.name} at position {frame.pos}: expected the {frame.count} messages that the "
            f"frame counts, found {len(messages)}",
            "Its publisher runs other code: restart both on the same tree, nothing was passed over",
        )
    return messages


def read_body(
    stream: Stream, body: bytes, pos: int = 0, skipped: Skipped | None = None
) -> Sequence[Message | None]:
    """Decode a body; a message of an unknown kind is None in C and E, and stops A and B."""
    try:
        return decode(stream.number, body)
    except UNREADABLE:
        return read_singly(stream, body, pos, skipped)
