"""Everything around a service inside its process: sockets, log, signals, the market's clock.

It lives from the moment that the lease is held until the service has said goodbye, and it notices
three wishes to end: a signal, `drain`, and a supervisor that is gone.
"""

import gc
import os
import resource
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from bus.build import code_hash, contract_hash, settings_hash
from bus.clock import Clock, MarketTime, SystemClock, read_market_time, write_market_time
from bus.control import Control
from bus.errors import DisplacedError, SettingsError
from bus.house import House
from bus.intake import wanted
from bus.journals import DiskJournals
from bus.keeper import limits_of
from bus.lease import Lease
from bus.log import Log
from bus.pulse import Pulse
from bus.runner import Runner
from bus.service import Edge, Parts
from bus.wire import Wire

if TYPE_CHECKING:
    from bus.edge import EdgeThread

Origin = Callable[[House], int]

FILES_MIN = 1024
FILES_WANTED = 8192
ORPHAN_S = 5.0
CLOCK_WAIT_MS = 50
STDIN = 0
LOOK_NS = 500_000_000
"""How often its parent and the files of its place are looked for: too dear for every pass."""


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


class Shell:
    """The surroundings of one service."""

    def __init__(self, house: House, service: str, clock: SystemClock, lease: Lease) -> None:
        _raise_file_limit()
        self.house = house
        self._lease = lease
        self._look_ns = 0
        self.clock = clock
        self._signals = Signals()
        self._wire = Wire(house.run, service)
        self._wire.watch(self._signals.fd)
        self._supervised = "SUPERVISOR_ENABLED" in os.environ
        self._parent = os.getppid()
        if self._supervised:
            self._wire.watch(STDIN)
        self._pulse = Pulse(service, self._wire, clock)
        self._pulse.world = house.world
        self._pulse.contract = contract_hash(house)
        self._pulse.code = code_hash(house, service)
        self._pulse.settings = settings_hash(house)
        limits = house.settings.log
        sizes = (limits.file_mib << 20, limits.files)
        self._log = Log(house.log_dir, service, house.world, clock, sizes)

    def start_clock(self, origin: Origin | None) -> str:
        """Begin to tell market time; return why to end instead, or nothing."""
        if self.house.settings.mode != "local":
            self.clock.start(MarketTime(0, 0, 1.0, self.house.world))
            return ""
        path, scale = self.house.run / "clock.json", self.house.settings.clock.scale
        control = Control(self._wire, self._pulse, self._log, None)
        while (found := read_market_time(path, self.house.world, scale)) is None:
            if origin is not None:
                made = MarketTime(origin(self.house), self.clock.wall_ns(), scale, self.house.world)
                write_market_time(path, made)
                continue
            self._pulse.become("STARTING", f"it waits for {path}, which venue writes")
            self._pulse.beat()
            control.take()
            if why := self._ended(self._wire.wait(CLOCK_WAIT_MS), draining=control.draining):
                return why
        self.clock.start(found)
        return ""

    def serve(self, parts: Parts) -> None:
        """Run a service until it is to end."""
        edge = _edge_thread(parts.edge, self.clock) if parts.edge is not None else None
        if parts.edge is not None and parts.edge.stdin:
            self._log.console = 2
            if self._supervised:
                self._wire.unwatch(STDIN)
        if edge is not None:
            self._wire.watch(edge.fd)
        self._wire.hear(wanted(parts.core))
        limits = limits_of(self.house.settings.bus)
        journals = DiskJournals(self.house.journal_dir, self.clock, limits)
        runner = Runner(parts, self._wire, journals, self._pulse, self._log, edge)
        runner.start()
        os.nice(parts.core.niceness)
        gc.freeze()  # What stands now stands for good: no collection looks at it again.
        while not (why := self._ended(runner.wait(), draining=runner.draining)):
            runner.turn()
        self._log.say("stopping", reason=why)
        runner.stop(why)

    def close(self) -> None:
        """Leave the bus."""
        self._wire.close()
        self._log.close()

    def _ended(self, ready: frozenset[int], *, draining: bool) -> str:
        if self._signals.fd in ready:
            self._signals.clear()
        if self._signals.asked:
            return "told to stop"
        if STDIN in ready and not os.read(STDIN, 4096):
            _leave_in_time()
            return "its supervisor is gone"
        if draining:
            return "told to drain"
        now_ns = self.clock.mono_ns()
        if now_ns >= self._look_ns:
            self._look_ns = now_ns + LOOK_NS
            self._require_place()
            if self._supervised and os.getppid() != self._parent:
                _leave_in_time()  # Where standard input is not its own, nothing else tells.
                return "its supervisor is gone"
        return ""

    def _require_place(self) -> None:
        # Without its lease a second process could write the same journals; without its sockets
        # nobody new can hear it. Neither can be put back without a race; a start takes a second.
        lost = self._wire.lost() if self._lease.held() else self._lease.path
        if lost is not None:
            raise DisplacedError(
                f"{lost} was removed or replaced while this process held it",
                "Leave data/run alone while the house runs; `rrr status` shows whether it is back",
            )


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted_files = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft < wanted_files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted_files, hard))
    if max(soft, wanted_files) < FILES_MIN:
        raise SettingsError(
            f"this process may open {wanted_files} files, at least {FILES_MIN} are needed",
            "Raise `ulimit -n` for whoever starts the house",
        )


def _edge_thread(edge: Edge, clock: Clock) -> "EdgeThread":
    from bus.edge import EdgeThread  # noqa: PLC0415 - asyncio costs 8 MB; a writer needs none

    return EdgeThread(edge, clock)


def _leave_in_time() -> None:
    # The supervisor was killed: a new one may be starting the same service already.
    signal.signal(signal.SIGALRM, lambda *_: os._exit(70))
    signal.setitimer(signal.ITIMER_REAL, ORPHAN_S)
