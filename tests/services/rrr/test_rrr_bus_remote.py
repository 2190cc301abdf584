"""Watching from elsewhere, as `ssh HOST rrr bus watch --json` does: through a pipe that stalls.

The watcher reads files, so a pipe that nobody empties holds up the watcher alone. Nothing is timed
here: a publisher that was held up, or that kept what was not read, would show in what is counted.
"""

import json
import os
import select
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, Any

import pytest

from bus.clock import SystemClock
from bus.house import House
from tests.services.bare import ROOT, entered_house
from tests.services.rrr.answering import bare_environment
from tests.services.rrr.tape_desk import started, traded

pytestmark = pytest.mark.slow

COUNT = 40_000
GROWN_BYTES_MAX = 48 << 20
"""Twice what a stuck subscriber may cost, and the fluctuation of an allocator."""

STALL_MS = 2000
WATCH = ("watch", "ingest.feed", "--json")


@pytest.fixture
def house() -> Iterator[House]:
    with entered_house() as made:
        yield made


def publish(house: House, count: int = COUNT) -> dict[str, Any]:
    """Let a publisher say all that it has; return what it tells of itself."""
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.services.rrr.loud_child",
            str(house.run), str(house.journal_dir), str(count),
        ],
        cwd=ROOT, env=bare_environment(), capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def lines(pipe: IO[bytes], count: int) -> list[dict[str, Any]]:
    """Return so many lines of a pipe, each of them JSON."""
    return [json.loads(pipe.readline()) for _ in range(count)]


def is_full(pipe: IO[bytes]) -> bool:
    """Return whether something waits in a pipe."""
    return bool(select.select([pipe], [], [], 0)[0])


def test_a_pipe_that_stalls_costs_the_publisher_nothing_and_loses_nothing(house: House) -> None:
    with started(house, *WATCH, "-o", "beginning", "-n", str(COUNT)) as watch:
        assert watch.stdout is not None
        told = publish(house)
        assert told["said"] == COUNT
        assert told["grown"] < GROWN_BYTES_MAX
        SystemClock().pause_ms(STALL_MS)  # The pipe has been full for long.
        assert is_full(watch.stdout)
        assert watch.poll() is None
        seen = lines(watch.stdout, COUNT)
        assert [one["state"] for one in seen] == [f"S{number}" for number in range(COUNT)]
        out, err = watch.communicate(timeout=20)
        assert (watch.returncode, out, err) == (0, b"", b"")


def test_a_watcher_from_the_end_goes_on_after_a_stall_where_it_was(house: House) -> None:
    traded(house).close()
    with started(house, *WATCH, "-o", "-1") as watch:
        assert watch.stdout is not None
        assert lines(watch.stdout, 1)[0]["state"] == "OK"  # It is there.
        publish(house)
        SystemClock().pause_ms(STALL_MS)
        seen = [one["state"] for one in lines(watch.stdout, COUNT)]
        assert seen == [f"S{number}" for number in range(COUNT)]
        watch.terminate()
        watch.communicate()


def test_a_reader_that_takes_five_lines_ends_the_watch_without_a_word(house: House) -> None:
    publish(house, 5000)
    watch = (
        f"{shlex.quote(sys.executable)} -m services.rrr bus watch ingest.feed --json -o beginning"
    )
    ended = house.home / "ended"
    done = subprocess.run(
        ["/bin/sh", "-c", f'({watch}; echo $? > "{ended}") | head -5'],
        cwd=house.root, env=bare_environment(), capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    states = [json.loads(line)["state"] for line in done.stdout.splitlines()]
    assert states == [f"S{number}" for number in range(5)]
    assert ended.read_text().strip() == "0"


def test_a_connection_that_is_cut_ends_the_watch_at_its_next_word(house: House) -> None:
    publish(house, 100)
    read_end, write_end = os.pipe()
    with started(house, *WATCH, "-o", "beginning", stdout=write_end) as watch:
        os.close(write_end)
        with os.fdopen(read_end, "rb") as pipe:
            assert len(lines(pipe, 100)) == 100
        publish(house, 100)
        assert watch.wait(timeout=20) == 0
        assert watch.stderr is not None
        assert watch.stderr.read() == b""
