"""A fresh copy of this checkout, in a path with a space, run by real processes on free ports."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it ships none, and the lock has none

from bus.clock import SystemClock
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / ".." / "shared" / "data"
PATIENCE_S = 90
POLL_MS = 100
FOLDERS = ("data/run", "logs/system", "logs/trading", "logs/audit", "logs/archive")


class Checkout:
    """One house for a test; leave it by `close`, which ends every process that it started."""

    def __init__(self, **environ: str) -> None:
        self.clock = SystemClock()
        # A socket's path must be short, and the temporary directory of macOS is not.
        self.top = Path(tempfile.mkdtemp(prefix="rrr.", dir="/tmp"))
        self.root = self.top / "a house"
        self.environ = _clean_environment() | environ
        _copy(self.root)
        (self.root / ".venv").symlink_to(ROOT / ".venv")
        ports = {name: free_port() for name in ("web", "metrics", "venue")}
        lines = ["[ports]", *(f"{name} = {port}" for name, port in ports.items())]
        (self.root / "settings.local.toml").write_text("\n".join(lines) + "\n")
        self.venue = f"http://127.0.0.1:{ports['venue']}"

    def run(self, *command: str, timeout_s: int = PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """Run one of the environment's programs from the root; its output is kept."""
        program = str(self.root / ".venv" / "bin" / command[0])
        return subprocess.run(
            [program, *command[1:]],
            cwd=self.root,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def rrr(self, *args: str, timeout_s: int = PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """Run the command line."""
        return self.run("python", "-m", "services.rrr", *args, timeout_s=timeout_s)

    def up(self) -> None:
        """Start everything."""
        done = self.rrr("up")
        assert done.returncode == 0, done.stdout + done.stderr

    def status(self) -> dict[str, Any]:
        """Return `rrr status --json`."""
        report: dict[str, Any] = json.loads(self.rrr("status", "--json").stdout)
        return report

    @property
    def run_dir(self) -> Path:
        """Where sockets and leases are."""
        return self.root / "data" / "run"

    def journal_dir(self) -> Path:
        """Return where the journals of the world are that runs here."""
        clock = self.run_dir / "clock.json"  # Only a market that is made here has one.
        told = json.loads(clock.read_text()) if clock.exists() else self.status()
        world: str = told["world"]
        return self.root / "data" / world / "journal"

    def kill(self, name: str) -> None:
        """Kill -9 a process, and wait until all is READY again, with another one in its place."""
        before = self.pids()[name]
        os.kill(before, signal.SIGKILL)
        self.until(f"{name} is back", lambda: self._replaced(name, before))

    def _replaced(self, name: str, before: int) -> bool:
        now = self.status()
        pids = {one["name"]: one["pid"] for one in now["services"]}
        return bool(now["ready"]) and pids[name] not in (0, before)

    def pids(self) -> dict[str, int]:
        """Return the process of each program."""
        return {one["name"]: one["pid"] for one in self.status()["services"] if one["pid"]}

    def query(self, shard: str, sql: str) -> list[dict[str, Any]]:
        """Return the rows of `rrr db query`."""
        done = self.rrr("db", "query", shard, sql, "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def until(self, what: str, holds: Callable[[], Any], patience_s: int = PATIENCE_S) -> Any:
        """Wait until something holds, and return it; fail with everybody's log when it does not."""
        deadline_ns = self.clock.mono_ns() + patience_s * 1_000_000_000
        while not (found := holds()):
            assert self.clock.mono_ns() < deadline_ns, f"{what}: not in time\n{self.story()}"
            self.clock.pause_ms(POLL_MS)
        return found

    def story(self) -> str:
        """Return the last lines of every log."""
        logs = sorted((self.root / "logs" / "system").glob("*.out"))
        tails = ["\n".join(path.read_text(errors="replace").splitlines()[-12:]) for path in logs]
        return "\n".join(f"== {log.name}\n{tail}" for log, tail in zip(logs, tails, strict=True))

    def processes(self) -> list[psutil.Process]:
        """Return every process that runs out of this copy."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def left_behind(self) -> list[str]:
        """Return every process, socket and lease that is still there."""
        files = [path.name for path in (self.root / "data" / "run").iterdir()]
        processes = [" ".join(process.cmdline()) for process in self.processes()]
        return [name for name in files if name != ".gitkeep"] + processes

    def close(self) -> None:
        """End what a failed test left, and remove the copy."""
        if self.processes():
            self.rrr("down")
        for process in self.processes():
            process.kill()
        shutil.rmtree(self.top, ignore_errors=True)

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            ended = process.status() == psutil.STATUS_ZOMBIE
            return not ended and any(str(self.root) in part for part in process.cmdline())
        except psutil.Error:
            return False


def _clean_environment() -> dict[str, str]:
    ours = ("RRR_", "MODE", "SUPERVISOR_")
    return {key: value for key, value in os.environ.items() if not key.startswith(ours)}


def _copy(target: Path) -> None:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listing.stdout.split("\0")):
        source, copy = ROOT / name, target / name
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)
    for folder in FOLDERS:
        (target / folder).mkdir(parents=True, exist_ok=True)
