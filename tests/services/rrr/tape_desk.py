"""A house whose journals are recorded and played: in this process, and as `rrr` in others."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from bus.audit import audit
from bus.clock import SystemClock
from bus.copy import Copy
from bus.house import House
from bus.journal import open_reader
from schema.frame import Frame, pack
from schema.streams import STREAMS
from services.rrr import rrr
from tests.services.rrr.answering import bare_environment
from tests.services.rrr.trade_day import Day, bought, feed

OTHERS = [name for name in os.environ if name.startswith(("RRR_", "MODE"))]
DEADLINE_NS = 20_000_000_000
STREAMS_OF_A_DAY = (
    "engine.intent", "gateway.order", "ingest.bar", "ingest.feed", "ingest.trade",
    "predictor.forecast", "risk.verdict",
)  # fmt: skip


def traded(house: House) -> Day:
    """Let a trade be made, and say that the feed is well."""
    day = Day(house)
    bought(day)
    for state in ("OK", "STALE", "OK"):
        day.say(feed(state))
    return day


def run(*args: str, env: dict[str, str] | None = None) -> Result:
    """Run `rrr bus` in this process."""
    return CliRunner(env={**dict.fromkeys(OTHERS), **(env or {})}).invoke(rrr, ("bus", *args))


def told(*args: str, env: dict[str, str] | None = None) -> Any:
    """Return the last line that `rrr bus` says in this process, as JSON."""
    done = run(*args, "--json", env=env)
    assert done.exit_code == 0, done.output + repr(done.exception)
    return json.loads(done.output.splitlines()[-1])


@contextmanager
def started(house: House, *args: str, **files: Any) -> "Iterator[subprocess.Popen[bytes]]":
    """Run `rrr bus` as a process in the house; it has ended when the block has."""
    with subprocess.Popen(
        [sys.executable, "-m", "services.rrr", "bus", *args],
        cwd=house.root,
        env=bare_environment(),
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **files},
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def frames(journals: Path, name: str) -> list[Frame]:
    """Return all frames of a stream."""
    stream, found = STREAMS[name], []
    reader = open_reader(journals / stream.owner / stream.channel, stream)
    after = 0
    while more := reader.read(after):
        found += more
        after = more[-1].last
    reader.close()
    return found


def raw(journals: Path, name: str) -> list[bytes]:
    """Return all frames of a stream as bytes."""
    return [pack(frame) for frame in frames(journals, name)]


def problems(journals: Path, name: str) -> list[str]:
    """Return what an audit finds wrong in a stream."""
    stream = STREAMS[name]
    found = audit(journals / stream.owner / stream.channel, stream)
    assert found.records
    return found.problems


def journals_of(home: Path) -> Path:
    """Return the journals of a sandbox."""
    (world,) = (home / "data").glob("play-*")
    return world / "journal"


def until(holds: Any) -> None:
    """Wait for a condition."""
    clock = SystemClock()
    deadline_ns = clock.mono_ns() + DEADLINE_NS
    while not holds():
        assert clock.mono_ns() < deadline_ns
        clock.pause_ms(5)


def written(directory: Path, name: str, *said: Frame) -> Copy:
    """Write frames into a recording by hand."""
    stream = STREAMS[name]
    copy = Copy(directory / stream.owner / stream.channel, stream, SystemClock())
    copy.add(said)
    return copy
