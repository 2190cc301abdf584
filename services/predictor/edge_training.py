"""The training beside the predictor: a process of its own, which never outlives it."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

import msgspec

from bus.clock import Clock
from bus.errors import HouseError
from schema.units import MINUTE_NS
from services.predictor.lesson import Lesson

RETRY_NS = 5 * MINUTE_NS
GROWTH_MAX = 1.02
"""A shard that grows faster between two looks is being filled with history: that is worth a wait.
"""

ROOT = Path(__file__).parents[2]
LAST_WORDS_BYTES = 2000


class Training:
    """At most one process that trains; after a failure it rests for RETRY_NS."""

    def __init__(self, lesson: Lesson) -> None:
        self._lesson = lesson
        self._process: Process | None = None
        self._words: asyncio.Task[bytes] | None = None
        self._rest_until_ns = 0
        self._bars = 0

    @property
    def runs(self) -> bool:
        """Whether one was begun whose outcome nobody has asked for."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The process that trains; 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    def due(self, clock: Clock) -> bool:
        """Return whether there is history enough, it has come to rest, and so have we."""
        if clock.mono_ns() < self._rest_until_ns:
            return False
        counts = self._counts()
        before, self._bars = self._bars, sum(counts)
        enough = max(counts) >= self._lesson.bars_needed
        return enough and self._bars <= before * GROWTH_MAX

    async def begin(self, clock: Clock) -> None:
        """Start the process; its standard input is the sign that we live."""
        self._rest_until_ns = clock.mono_ns() + RETRY_NS
        order = msgspec.json.encode(self._lesson).decode()
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.predictor.training", order),
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=PIPE,
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert self._process.stderr is not None
        self._words = asyncio.create_task(self._process.stderr.read())

    def outcome(self) -> str | None:
        """Return None while it runs, then once why it failed, or nothing when it has not."""
        process, words = self._process, self._words
        assert process is not None
        assert words is not None
        if process.returncode is None or not words.done():
            return None
        self._process = self._words = None
        if process.returncode == 0:
            return ""
        last = words.result()[-LAST_WORDS_BYTES:].decode(errors="replace").strip().splitlines()
        return last[-1] if last else f"it ended with {process.returncode}"

    async def end(self) -> None:
        """Stop the process, if one runs, and wait until it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    def _counts(self) -> list[int]:
        from bus.bars import open_bars  # noqa: PLC0415 - who trains nothing needs no SQLite

        lesson = self._lesson
        behind = tuple(map(Path, lesson.history))
        try:
            with open_bars(Path(lesson.db_dir), history=behind) as reader:
                return [reader.count(symbol, lesson.timeframe) for symbol in lesson.symbols]
        except HouseError:
            return [0]  # There is no shard yet.
