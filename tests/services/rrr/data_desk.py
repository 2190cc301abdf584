"""`rrr data` in a home of its own, and small files of bars in every form that people publish."""

import gzip
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner

from bus.bars import open_bars
from bus.clock import SystemClock
from bus.errors import HouseError
from schema.setting_types import TIMEFRAMES_NS
from services.rrr.data import data
from tests.services.market_desk import at

START = "2024-03-01T00:00:00"
HEADER = "timestamp,open,high,low,close,volume"
FOREVER_NS = 1 << 62
REAL = Path(__file__).parents[4] / "shared" / "data"
"""Recorded markets beside the checkout, where there are any."""


class Answer(msgspec.Struct):
    """How a verb ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.out)

    @property
    def files(self) -> list[dict[str, Any]]:
        """What became of each file."""
        found: list[dict[str, Any]] = self.json["files"]
        return found


class Desk:
    """A home, and somebody who types into a terminal there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.home = path / "home"
        self.home.mkdir()
        inherited = {name: None for name in os.environ if name.startswith("RRR_")}
        self.environ: dict[str, str | None] = {
            **inherited,
            "RRR_HOME": str(self.home),
            "RRR_RUN": str(path / "run"),
            "MODE": "paper",
        }

    def rrr(self, *words: str | Path) -> Answer:
        """Run `rrr data` with some words."""
        result = CliRunner().invoke(data, [str(word) for word in words], env=self.environ)
        error = result.exception
        if isinstance(error, HouseError):
            return Answer(error.exit_code, result.stdout, f"{result.stderr}{error}")
        if error is not None and not isinstance(error, SystemExit):
            raise error
        return Answer(result.exit_code, result.stdout, result.stderr)

    def take(self, *words: str | Path) -> dict[str, Any]:
        """Import one file without archiving; return what became of it."""
        answer = self.rrr("import", "--json", "--no-archive", *words)
        (file,) = answer.files
        assert answer.code == (1 if file["status"] == "refused" else 0), answer.err
        return file

    def place(self, exchange: str = "binance") -> Path:
        return self.home / "data" / "historical" / exchange

    def bars(
        self,
        symbol: str = "BTC/USDT",
        timeframe: str = "1m",
        exchange: str = "binance",
        span_ns: tuple[int, int] = (0, FOREVER_NS),
    ) -> list[tuple[str, ...]]:
        """Return open time in s, OHLCV, quote volume and trades, as plain decimals."""
        with open_bars(self.place(exchange) / "db", SystemClock()) as reader:
            found = reader.between(symbol, timeframe, *span_ns)
            px, qty, quote = found.exponents
            exps = (9, px, px, px, px, qty, quote, 0)
            return [
                tuple(plain(n, exp) for n, exp in zip(row, exps, strict=True))
                for row in found.rows()
            ]

    def report(self, file: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the lines of a file's report."""
        lines = Path(file["report"]).read_bytes().splitlines()
        return [msgspec.json.decode(line) for line in lines]

    def write(
        self, lines: Iterable[str], name: str = "BTC_USDT-1m.csv", header: str = HEADER
    ) -> Path:
        """Write a file of bars."""
        text = "\n".join([*([header] if header else []), *lines, ""])
        path = self.path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        packed = name.endswith(".gz")
        path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
        return path


def plain(n: int, exp: int) -> str:
    """Return a number without zeros at its end."""
    digits = str(n).rjust(exp + 1, "0")
    whole, rest = (digits[:-exp], digits[-exp:].rstrip("0")) if exp else (digits, "")
    return f"{whole}.{rest}" if rest else whole


def values(number: int) -> tuple[str, ...]:
    """Return OHLCV of the n-th bar."""
    base = 100 + number
    return f"{base}.5", f"{base + 2}.25", f"{base - 1}", f"{base + 1}.125", f"{number + 1}.0001"


def lines(numbers: Sequence[int], unit: int = 1000, timeframe: str = "1m") -> list[str]:
    """Return bars as text: time in 1/unit s, then OHLCV."""
    return [",".join([str(opens_s(n, timeframe) * unit), *values(n)]) for n in numbers]


def opens_s(number: int, timeframe: str = "1m") -> int:
    """Return when the n-th bar opens, in s."""
    return (at(START) + number * TIMEFRAMES_NS[timeframe]) // 10**9


def expected(
    numbers: Sequence[int], timeframe: str = "1m", more: tuple[str, ...] = ("0", "0")
) -> list[tuple[str, ...]]:
    """Return what those bars are, read back."""
    return [(str(opens_s(n, timeframe)), *values(n), *more) for n in numbers]
