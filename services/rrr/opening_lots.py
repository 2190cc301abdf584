"""Lots from before this house, as a person imports them: a CSV of asset, qty, cost and acquired."""

import csv
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path

import click
import msgspec

from schema.units import parse_iso
from services.rrr.lots import DECIMALS, Lot

COLUMNS = ("asset", "qty", "cost", "acquired")
QUOTE = "quote"
EXPECTED = "asset,qty,cost,acquired and maybe quote, with a head of these names"


class Opening(msgspec.Struct, frozen=True):
    """One lot of an asset."""

    asset: str
    lot: Lot


def read_openings(path: Path, quote: str) -> list[Opening]:
    """Return the lots of a file, oldest first; UsageError names the line that is none.

    `quote` is the currency of a cost that names none.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, skipinitialspace=True)
            names = [name.strip().lower() for name in rows.fieldnames or ()]
            if not set(COLUMNS) <= set(names):
                raise click.UsageError(f"{path} has the columns {names}; expected {EXPECTED}")
            rows.fieldnames = names
            found = list(_lots(path, rows, quote))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise click.UsageError(f"{path} cannot be read as CSV: {error}") from error
    return sorted(found, key=lambda one: one.lot.acquired_ns)


def _lots(path: Path, rows: "csv.DictReader[str]", quote: str) -> Iterator[Opening]:
    for row in rows:
        try:
            yield _lot({name: (row.get(name) or "").strip() for name in (*COLUMNS, QUOTE)}, quote)
        except (ValueError, InvalidOperation) as error:
            raise click.UsageError(f"{path}, line {rows.line_num}: {error}") from error


def _lot(row: dict[str, str], quote: str) -> Opening:
    if not row["asset"]:
        raise ValueError("it names no asset")
    qty, cost = _number(row["qty"], "qty"), _number(row["cost"], "cost")
    if qty <= 0 or cost < 0:
        raise ValueError(f"expected a qty above 0 and no cost below it, found {qty} and {cost}")
    named = (row[QUOTE] or quote).upper()
    lot = Lot(parse_iso(row["acquired"]), scaled(qty, "qty"), scaled(cost, "cost"), named)
    return Opening(row["asset"].upper(), lot)


def _number(text: str, name: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("nan")
    if not found.is_finite():
        raise ValueError(f"{name} is {text!r}: expected a plain decimal such as 0.5")
    return found


def scaled(number: Decimal, name: str = "number") -> int:
    """Return a Decimal as an integer of DECIMALS decimals; ValueError where it has more."""
    whole = number.scaleb(DECIMALS)
    if whole != whole.to_integral_value():
        raise ValueError(f"{name} {number} has more than {DECIMALS} decimals")
    return int(whole)
