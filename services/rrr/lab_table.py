"""Columns as the tables that a notebook works with: pandas, polars or a structured numpy array.

What leaves here is a copy: no file stays open behind it. pandas and polars are asked for by name,
since the house runs without them.
"""

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from importlib.util import find_spec
from types import NoneType
from typing import Any

import numpy as np

from bus.errors import HouseError

FORMS = ("pandas", "polars", "numpy")
NO_TIME = np.iinfo(np.int64).min
EXACT_MAX = 1 << 53

Array = np.ndarray[Any, np.dtype[Any]]
Columns = Mapping[str, Sequence[Any] | Array]


def form_of(to: str | None) -> str:
    """Return the form that is asked for; without a word pandas where it is installed, or numpy."""
    if to is None:
        return "pandas" if find_spec("pandas") is not None else "numpy"
    if to not in FORMS:
        raise HouseError(f"to={to!r} is no form of a table", f"The forms are: {', '.join(FORMS)}")
    if find_spec(to) is None:
        raise HouseError(
            f"{to} is not installed here",
            "`make lab` installs what notebooks need, or ask with to='numpy'",
        )
    return to


def table(
    columns: Columns,
    times: Iterable[str],
    to: str,
    index: str = "",
    numbers: Container[str] = (),
) -> Any:
    """Return columns of equal length as a table; `times` are ns since 1970, 0 and None are none.

    In pandas and polars times are UTC, `index` is the index in pandas; numpy has no time zones.
    `numbers` are columns of floats even where none has a value.
    """
    times = frozenset(times)
    arrays = {
        name: _times(values) if name in times else _array(values, number=name in numbers)
        for name, values in columns.items()
    }
    if to == "pandas":
        return _pandas(arrays, columns, index)
    if to == "polars":
        return _polars(arrays, columns)
    return _numpy(arrays)


def columns_of(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, list[Any]]:
    """Return rows as columns: these first, then the others in the order they come in."""
    found = dict.fromkeys(names)
    for row in rows:
        found.update(dict.fromkeys(row))
    return {name: [row.get(name) for row in rows] for name in found}


def numbers_of(texts: Sequence[Any]) -> Sequence[Any]:
    """Return texts as numbers when each of them is one, and as they are otherwise."""
    try:
        return [None if text is None else float(text) for text in texts]
    except ValueError:
        return texts


def _times(values: Sequence[Any] | Array) -> Array:
    whole = isinstance(values, np.ndarray)
    told = values if whole else [int(value) if value else NO_TIME for value in values]
    return np.array(told, dtype=np.int64).view("datetime64[ns]")


def _array(values: Sequence[Any] | Array, *, number: bool) -> Array:
    if isinstance(values, np.ndarray):
        return values
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return np.array(values, dtype=np.bool_)
    if kinds == {int} and not number and _fits(values):
        return np.array(values, dtype=np.int64)
    if (number or kinds - {NoneType}) and kinds <= {int, float, NoneType} and _exact(values):
        filled = [math.nan if value is None else value for value in values]
        return np.array(filled, dtype=np.float64)
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def _fits(values: Sequence[int]) -> bool:
    return min(values) >= NO_TIME and max(values) <= np.iinfo(np.int64).max


def _exact(values: Sequence[Any]) -> bool:
    return all(abs(value) <= EXACT_MAX for value in values if isinstance(value, int))


def _pandas(arrays: Mapping[str, Array], columns: Columns, index: str) -> Any:
    import pandas as pd  # noqa: PLC0415 - only who asks for it pays for it

    found: dict[str, Any] = {}
    for name, array in arrays.items():
        found[name] = array
        if array.dtype.kind == "M":
            found[name] = pd.DatetimeIndex(array).tz_localize("UTC")
        elif array.dtype.kind == "O" and _whole(columns[name]):
            found[name] = pd.array(columns[name], dtype="Int64")
        elif array.dtype.kind == "O" and _texts(columns[name]):
            found[name] = pd.Series(list(columns[name]), dtype="str")
    frame = pd.DataFrame(found)
    return frame.set_index(index) if index else frame


def _polars(arrays: Mapping[str, Array], columns: Columns) -> Any:
    import polars as pl  # noqa: PLC0415 - as above

    series = []
    for name, array in arrays.items():
        if array.dtype.kind == "M":
            series.append(pl.Series(name, array).dt.replace_time_zone("UTC"))
        elif array.dtype.kind == "O":
            kind = pl.String if _texts(columns[name]) else None
            series.append(pl.Series(name, list(columns[name]), dtype=kind, strict=False))
        else:
            series.append(pl.Series(name, array, nan_to_null=not _told_nan(columns[name])))
    return pl.DataFrame(series)


def _numpy(arrays: Mapping[str, Array]) -> Array:
    length = len(next(iter(arrays.values()), ()))
    made = np.empty(length, dtype=[(name, array.dtype) for name, array in arrays.items()])
    for name, array in arrays.items():
        made[name] = array
    return made


def _whole(values: Sequence[Any] | Array) -> bool:
    kinds = {type(value) for value in values}
    signed = (value for value in values if value is not None)
    return kinds == {int, NoneType} and _fits(list(signed))


def _texts(values: Sequence[Any] | Array) -> bool:
    return {type(value) for value in values} <= {str, NoneType}


def _told_nan(values: Sequence[Any] | Array) -> bool:
    return isinstance(values, np.ndarray) or not any(value is None for value in values)
