"""`rrr db export`: a shard as files for who reads SQL, CSV or Parquet, and for `rrr db import`.

Each file of the shard is read at one moment of it; a large one from a copy, so that its writer is
not held up. What is exported has its name only once it is whole.
"""

from pathlib import Path
from typing import Any

import click
import msgspec

from bus.clock import SystemClock
from bus.errors import HouseError
from bus.house import House
from bus.migrations import KINDS, Kind
from bus.reading import Value
from schema.setting_types import TIMEFRAMES_NS
from schema.units import iso
from services.rrr.books import as_integrity, require_shard
from services.rrr.db_export_choice import Selection
from services.rrr.db_export_files import HISTORY, files_of, history_meant
from services.rrr.db_export_manifest import FORMS, NAME, Manifest
from services.rrr.db_export_names import Order
from services.rrr.db_export_place import draft_for, publish, publish_file, require_free
from services.rrr.db_export_run import run
from services.rrr.db_export_text import PACKINGS
from services.rrr.pipes import reader_may_leave
from services.rrr.spans import FilePath
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

ENDINGS = {
    ".sql": ("sql", "none"),
    ".csv": ("csv", "none"),
    **{
        f".{form}.{packing}": (form, packing) for form in ("sql", "csv") for packing in PACKINGS[1:]
    },
}
"""How the name of an export ends that is one file."""
MARKET = "market"
SERIES = "series"


@click.command("export")
@click.argument("shard")
@click.argument("names", metavar="[TABLE|VIEW]...", nargs=-1)
@click.option("--to", "place", required=True, metavar="DIR|FILE", type=FilePath())
@click.option("--format", "form", type=click.Choice(FORMS), help="Else what FILE ends with.")
@click.option("--since", metavar="TIME", help="From this market time on: ISO, or 7d for ago.")
@click.option("--until", metavar="TIME", help="Up to this market time, which is not in it.")
@click.option("--symbol", help="Of this symbol alone, as BTC/USDT.")
@click.option("--timeframe", type=click.Choice(list(TIMEFRAMES_NS)), help="Of this one alone.")
@click.option("--views", is_flag=True, help="Views where there are any: decimals and ISO times.")
@click.option(
    "--history", is_flag=True, help="The imported history behind the world; market alone."
)
@click.option("--compress", "packing", type=click.Choice(PACKINGS), help="Of SQL and CSV.")
@click.option("--force", is_flag=True, help="In place of an earlier export.")
@click.option("--json", "as_json", is_flag=True, help="What was done, as one JSON object.")
def export(
    shard: str,
    names: tuple[str, ...],
    place: Path,
    form: str | None,
    since: str | None,
    until: str | None,
    symbol: str | None,
    timeframe: str | None,
    packing: str | None,
    **flags: bool,
) -> None:
    """Write SHARD into DIR, or one table or dump of it into FILE.

    SHARD may be history:EXCHANGE, too. All tables are written unless some are named. Tables have
    the integers that the shard has, with their exponents; views have decimals.
    --json tells {"path", "form", "shard", "world", "rows", "bytes", "copied": [files that were
    copied first], "tables": [{"file", "name", "rows"}], "views": [{"name", "rows"}]}.
    """
    shard, _, exchange = shard.partition(":") if shard.startswith(HISTORY) else (shard, "", "")
    if shard == HISTORY:
        shard, flags["history"] = MARKET, True
    if shard not in KINDS:
        known = ", ".join((*KINDS, HISTORY))
        raise click.UsageError(f"There is no shard {shard!r}. The shards are: {known}")
    form, packing, single = _form(place, form, packing)
    house = running_house(standing_house())
    wanted = Selection(symbol, timeframe, _moment(house, since), _moment(house, until))
    name = place.name if single else None
    require_free(place, force=flags["force"], single=single)
    root = _root(house, KINDS[shard], exchange, history=flags["history"])
    order = Order(root, form, packing, names, wanted, views=flags["views"], name=name)
    manifest, copied = _export(KINDS[shard], place, order, force=flags["force"])
    with reader_may_leave():
        _tell(place, manifest, copied, as_json=flags["as_json"])


def _root(house: House, kind: Kind, exchange: str, *, history: bool) -> Path:
    if history and not kind.monthly:
        raise click.UsageError(f"--history is of the market; {kind.name} has none")
    if history:
        return history_meant(house, exchange)
    require_shard(house, kind.name)
    return house.world_dir


def _export(kind: Kind, place: Path, order: Order, *, force: bool) -> tuple[Manifest, list[str]]:
    try:
        with draft_for(place) as draft:
            manifest, copied = run(kind, files_of(order.place, kind), draft, order)
            _require_known(manifest, order.selection.symbol)
            manifest.made = iso(SystemClock().wall_ns())
            (draft / NAME).write_bytes(_pretty(manifest))
            if order.name is not None:
                publish_file(draft, order.name, place)
            else:
                publish(draft, place, replaces=force)
    except HouseError as error:
        raise as_integrity(error) from error
    return manifest, copied


def _require_known(manifest: Manifest, symbol: str | None) -> None:
    """Refuse a symbol that the market never had, which is most often one that was mistyped."""
    series = [t for file in manifest.files for t in file.tables if t.name == SERIES]
    if symbol is not None and series and not any(table.rows for table in series):
        raise HouseError(
            f"the {manifest.shard} shard has nothing of {symbol}",
            "`rrr data status` shows the symbols that there are",
        )


def _pretty(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"


def _form(place: Path, form: str | None, packing: str | None) -> tuple[str, str, bool]:
    """Return form, packing, and whether the export is one file."""
    found = next((end for end in ENDINGS if place.name.endswith(end)), None)
    if found is None:
        if form is None:
            raise click.UsageError("which form? --format sql, csv or parquet")
        if form == "parquet" and packing not in {None, "none"}:
            raise click.UsageError("--compress is for SQL and CSV; Parquet is compressed within")
        return form, packing or "none", False
    if form not in {None, ENDINGS[found][0]} or packing not in {None, ENDINGS[found][1]}:
        raise click.UsageError(f"{place.name} ends as another form than was asked for")
    return (*ENDINGS[found], True)


def _moment(house: House, text: str | None) -> int | None:
    if text is None:
        return None
    from services.rrr.lab_time import moment_ns, now_ns  # noqa: PLC0415 - only who names a time

    try:
        return moment_ns(text, lambda: now_ns(house, SystemClock()), 0)
    except HouseError as error:
        raise click.UsageError(str(error)) from error


def _tell(place: Path, manifest: Manifest, copied: list[str], *, as_json: bool) -> None:
    size = sum(part.bytes for part in manifest.all_parts())
    if as_json:
        click.echo(msgspec.json.encode(_told(place, manifest, copied, size)))
        return
    for name in copied:
        click.echo(f"{name} is large: it was copied first, so that its writer was not held up")
    for file in manifest.files:
        for table in file.tables:
            click.echo(f"{file.name}  {table.name}  {table.rows} rows")
    for view in manifest.views:
        click.echo(f"{view.name}  {view.rows} rows")
    click.echo(f"{manifest.rows} rows of {manifest.shard} in {place}, {size} bytes")


def _told(place: Path, manifest: Manifest, copied: list[str], size: int) -> dict[str, Any]:
    tables: list[dict[str, Value]] = [
        {"file": file.name, "name": table.name, "rows": table.rows}
        for file in manifest.files
        for table in file.tables
    ]
    return {
        "path": str(place),
        "form": manifest.form,
        "shard": manifest.shard,
        "world": manifest.world,
        "rows": manifest.rows,
        "bytes": size,
        "copied": copied,
        "tables": tables,
        "views": [{"name": view.name, "rows": view.rows} for view in manifest.views],
    }
