"""Stretches of time, moments, sizes and paths as a person writes them for a recording."""

import os
import re
from errno import ENAMETOOLONG
from math import isfinite
from pathlib import Path
from typing import Any

import click

from schema.units import SECOND_NS, parse_iso
from services.rrr.places import span_ns

SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_size = re.compile(r"(\d+)([kmg]?)", re.IGNORECASE | re.ASCII)


class FilePath(click.Path):
    """A path that a file may have, there or not."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            Path(value).stat()
        except OSError as error:
            if error.errno == ENAMETOOLONG:
                self.fail(f"a name of {len(os.fspath(value))} characters is too long", param, ctx)
        return super().convert(value, param, ctx)


def stretch_ns(text: str) -> int:
    """Return a stretch like 10m, or 1.5 for seconds, in nanoseconds."""
    try:
        seconds = float(text)
    except ValueError:
        return span_ns(text)
    if not isfinite(seconds) or not 0 <= seconds < 1e9:
        raise click.UsageError(f"no stretch of time {text!r}; expected seconds, or 90s, 10m, 2h")
    return int(seconds * SECOND_NS)


def moment_ns(text: str, now_ns: int) -> int:
    """Return a wall time: @ISO-TIME, or @-10m for a time ago."""
    if text.startswith("@-"):
        return now_ns - span_ns(text[2:])
    try:
        return parse_iso(text.removeprefix("@"))
    except ValueError as error:
        raise click.UsageError(f"no time {text!r}; expected @ISO-TIME or @-10m") from error


def size_bytes(text: str) -> int:
    """Return a size like 500k, 64m or 2g in bytes."""
    found = _size.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise click.UsageError(f"no size {text!r}; expected a form like 500k, 64m, 2g")
    return int(found[1]) * SIZES[found[2].lower()]
