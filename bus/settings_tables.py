"""The tables that settings are made of: which keys each has, and how sources lie over each other.

A table has the keys of its type, or names that a person chooses: strategies and their parameters.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

from bus.errors import SettingsError
from bus.settings_moved import require_unmoved
from schema.identity import MANUAL, UNATTRIBUTED
from schema.setting_types import Section
from schema.settings import Settings, StrategySettings
from schema.strategy import Scalar

Table = dict[str, Any]
NAME = re.compile(r"(?!.*_(?:_|$))[a-z][a-z0-9_]{0,30}")
"""Two underscores part the names in a variable of the environment."""

TAKEN = frozenset(
    {
        *("gateway", UNATTRIBUTED, MANUAL),  # books of orders that no strategy made
        *("all", "engine", "house", "risk"),  # what else is stopped and resumed by name
        *("diff", "list", "run", "show"),  # verbs of `rrr backtest`
    }
)
"""Words that cannot be the name of a strategy."""


class Text(str):
    """A value from the environment: its type is not known before the setting's is."""

    __slots__ = ()


class At(NamedTuple):
    """A place in the settings: what stands there, and its dotted name."""

    kind: Any = Settings
    dotted: str = ""

    def within(self, key: str) -> str:
        """Return the dotted name of a key in this table."""
        return f"{self.dotted}.{key}" if self.dotted else key


TOP = At()


def is_table(kind: Any) -> bool:
    """Return whether a kind of setting has keys of its own."""
    return is_section(kind) or get_origin(kind) is dict


def is_section(kind: Any) -> bool:
    """Return whether a kind of setting is a table whose keys its type names."""
    return isinstance(kind, type) and issubclass(kind, Section)


@cache
def kinds(section: type[Section]) -> dict[str, Any]:
    """Return the keys of a section with the kind of each, its bounds included."""
    return get_type_hints(section, include_extras=True)


def kind_of(table: Any, key: str) -> Any:
    """Return the kind of a key in a kind of table; None when it has no such key."""
    return kinds(table).get(key) if is_section(table) else get_args(table)[1]


def bare(kind: Any) -> Any:
    """Return a kind without its bounds."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def known_names() -> Iterator[str]:
    """Yield the dotted name of every setting that stands in each house."""
    for name, kind in kinds(Settings).items():
        if is_section(kind):
            yield from (f"{name}.{key}" for key in kinds(kind))
        elif not is_table(kind):
            yield name


def leaves(table: Any, at: At = TOP) -> Iterator[tuple[At, Any]]:
    """Yield every setting in settings, or in the tables that they are read from."""
    for key in kinds(at.kind) if is_section(at.kind) else table:
        place = At(kind_of(at.kind, key), at.within(key))
        if isinstance(table, Section):
            value = getattr(table, key)
        elif key in table:
            value = table[key]
        else:
            continue
        if is_table(place.kind):
            yield from leaves(value, place)
        else:
            yield place, value


def lay(merged: Table, table: Table, source: str, origins: dict[str, str], at: At = TOP) -> None:
    """Lay the tables of a source over those of the ones before it."""
    for key, value in table.items():
        place = _place(at, key, value, source)
        if not is_table(place.kind):
            merged[key], origins[place.dotted] = _parsed(value, bare(place.kind)), source
            continue
        if not isinstance(value, dict):
            raise SettingsError(
                f"{source}: `{place.dotted}` is {value!r}: expected a table [{place.dotted}]",
                f"Mend {source}",
            )
        origins.setdefault(place.dotted, source)
        lay(merged.setdefault(key, {}), value, source, origins, place)


def from_variable(name: str, text: str) -> Table:
    """Return the table that SECTION__KEY, in lower case, stands for."""
    path: list[str] = []
    kind, rest = Settings, name
    while is_table(kind) and "__" in rest:
        key, _, below = rest.partition("__")
        kind = kind_of(kind, key)
        if path and not is_table(kind):
            break  # What follows is a part of the key.
        path.append(key)
        rest = below
    table: Table = {rest: Text(text)}
    for key in reversed(path):
        table = {key: table}
    return table


def _place(at: At, key: str, value: Any, source: str) -> At:
    dotted = at.within(key)
    if is_section(at.kind):
        require_unmoved(dotted, value, source)
    elif not NAME.fullmatch(key):
        form = (
            "a lower-case letter, then such letters, digits and single _ between them, 31 at most"
        )
        raise _misnamed(dotted, source, f"is no name: expected {form}")
    elif is_table(kind_of(at.kind, key)) and key in TAKEN:
        taken = " ".join(sorted(TAKEN))
        raise _misnamed(dotted, source, f"is no name: expected another word than {taken}")
    kind = kind_of(at.kind, key)
    if kind is None:
        raise SettingsError(
            f"{source}: unknown setting `{dotted}`; the nearest is `{_nearest(at, key)}`",
            f"Mend or remove it in {source}",
        )
    return At(kind, dotted)


def _misnamed(dotted: str, source: str, why: str) -> SettingsError:
    return SettingsError(f"{source}: `{dotted}` {why}", f"Choose another name in {source}")


def _nearest(at: At, key: str) -> str:
    keys = list(known_names())
    here = [at.within(name) for name in kinds(at.kind)]
    deep = "." in at.dotted  # A table of a strategy: nothing outside of it was meant.
    known = {name.rpartition(".")[2]: name for name in (here if deep else keys + here)}
    near = difflib.get_close_matches(key, known, n=1)
    if near:
        return known[near[0]]
    if at.kind is StrategySettings:
        return at.within(f"params.{key}")
    return difflib.get_close_matches(at.within(key), here, n=1, cutoff=0.0)[0]


def _parsed(value: Any, kind: Any) -> Any:
    if get_origin(kind) is tuple:
        return value if isinstance(value, list) else _list(value)
    if not isinstance(value, Text):
        return value
    if kind is bool:
        return {"true": True, "false": False}.get(value.lower(), str(value))
    if kind == Scalar:
        return _scalar(str(value))
    return _number(value, kind) if kind in {int, float} else str(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, Text):
        return [value]
    text = str(value)
    if text.lstrip().startswith("["):
        try:
            return list(json.loads(text))
        except ValueError:
            return [text]  # The check against its type, or the missing file, names it.
    return [text] if text else []


def _scalar(text: str) -> Scalar:
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    value = found.pop("value")
    plain = not found and "#" not in text and isinstance(value, bool | int | float | str)
    return value if plain else text


def _number(text: str, kind: type[int] | type[float]) -> Any:
    try:
        return kind(text)
    except ValueError:
        return str(text)  # The check against its type names it.
