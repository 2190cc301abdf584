"""Runs the recorded turns of one service again, and holds what they say against its journals."""

from collections.abc import Callable, Sequence

import msgspec

from bus.errors import HouseError
from bus.journals import Journals
from bus.past import Past, Rewind
from bus.recovery import Snapshot, fold_until
from bus.service import Heard, Service
from bus.turn import run_turn
from schema.frame import epoch_of
from schema.head import Message
from schema.house import Inputs
from schema.messages import UNREADABLE, encode
from schema.streams import STREAMS, Stream, home
from services.rrr.replay_lives import Day, Life, lives, turns_of
from services.rrr.replay_proof import Difference, Lane, Proof

NO_EPOCH = 1 << 62
CUT = "its books cannot be built: the turns before it are no longer kept"


class Plan(msgspec.Struct, frozen=True):
    """What is replayed: of whom, from which journals, by which code."""

    service: str
    make: Callable[[], Service]
    own: Sequence[Stream]
    journals: Journals
    rules: str
    day: Day | None = None
    any_code: bool = False


class _Differs(Exception):  # noqa: N818 - it is an answer
    """An output is not the one that the journal holds."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(difference.stream)
        self.difference = difference


class Replay:
    """One service, its lives one after the other."""

    def __init__(self, plan: Plan, ran: Callable[[int], None]) -> None:
        self.proof = Proof(plan.service)
        self._plan = plan
        self._ran = ran
        self._past = Past(plan.journals, lambda: None)
        self._rewind = Rewind(self._past)
        self._core: Service | None = None
        self._why = CUT
        self._sure = True  # whether a difference is one: not behind books that were folded
        self._bound = NO_EPOCH  # the epoch from which on nothing belongs to this stretch
        self._snapshot = _snapshot_of(plan)
        ends = {stream.name: plan.journals.reader(stream).last() for stream in plan.own}
        self._lanes = {one.name: Lane(self._past, one, ends[one.name]) for one in plan.own}

    def run(self) -> Proof:
        """Run all that is asked for; what cannot be is named."""
        found = lives(self._plan.journals, self._plan.own)
        wanted = _wanted(found, self._plan.day)
        if not wanted:
            return self.proof
        self._pass_over(wanted[0])
        epochs = [life.epoch for life in found]
        at = {life.first: life for life in wanted}
        last = self._last_turn(wanted)
        for turn in turns_of(Past(self._plan.journals, lambda: None), self._plan.own):
            if turn.turn < wanted[0].first:
                continue
            if turn.turn > last or self._is_over(turn):
                return self.proof
            if (life := at.get(turn.turn)) is not None:
                self._begin(life, turn, _bound(found, epochs, life))
            self._turn(turn)
        self._end()
        return self.proof

    def _pass_over(self, life: Life) -> None:
        """Begin at a life that is not the first: what was said before it is not asked for."""
        for lane in self._lanes.values():
            lane.skip(to_epoch=life.epoch)

    def _is_over(self, turn: Inputs) -> bool:
        day = self._plan.day
        return day is not None and turn.now_ns >= day.until_ns

    def _skip(self, turn: Inputs) -> None:
        day = self._plan.day
        if day is None or turn.now_ns >= day.from_ns:
            self.proof.skip(turn, self._why)

    def _last_turn(self, wanted: Sequence[Life]) -> int:
        return wanted[-1].last if self._plan.day is not None else NO_EPOCH

    def _begin(self, life: Life, turn: Inputs, bound: int) -> None:
        """Take over from the life before, or build the books anew."""
        self._bound = bound
        if life.code != self._plan.rules and not self._plan.any_code:
            self._core, self._why = None, f"other code or settings ran: {life.code}"
        elif life.grade == "fresh":
            self._renew(life)
            self._core, self._sure = self._plan.make(), True
        elif life.grade == "folded":
            self._renew(life)
            self._core, self._sure = self._folded(life, turn), False
        elif self._core is not None and life.grade == "cut":
            self._core, self._why = None, CUT

    def _renew(self, life: Life) -> None:
        for lane in self._lanes.values():
            if self._core is not None and self._sure and lane.next is not None:
                self.proof.missing += epoch_of(lane.next.pos) < life.epoch
            lane.skip(to_epoch=life.epoch)
        self._rewind = Rewind(self._past)

    def _folded(self, life: Life, turn: Inputs) -> Service | None:
        core, past = self._plan.make(), Past(self._plan.journals, lambda: None)
        before = [
            one
            for stream in self._plan.own
            for one in past.since(stream, 0, own=True)
            if epoch_of(one.pos) < life.epoch
        ]
        try:
            fold_until(core, before, past)
        except (HouseError, AssertionError) as error:
            self._why = f"its books cannot be folded at turn {turn.turn}: {error}"
            return None
        return core

    def _turn(self, turn: Inputs) -> None:
        self._ran(1)
        if self._core is None and self._snapshot is not None:
            self._restore(turn)
        if self._core is None:
            self._skip(turn)
            return
        heard = self._heard(turn)
        if heard is None:
            self._core = None
            self._skip(turn)
            return
        try:
            self._again(self._core, turn, heard)
        except _Differs as found:
            self._differs(turn, found.difference)
        except AssertionError as error:
            told = f"the core refuses: {error}"
            self._differs(turn, Difference(turn.turn, "", 0, "", told))

    def _heard(self, turn: Inputs) -> list[Heard] | None:
        try:
            heard = self._rewind.heard(turn)
        except HouseError as error:
            self._why, self._rewind = error.what, Rewind(self._past)
            return None
        if self._past.jumped:
            self._why, self._past.jumped = f"what it heard has a hole: {self._past.jumped}", ""
            return None
        if heard is None:
            self._why = "what it heard is no longer kept"
        return heard

    def _again(self, core: Service, turn: Inputs, heard: Sequence[Heard]) -> None:
        for message in run_turn(core, heard, turn.now_ns).said:
            self._confirm(turn, message)
        self.proof.turns += 1

    def _confirm(self, turn: Inputs, message: Message) -> None:
        stream = home(type(message))
        assert stream is not None, f"{type(message).__name__} stands on no stream"
        if not stream.journaled:
            return
        lane = self._lanes[stream.name]
        said = lane.next
        if said is None or epoch_of(said.pos) >= self._bound:
            self.proof.missing += 1
            return
        if encode([said.message]) != encode([message]):
            raise _Differs(
                Difference(turn.turn, stream.name, said.pos, f"{said.message}", f"{message}")
            )
        lane.pop()
        self.proof.outputs += 1

    def _differs(self, turn: Inputs, difference: Difference) -> None:
        self._core = None
        if self._sure:
            self.proof.difference = self.proof.difference or difference
            self._why = f"it stands behind the difference of turn {turn.turn}"
            return
        self._why = (
            f"its books were folded at a start, and from turn {turn.turn} on a fold of today "
            "decides otherwise"
        )
        self._skip(turn)

    def _restore(self, turn: Inputs) -> None:
        """Go on from the snapshot, once the first turn behind it is reached."""
        snapshot = self._snapshot
        assert snapshot is not None
        if turn.turn <= snapshot.turn:
            return
        self._snapshot = None
        if turn.turn != snapshot.turn + 1 or snapshot.code != turn.code:
            return
        if snapshot.code != self._plan.rules and not self._plan.any_code:
            return
        core = self._plan.make()
        try:
            core.state = msgspec.msgpack.decode(snapshot.state, type=type(core.state))
        except UNREADABLE:
            return
        for name, lane in self._lanes.items():
            lane.skip(behind=dict(snapshot.own).get(STREAMS[name].number, 0))
        self._core, self._sure, self._rewind = core, True, Rewind(self._past)

    def _end(self) -> None:
        """Hold what is left: nothing that has its turn on the record may be said by none."""
        if self._core is None or not self._sure or self.proof.difference is not None:
            return
        for name, lane in self._lanes.items():
            if lane.next is not None and lane.next.pos <= lane.end:
                told = f"{lane.next.message}"
                self.proof.difference = Difference(0, name, lane.next.pos, told, "")
                return


def _snapshot_of(plan: Plan) -> Snapshot | None:
    data = plan.journals.load_snapshot(plan.service)
    if data is None:
        return None
    try:
        return msgspec.msgpack.decode(data, type=Snapshot)
    except UNREADABLE:
        return None


def _wanted(found: list[Life], day: Day | None) -> list[Life]:
    """Return the lives of a day, and those before it from which their books come."""
    within = [at for at, life in enumerate(found) if day is None or day.has(life)]
    if not within:
        return []
    first = within[0]
    while first and found[first].grade == "exact":
        first -= 1
    return found[first : within[-1] + 1]


def _bound(found: list[Life], epochs: list[int], life: Life) -> int:
    """Return the epoch at which a life begins anew, behind this one."""
    later = found[epochs.index(life.epoch) + 1 :]
    return next((one.epoch for one in later if one.grade != "exact"), NO_EPOCH)


def total(plan: Plan) -> int:
    """Return how many turns there are to run."""
    return sum(life.turns for life in _wanted(lives(plan.journals, plan.own), plan.day))
