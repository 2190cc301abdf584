"""`rrr up`: start what does not run, and wait until every service says READY."""

import subprocess
from collections.abc import Callable

from bus.build import code_hash, contract_hash
from bus.clock import Clock
from bus.errors import BusyError, HouseError, SettingsError
from bus.health import Verdict
from bus.house import House
from services.rrr.stop import bring_down, supervisor_pid
from services.rrr.supervisor import Supervisor, supervisord_command
from services.rrr.survey import NotReadyError, Survey, log_of, survey

READY_S = 60
SPAWN_S = 20
POLL_MS = 100
REFUSALS: dict[int, type[HouseError]] = {78: SettingsError, 75: BusyError}

Tell = Callable[[str], None]


def bring_up(house: House, clock: Clock, tell: Tell) -> Survey:
    """Start the house; NotReadyError names the culprit when it is not READY in time."""
    supervisor = Supervisor(house)
    supervisor.refuse_long_path()
    fresh = not supervisor.alive()
    if fresh:
        _refuse_mute(house, supervisor)
        _spawn(house, supervisor, clock)
    else:
        tell("The house is up already.")
        refuse_other_contract(house, survey(house, clock))
    supervisor.call("startAllProcesses", False)
    try:
        found = wait_ready(house, house.programs, clock, tell)
    except (SettingsError, BusyError):
        if fresh:  # The next start must not inherit the environment of a refused one.
            bring_down(house, clock, lambda _: None)
        raise
    if not fresh:
        _name_older_code(house, found, tell)
    return found


def wait_ready(house: House, names: tuple[str, ...], clock: Clock, tell: Tell) -> Survey:
    """Wait until all of some programs are READY; a program that refuses to start ends the wait."""
    begun_ns = clock.mono_ns()
    told: set[str] = set()
    while True:
        found = survey(house, clock)
        waiting = [v for v in found.verdicts if v.service in names and not _stands(v)]
        elapsed_s = (clock.mono_ns() - begun_ns) / 1e9
        states = {verdict.service: verdict.state for verdict in found.verdicts}
        for name in names if waiting or told else ():
            if name not in told and name not in {v.service for v in waiting}:
                told.add(name)
                tell(f"  {name} is {states[name]} after {elapsed_s:.1f} s")
        if not waiting:
            return found
        refuse_refused(house, found, names)
        _refuse_abandoned(house, found)
        _looping(house, found, names)
        if elapsed_s > READY_S:
            _too_late(house, found, waiting[0].service)
        clock.pause_ms(POLL_MS)


def _stands(verdict: Verdict) -> bool:
    if verdict.ready or verdict.service != "gateway":
        return verdict.ready
    from services.gateway.arming import UNARMED  # noqa: PLC0415 - who asks for status needs none

    return verdict.reason.startswith(UNARMED)  # It waits for a person, and nobody else has to.


def refuse_refused(house: House, found: Survey, names: tuple[str, ...]) -> None:
    """Raise the refusal of the first program that left with one."""
    for name, info in found.processes.items():
        if name not in names:
            continue
        kind = REFUSALS.get(info["exitstatus"]) if info["statename"] == "EXITED" else None
        if kind is not None:
            word = found.last_words.get(name)
            why = word.message if word is not None else _without_a_word(house, info["exitstatus"])
            raise kind(f"{name} refuses to start: {why}", f"Its log: {log_of(house, name)}")


def _refuse_abandoned(house: House, found: Survey) -> None:
    # One that is busy answers nothing for a while, either.
    if not found.processes and not supervisor_pid(house, Supervisor(house)):
        raise NotReadyError(
            "the supervisor ended while its services were awaited",
            "Did somebody run `rrr down`? Run `rrr up` again",
        )


def refuse_other_contract(house: House, found: Survey) -> None:
    """Raise NotReadyError when anybody runs another schema, bus, mode or world than this tree."""
    ours = contract_hash(house)
    others = sorted(n for n, hb in found.heartbeats.items() if hb.contract not in {"", ours})
    if not others:
        return
    worlds = {found.heartbeats[name].world for name in others}
    running = f"in world {', '.join(sorted(worlds))}; the settings say world {house.world}"
    if worlds == {house.world}:
        running = "in the same world; schema/, bus/, the mode or the clock's scale differ"
    verb = "runs" if len(others) == 1 else "run"
    raise NotReadyError(
        f"{', '.join(others)} {verb} another contract than this tree, {running}",
        "Restart the whole house: `rrr down`, then `rrr up`",
    )


def _refuse_mute(house: House, supervisor: Supervisor) -> None:
    # A second supervisor beside it would fight it for every lease.
    if pid := supervisor_pid(house, supervisor):
        raise NotReadyError(
            f"the supervisor, process {pid}, runs and does not answer at {supervisor.socket}",
            "Run `rrr down`, then `rrr up`",
        )


def _spawn(house: House, supervisor: Supervisor, clock: Clock) -> None:
    made = subprocess.run(  # noqa: S603 - our own supervisor, by its whole path
        supervisord_command(house.root),
        cwd=house.root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SPAWN_S,
        check=False,
    )
    deadline_ns = clock.mono_ns() + SPAWN_S * 1_000_000_000
    while not supervisor.alive():
        if made.returncode or clock.mono_ns() > deadline_ns:
            raise NotReadyError(
                f"supervisord did not start: {made.stderr.strip() or 'it does not answer'}",
                f"See {house.root / 'logs' / 'system' / 'supervisord.log'}",
            )
        clock.pause_ms(POLL_MS)


def _without_a_word(house: House, code: int) -> str:
    return f"exit code {code}, and no last word in {house.run}, whose disk may be full"


def _looping(house: House, found: Survey, names: tuple[str, ...]) -> None:
    ready = {verdict.service for verdict in found.verdicts if verdict.ready}
    for name in names:
        if name not in ready and found.counter("warden", f"crash_loop.{name}"):
            word = found.last_words.get(name)
            raise NotReadyError(
                f"{name} ends again and again: {word.message if word else 'it was killed'}",
                f"Its log: {log_of(house, name)}",
            )


def _too_late(house: House, found: Survey, culprit: str) -> None:
    verdict = next(verdict for verdict in found.verdicts if verdict.service == culprit)
    raise NotReadyError(
        f"{culprit} is not READY after {READY_S} s: {verdict.state}, {verdict.reason or 'no word'}",
        f"Its log: {log_of(house, culprit)}",
    )


def _name_older_code(house: House, found: Survey, tell: Tell) -> None:
    older = [n for n, hb in found.heartbeats.items() if hb.code != code_hash(house, n)]
    if older:
        names = " ".join(older)
        verb = "runs" if len(older) == 1 else "run"
        tell(f"{names} {verb} older code than this tree; mend it: rrr restart {names}")
