"""Files of bars for backtests: a random walk, and a market that stands still."""

from pathlib import Path
from random import Random

START_MS = 1_750_000_020_000 // 60_000 * 60_000
HEADER = "timestamp_ms,open,high,low,close,volume\n"


def walk_file(path: Path, minutes: int, seed: int = 1, step: float = 0.001) -> Path:
    """Write a walk of so many minutes."""
    chance, px, lines = Random(seed), 60_000.0, [HEADER]
    for minute in range(minutes):
        close = px * (1 + chance.gauss(0, step))
        high = max(px, close) * (1 + abs(chance.gauss(0, step / 2)))
        low = min(px, close) * (1 - abs(chance.gauss(0, step / 2)))
        lines.append(_line(minute, (px, high, low, close), chance.uniform(1, 30)))
        px = round(close, 2)
    path.write_text("".join(lines))
    return path


def flat_file(path: Path, minutes: int) -> Path:
    """Write a market whose price never moves."""
    lines = [_line(minute, (60_000.0,) * 4, 10.0) for minute in range(minutes)]
    path.write_text("".join([HEADER, *lines]))
    return path


def _line(minute: int, prices: tuple[float, ...], volume: float) -> str:
    cells = [f"{START_MS + minute * 60_000}", *(f"{px:.2f}" for px in prices), f"{volume:.5f}"]
    return ",".join(cells) + "\n"
