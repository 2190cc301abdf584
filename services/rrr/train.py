"""`rrr train`: make a model of the stored bars, in the foreground, and let it forecast."""

import sys
from pathlib import Path

import click
import msgspec

from bus.clock import SystemClock
from bus.house import House
from bus.migrations import KINDS
from bus.rows import shard_files
from services.predictor.card import Card
from services.predictor.lesson import Lesson, lesson_of
from services.rrr.pipes import reader_may_leave
from services.rrr.screen import duration, table
from services.rrr.standing import standing_house
from services.rrr.survey import NotReadyError, running_house

BARS_MIN = 500
COLUMNS = ("log_loss", "brier", "hit_ratio", "auc", "spread")


@click.command()
@click.option("--symbols", help="Which, e.g. BTC/USDT,ETH/USDT; without it those of the settings.")
@click.option("--bars", type=click.IntRange(BARS_MIN), help="The newest of each symbol, at most.")
@click.option("--epochs", type=click.IntRange(1), help="Passes over them, at most.")
@click.option("--json", "as_json", is_flag=True, help="The model's card as one JSON object.")
def train(symbols: str | None, bars: int | None, epochs: int | None, *, as_json: bool) -> None:
    """Train a model on the market shard, and let the predictor forecast with it.

    It is measured on the newest fifth of the time, which it has not seen. Exits 3 while there are
    too few bars.
    """
    house = running_house(standing_house())
    lesson = _lesson(house, symbols, bars, epochs)
    if not shard_files(house.db_dir, KINDS["market"]) and not lesson.history:
        raise NotReadyError(
            f"there is no market shard in {house.db_dir} yet",
            "Start the house with `rrr up`: its first bars come within seconds",
        )
    from services.predictor.training import learn  # noqa: PLC0415 - a word of help needs no numpy

    card, folder = learn(lesson, SystemClock(), _tell)
    _tell("")
    with reader_may_leave():
        click.echo(msgspec.json.encode(card).decode() if as_json else _report(card, folder))


def _lesson(house: House, symbols: str | None, bars: int | None, epochs: int | None) -> Lesson:
    lesson = lesson_of(house)
    chosen = lesson.symbols if symbols is None else tuple(symbols.upper().split(","))
    for symbol in chosen:
        if symbol not in lesson.symbols:
            known = ", ".join(lesson.symbols)
            raise click.UsageError(f"no symbol {symbol!r} in this house; there are {known}")
    return msgspec.structs.replace(
        lesson,
        symbols=chosen,
        history_bars=bars or lesson.history_bars,
        epochs=epochs or lesson.epochs,
    )


def _tell(line: str) -> None:
    # One line that is written over: only a terminal can show it.
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{line}", err=True, nl=False)


def _report(card: Card, folder: Path) -> str:
    measured = {"model": card.metrics, **card.baselines}
    cells = [
        (name.replace("_", " "), *(f"{metrics[column]:.4f}" for column in COLUMNS))
        for name, metrics in measured.items()
    ]
    head = ("", *(column.replace("_", " ").upper() for column in COLUMNS))
    seconds = (card.data_last_ns - card.data_first_ns) / 1e9
    made = f"{card.bars} bars of {duration(seconds)}, {card.epochs} epochs, {card.took_ms} ms"
    unseen = f"on {card.rows_validation} rows that it has not seen"
    return "\n".join(
        [
            f"Model {card.sha256[:16]} for {card.world}: {' '.join(card.symbols)} {card.timeframe}",
            made,
            f"Where the price is {card.horizon_bars} bars later, {unseen}:",
            "",
            *table([head, *cells]),
            "",
            f"It lies in {folder}, and the predictor takes it within seconds.",
        ]
    )
