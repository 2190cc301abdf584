"""Each cell of the matrix in turn: a fault, a step, a death, and the proof that nothing came of it.

A cell that is never reached is a failure, as is one after which anything differs.
"""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence

import msgspec

from services.venue.faults_kinds import PLACE
from tests.chaos.orders_cells import FAULTS, NO_FAULT, SENT, STEPS, WORDS, Cell, Steps
from tests.chaos.orders_house import TRADERS, TradingHouse, keep_story
from tests.chaos.orders_proof import breaches, unsettled

CELLS_OF_A_HOUSE = 40
REACH_S = 30
STRIKE_S = 8
LISTEN_MS = 20
ENOUGH = 8


class Outcome(msgspec.Struct):
    """What came of one cell."""

    cell: str
    reached: bool = False
    struck: bool = False
    heal_s: float = 0.0
    seconds: float = 0.0
    halts: list[str] = []
    wrong: list[str] = []


class Report(msgspec.Struct):
    """What came of all."""

    seed: int
    cells: int = 0
    failed: int = 0
    never_reached: list[str] = []
    never_struck: list[str] = []  # faults that were tried often enough
    seconds: float = 0.0
    reached: dict[str, dict[str, int]] = {}  # by fault, by step
    struck: dict[str, int] = {}
    wrong: dict[str, list[str]] = {}
    halts: dict[str, int] = {}


def rage(cells: Sequence[Cell], seed: int) -> Report:
    """Play all cells, some in one house and then some in another one."""
    report, struck, halts = Report(seed=seed), Counter[str](), Counter[str]()
    reached = {fault: Counter[str]() for fault in FAULTS}
    for first in range(0, len(cells), CELLS_OF_A_HOUSE):
        house = TradingHouse(seed)
        try:
            house.begin()
            for cell in cells[first : first + CELLS_OF_A_HOUSE]:
                outcome = play(house, cell)
                tell(outcome)
                report.cells += 1
                report.seconds += outcome.seconds
                reached[cell.fault][cell.step] += outcome.reached
                struck[cell.fault] += outcome.struck
                halts.update(outcome.halts)
                if outcome.wrong:
                    report.failed += 1
                    report.wrong[str(cell)] = outcome.wrong
                    sys.stderr.write(f"  {keep_story(house, str(cell).replace('/', '.'))}\n")
                if not outcome.reached:
                    report.never_reached.append(str(cell))
        finally:
            house.close()
    report.reached = {fault: dict(steps) for fault, steps in reached.items() if steps}
    report.struck, report.halts = dict(struck), dict(halts)
    played = Counter(cell.fault for cell in cells)
    report.never_struck = [
        name for name in FAULTS[1:] if played[name] >= ENOUGH and not struck[name]
    ]
    return report


def play(house: TradingHouse, cell: Cell) -> Outcome:
    """Kill one process at one step under one fault, and prove what is there afterwards."""
    begun_ns = house.clock.mono_ns()
    outcome = Outcome(str(cell))
    hits = _hits(house, cell.fault)
    _spoil(house, cell)
    outcome.reached = _reach(house, cell, outcome)
    pid = house.send(cell.service, signal.SIGKILL)
    killed_ns = house.clock.mono_ns()
    house.settled(lambda: house.pid(cell.service) not in {0, pid})
    if cell.service == "venue":  # Its faults have died with it, and it is to come back with one.
        hits = 0
        house.settled(lambda: house.fault("list") is not None)
        _spoil(house, cell)
    if cell.fault != NO_FAULT:
        outcome.struck = house.settled(lambda: _hits(house, cell.fault) > hits, STRIKE_S)
    house.fault("clear")
    outcome.wrong = _heal(house, outcome)
    outcome.heal_s = _since(house, killed_ns)
    outcome.wrong += breaches(house)
    outcome.seconds = _since(house, begun_ns)
    return outcome


def _since(house: TradingHouse, begun_ns: int) -> float:
    return round((house.clock.mono_ns() - begun_ns) / 1e9, 2)


def _hits(house: TradingHouse, name: str) -> int:
    told = house.fault("list")
    if told is None:
        return 0
    return next((one.hits for one in told.faults if one.name == name), 0)


def _spoil(house: TradingHouse, cell: Cell) -> None:
    if cell.fault != NO_FAULT:
        house.fault("set", cell.fault, *WORDS.get(cell.fault, ()))
    if cell.step == "partly" and cell.fault != "partial_fill":
        house.fault("set", "partial_fill", "side=BUY", "count=3")


def _reach(house: TradingHouse, cell: Cell, outcome: Outcome) -> bool:
    """Wait until the step is made; what the fault halts meanwhile is released."""
    steps = Steps()
    house.forget()
    sent = _sent(house) if cell.step == SENT else 0

    def made() -> bool:
        if cell.step == SENT:
            return _sent(house) > sent
        return any(cell.step in steps.take(message) for message in house.heard(LISTEN_MS))

    for _ in range(REACH_S):
        look_ns = house.clock.mono_ns() + 1_000_000_000
        while house.clock.mono_ns() < look_ns:
            if made():
                return True
        _release(house, outcome)
    return False


def _sent(house: TradingHouse) -> int:
    return sum(line.call in PLACE for line in house.requests())


def _heal(house: TradingHouse, outcome: Outcome) -> list[str]:
    """Wait until all is at rest; what a fault rightly halted is released as status says."""
    compared = house.counter("gateway", "fills")

    def at_rest() -> bool:
        _release(house, outcome)
        return not unsettled(house)

    if not house.settled(at_rest):
        return [f"not at rest in time: {unsettled(house)}; {_stops(house)}"]
    if not house.settled(lambda: house.counter("gateway", "fills") > compared):
        return [f"it does not trade again: {_stops(house)}"]
    return []


def _release(house: TradingHouse, outcome: Outcome) -> None:
    for stop in _stops(house):
        if stop.get("what") == "instrument halted" or "resume-symbol" in stop.get("release", ""):
            outcome.halts.append(stop.get("why", ""))
            house.told("gateway", "resume-symbol", stop["scope"], "the chaos has seen it")


def _stops(house: TradingHouse) -> list[dict[str, str]]:
    done = house.told("gateway", "stops")
    if done is None or not done.ok:
        return []
    found: list[dict[str, str]] = json.loads(done.body or b"[]")
    return found


def tell(outcome: Outcome) -> None:
    """Say what came of a cell, in one line."""
    state = "FAILED" if outcome.wrong else "ok" if outcome.reached else "NEVER REACHED"
    sys.stderr.write(
        f"{outcome.cell:55} {state:8} healed {outcome.heal_s:5.1f} s, all {outcome.seconds:5.1f} s"
        f"{', fault struck' if outcome.struck else ''}"
        f"{', halted: ' + outcome.halts[0][:90] if outcome.halts else ''}\n"
    )
    for wrong in outcome.wrong[:5]:
        sys.stderr.write(f"  {wrong[:300]}\n")


def chosen() -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the services, steps and faults that the environment names; all where it does not."""

    def of(name: str, known: Sequence[str]) -> tuple[str, ...]:
        said = tuple(os.environ.get(name, "").split())
        if strange := [one for one in said if one not in known]:
            sys.exit(f"chaos: {name} names {strange[0]!r}, expected some of {', '.join(known)}")
        return said or tuple(known)

    return of("SERVICE", TRADERS), of("STEP", tuple(STEPS)), of("FAULT", FAULTS)
