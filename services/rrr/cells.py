"""Rows as CSV that a spreadsheet may open: no text in them is taken for a formula."""

import csv
import re
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet computes."""

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
INERT = "'"


class Cells:
    """Writes rows of the same columns, under a head."""

    def __init__(self, file: TextIO, columns: tuple[str, ...]) -> None:
        self._csv = csv.DictWriter(
            file, columns, restval="", extrasaction="ignore", lineterminator="\n"
        )
        self._csv.writeheader()

    def write(self, row: Mapping[str, Any]) -> None:
        """Write one row; what is missing in it is an empty cell."""
        self._csv.writerow({name: inert(value) for name, value in row.items()})

    def write_all(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write rows, one after the other."""
        for row in rows:
            self.write(row)


def inert(value: object) -> object:
    """Return a cell as it is, or with a mark before it that makes it text."""
    if isinstance(value, str) and value.startswith(FORMULA) and not NUMBER.fullmatch(value):
        return f"{INERT}{value}"
    return value
