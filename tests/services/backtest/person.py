"""Somebody with a house of their own, who asks `rrr backtest`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from click.testing import CliRunner, Result

from bus.clock import ManualClock
from bus.house import open_house
from bus.lease import Lease
from bus.migrations import KINDS
from bus.service import Heard
from bus.shard import open_writer
from schema.house import BacktestResult
from schema.streams import STREAMS
from services.backtest.keeping import keep
from services.backtest.record import Record
from services.rrr import rrr
from services.rrr.said import said_from
from services.writer.core import Writer
from services.writer.effects import Keep
from services.writer.file_store import FileStore
from services.writer.folds import fold_of
from tests.services.backtest.recorded import walk_file
from tests.services.writer.analytics_desk import LIMITS

ROOT = Path(__file__).parents[3]
SHARD = "backtest"
STREAM = STREAMS["backtest.result"]


class Person:
    """Somebody with a home of their own."""

    def __init__(self, path: Path, mode: str = "local") -> None:
        places = {"RRR_RUN": str(path / "run"), "RRR_HOME": str(path), "MODE": mode}
        foreign = ("RRR_", "MODE", "SUPERVISOR")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        self.environ = inherited | places
        self.house = open_house(ROOT, self.environ)
        self.file = walk_file(path / "walk.csv", 60)

    def asks(self, *words: str) -> Result:
        others = {k: None for k in os.environ if k.startswith(("RRR_", "MODE"))}
        runner = CliRunner(env={**others, **self.environ})
        return runner.invoke(rrr, ["backtest", *words])

    def runs(self, *words: str, strategy: str = "pulse") -> Result:
        file = ("--file", str(self.file), "--symbol", "BTC/USDT")
        return self.asks(strategy, *file, *words)

    def starts(self, *words: str, **more: str) -> subprocess.Popen[str]:
        return self._started(words, self.environ | more, subprocess.PIPE, subprocess.PIPE)

    def tells(self, out: Path, *words: str) -> subprocess.Popen[str]:
        """Start a program that writes all that it says into a file."""
        with out.open("w") as file:
            return self._started(words, self.environ, file, subprocess.STDOUT)

    def _started(
        self, words: tuple[str, ...], environ: dict[str, str], out: int | IO[str], errors: int
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-u", "-m", *words],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=errors,
            text=True,
        )

    def kept(self) -> list[BacktestResult]:
        seen = said_from(self.house.journal_dir, "backtest.result", 1)
        return [one.message for one in seen if isinstance(one.message, BacktestResult)]

    def keeps(self, *records: Record) -> None:
        """Have runs said, as `rrr backtest` does it."""
        for one in records:
            keep(self.house, one, ManualClock())

    def folds(self) -> None:
        """Let the shard take all that was said."""
        self.house.db_dir.mkdir(parents=True, exist_ok=True)
        self.house.run.mkdir(exist_ok=True)
        lease = Lease(self.house.run / "shard_backtest.lease")
        assert lease.take()
        file = open_writer(KINDS[SHARD], self.house.db_dir / f"{SHARD}.db", self.house.world)
        store = FileStore(file, fold_of(SHARD), lease, ManualClock(), LIMITS)
        heard = list(self._heard(store.cursors().get(STREAM.number, 0)))
        outs = [out for one in heard for out in Writer(SHARD).hear(one, 0)]
        kept = [out for out in outs if isinstance(out, Keep)]
        store.commit(kept, {STREAM.number: heard[-1].pos})
        store.close()

    def _heard(self, after: int) -> Iterator[Heard]:
        for seen in said_from(self.house.journal_dir, STREAM.name, after + 1):
            yield Heard(seen.message, STREAM.number, seen.pos, seen.ts_ns, 0)
