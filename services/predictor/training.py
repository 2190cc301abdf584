"""From the bars of the market shard to a model on the shelf; as a process, beside a predictor.

The process is nice, and ends when whoever started it does: it looks at its standard input, a pipe
that nobody writes to, between two steps.
"""

import contextlib
import hashlib
import os
import select
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

import msgspec

from bus.bars import open_bars
from bus.clock import Clock, SystemClock
from bus.errors import HouseError
from schema.market import Bar
from schema.setting_types import TIMEFRAMES_NS
from services.predictor.card import Card, ModelError
from services.predictor.dataset import Rows, Split, bars_of, fingerprint, rows_of, split
from services.predictor.features import NAMES, VERSION
from services.predictor.lesson import Lesson, TooFewBarsError
from services.predictor.measures import measure, measure_baselines
from services.predictor.shelf import install

NICE = 19
ORPHAN_CODE = 70

Tell = Callable[[str], None]


def learn(lesson: Lesson, clock: Clock, tell: Tell) -> tuple[Card, Path]:
    """Train on the newest stored bars and install the model; return its card and its folder."""
    series = read_bars(lesson)
    tell(f"{sum(map(len, series.values()))} bars of {' '.join(series)}")
    weights, card = train(lesson, series, clock, tell)
    return card, install(Path(lesson.models), lesson.world, weights, card)


def read_bars(lesson: Lesson) -> dict[str, list[Bar]]:
    """Return the newest bars of each symbol that has enough of them."""
    series: dict[str, list[Bar]] = {}
    most = (0, lesson.symbols[0])
    behind = tuple(map(Path, lesson.history))
    with open_bars(Path(lesson.db_dir), history=behind) as reader:
        for symbol in lesson.symbols:
            found = reader.last(symbol, lesson.timeframe, lesson.history_bars)
            most = max(most, (len(found), symbol))
            if len(found) >= lesson.bars_needed:
                series[symbol] = bars_of(symbol, lesson.timeframe, found.exponents, found.rows())
    if not series:
        raise TooFewBarsError(
            f"the market shard in {lesson.db_dir} has {most[0]} bars of {lesson.timeframe} of "
            f"{most[1]}, and no symbol has more; expected at least {lesson.bars_needed}",
            "Wait until more of them have closed, or train on a shorter timeframe",
        )
    return series


def train(
    lesson: Lesson, series: Mapping[str, Sequence[Bar]], clock: Clock, tell: Tell
) -> tuple[bytes, Card]:
    """Return the weights of a model that learned from these bars, and its card."""
    began_ns = clock.mono_ns()
    rows = rows_of(series, lesson.horizon_bars)
    parts = _parts(lesson, rows)
    tell(f"{len(rows)} rows; importing torch")
    fitting = _fitting()
    fitted = fitting.fit(parts.learn, parts.stop, lesson.epochs, _told(tell, lesson.epochs))
    unseen = parts.validate
    card = Card(
        name=f"perceptron-{len(NAMES)}-{'-'.join(map(str, fitting.HIDDEN))}-1",
        sha256=hashlib.sha256(fitted.weights).hexdigest(),
        world=lesson.world,
        features=NAMES,
        features_version=VERSION,
        symbols=tuple(series),
        timeframe=lesson.timeframe,
        horizon_bars=lesson.horizon_bars,
        data_first_ns=min(bars[0].open_ns for bars in series.values()),
        data_last_ns=max(bars[-1].ts_event for bars in series.values()),
        data_hash=fingerprint(series),
        bars=sum(map(len, series.values())),
        rows=len(rows),
        rows_validation=len(unseen),
        metrics=measure(fitted.probabilities(unseen.features), unseen.ups),
        baselines=measure_baselines(parts.learn, unseen),
        epochs=fitted.epochs,
        seed=fitting.SEED,
        made_ns=clock.wall_ns(),
        took_ms=(clock.mono_ns() - began_ns) // 1_000_000,
        torch=fitting.BUILD,
    )
    return fitted.weights, card


def _fitting() -> ModuleType:
    try:
        return import_module("services.predictor.fitting")  # Torch takes a second and 200 MB.
    except ModuleNotFoundError as error:
        raise ModelError(
            f"training needs torch: {error}", "Run `make up`, which installs it"
        ) from error


def _parts(lesson: Lesson, rows: Rows) -> Split:
    parts = split(rows, lesson.horizon_bars * TIMEFRAMES_NS[lesson.timeframe])
    if not min(len(parts.learn), len(parts.stop), len(parts.validate)):
        raise TooFewBarsError(
            f"{len(rows)} bars of {lesson.timeframe} have an outcome: expected some in each of "
            "three stretches of time, to learn from, to stop by and to validate with",
            f"A horizon of {lesson.horizon_bars} bars and holes take their share: wait until more "
            "have closed, and see that predictor.history_bars allows for them",
        )
    return parts


def _told(tell: Tell, epochs: int) -> Callable[[int, float, float], None]:
    return lambda epoch, loss, unseen: tell(
        f"epoch {epoch}/{epochs}: log loss {loss:.5f}, {unseen:.5f} on bars it has not seen"
    )


def _require_parent(_line: str) -> None:
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    if ready and not os.read(sys.stdin.fileno(), 4096):
        os._exit(ORPHAN_CODE)


def main() -> None:
    """Train as a process of its own; a failure is one line on standard error and its code."""
    with contextlib.suppress(OSError):
        os.nice(NICE)
    try:
        lesson = msgspec.json.decode(sys.argv[1], type=Lesson)
        card, _ = learn(lesson, SystemClock(), _require_parent)
    except HouseError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    sys.stdout.write(f"{card.sha256}\n")


if __name__ == "__main__":
    main()
