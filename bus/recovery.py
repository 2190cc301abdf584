"""How a service comes back: there is no other way to start.

exact   the kernel lived, and code, settings and inputs are the same: the recorded turns are run
        again, each output is compared with the journal byte for byte, and what is missing at the
        end is appended
folded  after power loss, with other code or settings, without some input, or when somebody's code
        made a turn decide otherwise: the last snapshot, then `apply` of what was said, then the
        windows are filled anew; no timer is set. Books of another shape are folded from the
        beginning: what a snapshot of theirs leaves out, nobody would miss before it is wrong
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

import msgspec

from bus.journals import Journals
from bus.past import Past, Rewind, Said, in_order, until
from bus.record import state_shape
from bus.service import Heard, Service
from bus.turn import run_turn
from schema.frame import N_MASK
from schema.head import Message
from schema.house import EpochOpened, Inputs, Positions, Recovered, Timer, Wake
from schema.messages import UNREADABLE, encode
from schema.streams import BY_NUMBER, STREAMS, TURNS, Stream, home

REFILLED_MAX = 20_000
"""Messages of class C that a folded recovery hears again."""

ANOTHER = "-"
"""The code of a snapshot whose turns decided otherwise when they were run again."""


class Snapshot(msgspec.Struct, array_like=True):
    """A service's state between two turns, and where it stood."""

    turn: int
    code: str
    boot_id: str
    own: Positions
    cursors: Positions
    wakes: tuple[tuple[str, int], ...]
    state: bytes
    shape: int = 0  # of the state, as the code that wrote it knew it


class Recovery(msgspec.Struct):
    """Where a service goes on from."""

    grade: str = "fresh"
    turn: int = 0
    from_turn: int = 0
    cursors: dict[int, int] = {}
    wakes: dict[str, int] = {}
    missing: list[Message] = []
    detail: str = ""

    @property
    def rerun(self) -> int:
        """How many turns were run again."""
        return self.turn - self.from_turn

    def note(self, now_ns: int) -> Recovered:
        """Return what stands on the record of it."""
        return Recovered(
            ts_event=now_ns, grade=self.grade, from_turn=self.from_turn, missing=self.detail
        )


def recover(
    core: Service,
    own: Sequence[Stream],
    journals: Journals,
    code: str,
    beat: Callable[[], None],
    fold: str = "",
) -> Recovery:
    """Bring a core back to where its journals say that it was; `beat` tells that it lives.

    `fold` says why turns are not to be run again, though they could be.
    """
    assert own, "a service without journaled streams has nothing to recover"
    folds = bool(core.rereads or core.joins) or not any(
        STREAMS[name].journaled for name in core.hears
    )
    past, snapshot = Past(journals, beat), _load(core, journals, any_shape=folds)
    after = dict(snapshot.own) if snapshot else {}
    streams = [past.since(stream, after.get(stream.number, 0), own=True) for stream in own]
    if folds:
        return _fold(core, streams, snapshot)
    said = [one for stream in streams for one in stream]
    if snapshot is None and all(isinstance(one.message, EpochOpened) for one in said):
        return Recovery()
    turns = [one.message for one in said if isinstance(one.message, Inputs)]
    turns.sort(key=lambda turn: turn.turn)  # Each stands in the strongest stream of its turn.
    why_not = fold or _why_not_exact(snapshot, said, turns, journals.boot_id, code)
    why_not = why_not or _why_not_again(turns, Rewind(past))
    why_not = past.jumped or why_not
    if why_not is None:
        before = _marked(core, snapshot, journals.boot_id)
        try:
            return _rerun(core, said, turns, snapshot, Rewind(past))
        except AssertionError:
            if core.foreign:  # This core is half run again: the next start folds.
                journals.save_snapshot(core.name, before)
            raise
    return _fold_processor(core, said, snapshot, past, why_not)


def _load(core: Service, journals: Journals, *, any_shape: bool) -> Snapshot | None:
    data = journals.load_snapshot(core.name)
    if data is None:
        return None
    try:
        snapshot = msgspec.msgpack.decode(data, type=Snapshot)
        if not any_shape and snapshot.shape != state_shape(type(core.state)):
            return None
        core.state = msgspec.msgpack.decode(snapshot.state, type=type(core.state))
    except UNREADABLE:
        return None  # Written by other code: the journals from their beginning say the same.
    return snapshot


def _marked(core: Service, snapshot: Snapshot | None, boot_id: str) -> bytes:
    # The same books from before the turns, and word that these are not to be run again.
    if snapshot is None:
        state = msgspec.msgpack.encode(core.state)
        shape = state_shape(type(core.state))
        snapshot = Snapshot(0, ANOTHER, boot_id, (), (), (), state, shape)
    return msgspec.msgpack.encode(msgspec.structs.replace(snapshot, code=ANOTHER))


def _fold(core: Service, streams: Iterable[Iterator[Said]], snapshot: Snapshot | None) -> Recovery:
    grade = "folded" if snapshot else "fresh"
    apply = core.apply
    for said in in_order(streams):
        apply(said.message)
        grade = "folded"
    turn = snapshot.turn if snapshot else 0
    return Recovery(grade=grade, turn=turn, from_turn=turn)


def _why_not_exact(
    snapshot: Snapshot | None, past: Sequence[Said], turns: Sequence[Inputs], boot: str, code: str
) -> str | None:
    boots = {said.message.boot_id for said in past if isinstance(said.message, EpochOpened)}
    codes = {turn.code for turn in turns}
    before = 0
    if snapshot is not None:
        boots.add(snapshot.boot_id)
        codes.add(snapshot.code)
        before = snapshot.turn
    if ANOTHER in codes:
        return "a turn decided otherwise when it was run again"
    if boots - {boot}:
        return "the machine was started since"
    if codes - {code}:
        return "the code or a setting is another"
    if turns and turns[0].turn != before + 1:
        return "the record of earlier turns is no longer kept"
    return None


def _why_not_again(turns: Sequence[Inputs], rewind: Rewind) -> str | None:
    # Asked of all turns first: a core that has run some of them again cannot be folded any more.
    for turn in turns:
        if rewind.heard(turn) is None:
            return f"what turn {turn.turn} heard is no longer kept"
    return None


def _rerun(
    core: Service,
    past: Sequence[Said],
    turns: Sequence[Inputs],
    snapshot: Snapshot | None,
    rewind: Rewind,
) -> Recovery:
    recovery = Recovery(grade="exact")
    if snapshot is not None:
        recovery.turn = snapshot.turn
        recovery.cursors = dict(snapshot.cursors)
        recovery.wakes = dict(snapshot.wakes)
    recovery.from_turn = recovery.turn
    expected = _Expected(past)
    for turn in turns:
        heard = rewind.heard(turn)
        assert heard is not None, f"what turn {turn.turn} heard went away while it was run again"
        _rerun_one(core, turn, heard, recovery, expected)
    expected.assert_exhausted()
    return recovery


def _rerun_one(
    core: Service,
    turn: Inputs,
    heard: Sequence[Heard],
    recovery: Recovery,
    expected: "_Expected",
) -> None:
    outcome = run_turn(core, heard, turn.now_ns)
    for message in outcome.said:
        if not expected.confirm(message):
            recovery.missing.append(message)
    for one in heard:
        if isinstance(one.message, Timer):
            recovery.wakes.pop(one.message.name, None)
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
    said: Sequence[Said],
    snapshot: Snapshot | None,
    past: Past,
    why: str,
) -> Recovery:
    start = dict(snapshot.cursors) if snapshot else {}
    cursors = dict(start)
    turn = snapshot.turn if snapshot else 0
    for one in said:
        if isinstance(one.message, Inputs):
            turn = max(turn, one.message.turn)
            _advance(cursors, one.message)
    own = [list(of_one) for _, of_one in groupby(said, key=lambda one: one.stream.number)]
    numbers = [STREAMS[name].number for name in core.folds]
    heard = [
        until(past.since(BY_NUMBER[number], start.get(number, 0)), cursors.get(number, 0))
        for number in numbers
    ]
    for one in in_order([*own, *heard]):
        core.apply(one.message)
    _refill(core, cursors, past)
    return Recovery(grade="folded", turn=turn, from_turn=turn, cursors=cursors, detail=why)


def fold_until(core: Service, said: Sequence[Said], past: Past) -> None:
    """Build a core's books and windows by what its streams held, without a snapshot."""
    _fold_processor(core, said, None, past, "")


def _refill_after(stream: Stream, last: int) -> int:
    # Bars make a window; of prices and trades only the newest say anything, and there are millions.
    return last - min(REFILLED_MAX, last & N_MASK) if stream.durability == "C" else 0


def _refill(core: Service, cursors: dict[int, int], past: Past) -> None:
    core.forget()
    for name in core.hears:
        stream = STREAMS[name]
        if stream.journaled and name not in core.folds:
            last = cursors.get(stream.number, 0)
            for said in until(past.since(stream, _refill_after(stream, last)), last):
                if type(said.message) not in TURNS:
                    core.refill(said.message)
