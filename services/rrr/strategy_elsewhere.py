"""Another interpreter, in which a strategy is rehearsed while it is looked at in this one."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

import msgspec

from bus.errors import HouseError
from bus.plain import printable
from services.backtest.fresh import TASK, TOLD, Told, packed_task
from services.backtest.rehearsal import Task

SEED = "4321"
"""Of the hashes there; here they have another one, or none."""


class Elsewhere:
    """Another interpreter that rehearses while something else is done here."""

    def __init__(self, task: Task) -> None:
        self._work = tempfile.TemporaryDirectory(prefix="rrr.")
        folder = Path(self._work.name)
        (folder / TASK).write_bytes(packed_task(task))
        self._answer = folder / TOLD
        self._complaint = folder / "complaint"
        with self._complaint.open("wb") as complaint:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "services.backtest.fresh", str(folder)],
                cwd=Path(__file__).parents[2],
                env={**os.environ, "PYTHONHASHSEED": SEED},
                stdin=subprocess.DEVNULL,
                stdout=complaint,
                stderr=complaint,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._work.cleanup()

    def told(self, timeout_s: float) -> Told:
        """Return what it came to; HouseError when it does not come to anything."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise HouseError(
                f"another interpreter is not done after {timeout_s:.0f} s",
                "A strategy that waits for something sees what `view` shows, and nothing else",
            ) from error
        if code:
            said = self._complaint.read_text("utf-8", errors="replace").strip().splitlines()[-1:]
            raise HouseError(
                f"another interpreter ended with {code}: {printable(' '.join(said))}",
                "The strategy may have ended it",
            )
        return msgspec.msgpack.decode(self._answer.read_bytes(), type=Told)
