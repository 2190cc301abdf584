"""What a person asked to be exported, and which tables and views that means."""

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from bus.errors import HouseError
from bus.migrations import Kind
from services.rrr.db_export_choice import Selection
from services.rrr.db_export_views import PARTITIONED, view_names
from services.writer.dump import open_live

ALWAYS = ("meta", "series")
"""Without these rows mean nothing: whose they are, and which decimals they have."""


class Order(msgspec.Struct):
    """What a person asked for; `name` is that of the only file, where it is to be one."""

    place: Path  # whose `db` is exported
    form: str
    packing: str
    names: tuple[str, ...]
    selection: Selection
    views: bool
    name: str | None = None


class Wanted(msgspec.Struct):
    """The tables and views that some names mean."""

    tables: list[str]
    views: list[str]


def resolve(kind: Kind, files: Sequence[Path], order: Order) -> Wanted:
    """Return the tables and views that are asked for; UsageError where there is none of a name."""
    tables = tables_in(kind, files)
    found = _every(kind, tables, order) if not order.names else _named(kind, tables, order)
    if order.form != "csv" and found.views:
        raise click.UsageError("views are for --format csv: SQL and Parquet hold tables")
    if order.name is not None:
        _require_one(found, files, order)
    elif found.tables:
        found.tables = [name for name in tables if name in {*found.tables, *ALWAYS}]
    return found


def tables_in(kind: Kind, files: Sequence[Path]) -> list[str]:
    """Return the names of a shard's tables, as its newest file has them."""
    for path in reversed(files):
        snapshot = open_live(kind, path)
        if snapshot is not None:
            with snapshot:
                return [table.name for table in snapshot.tables]
    raise HouseError(f"the {kind.name} shard is being made and holds nothing yet", "Try again soon")


def _every(kind: Kind, tables: Sequence[str], order: Order) -> Wanted:
    return Wanted([], list(view_names(kind))) if order.views else Wanted(list(tables), [])


def _named(kind: Kind, tables: Sequence[str], order: Order) -> Wanted:
    views, found = view_names(kind), Wanted([], [])
    for named in dict.fromkeys(order.names):
        name = PARTITIONED.get(named, named) if order.form == "parquet" else named
        if name in views and (order.views or name not in tables):
            found.views.append(name)
        elif name in tables:
            found.tables.append(name)
        else:
            known = ", ".join((*tables, *views))
            raise click.UsageError(f"{kind.name} has no {name!r}; it has: {known}")
    return found


def _require_one(found: Wanted, files: Sequence[Path], order: Order) -> None:
    count = len(found.views) + len(found.tables) * len(files)
    if order.form == "sql":
        count = len(files)
    if count != 1:
        raise click.UsageError(
            f"{order.name} is one file, and this would be {count}: name a directory"
        )
    if order.form == "sql":
        found.tables = [*(name for name in ALWAYS if name not in found.tables), *found.tables]
