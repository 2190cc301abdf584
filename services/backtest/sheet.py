"""Reads bars of any length that the house knows from a CSV file, and refuses what is damaged.

Columns are found by their names: open, high, low, close, volume, and the time, which is named or
stands first. Times are ISO text, or numbers since 1970; numbers become integers, exactly, up to
the digits that a float makes up where a program printed one.
"""

import gzip
import re
import warnings
import zlib
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from pathlib import Path
from typing import NoReturn

import msgspec
import numpy as np

from bus.errors import HouseError
from schema.setting_types import TIMEFRAMES_NS
from schema.units import DAY_NS, MINUTE_NS, iso
from services.backtest.columns import (
    EXP,
    Columns,
    columns_of,
    fitting_exp,
    money_of,
    rescaled,
    rounded,
    step_of,
    timeframe_of,
)
from services.venue.noise import Flags, Ints

PARTS = ("open", "high", "low", "close", "volume")
TIMES = frozenset({"timestamp", "timestamp_ms", "time", "date", "datetime", "open_time"})
PLAIN = frozenset("0123456789.")
EXACT = 2.0**50
"""Below it a float times a power of ten is nearest to one whole number alone."""

INT_MAX = 2**62
FINEST = Decimal(1).scaleb(-EXP)
DIGITS_OF_FLOAT = 15
NS_OF_DIGITS = ((11, 10**9), (14, 10**6), (17, 10**3), (20, 1))
"""A time of fewer digits counts seconds, milliseconds, microseconds or nanoseconds."""

LEAST_DIGITS = 9
SHOWN = 80
AS_FILE = -1
QUOTES = ("USDT", "USDC", "USD", "EUR")
_NAME = re.compile(r"([A-Z]{1,15})[._].*")
_PAIR = re.compile(rf"([A-Z]{{1,15}})[_-]({'|'.join(QUOTES)})(?![A-Z]).*")

Texts = Sequence[str]


class Grain(msgspec.Struct, frozen=True):
    """Decimals of prices and quantities.

    AS_FILE: prices have as many as the file shows, and quantities as many as fit; but daily bars
    with whole volumes are of shares, which are traded whole.
    """

    px: int = AS_FILE
    qty: int = AS_FILE


def read_sheet(path: Path, grain: Grain) -> Columns:
    """Return the bars of a file; HouseError names the line of what could not be traded."""
    places, texts = _cells(path)
    open_ns = _times(path, texts[places[0]])
    timeframe = _timeframe(path, open_ns)
    *sides, (volume, qty_exp) = (_numbers(path, texts[place]) for place in places[1:])
    px_exp = max(exp for _, exp in sides)
    prices = [rescaled(column, exp, px_exp) for column, exp in sides]
    _check(path, prices, volume)
    if grain.px != AS_FILE:
        prices = [rounded(column, px_exp, grain.px) for column in prices]
        px_exp = min(px_exp, grain.px)
    fine = grain.qty
    if fine == AS_FILE:
        shares = qty_exp == 0 and TIMEFRAMES_NS[timeframe] >= DAY_NS
        fine = 0 if shares else fitting_exp(volume, open_ns, qty_exp)
    volume = rescaled(volume, qty_exp, fine)
    money, money_exp = money_of(prices[3], volume, open_ns, (px_exp, fine))
    trades = np.zeros(len(open_ns), np.int64)
    columns = (open_ns, *prices, volume, money, trades)
    return columns_of(timeframe, columns, (px_exp, fine, money_exp))


def symbol_of(path: Path) -> str | None:
    """Return the symbol that a file's name begins with, None when it tells none."""
    if pair := _PAIR.fullmatch(path.name.upper()):
        return f"{pair[1]}/{pair[2]}"
    found = _NAME.fullmatch(path.name.upper())
    if found is None:
        return None
    name = found[1]
    for quote in QUOTES:
        base = name.removesuffix(quote)
        if base not in {"", name}:
            return f"{base}/{quote}"
    return f"{name}/USD"


def refuse(path: Path, row: int, expected: str, found: str) -> NoReturn:
    """Raise what is wrong with a row; the first one behind the header is row 0."""
    raise HouseError(
        f"{path}:{row + 2}: expected {expected}, found {found}",
        "Correct the file, or name another one with --file",
    )


def _cells(path: Path) -> tuple[list[int], list[list[str]]]:
    """Return the places of time, prices and volume, and the texts of all columns."""
    header, *lines = _text(path).splitlines() or [""]
    names = [name.strip().strip('"').lower() for name in header.split(",")]
    places = _places(path, header, names)
    while lines and not lines[-1].strip():
        del lines[-1]
    if not lines:
        refuse(path, 0, "a row of numbers", "the end of the file")
    width = len(names)
    counts = [line.count(",") + 1 for line in lines]
    if counts.count(width) != len(lines):
        row = next(row for row, count in enumerate(counts) if count != width)
        refuse(path, row, f"{width} columns", f"{counts[row]}: {_short(lines[row])}")
    cells = ",".join(lines).split(",")
    return places, [cells[place::width] for place in range(width)]


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():  # A pipe or a device may never end.
        raise HouseError(f"{path} is no file", "Name a CSV file, or a CSV.gz, with --file")
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise HouseError(
            f"{path} cannot be read: {error}", "Name a CSV file, or a CSV.gz, with --file"
        ) from error


def _places(path: Path, header: str, names: list[str]) -> list[int]:
    if any(part not in names for part in PARTS):
        expected = f"a header with a time, {', '.join(PARTS)}"
        refuse(path, -1, expected, _short(header))
    time = next((place for place, name in enumerate(names) if name in TIMES), 0)
    if names[time] in PARTS:
        refuse(path, -1, "a time in the first column, or a column named so", _short(header))
    return [time, *(names.index(part) for part in PARTS)]


def _times(path: Path, texts: Texts) -> Ints:
    digits = len(texts[0]) if texts[0].isdecimal() else 0
    try:
        if digits >= LEAST_DIGITS:
            unit_ns = next(unit for most, unit in NS_OF_DIGITS if digits <= most)
            found = np.array(texts, np.int64) * unit_ns
        else:
            found = _iso_times(texts)
    except (ValueError, OverflowError, StopIteration):
        bad = next((row for row, text in enumerate(texts) if not _is_time(text, digits)), 0)
        expected = "an ISO time in UTC, or a number since 1970 like the first one"
        refuse(path, bad, expected, _short(texts[bad]))
    if (row := _first(np.diff(found) <= 0)) is not None:
        refuse(path, row + 1, f"a time after {texts[row]}", texts[row + 1])
    return found


def _iso_times(texts: Texts) -> Ints:
    with warnings.catch_warnings():  # That no zone is kept: these are in UTC once they are read.
        warnings.simplefilter("ignore", UserWarning)
        return np.array(texts, "datetime64[ns]").astype(np.int64)


def _is_time(text: str, digits: int) -> bool:
    if digits:
        return text.isdecimal() and len(text) == digits
    try:
        _iso_times([text])
    except ValueError:
        return False
    return True


def _timeframe(path: Path, open_ns: Ints) -> str:
    step_ns = step_of(open_ns)
    timeframe = timeframe_of(step_ns)
    if timeframe is None:
        expected = f"bars of {', '.join(TIMEFRAMES_NS)}"
        refuse(path, 0, expected, f"mostly bars of {step_ns / MINUTE_NS:g} minutes")
    if (row := _first(open_ns % step_ns != 0)) is not None:
        refuse(path, row, f"the start of a bar of {timeframe}", iso(int(open_ns[row])))
    return timeframe


def _numbers(path: Path, texts: Texts) -> tuple[Ints, int]:
    exp = _most_decimals(texts)
    if exp <= EXP and set("".join(texts)) <= PLAIN:
        try:
            floats = np.array(texts, np.float64) * 10.0**exp
        except ValueError:
            return _slowly(path, texts)
        if float(floats.max()) < EXACT:
            return np.rint(floats).astype(np.int64), exp
    return _slowly(path, texts)


def _most_decimals(texts: Texts) -> int:
    found = len(texts[0].partition(".")[2])
    if found and {text[-found - 1 : -found] for text in texts} == {"."}:
        return found  # Most files write all numbers of a column alike.
    return max([len(text) - text.find(".") - 1 if "." in text else 0 for text in texts])


def _slowly(path: Path, texts: Texts) -> tuple[Ints, int]:
    found = [_number(path, row, text) for row, text in enumerate(texts)]
    exp = max(0, *(-int(number.normalize().as_tuple().exponent) for number in found))
    scaled = [int(number.scaleb(exp)) for number in found]
    if (row := next((row for row, n in enumerate(scaled) if n >= INT_MAX), None)) is not None:
        refuse(path, row, f"a number below {INT_MAX // 10**exp}", texts[row])
    return np.array(scaled, np.int64), exp


def _number(path: Path, row: int, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        refuse(path, row, "a plain decimal number", repr(text))
    if not number.is_finite() or number < 0:
        refuse(path, row, "a plain decimal number", repr(text))
    if int(number.normalize().as_tuple().exponent) >= -EXP:
        return number
    if len(number.as_tuple().digits) <= DIGITS_OF_FLOAT:
        refuse(path, row, f"at most {EXP} decimals", text)
    return number.quantize(FINEST, ROUND_HALF_EVEN)


def _check(path: Path, prices: list[Ints], volume: Ints) -> None:
    open_, high, low, close = prices
    if (row := _first(low <= 0)) is not None:
        refuse(path, row, "prices above zero", "another one")
    apart = (low > np.minimum(open_, close)) | (high < np.maximum(open_, close))
    if (row := _first(apart)) is not None:
        refuse(path, row, "low <= open, close <= high", "another order")
    if (row := _first(volume < 0)) is not None:
        refuse(path, row, "a volume of zero or more", "less")


def _first(flags: Flags) -> int | None:
    hits = np.flatnonzero(flags)
    return int(hits[0]) if len(hits) else None


def _short(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}...")
