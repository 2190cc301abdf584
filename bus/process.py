"""The shell of a process: settings, lease, sockets, clock, world, then the runner; and the way out.

Whatever ends a process is written to `<run>/<service>.exit`, so that the warden and a person know
why. Code 0 is a clean stop; 70 an orphan that its supervisor left; the rest is in bus/errors.py.
"""

import contextlib
import faulthandler
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from bus.build import code_hash, contract_hash
from bus.clock import Clock, MarketTime, SystemClock, read_market_time, write_market_time
from bus.errors import HouseError, SettingsError
from bus.house import House, open_house, settle_world
from bus.intake import wanted
from bus.journals import DiskJournals
from bus.lease import Lease
from bus.log import Log
from bus.pulse import Pulse
from bus.runner import Runner
from bus.service import Edge, Parts
from bus.wire import Wire

if TYPE_CHECKING:
    from bus.edge import EdgeThread

Build = Callable[[House, Clock], Parts]
Origin = Callable[[House], int]

FILES_MIN = 1024
FILES_WANTED = 8192
ORPHAN_S = 5.0
SWITCH_S = 0.0005
CLOCK_WAIT_MS = 50
STDIN = 0


class Exit(msgspec.Struct):
    """The last word of a process."""

    code: int
    message: str
    at_ns: int


class Signals:
    """SIGTERM and SIGINT as a flag and a wake-up; the second one ends the process at once."""

    def __init__(self) -> None:
        self.asked = 0
        self._in, self._out = socket.socketpair()
        self._in.setblocking(False)
        self._out.setblocking(False)
        signal.set_wakeup_fd(self._out.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._take)

    @property
    def fd(self) -> int:
        return self._in.fileno()

    def clear(self) -> None:
        """Forget the wake-up that was heard."""
        self._in.recv(4096)

    def _take(self, number: int, _frame: object) -> None:
        self.asked += 1
        if self.asked > 1:
            os._exit(128 + number)


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
        _tell(error)
        sys.exit(error.exit_code)
    try:
        _live(house, service, clock, build, origin, market=market)
    except HouseError as error:
        _last_word(house, service, error.exit_code, str(error), clock)
        _tell(error)
        sys.exit(error.exit_code)
    except Exception as error:
        _last_word(house, service, 1, f"{type(error).__name__}: {error}", clock)
        raise
    _last_word(house, service, 0, "stopped", clock)


def _tell(error: HouseError) -> None:
    sys.stderr.write(f"{error}\n")


def _last_word(house: House, service: str, code: int, message: str, clock: Clock) -> None:
    path = house.run / f"{service}.exit"
    with contextlib.suppress(OSError):  # A full disk is told on the console, too.
        path.write_bytes(msgspec.json.encode(Exit(code, message, clock.wall_ns())))


def _live(
    house: House,
    service: str,
    clock: SystemClock,
    build: Build,
    origin: Origin | None,
    *,
    market: bool,
) -> None:
    house.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    _raise_file_limit()
    lease = Lease(house.run / f"{service}.lease")
    lease.wait(clock)
    settle_world(house)
    signals = Signals()
    wire = Wire(house.run, service)
    wire.watch(signals.fd)
    pulse = Pulse(service, wire, clock)
    pulse.world = house.world
    pulse.contract, pulse.code = contract_hash(house), code_hash(house, service)
    try:
        if market:
            clock.start(_market_time(house, clock, pulse, wire, signals, origin))
        if not signals.asked:
            _serve(house, pulse, wire, signals, build(house, clock))
    finally:
        wire.close()
        lease.release()


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted_files = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft < wanted_files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted_files, hard))
    elif soft < FILES_MIN:
        raise SettingsError(
            f"this process may open {soft} files, at least {FILES_MIN} are needed",
            "Raise `ulimit -n` for whoever starts the house",
        )


def _market_time(
    house: House,
    clock: SystemClock,
    pulse: Pulse,
    wire: Wire,
    signals: Signals,
    origin: Origin | None,
) -> MarketTime:
    if house.settings.mode != "local":
        return MarketTime(origin_ns=0, anchor_ns=0, scale=1.0, world=house.world)
    path = house.run / "clock.json"
    scale = house.settings.clock.scale
    while (found := read_market_time(path, house.world, scale)) is None and not signals.asked:
        if origin is not None:
            made = MarketTime(origin(house), clock.wall_ns(), scale, house.world)
            write_market_time(path, made)
            continue
        pulse.become("STARTING", f"it waits for the market clock, {path}, which venue writes")
        pulse.beat()
        for command in wire.commands():
            pulse.answer_status(command)
        wire.wait(CLOCK_WAIT_MS)
    return found or MarketTime(0, 0, scale, house.world)


def _serve(house: House, pulse: Pulse, wire: Wire, signals: Signals, parts: Parts) -> None:
    limits = house.settings.log
    log = Log(
        house.log_dir,
        pulse.service,
        house.world,
        pulse.clock,
        (limits.file_mib << 20, limits.files),
    )
    edge = _edge_thread(parts.edge, pulse.clock) if parts.edge is not None else None
    wire.hear(wanted(parts.core.hears))
    own_stdin = parts.edge is not None and parts.edge.stdin
    log.console = 2 if own_stdin else 1
    if edge is not None:
        wire.watch(edge.fd)
    if "SUPERVISOR_ENABLED" in os.environ and not own_stdin:
        wire.watch(STDIN)
    runner = Runner(parts, wire, DiskJournals(house.journal_dir, pulse.clock), pulse, log, edge)
    runner.start()
    reason = _loop(runner, signals)
    log.say("stopping", reason=reason)
    runner.stop(reason)
    log.close()


def _edge_thread(edge: Edge, clock: Clock) -> "EdgeThread":
    from bus.edge import EdgeThread  # noqa: PLC0415 - asyncio costs 8 MB; a writer needs none

    return EdgeThread(edge, clock)


def _loop(runner: Runner, signals: Signals) -> str:
    while not signals.asked and not runner.draining:
        ready = runner.wait()
        if signals.fd in ready:
            signals.clear()
        if STDIN in ready and not os.read(STDIN, 4096):
            _leave_in_time()
            return "its supervisor is gone"
        runner.turn()
    return "told to stop" if signals.asked else "told to drain"


def _leave_in_time() -> None:
    # The supervisor was killed: a new one may be starting the same service already.
    signal.signal(signal.SIGALRM, lambda *_: os._exit(70))
    signal.setitimer(signal.ITIMER_REAL, ORPHAN_S)
