"""Rows of a stream as a Parquet file, written as they come: memory holds one batch of them.

polars is what notebooks need and the house runs without, so it is asked for by name.
"""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bus.errors import HouseError

ROW_GROUP = 1 << 17

Batch = Mapping[str, list[Any]]
"""Columns of equal length; None where a row has no value."""


def require_polars() -> None:
    """Refuse where polars is not installed."""
    if find_spec("polars") is None:
        raise HouseError(
            "polars is not installed here, which writes Parquet",
            "`make lab-install` installs it; --csv and --jsonl need nothing",
        )


def write_parquet(path: Path, kinds: Mapping[str, str], batches: Iterator[Batch]) -> None:
    """Write batches as a file; `kinds` are int, float, bool or str, by column."""
    import polars as pl  # noqa: PLC0415 - only who asks for it pays for it
    from polars.io.plugins import register_io_source  # noqa: PLC0415 - as above

    types = {"int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean, "str": pl.String}
    schema = pl.Schema({name: types[kind] for name, kind in kinds.items()})
    failed: list[HouseError] = []

    def frames(*_: Any) -> Iterator[Any]:
        try:
            for batch in batches:
                yield pl.DataFrame(batch, schema=schema)
        except HouseError as error:
            failed.append(error)  # As itself, and not as a failure of polars.

    source = register_io_source(frames, schema=schema)
    try:
        source.sink_parquet(path, compression="zstd", row_group_size=ROW_GROUP)
    except pl.exceptions.PolarsError as error:  # It has the word of the disk in its own.
        raise HouseError(
            f"{path} cannot be written: {error}", "Free space, or name another"
        ) from error
    if failed:
        raise failed[0]
