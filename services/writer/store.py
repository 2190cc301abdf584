"""What all stores share: positions with compare-and-set, checkpoints, figures."""

import os
import sys
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from bus.clock import Clock
from bus.errors import ShardError
from bus.pins import pinned_by
from bus.service import Store
from bus.shard import Connection, Shard
from bus.shard_open import LATER_CODE
from schema.head import Local
from schema.house import CommandDone
from schema.settings import WriterSettings
from schema.streams import BY_NUMBER, STREAMS
from schema.units import DAY_NS
from services.writer.ballast import Gate
from services.writer.effects import Chore, Keep, Told
from services.writer.jobs import Finished, Jobs
from services.writer.optimizing import RUNNING_MAX_BYTES, Optimized, at_once, optimize, told

TEND_NS = 5_000_000_000
"""What is not synced for longer than this can be lost with the power, and is read again."""

RESTART_AT = 4
HOLD_AT = 4
"""A write-ahead log of so many times the alarm's size stops all shards but trading's."""

OPTIMIZE = "optimize"
MIB = 1 << 20


class Held(Protocol):
    """What makes this process the only writer, until it is given back."""

    def release(self) -> None:
        """Give it back."""


class Figures(msgspec.Struct):
    """What a writer has done since it started."""

    rows: int = 0
    commits: int = 0
    repeats: int = 0
    corrections: int = 0
    dead_letters: int = 0
    last_event_ns: int = 0


class ShardStore(Store):
    """A store over one or more files of one shard, held by a lease until it is closed."""

    def __init__(
        self, lease: Held, clock: Clock, settings: WriterSettings, gate: Gate | None = None
    ) -> None:
        self.figures = Figures()
        self.committed: dict[int, int] = {}
        self.jobs: Jobs | None = None
        self._answers: list[Local] = []
        self._lease = lease
        self._clock = clock
        self._settings = settings
        self._tended_ns = clock.mono_ns()
        self._truncated_day = clock.wall_ns() // DAY_NS
        self._gate = gate  # None: it never pauses.
        self._why_held: str | None = None
        self._under_way: tuple[Chore, Generator[str, None, list[Optimized]]] | None = None
        self._held_bytes = 0  # What a reader held back when it was last tried.

    @abstractmethod
    def shards(self) -> Iterable[Shard]:
        """Return the files that are open."""

    @abstractmethod
    def write(self, kept: Sequence[Keep | Told], cursors: Mapping[int, int]) -> None:
        """Write all rows and positions, or nothing."""

    def chores(self) -> Mapping[str, Callable[[Sequence[str]], str]]:
        """Return what commands may ask of the shard: each returns what it did, for people."""
        return {OPTIMIZE: self._optimize}

    def finished(self, done: Finished) -> None:
        """Take what a job beside the loop came to."""

    def cursors(self) -> Mapping[int, int]:
        return dict(self.committed)

    def commit(self, effects: Sequence[Local], cursors: Mapping[int, int]) -> None:
        if self._why_held is None:  # Else nothing was heard, and positions stay where they are.
            self.write([one for one in effects if isinstance(one, Keep | Told)], cursors)
        for one in effects:
            if isinstance(one, Chore):
                self._answers += self._serve(one)

    def held(self) -> bool:
        if self._under_way is not None:
            self._step(*self._under_way)
        self._why_held = self._why_not()
        return self._why_held is not None

    def _why_not(self) -> str | None:
        if self._under_way is not None:
            return "it pauses: its files are being optimized"
        if self._gate is None:
            return None
        if (self._wal_bytes() >> 20) >= self._settings.wal_alarm_mib * HOLD_AT:
            return f"it pauses: {self._pinned()}"
        return self._gate.shut()

    def answers(self) -> Sequence[Local]:
        given, self._answers = self._answers, []
        return given

    def idle(self) -> None:
        if self._under_way is not None:
            return
        if self._clock.mono_ns() - self._tended_ns >= TEND_NS:
            self.tend()
        done = self.jobs.tend() if self.jobs is not None else None
        if done is not None:
            self.finished(done)

    def counters(self) -> tuple[tuple[str, int], ...]:
        own = tuple(msgspec.structs.asdict(self.figures).items())
        jobs = self.jobs.counters() if self.jobs is not None else ()
        paused = ("paused", int(self._why_held is not None))
        return (*own, ("wal_bytes", self._wal_bytes()), paused, *jobs)

    def alarm(self) -> str | None:
        """Return what a person must know of the shard, or None."""
        if self._why_held is not None:
            return self._why_held
        if self._wal_bytes() // MIB < self._settings.wal_alarm_mib:
            return None
        return self._pinned()

    def _pinned(self) -> str:
        pins = {pin for shard in self.shards() for pin in pinned_by(shard.path, os.getpid())}
        who = [f"process {pin.pid} ({pin.program or 'unknown'})" for pin in sorted(pins)]
        told = " and ".join(who) if who else "a reader"
        return f"{told} holds back {self._wal_bytes() // MIB} MiB of the write-ahead log: end it"

    def close(self) -> None:
        if self.jobs is not None:
            self.jobs.close()
        if self._under_way is not None:
            self._under_way[1].close()
        for shard in self.shards():
            shard.close()
        self._lease.release()

    def _serve(self, chore: Chore) -> list[Local]:
        do = self.chores().get(chore.verb)
        if do is None:
            return [_not_done(chore, f"this shard has no {chore.verb}")]
        if self._under_way is not None:
            return [_not_done(chore, "its files are being optimized: ask again in a while")]
        if chore.verb == OPTIMIZE:
            self._under_way = chore, optimize(self.shards(), RUNNING_MAX_BYTES)
            return []  # A step a turn: the heartbeat goes on, and the answer comes at the end.
        try:
            return [CommandDone(request_id=chore.request_id, ok=True, text=do(chore.args))]
        except ShardError as error:
            return [_not_done(chore, str(error))]

    def _step(self, chore: Chore, steps: Generator[str, None, list[Optimized]]) -> None:
        try:
            next(steps)
        except StopIteration as end:
            text = told(end.value, chore.args)
            answer = CommandDone(request_id=chore.request_id, ok=True, text=text)
        except ShardError as error:
            answer = _not_done(chore, str(error))
        else:
            return
        self._answers.append(answer)
        self._under_way = None

    def _optimize(self, args: Sequence[str]) -> str:
        return told(at_once(optimize(self.shards(), sys.maxsize)), args)

    def _committed(self, cursors: Mapping[int, int], rows: int) -> None:
        self.committed.update(cursors)
        self.figures.commits += 1
        self.figures.rows += rows
        wal_bytes = self._wal_bytes()
        self._held_bytes = min(self._held_bytes, wal_bytes)
        if wal_bytes - self._held_bytes >= self._settings.wal_checkpoint_mib * MIB:
            self.tend()

    def _wal_bytes(self) -> int:
        return sum(shard.wal_bytes() for shard in self.shards())

    def tend(self) -> None:
        """Move the write-ahead log into the files; done every few seconds, and when it is big."""
        limit = self._settings.wal_checkpoint_mib * MIB * RESTART_AT
        for shard in self.shards():
            if shard.wal_pages and self._folded(shard) and shard.file_bytes() >= limit:
                shard.restart_wal()
        self._truncate()
        self._tended_ns = self._clock.mono_ns()
        self._held_bytes = self._wal_bytes()

    def _folded(self, shard: Shard, *, truncate: bool = False) -> bool:
        try:
            return shard.checkpoint(truncate=truncate)
        except ShardError as error:
            if error.exit_code != LATER_CODE:
                raise
            self.make_room()  # The log keeps it all; the file takes it once there is room.
            return False

    def make_room(self) -> bool:
        """Give up what is kept for a full disk; False where nothing is."""
        return False

    def _truncate(self) -> None:
        # Once a night the files of the logs are given back; who reads just now is asked again.
        day = self._clock.wall_ns() // DAY_NS
        if day == self._truncated_day:
            return
        done = [self._folded(shard, truncate=True) for shard in self.shards()]
        if all(done):
            self._truncated_day = day
            for shard in self.shards():
                shard.grow_wal()


def _not_done(chore: Chore, text: str) -> CommandDone:
    return CommandDone(request_id=chore.request_id, ok=False, text=text)


def load_positions(db: Connection) -> dict[int, int]:
    """Return what stands in a shard, by stream number."""
    found: dict[str, int] = dict(db.execute("SELECT stream, pos FROM stream_position"))
    return {STREAMS[name].number: pos for name, pos in found.items() if name in STREAMS}


def advance(db: Connection, before: Mapping[int, int], after: Mapping[int, int]) -> None:
    """Move positions within the caller's transaction; ShardError when another moved them."""
    for number, pos in after.items():
        name = BY_NUMBER[number].name
        was = before.get(number)
        if was == pos:
            continue
        if was is None:
            db.execute(
                "INSERT INTO stream_position VALUES (?, ?) ON CONFLICT (stream) DO NOTHING",
                (name, pos),
            )
        else:
            db.execute(
                "UPDATE stream_position SET pos = ? WHERE stream = ? AND pos = ? AND pos < ?",
                (pos, name, was, pos),
            )
        if db.changes() != 1:
            raise ShardError(
                f"{db.filename}: position of {name} is not {was} as this writer left it "
                f"and before {pos}",
                "Another writer was here: end it, and restart this one",
            )
