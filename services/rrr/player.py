"""Says recorded frames again in a sandbox: appended first, then sent, by their own times."""

from collections.abc import Iterable, Sequence
from functools import partial

import msgspec

from bus.clock import Clock
from bus.copy import SAID, Copy
from bus.pulse import Progress, Pulse
from bus.wire import Wire
from schema.frame import Frame, pack
from schema.house import CommandDone
from schema.streams import STREAMS, Stream
from services.rrr.recording import folder_in
from services.rrr.sandbox import Sandbox
from services.rrr.signals import Ending

SERVE_NS = 20_000_000
"""How often those who ask are answered, and heartbeats looked after."""

WAIT_MS_MAX = 20


class Played(msgspec.Struct):
    """What was said."""

    frames: int = 0
    messages: int = 0
    rounds: int = 0


class Voice:
    """One service that is played: its sockets, its streams, and its heartbeat."""

    def __init__(
        self, sandbox: Sandbox, owner: str, streams: Sequence[Stream], clock: Clock
    ) -> None:
        self.wire = Wire(sandbox.run, owner)
        self.copies = {
            stream.name: Copy(folder_in(sandbox.journal_dir, stream), stream, clock)
            for stream in streams
            if stream.journaled
        }
        own_pulse = f"{owner}.hb" in {stream.name for stream in streams}
        self._beats = not own_pulse  # Recorded heartbeats say the same, in their time.
        self._pulse = Pulse(owner, self.wire, clock)
        self._pulse.world, self._pulse.epoch = sandbox.world, 1
        self._pulse.progress = partial(_progress, self.copies)
        self._pulse.become("READY", "it is played from a recording")

    def say(self, frame: Frame) -> None:
        """Append a frame where its stream is kept, then send it."""
        copy = self.copies.get(frame.stream)
        for raw in copy.add([frame]) if copy is not None else [pack(frame)]:
            self.wire.send(raw)

    def serve(self) -> None:
        """Give a sign of life when one is due, and answer who asks."""
        if self._beats:
            self._pulse.beat()
        self.wire.wait(0)
        for command in self.wire.commands():
            if command.verb == "status":
                self._pulse.answer_status(command)
            else:
                text = "it is played from a recording, and takes no commands"
                done = CommandDone(request_id=command.request_id, ok=False, text=text)
                self.wire.reply(done)

    def close(self) -> None:
        """Tell the last positions, seal the journal, and leave."""
        self._pulse.become("STOPPED", "the recording has ended")
        self._pulse.beat()
        for copy in self.copies.values():
            copy.close()
        self.wire.close()


class Player:
    """All services of a recording, in one sandbox."""

    def __init__(self, sandbox: Sandbox, streams: Sequence[str], rate: float, clock: Clock) -> None:
        self._clock = clock
        self._rate = rate  # 0 is as fast as possible
        self._serve_ns = 0
        self._begun_ns = clock.mono_ns()
        self.done = Played()
        own = [STREAMS[name] for name in streams]
        owners = sorted({stream.owner for stream in own})
        self._voices = {
            owner: Voice(sandbox, owner, [s for s in own if s.owner == owner], clock)
            for owner in owners
        }

    def play(self, frames: Iterable[Frame], messages_max: int, ending: Ending) -> bool:
        """Say one round of frames; False once as many messages were said as may be, or wanted."""
        begun_ns, first_ns = self._clock.mono_ns(), 0
        for frame in frames:
            first_ns = first_ns or frame.ts_ns
            after_ns = int((frame.ts_ns - first_ns) / self._rate) if self._rate else 0
            if not self._wait_until(begun_ns + after_ns, ending):
                return False
            self._voices[STREAMS[frame.stream].owner].say(frame)
            self.done.frames += 1
            self.done.messages += frame.count if frame.kind in SAID else 0
            if 0 < messages_max <= self.done.messages:
                return False
        self.done.rounds += 1
        return True

    @property
    def played_ns(self) -> int:
        """How long it has been playing, or was told to wait."""
        return self._clock.mono_ns() - self._begun_ns

    def wait_for(self, ns: int, ending: Ending) -> None:
        """Let a stretch of time pass, with signs of life."""
        self._wait_until(self._clock.mono_ns() + ns, ending)

    def _wait_until(self, due_ns: int, ending: Ending) -> bool:
        """Wait for a monotonic time, and serve meanwhile; False when the end is wanted."""
        while not ending.wanted:
            now_ns = self._clock.mono_ns()
            if now_ns >= self._serve_ns:
                self._serve_ns = now_ns + SERVE_NS
                for voice in self._voices.values():
                    voice.serve()
            left_ms = (due_ns - now_ns) // 1_000_000
            if left_ms < 1:
                return True
            self._clock.pause_ms(min(left_ms, WAIT_MS_MAX))
        return False

    def close(self) -> None:
        """End all streams; what was said stays in the sandbox."""
        for voice in self._voices.values():
            voice.close()


def _progress(copies: dict[str, Copy]) -> Progress:
    last = tuple((copy.stream.number, copy.done.last) for copy in copies.values())
    return Progress(last=last, synced=last)
