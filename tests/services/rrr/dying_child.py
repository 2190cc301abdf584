"""Runs `rrr db` again and again, each time killed one step later.

`python -m tests.services.rrr.dying_child PLACE WORDS...`: `@` in the words is a place of each run.
Prints how many runs were killed; the last one was not.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from services.rrr import db_export, db_import
from services.rrr.db import db

STEPS = frozenset({"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod"})
READING = os.O_WRONLY | os.O_RDWR
LOADED = (db_export, db_import)


class Death:
    """Comes at the n-th step that changes something under a place."""

    def __init__(self, place: Path, at: int) -> None:
        self._place = str(place)
        self._left = at

    def __call__(self, event: str, values: tuple[Any, ...]) -> None:
        if event not in STEPS or not str(values[0]).startswith(self._place):
            return
        if event == "open" and not (isinstance(values[2], int) and values[2] & READING):
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def run(place: Path, words: list[str], at: int) -> bool:
    """Run once in a child; return whether it was killed."""
    child = os.fork()
    if child == 0:
        sys.addaudithook(Death(place, at))
        done = CliRunner().invoke(db, [word.replace("@", str(place / str(at))) for word in words])
        os._exit(0 if done.exit_code == 0 else 1)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        assert status == 0, "a run that was not killed failed"
    return os.WIFSIGNALED(status)


def main(place: Path, words: list[str]) -> None:
    at = 1
    while run(place, words, at):
        at += 1
    sys.stdout.write(f"{at - 1}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
