"""How a watcher writes what it sees: lines to read, JSON, CSV, a format of its own."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import click
import msgspec

from bus.plain import printable
from schema.units import SECOND_NS, iso, iso_ms
from services.rrr.bus_fields import columns, field, key_of, raw_field, require_field
from services.rrr.ears import Lost, Seen
from services.rrr.lines import (
    as_json,
    body_text,
    fields,
    head,
    json_text,
    lost_text,
    shortened,
    value_text,
)
from services.rrr.places import position_text

CSV_HEAD = ("stream", "pos", "ts_ns", "type")
LETTERS: dict[str, Callable[[Seen], str]] = {
    "s": lambda seen: seen.stream,
    "p": lambda seen: str(seen.pos),
    "P": lambda seen: position_text(seen.pos),
    "t": lambda seen: iso(seen.ts_ns),
    "T": lambda seen: str(seen.ts_ns),
    "y": lambda seen: type(seen.message).__name__,
    "k": lambda seen: key_of(seen.message),
    "m": lambda seen: json_text(fields(seen.message)),
}
"""What a letter behind % stands for."""

_mark = re.compile(r"%(?:\{([^}]*)\}|(.)|$)|\\([nt\\])", re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t", "\\": "\\"}


class Style(msgspec.Struct, frozen=True):
    """How a person wants it."""

    fields: tuple[str, ...] = ()
    json: bool = False
    csv: bool = False
    format: str | None = None
    timestamp: bool = False
    delta: bool = False
    headers_only: bool = False
    chars_max: int = 0
    lost: bool = True


class Shape:
    """Makes lines; one for each watch, since it tells the time between messages."""

    def __init__(self, style: Style, streams: Sequence[str]) -> None:
        for name in style.fields:
            require_field(name, streams)
        self._style = style
        self._columns = list(style.fields) or columns(streams)
        self._before_ns = 0
        self._line = self._chosen(streams)

    def head(self) -> str | None:
        """Return the line above all others, if there is one."""
        if not self._style.csv:
            return None
        return _row([*CSV_HEAD, *([] if self._style.headers_only else self._columns)])

    def line(self, seen: Seen) -> str | None:
        """Return the line of a message; None when it has none of the fields asked for."""
        wanted = self._style.fields
        if wanted and all(raw_field(seen, name) is None for name in wanted):
            return None
        return self._line(seen)

    def lost(self, lost: Lost) -> tuple[str, bool]:
        """Return what is missing as a line, and whether it may stand among the others."""
        if self._style.json:
            found = {"stream": lost.stream, "pos": lost.pos, "ts_ns": lost.ts_ns}
            return json_text(found | {"type": "Lost", "lost": lost.count}), True
        return lost_text(lost), not self._style.csv and self._style.format is None

    def _chosen(self, streams: Sequence[str]) -> Callable[[Seen], str]:
        style = self._style
        if style.format is not None:
            return _formatted(style.format, streams)
        if style.csv:
            return self._as_csv
        return self._as_json if style.json else self._as_text

    def _as_text(self, seen: Seen) -> str:
        style, kind = self._style, type(seen.message).__name__
        parts = [iso(seen.ts_ns) if style.timestamp else iso_ms(seen.ts_ns)[11:-1]]
        if style.delta:
            parts.append(self._since_before(seen))
        parts += [seen.stream, kind]
        if style.headers_only:
            parts += [str(seen.pos), key_of(seen.message)]
        elif style.fields:
            parts += [self._part(seen, name) for name in style.fields]
        else:
            parts.append(body_text(seen, style.chars_max))
        return printable(" ".join(parts).rstrip())

    def _since_before(self, seen: Seen) -> str:
        since_ns = seen.ts_ns - self._before_ns if self._before_ns else 0
        self._before_ns = seen.ts_ns
        return f"{since_ns / SECOND_NS:+.6f}"

    def _part(self, seen: Seen, name: str) -> str:
        return f"{name}={shortened(_exact(seen, name), self._style.chars_max)}"

    def _as_json(self, seen: Seen) -> str:
        style = self._style
        if style.headers_only:
            return json_text(head(seen))
        if not style.fields and not style.chars_max:
            return as_json(seen)
        found = {name: raw_field(seen, name) for name in style.fields} or fields(seen.message)
        return json_text(head(seen) | {k: _cut(v, style.chars_max) for k, v in found.items()})

    def _as_csv(self, seen: Seen) -> str:
        cells = [str(value) for value in head(seen).values()]
        if not self._style.headers_only:
            values = (raw_field(seen, name) for name in self._columns)
            cells += [shortened(_cell(value), self._style.chars_max) for value in values]
        return _row(cells)


def _formatted(template: str, streams: Sequence[str]) -> Callable[[Seen], str]:
    """Return what fills a format in; UsageError for a mark that means nothing."""
    parts: list[str | Callable[[Seen], str]] = []
    at = 0
    for found in _mark.finditer(template):
        parts += [template[at : found.start()], _filled(found, streams)]
        at = found.end()
    parts.append(template[at:])
    return lambda seen: "".join(
        part if isinstance(part, str) else printable(part(seen)) for part in parts
    )


def _filled(found: "re.Match[str]", streams: Sequence[str]) -> str | Callable[[Seen], str]:
    name, letter, escape = found.groups()
    if escape is not None:
        return ESCAPES[escape]
    if name is not None:
        require_field(name, streams)
        return lambda seen: _exact(seen, name)
    if letter == "%":
        return "%"
    if letter not in LETTERS:
        known = " ".join(f"%{one}" for one in LETTERS)
        raise click.UsageError(f"no {found[0]!r} in a format; there are {known} %{{FIELD}} %%")
    return LETTERS[letter]


def _exact(seen: Seen, name: str) -> str:
    value = field(seen, name)
    if value is None:
        return ""
    return value_text(None, name.rpartition(".")[2], value)


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json_text(value)


def _cut(value: Any, most: int) -> Any:
    if not most or not isinstance(value, str | bytes | tuple) or len(value) <= most:
        return value
    return f"{value[:most]}…" if isinstance(value, str) else value[:most]


def _row(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()
