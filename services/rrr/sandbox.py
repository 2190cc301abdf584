"""Where a recording is played: a world and a run directory of their own, never those of a house."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from bus.clock import Clock
from bus.errors import BusyError, HouseError
from bus.house import LONGEST_SOCKET, SOCKET_PATH_BYTES_MAX, House
from bus.lease import Lease
from bus.segments import failing
from bus.world import World

WORLD_FILE = "world.json"
PREFIX = "rrr-play."


class Sandbox(msgspec.Struct, frozen=True):
    """A home without a house."""

    home: Path
    run: Path
    world: str

    @property
    def journal_dir(self) -> Path:
        """Where the played streams are kept."""
        return self.home / "data" / self.world / "journal"

    @property
    def environment(self) -> str:
        """What `rrr` needs to look into it from another terminal."""
        return f"RRR_HOME={_quoted(self.home)} RRR_RUN={_quoted(self.run)}"


def make_sandbox(house: House, where: Path | None, world: str, *, used: bool) -> Sandbox:
    """Make a sandbox, in a temporary place unless one is named; `used`: it need not be empty."""
    if where is None:
        home = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    else:
        home = where.resolve()
        _refuse_houses(house, home)
        if home.exists() and not used and not (home.is_dir() and not any(home.iterdir())):
            raise HouseError(
                f"{home} is not empty: expected a directory of its own for what is played",
                "Name another one; --i-know takes it nevertheless",
            )
    name = f"play-{world}"
    with failing(home):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        run = _run_directory(home)
    World(name=name, mode="play").settle(home / "data" / name)
    return Sandbox(home, run, name)


@contextmanager
def leased(sandbox: Sandbox, owners: Sequence[str], clock: Clock) -> Iterator[None]:
    """Hold the leases of the services that are played; BusyError when another one plays here."""
    with ExitStack() as stack:
        for owner in owners:
            lease = Lease(sandbox.run / f"{owner}.lease")
            lease.wait(clock, 0)
            stack.callback(lease.release)
        yield


def _refuse_houses(house: House, home: Path) -> None:
    """Refuse a place that is a house's, or where anybody holds a lease."""
    for own in (house.run, house.home / "data", house.root / "data", house.log_dir):
        place = own.resolve()
        if home == place or place in home.parents or home in place.parents:
            raise HouseError(
                f"{home} is of the house itself, which has {place}: a recording is played beside "
                "a house, never in one",
                "Leave --home away, or name a directory of its own",
            )
    for directory in (home, *home.parents):
        if directory.name != "" and _is_world(directory):
            raise HouseError(
                f"{home} lies in a world of a house, {directory}",
                "Leave --home away, or name a directory of its own",
            )
    for path in (p for d in (home, home / "run", home / "data/run") for p in d.glob("*.lease")):
        lease = Lease(path)
        if not lease.take():
            raise BusyError(
                f"{home} is in use: the lease {path} is held by {lease.whose()}",
                "Leave --home away, or name a directory of its own",
            )
        lease.release()


def _is_world(directory: Path) -> bool:
    path = directory / WORLD_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=World).mode != "play"
    except FileNotFoundError:
        return False
    except (OSError, msgspec.MsgspecError):
        return True


def _run_directory(home: Path) -> Path:
    run = home / "run"
    if len(os.fsencode(run / LONGEST_SOCKET)) >= SOCKET_PATH_BYTES_MAX:
        return Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()  # No socket fits below that path.
    run.mkdir(mode=0o700, exist_ok=True)
    return run


def _quoted(path: Path) -> str:
    text = str(path)
    return f"'{text}'" if any(not (c.isalnum() or c in "/._-") for c in text) else text
