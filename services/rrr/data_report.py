"""What became of each row of a file: all of it in a report beside the chunks, the first on screen.

`imports/<sha256 of the file>.report.jsonl` has one object a line: `what` is bad, rounded,
duplicate, differs, date, price or gap, and the last line is the summary.
"""

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from schema.units import iso, to_text

SHOWN_MAX = 20
SHOWN_OF_KIND = 8
"""The first of each kind, so that many of one do not hide the others."""

GAPS_SHOWN = 5

Entry = dict[str, Any]


class Outcome(msgspec.Struct):
    """What became of one file."""

    source: str
    sha256: str = ""
    status: str = "refused"  # imported, already imported, compared (a dry run), refused
    reason: str = ""
    exchange: str = ""
    symbol: str = ""
    timeframe: str = ""
    format: str = ""
    rows: int = 0
    bars: int = 0
    added: int = 0
    equal: int = 0
    differing: int = 0  # they stay
    replaced: int = 0
    same: int = 0  # rows that are in the file twice
    duplicates: int = 0  # rows with a time that another row of the file has, and other values
    order: str = ""
    out_of_order: int = 0
    bad: int = 0
    rounded: int = 0
    restored: int = 0
    dates_differ: int = 0
    prices_odd: int = 0
    first: str = ""
    last: str = ""
    missing: int = 0
    gaps: list[Entry] = []
    exponents: tuple[int, int, int] = (0, 0, 0)
    months: list[int] = []
    report: str = ""
    shown: list[Entry] = []

    @property
    def taken(self) -> bool:
        return self.status != "refused"


class Report:
    """Takes what there is to say of one file, and counts it; nowhere to write in a dry run."""

    def __init__(self, path: Path | None = None) -> None:
        self.counts: dict[str, int] = {}
        self.restored = 0  # numbers from which the digits of a binary float were taken
        self.shown: list[Entry] = []
        self._path = path
        self._draft: IO[bytes] | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            self._draft = self._path.with_suffix(".tmp").open("wb")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._draft is not None and self._path is not None:
            with contextlib.suppress(OSError):  # It is full: the draft goes.
                self._draft.close()
            self._path.with_suffix(".tmp").unlink(missing_ok=True)
            self._draft = None

    def bad(self, line: int, expected: str, found: str) -> None:
        """Say that a row was not taken."""
        self._add("bad", line=line, expected=expected, found=found)

    def rounded(self, line: int, column: str, found: str, value: int, decimals: int) -> None:
        """Say that a number has fewer decimals now."""
        self._add("rounded", line=line, column=column, found=found, kept=to_text(value, decimals))

    def date_differs(self, line: int, open_ns: int, found: str) -> None:
        """Say that the date beside an epoch names another time; the epoch counts."""
        self._add("date", line=line, open=iso(open_ns), found=found)

    def price_odd(self, line: int, open_ns: int, low: str, high: str) -> None:
        """Say that a bar's prices are far apart; it is taken as it is."""
        self._add("price", line=line, open=iso(open_ns), low=low, high=high)

    def duplicate(
        self, line: int, open_ns: int, kept_line: int, dropped: str, kept: str, *, same: bool
    ) -> None:
        """Say that a row gave way to another with its time."""
        what = "same" if same else "duplicate"
        entry: Entry = {"line": line, "open": iso(open_ns), "kept_line": kept_line}
        self._add(what, **entry, **({} if same else {"dropped": dropped, "kept": kept}))

    def differs(self, open_ns: int, found: str, there: str, *, replaced: bool) -> None:
        """Say that a bar differs from the one that was there."""
        self._add("differs", open=iso(open_ns), found=found, there=there, replaced=replaced)

    def gap(self, entry: Entry) -> None:
        """Say that bars are absent between two others."""
        self._add("gap", **entry)

    def count(self, what: str) -> int:
        """Return how often something was said."""
        return self.counts.get(what, 0)

    @property
    def is_kept(self) -> bool:
        """Whether an earlier run left a report of the same file."""
        return self._path is not None and self._path.exists()

    def keep(self, outcome: Outcome) -> None:
        """Put the whole report in its place, and say where that is."""
        if self._draft is not None and self._path is not None:
            outcome.report = str(self._path)
            summary = {name: getattr(outcome, name) for name in outcome.__struct_fields__}
            self._write({"what": "summary", **summary, "shown": []})
            self._draft.flush()
            os.fsync(self._draft.fileno())
            self._draft.close()
            self._path.with_suffix(".tmp").replace(self._path)
            self._draft = None

    def _add(self, what: str, **fields: Any) -> None:
        self.counts[what] = self.count(what) + 1
        entry = {"what": what, **fields}
        few = self.counts[what] <= (SHOWN_MAX if what == "bad" else SHOWN_OF_KIND)
        if what not in {"gap", "same"} and few:
            self.shown.append(entry)
        self._write(entry)

    def _write(self, entry: Entry) -> None:
        if self._draft is not None:
            self._draft.write(msgspec.json.encode(entry) + b"\n")
