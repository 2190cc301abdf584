"""A PostgreSQL server of a test's own: a throwaway directory, a free loopback port, its own pid."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bus.clock import SystemClock
from tests.ports import free_port

ROOTS = ("/usr/lib/postgresql", "/usr/pgsql-15", "/opt/homebrew/opt", "/usr/local/opt")
PASSWORD = "its/own@secret"
START_NS = 20_000_000_000
FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "jit=off")


class Postgres:
    """A running server, and whoever makes databases in it."""

    def __init__(self, binaries: Path, directory: Path) -> None:
        self.binaries = binaries
        self.port = free_port()
        self.data = directory / "data"
        self._user = _unprivileged()
        self._log = directory / "log"
        self._made = 0
        self._initialise(directory)
        self.start()

    def start(self) -> None:
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", *FAST]
        settings += [f"unix_socket_directories={self.data}", "timezone=Asia/Kathmandu"]
        words = [word for one in settings for word in ("-c", one)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.binaries / "postgres", "-D", self.data, *words],
                stdout=log,
                stderr=log,
                env=_environment(),
                **self._as(),
            )
        self._await()

    def end(self) -> None:
        """End every process of the server at once, by the first one's id: nobody needs its data."""
        self.process.send_signal(signal.SIGQUIT)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def database(self, sql: str = "", encoding: str = "UTF8") -> str:
        """Make a database, fill it, and return its name."""
        self._made += 1
        name = f"old_{self._made}"
        with self.connect("postgres") as db:
            db.execute(
                f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 "
                "LC_COLLATE 'C' LC_CTYPE 'C'".encode()
            )
        if sql:
            with self.connect(name) as db:
                db.execute(sql.encode())
        return name

    def connect(self, name: str) -> "psycopg.Connection[Any]":
        address = f"host=127.0.0.1 port={self.port} user=boss dbname={name}"
        return psycopg.connect(address, password=PASSWORD, autocommit=True)

    def url(self, name: str, user: str = "boss", password: str = "its%2Fown%40secret") -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{name}"

    def dump(self, name: str, path: Path, *words: str) -> Path:
        """Write a database into a file with pg_dump."""
        subprocess.run(
            [self.binaries / "pg_dump", "--dbname", self.url(name), f"--file={path}", *words],
            check=True,
            capture_output=True,
        )
        return path

    def _initialise(self, directory: Path) -> None:
        secret = directory / "secret"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        words = ["--auth=scram-sha-256", "--username=boss", f"--pwfile={secret}", "--no-sync"]
        done = subprocess.run(
            [self.binaries / "initdb", "-D", self.data, "-E", "UTF8", "--locale=C", *words],
            check=False,
            capture_output=True,
            text=True,
            env=_environment(),
            **self._as(),
        )
        if done.returncode:
            pytest.skip(f"initdb does not run here: {done.stderr.strip()[-200:]}")

    def _as(self) -> dict[str, Any]:
        if self._user is None:
            return {"cwd": "/"}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "cwd": "/"}

    def _await(self) -> None:
        clock = SystemClock()
        until_ns = clock.mono_ns() + START_NS
        while True:
            with suppress(psycopg.OperationalError):
                self.connect("postgres").close()
                return
            if self.process.poll() is not None or clock.mono_ns() > until_ns:
                pytest.skip(f"PostgreSQL does not start here: {self._log.read_text()[-300:]}")
            clock.pause_ms(30)


def _unprivileged() -> pwd.struct_passwd | None:
    # initdb refuses to run as root.
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    return pytest.skip("PostgreSQL does not run as root, and there is nobody else here")


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C"}


def binaries() -> Path:
    """Return where a server's programs are; skip where none is installed."""
    for root in map(Path, ROOTS):
        found = sorted(root.glob("*/bin/initdb")) + sorted(root.glob("bin/initdb"))
        if found:
            return found[-1].parent
    known = shutil.which("initdb")
    if known:
        return Path(known).parent
    return pytest.skip("no PostgreSQL server is installed (Debian: apt install postgresql)")


@contextmanager
def running() -> Iterator[Postgres]:
    """Run a server for so long."""
    programs = binaries()
    directory = Path(tempfile.mkdtemp(prefix="rrrpg", dir="/tmp"))
    user = _unprivileged()
    if user is not None:
        os.chown(directory, user.pw_uid, user.pw_gid)
    server = None
    try:
        server = Postgres(programs, directory)
        yield server
    finally:
        if server is not None:
            server.end()
        shutil.rmtree(directory)
