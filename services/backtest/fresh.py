"""A rehearsal in an interpreter of its own, where sets and texts have another order.

Its task and its answer lie in a folder whose path is the one argument.
"""

import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from schema.forecast import Forecast
from schema.settings import Settings
from schema.strategy import Offer
from services.backtest.columns import Columns
from services.backtest.history import History
from services.backtest.outside import Outside
from services.backtest.rehearsal import Rehearsal, Task
from services.backtest.witness import Trace, Witness

TASK, TOLD = "task", "told"
STATM = Path("/proc/self/statm")


class Packed(msgspec.Struct, frozen=True):
    """A task on its way to another process."""

    offer: Offer
    settings: Settings
    base: dict[str, dict[str, Any]]
    span: tuple[int, int]
    forecasts: tuple[Forecast, ...]


class Told(msgspec.Struct, frozen=True):
    """What the calls there came to, and by how much a run makes the process larger."""

    traces: tuple[Trace, ...]
    grown_bytes: int


def main() -> None:
    """Rehearse what lies in a folder, and write beside it what it came to."""
    folder = Path(sys.argv[1])
    task = _unpacked((folder / TASK).read_bytes())
    traces = _traces(task)
    first = _resident_bytes()
    _traces(task)  # What the first run left behind is there once more.
    grown = _resident_bytes() - first
    (folder / TOLD).write_bytes(msgspec.msgpack.encode(Told(traces, grown)))


def _traces(task: Task) -> tuple[Trace, ...]:
    witness = Witness(Outside())
    Rehearsal(task, witness).play()
    return witness.traces


def packed_task(task: Task) -> bytes:
    """Return a task as another process takes it."""
    base = {symbol: _plain(columns) for symbol, columns in task.history.base.items()}
    span = (task.start_ns, task.stop_ns)
    return msgspec.msgpack.encode(Packed(task.offer, task.settings, base, span, task.forecasts))


def _unpacked(data: bytes) -> Task:
    found = msgspec.msgpack.decode(data, type=Packed)
    base = {symbol: _columns(plain) for symbol, plain in found.base.items()}
    return Task(found.offer, found.settings, History(base), *found.span, found.forecasts)


def _plain(columns: Columns) -> dict[str, Any]:
    values = msgspec.structs.asdict(columns)
    return {k: v.tobytes() if isinstance(v, np.ndarray) else v for k, v in values.items()}


def _columns(plain: dict[str, Any]) -> Columns:
    values = {name: _column(value) for name, value in plain.items()}
    return Columns(**values)


def _column(value: Any) -> Any:
    return np.frombuffer(value, np.int64).copy() if isinstance(value, bytes) else value


def _resident_bytes() -> int:
    if not STATM.exists():
        return 0
    return int(STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
