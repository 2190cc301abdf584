"""The loop that runs every service.

One pass is one turn: hear a bounded batch → handle and apply → append, sync where the class asks →
publish → perform effects. There is no linger: a batch is what piled up during the pass before.
A processor's pass is recorded before it is heard of outside; a sink's is committed with its
positions in one transaction; a source's outputs are its only record.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from bus.clock import Skew
from bus.control import Control
from bus.intake import Intake
from bus.journals import Journals
from bus.log import Log
from bus.outlet import Outlet
from bus.peers import Peers
from bus.pulse import Progress, Pulse
from bus.record import Before, state_shape
from bus.recovery import Recovery, Snapshot, recover
from bus.service import Heard, Input, Limited, Parts, Store
from bus.snapshots import Dues
from bus.timers import Timers
from bus.transport import Transport
from bus.turn import Outcome, Record, run_turn
from schema.head import Effect, Local
from schema.house import CommandDone, Positions, Started, TimeGap, Wake
from schema.streams import STREAMS

if TYPE_CHECKING:
    from bus.edge import EdgeThread

_RUNNERS = (Wake, CommandDone)
SNAPSHOT_NS = 30_000_000_000
RERUN_MAX = 1000
"""Turns that a start may run again without keeping where it came to."""

SNAPSHOT_BYTES = 64 << 20  # A start reads what was said since: bounded by time, and by size.
WAIT_MS_MAX = 50
"""The longest sleep: a signal, a heartbeat or a journal without a doorbell waits no longer."""


class Runner:
    """One service, running."""

    def __init__(
        self,
        parts: Parts,
        transport: Transport,
        journals: Journals,
        pulse: Pulse,
        log: Log,
        edge: "EdgeThread | None" = None,
    ) -> None:
        self.core = parts.core
        self.pulse = pulse
        self._store, self._first, self._fold = parts.store, parts.first, parts.fold
        self._transport, self._journals = transport, journals
        self._upkeep = journals.upkeep(self.core.name)
        self._clock = pulse.clock
        self._log, self._edge = log, edge
        self._outlet = Outlet(self.core.name, transport, self._clock)
        self._peers = Peers(self.core.needs, self._clock)
        self.dues = Dues(self.core.snapshots, self._clock)
        self._intake = Intake(transport, journals, self.core.hears, self._clock, self._peers)
        durable = any(STREAMS[name].journaled for name in self.core.hears)
        # What is joined late cannot be run again: who joins a stream records no turns.
        apart = self._store is not None or bool(self.core.rereads or self.core.joins)
        self._processor = durable and not apart and bool(self._outlet.journaled)
        self._turn, self._was_ready = 0, False
        self._local: list[Input] = []
        self._timers = Timers(self._clock)
        self._record = Record(self._clock, pulse.rules, keeps=self._processor)
        self._snapshot_ns, self._snapshot_bytes = self._clock.mono_ns(), 0
        self._skew = Skew(self._clock)
        self._committed: Positions = ()
        keep = self.snapshot if self._outlet.journaled and self._store is None else None
        self._shape = state_shape(type(self.core.state)) if keep is not None else 0
        self._control = Control(transport, pulse, log, keep, self.dues.hurry)
        pulse.progress = self._progress

    def start(self) -> None:
        """Recover, and put `Started` and what the service starts with before every other input."""
        self.pulse.become("RECOVERING")
        self.pulse.beat()
        epoch = self.pulse.epoch = self._journals.open_epoch(self.core.name)
        self._tell_mended(self._outlet.open(self._journals, epoch, self.pulse.code))
        recovery = self._recovered()
        self._turn, self._timers.wakes = recovery.turn, dict(recovery.wakes)
        self._open_intake(recovery)
        self._say_recovery(recovery)
        # Turns from before a fold are not run again, and who dies often does not fall back.
        if self._processor and (recovery.grade == "folded" or recovery.rerun > RERUN_MAX):
            self.snapshot()
        started = Started(epoch=epoch, grade=recovery.grade)
        self._local += map(Heard, (started, *self._first))
        self.pulse.become("CATCHING_UP")
        if self._edge is not None:
            self._edge.start()

    def _tell_mended(self, befores: Mapping[str, Before]) -> None:
        for stream, before in befores.items():
            if before.torn_bytes or before.holes:
                cut, holes = before.torn_bytes, before.holes
                self._log.say("journal_mended", stream=stream, torn_bytes=cut, holes=holes)

    def _recovered(self) -> Recovery:
        if self._store is not None or not self._outlet.journaled:
            return Recovery()
        own, rules = self._outlet.journaled, self.pulse.rules
        return recover(self.core, own, self._journals, rules, self.pulse.beat, self._fold)

    def _open_intake(self, recovery: Recovery) -> None:
        stored = self._store.cursors() if self._store is not None else recovery.cursors
        remembers = self._store is not None or self._processor
        self._intake.open(stored, self.core, from_end=not remembers)

    def _say_recovery(self, recovery: Recovery) -> None:
        self._log.say("recovered", grade=recovery.grade, turn=recovery.turn, why=recovery.detail)
        self._log.story(recovery.missing)
        if not self._processor or recovery.grade == "fresh":
            return
        note = recovery.note(self._clock.market_ns())
        self._outlet.say(recovery.missing, [note] if recovery.grade == "folded" else ())

    def turn(self) -> bool:
        """Do one pass without waiting; True when there was something to do."""
        self.pulse.rested()
        inputs = self._hear()
        if inputs:
            self._turn += 1
            now_ns = self._clock.market_ns()
            outcome = run_turn(self.core, inputs, now_ns)
            self._keep(inputs, now_ns, outcome)
            self._perform(outcome.effects)
            self._log.story(outcome.said)  # Last: no order waits for a line of text.
            self.dues.count(outcome.said)
        elif self._store is not None:
            self._store.idle()
            self._perform(self._store.answers())
        self._house_keep()
        self.pulse.worked()
        return bool(inputs)

    @property
    def draining(self) -> bool:
        """Whether somebody asked for a clean end."""
        return self._control.draining

    @property
    def behind(self) -> bool:
        """Whether more waits than the last pass took."""
        return self._intake.behind or bool(self._local)

    def wait(self) -> frozenset[int]:
        """Wait for the next thing to do; return the watched descriptors that are ready."""
        if self.behind:
            return self._transport.wait(0)
        due_ns = min(self.pulse.due_in_ns(), self._timers.next_in_ns(WAIT_MS_MAX * 1_000_000))
        return self._transport.wait(max(0, -(-due_ns // 1_000_000)))  # Late rather than spinning.

    def stop(self, reason: str) -> None:
        """End cleanly: the edge first, then what is under way, a snapshot, goodbye."""
        self.pulse.become("DRAINING", reason)
        self.pulse.beat()
        if self._edge is not None:
            self._edge.stop()
        self._flush_silent()
        if self._store is not None:
            self._store.close()
        elif self._outlet.journaled:
            self.snapshot()
        self._upkeep.stop(self._committed)
        self._outlet.close(reason)
        self.pulse.become("STOPPED", reason)
        self.pulse.beat()

    def snapshot(self) -> None:
        """Keep the state between two turns; the journals go to the disk first."""
        self._flush_silent()
        self._outlet.sync()
        snapshot = Snapshot(
            turn=self._turn,
            code=self.pulse.rules,
            boot_id=self._journals.boot_id,
            own=self._outlet.last(),
            cursors=self._intake.cursors(),
            wakes=tuple(self._timers.wakes.items()),
            state=msgspec.msgpack.encode(self.core.state),
            shape=self._shape,
        )
        self._journals.save_snapshot(self.core.name, msgspec.msgpack.encode(snapshot))
        self._committed = snapshot.cursors  # A restart begins behind these.
        self._snapshot_ns, self._snapshot_bytes = self._clock.mono_ns(), self._outlet.bytes_said

    def _hear(self) -> list[Input]:
        # Commands first: a snapshot is of the moment between two turns, before more is heard.
        asked = self._control.take()
        heard, self._local = self._local, []
        heard += self._intake.take(held=self._store is not None and self._store.held())
        heard += map(Heard, (*self._peers.changes(), *asked))
        if self._edge is not None:
            heard += map(Heard, self._edge.take())
            self._write_notes(self._edge)
        heard += map(Heard, self._timers.due())
        heard += map(Heard, self.dues.take(idle=not heard))  # Last: orders go first.
        return heard

    def _write_notes(self, edge: "EdgeThread") -> None:
        for event, fields in edge.notes():
            self._log.note(event, fields)
        if edge.failure is not None:
            raise edge.failure

    def _keep(self, inputs: Sequence[Input], now_ns: int, outcome: Outcome) -> None:
        if self._store is not None:
            self._commit(self._store, outcome)
        turns = self._record.add(self._turn, now_ns, inputs, outcome)
        if outcome.said or turns:
            self._outlet.say(outcome.said, turns)

    def _commit(self, store: Store, outcome: Outcome) -> None:
        rows = [effect for effect in outcome.effects if type(effect) not in _RUNNERS]
        cursors = self._intake.cursors()
        if rows or cursors != self._committed:
            store.commit(rows, dict(cursors))
            self._committed = cursors
        outcome.effects = [effect for effect in outcome.effects if type(effect) in _RUNNERS]
        outcome.effects += store.answers()

    def _flush_silent(self) -> None:
        if turns := self._record.take():
            self._outlet.say((), turns)

    def _perform(self, effects: Sequence[Local]) -> None:
        for effect in sorted(effects, key=lambda one: not getattr(one, "urgent", False)):
            if isinstance(effect, Wake):
                self._timers.ask(effect)
            elif isinstance(effect, CommandDone):
                self._transport.reply(effect)
            else:
                assert isinstance(effect, Effect), f"{type(effect).__name__} is no effect"
                assert self._edge is not None, f"{self.core.name} has no edge"
                self._edge.perform(effect)

    def _house_keep(self) -> None:
        now_ns = self._clock.mono_ns()
        if self._record.due():
            self._flush_silent()
        self._outlet.tick()
        self._watch_clock()
        snapshots = self._outlet.journaled and self._store is None
        much = self._outlet.bytes_said - self._snapshot_bytes > SNAPSHOT_BYTES
        if snapshots and (much or now_ns - self._snapshot_ns > SNAPSHOT_NS):
            self.snapshot()
        self._upkeep.tick(self._committed, self._log)
        self._judge()
        self.pulse.beat()

    def _watch_clock(self) -> None:
        jump_ms = self._skew.jump_ms()
        if jump_ms:
            self._local.append(Heard(TimeGap(jump_ms=jump_ms)))
            self._log.say("time_gap", jump_ms=jump_ms)

    def _judge(self) -> None:
        why_not = self._why_not()
        self._was_ready |= why_not is None or isinstance(why_not, Limited)
        state = "DEGRADED" if self._was_ready else "CATCHING_UP"
        state = "READY" if why_not is None else state
        if self.pulse.become(state, str(why_not or "")):
            self._log.say(state.lower(), reason=why_not or "")

    def _why_not(self) -> str | None:
        if not self._was_ready and self._intake.behind:
            return "it reads what was said before it started"
        if self._edge is not None and self._edge.why_not is not None:
            return self._edge.why_not
        return self.core.trouble(self._clock.market_ns())

    def _progress(self) -> Progress:
        return Progress(
            turn=self._turn,
            last=self._outlet.last(),
            synced=self._outlet.synced(),
            cursors=self._intake.cursors(),
            counters=(
                *self._intake.counters(),
                *self._control.counters(),
                ("log_lines_dropped", self._log.dropped),
                *self._upkeep.counters(),
                *self.core.counters(),
                *(self._store.counters() if self._store is not None else ()),
            ),
            edge_age_ms=self._edge.age_ms() if self._edge is not None else 0,
        )
