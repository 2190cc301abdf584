"""`rrr replay --verify`: the recorded turns of a day, run again, and every byte that differs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.house import House
from bus.memory import MemoryJournals
from schema import trading
from schema.orders import Fill, RequestWeight
from schema.streams import STREAMS
from services.rrr.digging import directory_of
from services.rrr.replay import judge
from services.rrr.replay_lives import Day
from services.rrr.replay_proof import Proof
from services.rrr.replay_run import Plan, Replay, total
from services.rrr.survey import NotReadyError
from tests.services.bare import bare_house
from tests.services.rrr.audit_world import NAMES, World, lived, replayed, standing, verb
from tests.services.rrr.store_desk import exit_code
from tests.sim.stand import Stand

MINUTE_NS = 60_000_000_000


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Stand:
    """A day in which engine and gateway were killed once."""
    made = lived(tmp_path_factory.mktemp("replay"))
    for name in NAMES:
        made.lives[name].runner.snapshot()  # With it, all that was heard is on the record.
    return made


def ran(plan: Plan) -> Proof:
    return Replay(plan, lambda _turns: None).run()


@pytest.mark.parametrize("name", NAMES)
def test_each_core_says_the_same_bytes_again_across_a_kill(stand: Stand, name: str) -> None:
    plan = replayed(stand, name)
    found = ran(plan)
    assert found.difference is None
    assert found.stretches == []
    assert found.turns == total(plan)
    assert found.outputs > 0
    assert found.missing == 0


def test_a_flipped_byte_of_a_verdict_is_the_first_difference(stand: Stand) -> None:
    world = World(stand)
    pos, yes = world.said("risk.verdict", trading.Verdict)[1]
    hashed = bytes([yes.order_hash[0] ^ 1]) + yes.order_hash[1:]
    world.change("risk.verdict", pos, order_hash=hashed)
    found = ran(replayed(stand, "risk", world))
    assert found.difference is not None
    assert (found.difference.stream, found.difference.pos) == ("risk.verdict", pos)
    assert repr(hashed) in found.difference.journal
    assert repr(yes.order_hash) in found.difference.again
    assert found.turns > 0
    (stretch,) = found.stretches
    assert "behind the difference" in stretch.why
    assert stretch.first == found.difference.turn + 1


def test_a_message_that_no_turn_says_is_a_difference(stand: Stand) -> None:
    world = World(stand)
    _, fill = world.said("gateway.order", Fill)[0]
    pos = world.add("gateway.order", msgspec.structs.replace(fill, venue_trade_id="99"))
    found = ran(replayed(stand, "gateway", world))
    assert found.difference is not None
    assert (found.difference.turn, found.difference.pos) == (0, pos)


def test_a_message_that_was_taken_away_is_a_difference(stand: Stand) -> None:
    world = World(stand)
    pos, fill = world.said("gateway.order", Fill)[0]
    world.swap("gateway.order", pos, RequestWeight(ts_event=fill.ts_event, used=1, limit=2))
    found = ran(replayed(stand, "gateway", world))
    assert found.difference is not None
    assert found.difference.pos == pos
    assert "Fill" in found.difference.again
    assert "RequestWeight" in found.difference.journal


def test_turns_of_other_code_are_unverifiable_unless_asked_for(stand: Stand) -> None:
    plan = msgspec.structs.replace(replayed(stand, "engine"), rules="another.one")
    found = ran(plan)
    assert found.difference is None
    assert found.turns == 0
    (stretch,) = found.stretches
    assert "other code or settings ran: one." in stretch.why
    assert (stretch.first, stretch.last) == (1, total(plan))
    with pytest.raises(NotReadyError, match="not one turn could be verified"):
        judge([found])
    by_any = ran(msgspec.structs.replace(plan, any_code=True))
    judge([by_any, found])
    assert by_any.difference is None
    assert by_any.turns == total(plan)


def test_turns_whose_inputs_are_gone_are_named_with_from_and_to(stand: Stand) -> None:
    world = World(stand)
    quotes = world.frames["ingest.quote"]
    world.frames["ingest.quote"] = quotes[len(quotes) // 2 :]
    found = ran(replayed(stand, "risk", world))
    assert found.difference is None
    assert found.stretches
    assert found.stretches[0].first <= found.stretches[-1].last
    assert "no longer kept" in found.stretches[0].why


def test_a_snapshot_is_taken_up_where_what_was_before_is_gone(tmp_path: Path) -> None:
    made = lived(tmp_path, steps=80)
    made.lives["risk"].runner.snapshot()
    for _ in range(40):
        made.step(250)
    world = World(made)
    plan = replayed(made, "risk", world)
    plan.journals.save_snapshot("risk", made.journals.load_snapshot("risk") or b"")
    quotes = world.frames["ingest.quote"]
    del quotes[: len(quotes) // 3]
    journals = plan.journals
    assert isinstance(journals, MemoryJournals)
    journals.tapes[STREAMS["ingest.quote"].number].frames = quotes
    found = ran(plan)
    assert found.difference is None
    assert found.turns > 0
    assert len(found.stretches) == 1


def test_after_a_power_cut_the_fold_goes_on_or_says_what_it_cannot(tmp_path: Path) -> None:
    made = lived(tmp_path, steps=80)
    made.cut_power()
    for name in NAMES:
        made.start(name)
    for _ in range(80):
        made.step(250)
    for name in NAMES:
        plan = replayed(made, name)
        found = ran(plan)
        assert found.difference is None
        unverified = sum(one.last - one.first + 1 for one in found.stretches)
        assert found.turns + unverified == total(plan)
        assert found.turns > 0


def test_of_a_day_only_its_own_turns_are_run(stand: Stand) -> None:
    from_ns = stand.clock.market_ns() // MINUTE_NS * MINUTE_NS
    none = Day(from_ns + 60 * MINUTE_NS, from_ns + 61 * MINUTE_NS)
    assert ran(replayed(stand, "risk", day=none)).turns == 0
    early = Day(0, from_ns - 3 * MINUTE_NS)
    found = ran(replayed(stand, "risk", day=early))
    assert found.difference is None
    assert 0 < found.turns < total(replayed(stand, "risk"))


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        yield made


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("--verify", "yesterday-ish"), 2),
        (("--verify", "2026-13-01"), 2),
        (("--verify", "--service", "monitor"), 2),
        (("--verify", "2026-03-01"), 1),
        (("--verify",), 0),
    ],
)
def test_the_command_says_what_it_cannot_do(house: House, words: Any, code: int) -> None:
    done = verb(house, "replay", *words)
    assert exit_code(done) == code, done.output
    assert "Traceback" not in done.output


def test_a_damaged_journal_is_told_and_nothing_is_verified_behind_it(stand: Stand) -> None:
    with standing(World(stand)) as house:
        assert exit_code(verb(house, "replay", "--verify", "--json")) == 3  # by other settings
        directory = directory_of(house.journal_dir, STREAMS["gateway.order"])
        (path,) = directory.glob("*.seg")
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        done = verb(house, "replay", "--verify")
    assert exit_code(done) == 5
    assert "gateway" in str(done.exception)


def test_by_any_code_a_screen_names_the_first_difference(stand: Stand) -> None:
    world = World(stand)
    pos, _ = world.said("risk.verdict", trading.Verdict)[0]
    world.change("risk.verdict", pos, code="NO")
    with standing(world) as house:
        done = verb(house, "replay", "--verify", "--any-code", "--service", "risk")
    assert exit_code(done) == 5
    assert "DIFFERS" in done.output
    assert f"risk.verdict at {pos}:" in done.output
    assert "journal: Verdict" in done.output
    assert "again:   Verdict" in done.output
