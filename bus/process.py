"""A process from its first line to its last word: settings, lease, world, shell, exit code.

Whatever ends a process is written to `<run>/<service>.exit`, so that the warden and a person know
why. Code 0 is a clean stop; 70 an orphan that its supervisor left; the rest is in bus/errors.py.
"""

import contextlib
import faulthandler
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import msgspec

from bus.clock import Clock, SystemClock
from bus.disk import make_directory
from bus.errors import DisplacedError, HouseError
from bus.house import House, open_house, settle_world
from bus.lease import Lease, hold, hold_place
from bus.root import run_directory
from bus.segments import failing
from bus.service import Parts
from bus.shell import Origin, Shell
from schema.streams import owned_by

Build = Callable[[House, Clock], Parts]

LEASE = "lease"
SWITCH_S = 0.0005
"""How long the interpreter leaves an edge's thread waiting while the loop works."""


class Exit(msgspec.Struct):
    """The last word of a process."""

    code: int
    message: str
    at_ns: int


def main(service: str, build: Build, origin: Origin | None = None, *, market: bool = True) -> None:
    """Run a service until it is told to stop, and exit with its code.

    `origin` tells where market time begins; only the process that makes the market has one.
    Without `market` it goes by wall time: the warden works while nobody makes market time.
    """
    faulthandler.enable()
    os.umask(0o077)
    sys.setswitchinterval(SWITCH_S)
    clock = SystemClock()
    try:
        house = open_house()
    except HouseError as error:
        with contextlib.suppress(HouseError):  # Without a house there is no place for it either.
            _last_word(run_directory(), service, error.exit_code, str(error), clock)
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    try:
        _live(house, service, clock, build, origin, market=market)
    except HouseError as error:
        _last_word(house.run, service, error.exit_code, str(error), clock)
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    except Exception as error:
        _last_word(house.run, service, 1, f"{type(error).__name__}: {error}", clock)
        raise
    _last_word(house.run, service, 0, "stopped", clock)


def _live(
    house: House,
    service: str,
    clock: SystemClock,
    build: Build,
    origin: Origin | None,
    *,
    market: bool,
) -> None:
    lease = hold_place(house.run, service, clock)
    shell, kept = None, None
    try:
        settle_world(house)
        kept = _sole_writer(house, service, clock)
        shell = Shell(house, service, clock, lease)
        if not (market and shell.start_clock(origin)):
            shell.serve(build(house, clock))
    except DisplacedError as error:
        _drop_dead(house, service, error, clock)
    finally:
        if shell is not None:
            shell.close()
        if kept is not None:
            kept.release()
        lease.release()


def _sole_writer(house: House, service: str, clock: Clock) -> Lease | None:
    """Hold the journals of a service, which a house with another RRR_RUN may share."""
    if not any(stream.journaled for stream in owned_by(service)):
        return None
    folder = house.journal_dir / service
    with failing(folder):
        make_directory(folder)
    return hold(folder / LEASE, clock, "RRR_HOME moves the journals elsewhere")


def _drop_dead(house: House, service: str, error: DisplacedError, clock: Clock) -> NoReturn:
    # As if killed: closing would remove the sockets of whoever has taken the place.
    _last_word(house.run, service, error.exit_code, str(error), clock)
    sys.stderr.write(f"{error}\n")
    sys.stderr.flush()
    os._exit(error.exit_code)


def _last_word(run: Path, service: str, code: int, message: str, clock: Clock) -> None:
    path = run / f"{service}.exit"
    with contextlib.suppress(OSError):  # A full disk is told on the console, too.
        path.write_bytes(msgspec.json.encode(Exit(code, message, clock.wall_ns())))
