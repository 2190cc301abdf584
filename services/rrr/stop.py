"""`rrr down`: stop everything in order, and leave no process, socket or lease behind.

Tier by tier: who wants orders, who sends them, everybody else who hears and speaks, then the venue,
then the writers, which have seen everything, then the warden and the supervisor. Where the
supervisor was killed, the services have left by themselves when their standard input ended; whoever
has not is found by the lease that he holds.
"""

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships none, and the lock has none

from bus.clock import Clock
from bus.errors import UnreachableError
from bus.house import House
from bus.lease import Lease
from services.rrr.supervisor import Supervisor
from services.rrr.survey import NotReadyError
from services.warden.rpc import RefusedError

STOP_S = 120
ORPHAN_S = 8
POLL_MS = 50
KINDS = ("pub", "ctl", "exit", "tmp")
FILES = (
    *("clock.json", "clock.tmp", "warden.json", "warden.tmp"),
    *("engine.crumb", "engine.deaths"),
)

Tell = Callable[[str], None]


def bring_down(house: House, clock: Clock, tell: Tell) -> bool:
    """Stop the house; False when nothing ran."""
    supervisor = Supervisor(house)
    ran = _stop_supervisor(house, supervisor, clock, tell)
    ran |= _stop_orphans(house, clock, tell)
    _clear(house, supervisor)
    return ran


def _stop_supervisor(house: House, supervisor: Supervisor, clock: Clock, tell: Tell) -> bool:
    pid = supervisor_pid(house, supervisor)
    if not pid:
        return False
    tell("Stopping ...")
    try:
        for tier in tiers(tuple(supervisor.processes())):
            _stop_tier(supervisor, tier, clock)
        supervisor.call("shutdown")
    except UnreachableError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    if not _gone(house, pid, clock, STOP_S):
        raise NotReadyError(
            f"the supervisor, process {pid}, did not end within {STOP_S} s",
            f"See logs/system/supervisord.log; `kill -9 {pid}`, then `rrr down` again",
        )
    return True


def tiers(programs: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the programs in the order of their stop, the warden last.

    A supervisor with nothing left to stop ends at once; else it takes a second for each program.
    """
    writers = tuple(name for name in programs if name.startswith("writer_"))
    alone = ("engine", "gateway", "venue", "warden")
    others = tuple(name for name in programs if name not in {*writers, *alone})
    engine, gateway, venue, warden = ((name,) if name in programs else () for name in alone)
    return [engine, gateway, others, venue, writers, warden]


def _stop_tier(supervisor: Supervisor, tier: tuple[str, ...], clock: Clock) -> None:
    for name in tier:
        with contextlib.suppress(RefusedError):  # It does not run.
            supervisor.call("stopProcess", name, False)
    deadline_ns = clock.mono_ns() + STOP_S * 1_000_000_000
    while any(info["statename"] == "STOPPING" for info in supervisor.processes().values()):
        if clock.mono_ns() >= deadline_ns:
            return  # The shutdown that follows kills.
        clock.pause_ms(POLL_MS)


def supervisor_pid(house: House, supervisor: Supervisor) -> int:
    """Return the process of this checkout's supervisor, answering or not; 0 when there is none."""
    pid = supervisor.pid()
    if pid and _is_supervisor(house, pid):
        return pid
    return next((other for other in psutil.pids() if _is_supervisor(house, other)), 0)


def _is_supervisor(house: House, pid: int) -> bool:
    # A number may be another's by now, and a house beside this one has a supervisor, too.
    try:
        process = psutil.Process(pid)
        program, *rest = process.cmdline()[:3] or [""]
        named = "supervisor.supervisord" in rest
        named |= any(Path(part).name == "supervisord" for part in (program, *rest[:1]))
        lives = named and process.status() != psutil.STATUS_ZOMBIE
        return lives and Path(process.cwd()) == house.root
    except psutil.Error:
        return False


def _stop_orphans(house: House, clock: Clock, tell: Tell) -> bool:
    found = False
    for name in _leased(house):
        lease = Lease(house.run / f"{name}.lease")
        if _free(lease, clock, 0):
            continue
        found = True
        tell(f"{name} runs without a supervisor; it is given {ORPHAN_S} s to leave ...")
        if not _free(lease, clock, ORPHAN_S):
            _end(lease, signal.SIGTERM)
        if not _free(lease, clock, ORPHAN_S):
            _end(lease, signal.SIGKILL)
        if not _free(lease, clock, ORPHAN_S):
            raise NotReadyError(
                f"{name} still holds {lease.path}", f"End process {lease.holder()} by hand"
            )
    return found


def _leased(house: House) -> list[str]:
    return sorted(path.stem for path in house.run.glob("*.lease"))


def _free(lease: Lease, clock: Clock, wait_s: int) -> bool:
    deadline_ns = clock.mono_ns() + wait_s * 1_000_000_000
    while lease.path.exists():
        if _cleared(lease):
            return True
        if clock.mono_ns() >= deadline_ns:
            return False
        clock.pause_ms(POLL_MS)
    return True


def _cleared(lease: Lease) -> bool:
    try:
        return lease.clear()
    except OSError:  # On a disk that is read-only the file stays, and binds nobody.
        return not lease.alive()


def _end(lease: Lease, number: signal.Signals) -> None:
    # The kernel says that the lease is held, and only its holder writes its number there.
    holder = lease.holder()
    if holder.isdigit() and int(holder) != os.getpid():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(holder), number)


def _gone(house: House, pid: int, clock: Clock, wait_s: int) -> bool:
    deadline_ns = clock.mono_ns() + wait_s * 1_000_000_000
    while _is_supervisor(house, pid):
        if clock.mono_ns() >= deadline_ns:
            return False
        clock.pause_ms(POLL_MS)
    return True


def _clear(house: House, supervisor: Supervisor) -> None:
    stale: list[Path] = [house.run / name for name in FILES]
    for name in house.programs:
        stale += [house.run / f"{name}.{kind}" for kind in KINDS]
    stale += [supervisor.socket, supervisor.pid_file]
    stale += supervisor.directory.glob(f"{supervisor.socket.name}.*")
    for path in stale:
        with contextlib.suppress(OSError):  # A read-only disk keeps what is nobody's any more.
            path.unlink()
