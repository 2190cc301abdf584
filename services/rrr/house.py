"""The verbs of the house: up, down, restart, status, logs."""

import json
import os
import sys
from pathlib import Path

import click

from bus.clock import Clock, SystemClock
from bus.house import House, open_house
from services.rrr.pipes import reader_may_leave
from services.rrr.screen import screen, world_line
from services.rrr.standing import standing_house
from services.rrr.start import bring_up, wait_ready
from services.rrr.status import failure
from services.rrr.status import status as status_of
from services.rrr.stop import bring_down
from services.rrr.supervisor import Supervisor
from services.rrr.survey import log_of

CHATTER = frozenset({"READY", "RESULT 2", "OKREADY", "OK"})
"""What the warden and the supervisor say to each other."""

FOLLOW_MS = 200
BLOCK_BYTES = 1 << 16


def _tell(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()


@click.command()
def up() -> None:
    """Start everything, and wait until it is READY."""
    house, clock = open_house(), SystemClock()
    if house.settings.mode == "live":
        _tell(world_line(house.world, "live"))
        _tell("Nothing that adds risk leaves before it is armed: `rrr live check`, `rrr live arm`")
    bring_up(house, clock, _tell)
    report, _ = status_of(house, clock)
    _tell(screen(report))
    _tell(f"\nActivate the environment: source {_activate(house)}")


@click.command()
def down() -> None:
    """Stop everything, in order, and leave nothing behind."""
    house, clock = standing_house(), SystemClock()
    ran = bring_down(house, clock, _tell)
    _tell("The house is down." if ran else "Nothing runs here.")


@click.command()
@click.argument("names", nargs=-1, required=True)
def restart(names: tuple[str, ...]) -> None:
    """Restart services by name, and wait until they are READY."""
    house = open_house()
    _refuse_unknown(house, names)
    start_again(house, names)


def start_again(house: House, names: tuple[str, ...]) -> None:
    """Restart services one after the other, and wait until they are READY."""
    supervisor = Supervisor(house)
    for name in names:
        if _runs(supervisor, name):
            supervisor.call("stopProcess", name, True)
        supervisor.call("startProcess", name, True)
    wait_ready(house, names, SystemClock(), _tell)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def status(*, as_json: bool) -> None:
    """Show services, health and lag, and whether it trades.

    Exits 0 when all is READY, 3 when not, 4 when nothing runs.
    """
    report, found = status_of(standing_house(), SystemClock())
    with reader_may_leave():
        click.echo(json.dumps(report) if as_json else screen(report))
    problem = failure(found)
    if problem is not None:
        click.echo(f"rrr: {problem}", err=True)
        sys.exit(problem.exit_code)


@click.command()
@click.argument("name")
@click.option("-n", "--lines", default=20, show_default=True, type=click.IntRange(0))
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
def logs(name: str, lines: int, *, follow: bool) -> None:
    """Show the last lines of a service's log."""
    house, clock = standing_house(), SystemClock()
    _refuse_unknown(house, (name,))
    path = log_of(house, name)
    if not path.exists():
        click.echo(f"rrr: {path} does not exist: {name} has not run here yet", err=True)
        sys.exit(1)
    written = path.read_text(errors="replace").splitlines() if lines else []
    with reader_may_leave():
        for line in [line for line in written if line not in CHATTER][-lines:]:
            click.echo(line)
        if follow:
            _follow(path, clock)


def _follow(path: Path, clock: Clock) -> None:
    try:
        _copy_growth(path, clock)
    except KeyboardInterrupt:
        return


def _copy_growth(path: Path, clock: Clock) -> None:
    fd = os.open(path, os.O_RDONLY)
    os.lseek(fd, 0, os.SEEK_END)
    while True:
        part = os.read(fd, BLOCK_BYTES)
        if part:
            click.echo(part.decode(errors="replace"), nl=False)
        elif path.exists() and path.stat().st_ino != os.fstat(fd).st_ino:
            os.close(fd)  # The supervisor rotated it.
            fd = os.open(path, os.O_RDONLY)
        else:
            clock.pause_ms(FOLLOW_MS)


def _refuse_unknown(house: House, names: tuple[str, ...]) -> None:
    for name in names:
        if name not in house.programs:
            known = ", ".join(house.programs)
            raise click.UsageError(f"no program {name!r}; there are {known}")


def _runs(supervisor: Supervisor, name: str) -> bool:
    state = supervisor.call("getProcessInfo", name)["statename"]
    return state in {"RUNNING", "STARTING", "BACKOFF"}


def _activate(house: House) -> str:
    path = str(house.root / ".venv" / "bin" / "activate")
    return f'"{path}"' if " " in path else path
