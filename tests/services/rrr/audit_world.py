"""A day that the real cores lived, on the disk of a bare house, and people who tamper with it."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner, Result

from bus.clock import ManualClock, SystemClock
from bus.house import House
from bus.memory import MemoryJournals, Tape
from bus.record import packed
from bus.segments import end_of_segment, segment_path
from bus.service import Service
from schema.frame import Frame, Kind, unpack
from schema.head import Message
from schema.messages import decode, encode
from schema.streams import BY_NUMBER, STREAMS
from services.engine.boundary import Bare
from services.engine.core import Engine
from services.gateway.core import Gateway
from services.risk.core import Risk
from services.rrr import rrr
from services.rrr.audit_run import Report, run
from services.rrr.digging import directory_of
from services.rrr.replay_cores import own_streams
from services.rrr.replay_run import Plan as Replayed
from services.venue.account import Balance
from services.venue.store import account_path
from services.venue.store import packed as record
from tests.services.bare import bare_house
from tests.services.rrr.store_desk import keep
from tests.services.rrr.tape_desk import OTHERS
from tests.sim.odds import ODDS, Plan
from tests.sim.stand import NAMES, WORLD, Stand

STEPS, STEP_MS, SEED = 240, 250, 5


def lived(path: Path, steps: int = STEPS, seed: int = SEED) -> Stand:
    """Return the stand of a day without a fault, but that engine and gateway were killed once."""
    stand = Stand(path, Plan(seed, without=tuple(ODDS)), scale=10)
    for n in range(steps):
        if n == steps // 2:
            for name in ("engine", "gateway"):
                stand.kill(name)
                stand.start(name)
        stand.step(STEP_MS)
    return stand


@cache
def a_day() -> "World":
    """Return one day with its shard; who changes it, changes a copy."""
    with tempfile.TemporaryDirectory(prefix="rrr.") as directory:
        return kept(World(lived(Path(directory))))


class World:
    """All records of a day's streams, in memory until they are written."""

    def __init__(self, stand: Stand) -> None:
        tapes = stand.journals.tapes
        self.frames = {BY_NUMBER[n].name: list(tape.frames) for n, tape in tapes.items()}
        self.balances = dict(stand.exchange.desk.records.account.balances)
        self.account = [record(batch) for batch in stand.exchange.desk.records.whole()]
        self.shard = b""

    def copy(self) -> "World":
        """Return the same day, to be changed by itself."""
        other = object.__new__(World)
        other.frames = {name: list(frames) for name, frames in self.frames.items()}
        other.account, other.shard = list(self.account), self.shard
        other.balances = self.balances
        return other

    def said(self, name: str, kind: type[Message]) -> list[tuple[int, Any]]:
        """Return positions and messages of one kind."""
        return [
            (frame.pos + at, message)
            for frame in self.frames.get(name, [])
            if frame.count
            for at, message in enumerate(decode(STREAMS[name].number, frame.body))
            if type(message) is kind
        ]

    def balance(self, asset: str) -> Balance:
        """Return what the venue has of an asset."""
        return self.balances[asset]

    def change(self, name: str, pos: int, **changes: Any) -> None:
        """Let the message at a position say something else."""
        self._edit(name, pos, lambda message: msgspec.structs.replace(message, **changes))

    def swap(self, name: str, pos: int, other: Message) -> None:
        """Let another message stand at a position."""
        self._edit(name, pos, lambda _message: other)

    def add(self, name: str, *messages: Message) -> int:
        """Say more behind the end of a stream; return where the last one stands."""
        frames = self.frames.setdefault(name, [])
        frames.append(_packed(name, frames[-1], frames[-1].last + 1, list(messages)))
        return frames[-1].last

    def write(self, house: House) -> None:
        """Put all streams on the disk, each as one open segment, and the venue's account."""
        clock = ManualClock(0)
        for name, frames in self.frames.items():
            stream = STREAMS[name]
            directory = directory_of(house.journal_dir, stream)
            directory.mkdir(parents=True, exist_ok=True)
            base = frames[0].pos
            begin = end_of_segment(stream, base, b"", base, clock)
            body = b"".join(_bytes(name, frame) for frame in frames)
            segment_path(directory, base).write_bytes(begin + body)
        path = account_path(house.journal_dir.parent / "venue")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(self.account))
        if self.shard:
            house.db_dir.mkdir(parents=True, exist_ok=True)
            (house.db_dir / "trading.db").write_bytes(self.shard)

    def _edit(self, name: str, pos: int, edit: Callable[[Message], Message]) -> None:
        frames = self.frames[name]
        at = next(n for n, frame in enumerate(frames) if frame.pos <= pos <= frame.last)
        messages = decode(STREAMS[name].number, frames[at].body)
        messages[pos - frames[at].pos] = edit(messages[pos - frames[at].pos])
        frames[at] = _packed(name, frames[at], frames[at].pos, messages)


def _packed(name: str, like: Frame, pos: int, messages: Sequence[Message]) -> Frame:
    times = like.ts_ns, like.mono_ns
    body = encode(list(messages))
    return unpack(packed(STREAMS[name], Kind(like.kind), pos, times, body, len(messages)))


def _bytes(name: str, frame: Frame) -> bytes:
    times = frame.ts_ns, frame.mono_ns
    return packed(STREAMS[name], Kind(frame.kind), frame.pos, times, bytes(frame.body), frame.count)


def kept(world: World) -> World:
    """Return the world with its shard, folded from what was said."""
    with bare_house() as house:
        world.write(house)
        house.db_dir.mkdir(parents=True, exist_ok=True)
        keep(house, "trading")
        world.shard = (house.db_dir / "trading.db").read_bytes()
    return world


@contextmanager
def standing(world: World) -> Iterator[House]:
    """Yield a house in which nothing runs, and that has lived this day."""
    with bare_house() as house:
        world.write(house)
        yield house


def audited(world: World, harm: Callable[[House], None] | None = None) -> Report:
    """Return what the audit finds in a house that is down."""
    with standing(world) as house:
        if harm is not None:
            harm(house)
        return run(house, SystemClock(), lambda _size: None)


def wrong(report: Report) -> dict[str, str]:
    """Return the checks that found something, with what they say."""
    return {check.name: check.detail for check in report.checks if not check.ok}


def verb(house: House, *words: str) -> Result:
    """Run `rrr` in this process, in a house."""
    with chdir(house.root):
        return CliRunner(env=dict.fromkeys(OTHERS)).invoke(rrr, words)


def replayed(stand: Stand, name: str, world: World | None = None, **asked: Any) -> Replayed:
    """Return the plan of a replay, of a stand's journals or of a changed copy of them."""
    journals: Any = stand.journals
    if world is not None:
        journals = MemoryJournals(stand.clock)
        journals.boot_id = stand.journals.boot_id
        journals.tapes = {
            STREAMS[stream].number: Tape(frames=frames, synced=len(frames))
            for stream, frames in world.frames.items()
        }
    makes: dict[str, Callable[[], Service]] = {
        "engine": lambda: Engine(stand.settings, WORLD, Bare()),
        "risk": lambda: Risk(stand.settings),
        "gateway": lambda: Gateway(stand.settings, WORLD),
    }
    rules = stand.lives[name].runner.pulse.rules
    return Replayed(name, makes[name], own_streams(name), journals, rules, **asked)


__all__ = ["NAMES", "World", "a_day", "audited", "kept", "lived", "replayed", "standing", "verb"]
