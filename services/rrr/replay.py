"""`rrr replay --verify`: the shipped cores, on the inputs of a day that was, say the same bytes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from bus.clock import SystemClock
from bus.errors import HouseError
from bus.house import House
from bus.journals import DiskJournals
from bus.plain import printable
from schema.units import DAY_NS, SECOND_NS, iso_ms
from services.rrr.books import as_integrity
from services.rrr.journal_files import IntegrityError
from services.rrr.pipes import reader_may_leave
from services.rrr.progress import progress
from services.rrr.replay_cores import NAMES, build, own_streams, rules_of
from services.rrr.replay_lives import Day
from services.rrr.replay_proof import Difference, Proof, Stretch
from services.rrr.replay_run import Plan, Replay, total
from services.rrr.screen import table, world_line
from services.rrr.standing import standing_house
from services.rrr.survey import NotReadyError, running_house

STRETCHES_SHOWN = 10
SLOW_TURNS = 2_000
"""What is run again in about a second; for less, nobody needs a bar."""


@click.command()
@click.argument("day", metavar="[DAY]", required=False)
@click.option("--verify", "verify", is_flag=True, help="Run the turns again and compare them.")
@click.option("--service", "names", type=click.Choice(NAMES), multiple=True, help="Of one only.")
@click.option("--any-code", is_flag=True, help="By today's code, whatever code ran then.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def replay(
    day: str | None, names: tuple[str, ...], *, verify: bool, any_code: bool, as_json: bool
) -> None:
    """Run the recorded turns of a day again and compare what they say, byte for byte.

    DAY is like 2026-03-01, in market time and UTC; without one all that is kept is run. Nothing is
    written to the world. What cannot be verified is named, with why: turns whose inputs are no
    longer kept, those of other code or settings, and those behind a recovery that had to fold.
    Exits 5 at the first turn that says something else than the journal holds.
    """
    if not verify:
        raise click.UsageError("say --verify: to run turns again and compare is all it does")
    span = None if day is None else _day(day)
    house = running_house(standing_house())
    plans = [_plan(house, name, span, any_code=any_code) for name in names or NAMES]
    try:
        with _progress(plans) as ran:
            proofs = [Replay(plan, ran).run() for plan in plans]
    except HouseError as error:
        raise as_integrity(error) from error
    if day is not None and not any(one.turns or one.stretches for one in proofs):
        raise HouseError(
            f"no turn of {day} is kept in {house.journal_dir}",
            "Days are the market's: `rrr bus info engine.intent` tells what is kept",
        )
    with reader_may_leave():
        click.echo(_as_json(proofs, any_code=any_code) if as_json else _screen(house, proofs))
    judge(proofs)


def _day(text: str) -> Day:
    try:
        moment = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise click.UsageError(
            f"no day {printable(text)!r}: expected one like 2026-03-01"
        ) from None
    from_ns = int(moment.timestamp()) * SECOND_NS
    return Day(from_ns, from_ns + DAY_NS)


def _plan(house: House, name: str, day: Day | None, *, any_code: bool) -> Plan:
    journals = DiskJournals(house.journal_dir, SystemClock())
    return Plan(
        service=name,
        make=build(house, name),
        own=own_streams(name),
        journals=journals,
        rules=rules_of(house, name),
        day=day,
        any_code=any_code,
    )


@contextmanager
def _progress(plans: list[Plan]) -> Iterator[Callable[[int], None]]:
    turns = sum(map(total, plans)) if sys.stderr.isatty() else 0
    if turns < SLOW_TURNS:
        yield lambda _ran: None
        return
    with progress(turns) as advance:
        yield lambda ran: advance("replaying", ran)


def _screen(house: House, proofs: list[Proof]) -> str:
    rows: list[tuple[str, ...]] = [(one.service, _word(one), _counts(one)) for one in proofs]
    lines = [world_line(house.world)]
    for one, line in zip(proofs, table(rows), strict=True):
        lines.append(line)
        if one.difference is not None:
            lines += [f"  {text}" for text in _told(one.difference)]
        lines += [f"  {_stretch(stretch)}" for stretch in one.stretches[:STRETCHES_SHOWN]]
        if len(one.stretches) > STRETCHES_SHOWN:
            more = len(one.stretches) - STRETCHES_SHOWN
            lines.append(f"  and {more} more; --json tells them")
    return "\n".join(lines)


def _word(proof: Proof) -> str:
    if proof.difference is not None:
        return "DIFFERS"
    return "same" if proof.turns else "unverified" if proof.stretches else "nothing is kept"


def _counts(proof: Proof) -> str:
    told = f"{proof.turns} turns run again, {proof.outputs} outputs compared"
    return told + (f", {proof.missing} not in the journal yet" if proof.missing else "")


def _told(difference: Difference) -> list[str]:
    where = f"turn {difference.turn}" if difference.turn else "no turn"
    if not difference.stream:
        return [printable(f"{where}: {difference.again}")]
    return [
        f"{where}, {difference.stream} at {difference.pos}:",
        printable(f"  journal: {difference.journal}"),
        printable(f"  again:   {difference.again or 'said by no turn'}"),
    ]


def _stretch(stretch: Stretch) -> str:
    turns = f"turns {stretch.first} to {stretch.last}"
    times = f"{iso_ms(stretch.from_ns)} to {iso_ms(stretch.until_ns)}"
    return printable(f"unverifiable: {turns}, {times}: {stretch.why}")


def _as_json(proofs: list[Proof], *, any_code: bool) -> str:
    report = {
        "ok": all(one.difference is None for one in proofs),
        "any_code": any_code,
        "services": [_row(one) for one in proofs],
    }
    return msgspec.json.encode(report).decode()


def _row(proof: Proof) -> dict[str, Any]:
    stretches = [
        {
            "from_turn": one.first,
            "to_turn": one.last,
            "from": iso_ms(one.from_ns),
            "to": iso_ms(one.until_ns),
            "why": one.why,
        }
        for one in proof.stretches
    ]
    return {
        "service": proof.service,
        "turns": proof.turns,
        "outputs": proof.outputs,
        "missing": proof.missing,
        "unverifiable": stretches,
        "difference": proof.difference,
    }


def judge(proofs: list[Proof]) -> None:
    """Raise IntegrityError at a difference, NotReadyError where nothing at all was verified."""
    wrong = [one.service for one in proofs if one.difference is not None]
    if wrong:
        raise IntegrityError(
            f"{', '.join(wrong)}: run again, a turn says something else than the journal holds",
            "`rrr audit` tells whether the books are touched; a strategy that reads a clock or "
            "draws lots does this, too",
        )
    if any(one.stretches for one in proofs) and not any(one.turns for one in proofs):
        raise NotReadyError(
            "not one turn could be verified: each is of other code, or followed a loss",
            "`rrr replay --verify --any-code` runs those of other code all the same",
        )
