"""Mint, sieve and tally as real processes of a house of their own, started again when they die."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from bus.clock import SystemClock
from bus.errors import HouseError, UnreachableError
from bus.house import House, open_house
from bus.wire import ask
from schema.house import Heartbeat
from tests.chaos.parts import Mint, Sieve, Tally
from tests.chaos.shelf import counted

ROOT = Path(__file__).parents[2]
ROLES = (Mint.name, Sieve.name, Tally.name)
END_S = 60
POLL_MS = 20


class Troupe:
    """Leave it by `close`, which ends every process that it started."""

    def __init__(self, house: House, until: int, rate: int, **environ: str) -> None:
        foreign = ("RRR_", "MODE", "SUPERVISOR")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        self.environ = inherited | {
            "MODE": "paper",
            "PYTHONPATH": str(ROOT),
            "SUPERVISOR_ENABLED": "1",  # They leave when this process does.
            **environ,
        }
        self.house = open_house(house.root, {"MODE": "paper", **environ})
        self.clock = SystemClock()
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.starts = dict.fromkeys(ROLES, 0)
        self._args = (str(until), str(rate))
        self._errors = house.root / "errors.txt"

    def start(self, role: str, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Start one of them, in the place of one that has ended."""
        before = self.processes.get(role)
        if before is not None:
            assert before.poll() is not None, f"{role} lives"
            _let_go(before)
        with self._errors.open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.actor", role, *self._args],
                cwd=self.house.root,
                env=self.environ,
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=errors,
                text=True,
            )
        self.processes[role] = process
        self.starts[role] += 1
        return process

    def start_all(self) -> None:
        """Start all three at once, in no order that they could rely on."""
        for role in reversed(ROLES):
            self.start(role)

    def revive(self) -> None:
        """Start whoever was killed; AssertionError when one ended by itself."""
        for role, process in list(self.processes.items()):
            code = process.poll()
            if code is not None:
                assert code == -signal.SIGKILL, f"{role} ended with {code}: {self.errors()}"
                self.start(role)

    def send(self, role: str, number: signal.Signals) -> None:
        """Send a signal to one of them."""
        self.processes[role].send_signal(number)

    def kill(self, role: str) -> None:
        """Kill -9 one of them, and see it gone."""
        self.send(role, signal.SIGKILL)
        self.processes[role].wait(END_S)

    def status(self, role: str) -> Heartbeat | None:
        """Return its heartbeat of this moment; None while it does not answer."""
        try:
            body = ask(self.house.run, role, "status", timeout_ms=500).body
        except UnreachableError:
            return None
        return msgspec.msgpack.decode(body, type=Heartbeat)

    def until(self, what: str, holds: Callable[[], object], patience_s: int = END_S) -> None:
        """Wait until something holds; AssertionError when it does not come."""
        deadline_ns = self.clock.mono_ns() + patience_s * 1_000_000_000
        while not holds():
            assert self.clock.mono_ns() < deadline_ns, f"{what}: not in time; {self.errors()}"
            self.clock.pause_ms(POLL_MS)

    def trades_counted(self) -> int:
        """Return how many trades the shard of the tally holds; 0 while there is none."""
        try:
            count = counted(self.house.db_dir).get("ingest.trade")
        except HouseError:
            return 0
        return count.count if count else 0

    def keep_snapshot(self, role: str) -> None:
        """Ask for a snapshot, as a person may; it may be dead just now."""
        try:
            ask(self.house.run, role, "snapshot", timeout_ms=300)
        except UnreachableError:
            return

    def stop_all(self) -> None:
        """Tell all to stop, and see that they leave in peace."""
        for role in ROLES:
            self.send(role, signal.SIGTERM)
        for role in ROLES:
            code = self.processes[role].wait(END_S)
            assert code == 0, f"{role} ended with {code}: {self.errors()}"

    def errors(self) -> str:
        """Return what they said on standard error."""
        return self._errors.read_text()[-4000:]

    def close(self) -> None:
        """End every process that is still there."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait(END_S)
            _let_go(process)


def _let_go(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:
        process.stdin.close()
