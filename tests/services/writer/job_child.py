"""Jobs that behave badly, each in a process of its own, as a writer begins them."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from bus.clock import SystemClock
from bus.errors import ShardError
from services.writer import job
from services.writer.backup_proof import opened
from services.writer.job import Progress

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


def run(args: Mapping[str, str], progress: Progress) -> str:
    """Do what the test says, once it is told that we are here."""
    if "here" in args:
        Path(args["here"]).write_text(str(os.getpid()))
    return DOES[args["do"]](args, progress)


def work(_args: Mapping[str, str], _progress: Progress) -> str:
    return "all of it"


def loop(_args: Mapping[str, str], progress: Progress) -> str:
    while True:
        progress(0.5)
        SystemClock().pause_ms(1)


def query(args: Mapping[str, str], progress: Progress) -> str:
    with opened(Path(args["path"]), progress) as db:
        db.execute(ENDLESS).fetchall()
    return "never"


def hang(_args: Mapping[str, str], _progress: Progress) -> str:
    while True:
        SystemClock().pause_ms(1000)


def shout(_args: Mapping[str, str], progress: Progress) -> str:
    for _ in range(2000):
        progress(0.1)
        os.write(2, b"x" * 500 + b"\n")
    raise ShardError("y" * 100_000, "less")


def fail(_args: Mapping[str, str], _progress: Progress) -> str:
    raise ShardError("it is damaged", "mend it")


def fall(_args: Mapping[str, str], _progress: Progress) -> str:
    sys.stderr.write("a long story\nand its end\n")
    sys.stderr.flush()
    os._exit(9)


def inherit(_args: Mapping[str, str], _progress: Progress) -> str:
    held = [path for path in Path("/proc/self/fd").iterdir() if path.name not in "012"]
    return " ".join(str(path.readlink()) for path in held if path.exists())


DOES: dict[str, Callable[[Mapping[str, str], Progress], str]] = {
    function.__name__: function
    for function in (work, loop, query, hang, shout, fail, fall, inherit)
}

if __name__ == "__main__":
    job.RUNS["test"] = "tests.services.writer.job_child"
    job.main(sys.argv[1])
