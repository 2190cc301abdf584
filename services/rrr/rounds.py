"""The frames that a player says, round after round: chosen, renamed, and moved on by whole epochs.

In the first round they are those of the recording. The same positions cannot be said twice, so each
further round begins behind the one before it, in epochs and in time.
"""

from collections.abc import Iterator, Mapping

import click
import msgspec

from bus.copy import opening
from schema.frame import EPOCH_SHIFT, Frame, Kind, epoch_of, unpack
from schema.streams import STREAMS, TURNS
from services.rrr.recording import Recording, frames_of


class Extent(msgspec.Struct):
    """The times and epochs that a recording spans."""

    first_ns: int = 0
    last_ns: int = 0
    first_epoch: int = 0
    last_epoch: int = 0

    def note(self, frame: Frame) -> None:
        """Take one more frame into account."""
        epoch = epoch_of(frame.pos)
        if not self.first_ns:
            self.first_ns, self.first_epoch, self.last_epoch = frame.ts_ns, epoch, epoch
        self.last_ns = max(self.last_ns, frame.ts_ns)
        self.first_epoch = min(self.first_epoch, epoch)
        self.last_epoch = max(self.last_epoch, epoch)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a recording is played, and under which names."""

    start_ns: int = 0  # behind its begin
    until_ns: int = 1 << 62  # behind its begin
    names: Mapping[str, str] = {}  # what is said as another stream


class Rounds:
    """The frames of a recording, as often as they are asked for."""

    def __init__(self, recording: Recording, choice: Choice) -> None:
        self._recording = recording
        self._choice = choice
        self._lasts: dict[str, int] = {}  # the last position that was said, by stream
        self.extent = Extent()

    def first(self) -> Iterator[Frame]:
        """Yield the frames of the first round, byte for byte, and learn what they span."""
        for frame in self._chosen():
            self.extent.note(frame)
            self._lasts[frame.stream] = frame.last
            yield frame

    def further(self, number: int) -> Iterator[Frame]:
        """Yield the frames of another round; the first one has number 0."""
        extent = self.extent
        epochs = number * (extent.last_epoch - extent.first_epoch + 1)
        after_ns = number * (extent.last_ns - extent.first_ns + 1)
        begun: set[str] = set()
        for frame in self._chosen():
            moved = msgspec.structs.replace(
                frame,
                pos=frame.pos + (epochs << EPOCH_SHIFT),
                ts_ns=frame.ts_ns + after_ns,
                mono_ns=frame.mono_ns + after_ns,
            )
            yield from self._joined(moved, is_first=frame.stream not in begun)
            begun.add(frame.stream)
            self._lasts[frame.stream] = moved.last

    def _joined(self, frame: Frame, *, is_first: bool) -> Iterator[Frame]:
        """Yield a frame behind what was said before; an epoch names the one that it follows."""
        stream, before = STREAMS[frame.stream], self._lasts[frame.stream]
        if frame.kind == Kind.EPOCH:
            yield unpack(opening(stream, frame.pos, (frame.ts_ns, frame.mono_ns), before))
            return
        if is_first and stream.journaled:
            yield unpack(opening(stream, frame.pos - 1, (frame.ts_ns, frame.mono_ns), before))
        yield frame

    def _chosen(self) -> Iterator[Frame]:
        begin_ns = 0
        names, choice = self._choice.names, self._choice
        for frame in frames_of(self._recording):
            begin_ns = begin_ns or frame.ts_ns
            if frame.ts_ns > begin_ns + choice.until_ns:
                return
            if frame.ts_ns >= begin_ns + choice.start_ns:
                name = names.get(frame.stream, frame.stream)
                yield frame if name == frame.stream else _as(frame, name)


def renamed(pairs: tuple[str, ...], recording: Recording) -> dict[str, str]:
    """Return the streams that are said as another one, from words like a:=b."""
    there = {stream.name for stream in recording.streams}
    found: dict[str, str] = {}
    for pair in pairs:
        old, _, new = pair.partition(":=")
        if old not in there or new not in STREAMS:
            raise click.UsageError(
                f"no pair {pair!r}; expected STREAM:=STREAM, of {' '.join(sorted(there))}"
                " and a stream that `rrr bus list` names"
            )
        _refuse_strange(old, new)
        found[old] = new
    said = [found.get(name, name) for name in there]
    if twice := sorted({name for name in said if said.count(name) > 1}):
        raise click.UsageError(f"two streams would be said as {' '.join(twice)}: leave one out")
    return found


def _refuse_strange(old: str, new: str) -> None:
    source, target = STREAMS[old], STREAMS[new]
    strange = set(source.messages) - set(target.messages) - set(TURNS)
    if strange or source.journaled != target.journaled:
        names = " ".join(sorted(kind.__name__ for kind in strange))
        raise click.UsageError(f"{old} cannot be said as {new}, which does not carry {names}")


def _as(frame: Frame, name: str) -> Frame:
    return msgspec.structs.replace(frame, stream=name)
