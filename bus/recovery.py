"""How a service comes back: there is no other way to start.

exact   the kernel lived and the code is the same: the recorded turns are run again, each output is
        compared with the journal byte for byte, and what is missing at the end is appended
folded  after power loss or with new code: the last snapshot, then `apply` of what was said, then
        the windows are refilled
"""

from collections.abc import Iterator, Sequence

import msgspec

from bus.journals import Journals
from bus.past import Said, heard_again, in_order, local_of, read_stream, until
from bus.service import Service
from bus.turn import run_turn
from schema.head import Message
from schema.house import EpochOpened, Inputs, Positions, Timer, Wake
from schema.messages import encode
from schema.streams import STREAMS, TURNS, Stream, home


class Snapshot(msgspec.Struct, array_like=True):
    """A service's state between two turns, and where it stood."""

    turn: int
    code: str
    boot_id: str
    own: Positions
    cursors: Positions
    wakes: tuple[tuple[str, int], ...]
    state: bytes


class Recovery(msgspec.Struct):
    """Where a service goes on from."""

    grade: str = "fresh"
    turn: int = 0
    from_turn: int = 0
    cursors: dict[int, int] = {}
    wakes: dict[str, int] = {}
    missing: list[Message] = []
    detail: str = ""


def recover(core: Service, own: Sequence[Stream], journals: Journals, code: str) -> Recovery:
    """Bring a core back to where its journals say that it was."""
    assert own, "a service without journaled streams has nothing to recover"
    snapshot = _load(core, journals)
    turns = any(STREAMS[name].journaled for name in core.hears)
    past = list(_said_since(journals, own, dict(snapshot.own) if snapshot else {}))
    if snapshot is None and all(isinstance(said.message, EpochOpened) for said in past):
        return Recovery()
    if not turns:
        return _fold(core, past, snapshot)
    why_not = _why_not_exact(snapshot, past, journals, code)
    if why_not is None:
        return _rerun(core, past, snapshot, own[0], journals)
    return _fold_processor(core, past, snapshot, journals, why_not)


def _load(core: Service, journals: Journals) -> Snapshot | None:
    data = journals.load_snapshot(core.name)
    if data is None:
        return None
    try:
        snapshot = msgspec.msgpack.decode(data, type=Snapshot)
        core.state = msgspec.msgpack.decode(snapshot.state, type=type(core.state))
    except msgspec.MsgspecError:
        return None  # Written by other code: the journals from their beginning say the same.
    return snapshot


def _said_since(
    journals: Journals, streams: Sequence[Stream], after: dict[int, int]
) -> Iterator[Said]:
    for stream in streams:
        yield from read_stream(journals, stream, after.get(stream.number, 0))


def _fold(core: Service, past: Sequence[Said], snapshot: Snapshot | None) -> Recovery:
    for said in in_order(past):
        core.apply(said.message)
    turn = snapshot.turn if snapshot else 0
    return Recovery(grade="folded", turn=turn, from_turn=turn)


def _why_not_exact(
    snapshot: Snapshot | None, past: Sequence[Said], journals: Journals, code: str
) -> str | None:
    boots = {said.message.boot_id for said in past if isinstance(said.message, EpochOpened)}
    codes = {said.message.code for said in past if isinstance(said.message, Inputs)}
    first = next((said.message.turn for said in past if isinstance(said.message, Inputs)), 1)
    if snapshot is not None:
        boots.add(snapshot.boot_id)
        codes.add(snapshot.code)
        first -= snapshot.turn
    if boots - {journals.boot_id}:
        return "the machine was started since"
    if codes - {code}:
        return "the code is another"
    if first != 1:
        return "the record of earlier turns is no longer kept"
    return None


def _rerun(
    core: Service,
    past: Sequence[Said],
    snapshot: Snapshot | None,
    strongest: Stream,
    journals: Journals,
) -> Recovery:
    recovery = Recovery(grade="exact")
    if snapshot is not None:
        recovery.turn = snapshot.turn
        recovery.cursors = dict(snapshot.cursors)
        recovery.wakes = dict(snapshot.wakes)
    recovery.from_turn = recovery.turn
    expected = _Expected(past)
    for said in past:
        if isinstance(said.message, Inputs) and said.stream is strongest:
            _rerun_one(core, said.message, recovery, expected, journals)
    expected.assert_exhausted()
    return recovery


def _rerun_one(
    core: Service, turn: Inputs, recovery: Recovery, expected: "_Expected", journals: Journals
) -> None:
    outcome = run_turn(core, heard_again(turn, journals), turn.now_ns)
    for message in outcome.said:
        if not expected.confirm(message):
            recovery.missing.append(message)
    for local in local_of(turn):
        if isinstance(local, Timer):
            recovery.wakes.pop(local.name, None)
    for effect in outcome.effects:
        if isinstance(effect, Wake):
            recovery.wakes[effect.name] = effect.at_ns
    recovery.turn = turn.turn
    _advance(recovery.cursors, turn)


def _advance(cursors: dict[int, int], turn: Inputs) -> None:
    for number, _, last in turn.slices:
        cursors[number] = max(cursors.get(number, 0), last)


class _Expected:
    """What the journals hold of the turns that are run again, stream by stream."""

    def __init__(self, past: Sequence[Said]) -> None:
        self._queues: dict[int, list[Said]] = {}
        for said in past:
            if type(said.message) not in TURNS:
                self._queues.setdefault(said.stream.number, []).append(said)
        for queue in self._queues.values():
            queue.reverse()

    def confirm(self, message: Message) -> bool:
        """Compare an output with the journal; False when the journal ends before it."""
        stream = home(type(message))
        assert stream is not None
        if not stream.journaled:
            return True
        queue = self._queues.get(stream.number)
        if not queue:
            return False
        said = queue.pop()
        assert encode([said.message]) == encode([message]), (
            f"{stream.name} at {said.pos}: run again, the turn says {message}, "
            f"the journal has {said.message}"
        )
        return True

    def assert_exhausted(self) -> None:
        """Assert that the journals hold nothing that no turn said."""
        for queue in self._queues.values():
            assert not queue, f"{queue[-1].stream.name} at {queue[-1].pos}: said by no turn"


def _fold_processor(
    core: Service,
    past: Sequence[Said],
    snapshot: Snapshot | None,
    journals: Journals,
    why: str,
) -> Recovery:
    start = dict(snapshot.cursors) if snapshot else {}
    cursors = dict(start)
    turn = snapshot.turn if snapshot else 0
    for said in past:
        if isinstance(said.message, Inputs):
            turn = max(turn, said.message.turn)
            _advance(cursors, said.message)
    folded = [STREAMS[name] for name in core.folds]
    heard = [
        said
        for stream in folded
        for said in until(
            read_stream(journals, stream, start.get(stream.number, 0)),
            cursors.get(stream.number, 0),
        )
    ]
    for said in in_order([*past, *heard]):
        core.apply(said.message)
    _refill(core, cursors, journals)
    return Recovery(grade="folded", turn=turn, from_turn=turn, cursors=cursors, detail=why)


def _refill(core: Service, cursors: dict[int, int], journals: Journals) -> None:
    for name in core.hears:
        stream = STREAMS[name]
        if stream.journaled and name not in core.folds:
            for said in until(read_stream(journals, stream, 0), cursors.get(stream.number, 0)):
                if type(said.message) not in TURNS:
                    core.refill(said.message)
