"""Random schedules of one publisher and several subscribers, and what must hold after each step.

The parts under test are the shipped ones; what a wrong system does differently is in mutants.py.
"""

import random
from collections import deque
from collections.abc import Callable
from itertools import pairwise

from bus.errors import JournalError
from bus.merge import Step
from bus.record import JournalReader, JournalWriter, packed
from schema.frame import Frame, Kind, epoch_of, unpack
from schema.messages import encode
from tests.bus.mutants import Rules
from tests.bus.rigs import Rig, numbers, said


class Publisher:
    """Appends, syncs where the class asks, sends; may die between any two of these."""

    def __init__(self, rig: Rig, rules: Rules, rng: random.Random) -> None:
        self.rig, self.rules, self.rng = rig, rules, rng
        self.writer: JournalWriter | None = None
        self.truth: dict[int, int] = {}  # position → what was said there first
        self.promised = 0  # a position that no power cut may take
        self.said = 0
        self.unwritten: list[list[int]] = []

    def start(self) -> list[bytes]:
        epoch = None
        if self.rules.epoch_from_journal:
            epoch = epoch_of(self.rig.journals.reader(self.rig.stream).last()) + 1
        self.writer = self.rig.start(epoch)
        self._note(self.writer.opened, [0])
        self.promised = self.writer.synced
        return [self.writer.opened]

    def publish(self) -> list[bytes]:
        assert self.writer is not None
        count = self.rng.randint(1, 5)
        payloads = list(range(self.said + 1, self.said + count + 1))
        self.said += count
        if self.rng.random() < 0.05:
            return self._die(payloads)
        if self.rules.publish_first:
            return self._publish_first(payloads)
        frames = self.writer.append([said(n) for n in payloads])
        self._note(frames[0], payloads)
        if self.rig.stream.durability == "A" and not self.rules.send_before_sync:
            self.sync()
        return frames if self.writer else []

    def _publish_first(self, payloads: list[int]) -> list[bytes]:
        self._write_rest()
        frame = self._frame(payloads)
        self._note(frame, payloads)
        self.unwritten.append(payloads)
        return [frame]

    def _write_rest(self) -> None:
        for payloads in self.unwritten:
            assert self.writer is not None
            self.writer.append([said(n) for n in payloads])
        self.unwritten.clear()

    def _frame(self, payloads: list[int]) -> bytes:
        writer = self.writer
        assert writer is not None
        times = self.rig.clock.wall_ns(), self.rig.clock.mono_ns()
        body = encode([said(n) for n in payloads])
        return packed(writer.stream, Kind.DATA, writer.last + 1, times, body, len(payloads))

    def sync(self) -> None:
        if self.writer is None:
            return
        self._write_rest()
        try:
            self.writer.sync()
        except JournalError:
            if not self.rules.retry_sync:
                self.writer = None  # The process ends; the next one reads what is there.
                return
            self.writer._failed = None
            self.writer.sync()
        self.rig.note_sync()
        self.promised = self.writer.synced

    def kill(self) -> None:
        if self.writer is not None:
            self.writer._release()
        self.writer = None
        self.unwritten.clear()

    def _die(self, payloads: list[int]) -> list[bytes]:
        assert self.writer is not None
        sent: list[bytes] = []
        if self.rules.send_before_append:
            sent = [self._frame(payloads)]
        elif self.rng.random() < 0.5 and not self.unwritten:
            self._note(self.writer.append([said(n) for n in payloads])[0], payloads)
        self.kill()
        return sent

    def _note(self, raw: bytes, payloads: list[int]) -> None:
        pos = unpack(raw).pos
        for offset, payload in enumerate(payloads):
            self.truth.setdefault(pos + offset, payload)


class Subscriber:
    """Keeps rows and a position, committed together; goes on from what was committed."""

    def __init__(self, rig: Rig, rules: Rules) -> None:
        self.rig, self.rules = rig, rules
        self.inbox: deque[bytes] = deque()
        self.rows: list[tuple[int, int]] = []
        self.merge = rules.merge()
        self.reader = self.open()
        self.committed = (0, 0)  # position, number of rows
        self.ahead = 0

    def open(self) -> JournalReader:
        return self.rig.journals.reader(self.rig.stream)

    def take(self) -> None:
        frame = unpack(self.inbox.popleft())
        step = self.merge.live(frame)
        if step.action == "catch_up":
            self.catch_up()
        else:
            self._deliver(frame, step)

    def heartbeat(self, last: int) -> None:
        if self.merge.heartbeat(last):
            self.catch_up()

    def catch_up(self) -> None:
        while frames := self.reader.read(self.merge.pos, 500):
            if self.rig.stream.durability == "A":
                self.rig.note_sync()  # The reader has seen to it.
            for frame in frames:
                step = self.merge.journal(frame)
                assert step.action != "hole", step
                self.ahead += step.action == "ahead" and step.found > 0
                self._deliver(frame, step)

    def commit(self) -> None:
        rows = self.committed[1] if self.rules.commit_apart else len(self.rows)
        self.committed = (self.merge.pos, rows)

    def crash(self) -> None:
        pos, count = self.committed
        self.merge = self.rules.merge(pos)
        self.reader.close()
        self.reader = self.open()
        del self.rows[count:]
        self.inbox.clear()

    def _deliver(self, frame: Frame, step: Step) -> None:
        if step.action in ("deliver", "ahead"):
            data = frame.kind == Kind.DATA
            payloads = numbers(self.rig.stream, frame.body) if data else [0]
            self.rows += list(enumerate(payloads, frame.pos))[step.skip :]


Action = tuple[int, bool, Callable[[], None]]


class World:
    """One schedule."""

    def __init__(self, rig: Rig, rules: Rules, seed: int) -> None:
        self.rng = random.Random(seed)
        self.rig, self.rules = rig, rules
        self.publisher = Publisher(rig, rules, self.rng)
        self.subscribers = [Subscriber(rig, rules) for _ in range(3)]
        self.cap = self.rng.choice((1, 3, 8))
        self.drop = self.rng.choice((0.0, 0.1, 0.5))
        self.sent: list[bytes] = []
        self.lost: set[int] = set()

    def run(self, steps: int) -> None:
        self.start()
        for _ in range(steps):
            self._step()
            self._check()
        self._settle()

    def start(self) -> None:
        if self.publisher.writer is None:
            self._send(self.publisher.start())

    def _step(self) -> None:
        possible = [(weight, act) for weight, can, act in self.actions() if can]
        self.rng.choices([act for _, act in possible], [weight for weight, _ in possible])[0]()

    def actions(self) -> list[Action]:
        """Return weight, whether it can be, and what it is, of all that may happen next."""
        alive = self.publisher.writer is not None
        one = self.rng.choice(self.subscribers)
        return [
            (40, alive, lambda: self._send(self.publisher.publish())),
            (10, alive, lambda: one.heartbeat(self._last())),
            (40, bool(one.inbox), one.take),
            (14, True, one.commit),
            (3, True, one.crash),
            (3, alive, self._kill),
            (6, not alive, self.start),
            (4, alive, self.publisher.sync),
            (1, alive and self.rig.sync_can_fail, self._fail_sync),
            (5, True, self._cut_power),
            (2, bool(self.sent), lambda: one.inbox.appendleft(self.rng.choice(self.sent))),
            (1, not alive, self._forget),
        ]

    def _last(self) -> int:
        assert self.publisher.writer is not None
        return self.publisher.writer.last

    def _send(self, frames: list[bytes]) -> None:
        self.sent += frames
        for raw in frames:
            for one in self.subscribers:
                if len(one.inbox) < self.cap and self.rng.random() >= self.drop:
                    one.inbox.append(raw)

    def _kill(self) -> None:
        self.publisher.kill()
        for one in self.subscribers:  # What its socket still held is gone.
            while one.inbox and self.rng.random() < 0.5:
                one.inbox.pop()

    def _fail_sync(self) -> None:
        self.rig.break_next_sync()
        self.publisher.sync()

    def _cut_power(self) -> None:
        self.publisher.kill()
        before = self.rig.positions()
        self.rig.cut_power(self.rng)
        gone = before - self.rig.positions()
        assert not gone or min(gone) > self.publisher.promised, "a promised position was lost"
        self.lost |= gone
        for one in self.subscribers:
            one.crash()

    def _forget(self) -> None:
        for one in self.subscribers:
            one.catch_up()
            one.commit()
        self.rig.forget_all()

    def _settle(self) -> None:
        self.start()
        for one in self.subscribers:
            one.inbox.clear()
            one.heartbeat(self._last())
        self._check()
        for one in self.subscribers:
            missed = self.publisher.truth.keys() - {pos for pos, _ in one.rows}
            assert missed <= self.lost, f"missed {sorted(missed - self.lost)[:5]}"

    def _check(self) -> None:
        for one in self.subscribers:
            fresh = one.rows[-40:]  # What is older was looked at before.
            assert all(a[0] < b[0] for a, b in pairwise(fresh)), "disorder"
            for pos, payload in fresh:
                assert self.publisher.truth.get(pos) == payload, f"{pos} is not what was said"
            assert not (one.ahead and self.rig.stream.durability == "A"), "sent before synced"
