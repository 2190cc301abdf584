"""Changes single settings in the text of a TOML file, every other byte of which stays.

A text is a row of statements, each over as many lines as it needs to be valid by itself: a header,
or a key with its value. Between them are lines without one.
"""

import re
import tomllib
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import tomlkit
from tomlkit.items import AoT, InlineTable

Keys: TypeAlias = tuple[str, ...]
LINE = re.compile(r"[^\n]*\n|[^\n]+")


class Statement(NamedTuple):
    """A header or a key with its value, as written; a comment or an empty line has no keys."""

    text: str
    keys: Keys  # from the top of the file
    table: Keys  # that it stands in; of a header its own
    header: bool = False

    @property
    def empty(self) -> bool:
        """Whether it is a line without anything on it."""
        return not self.text.strip()


def put_value(text: str, keys: Keys, value: Any) -> str:
    """Return a text in which a setting has a value: where it stands, else where it belongs."""
    found = statements(text)
    for number, one in enumerate(found):
        if not one.header and one.keys and one.keys == keys[: len(one.keys)]:
            changed = one._replace(text=_with(one, keys, value))
            return _joined([*found[:number], changed, *found[number + 1 :]])
    above = keys[:-1]
    place = _last(found, [one.table == above for one in found])
    if place is None:  # A table without a header: its keys are written with dots.
        dotted = [_is_dotted(one, above) for one in found]
        place = _last(found, dotted)
    if place is None:
        return _with_table(found, keys, value)
    line = _line(keys[len(found[place].table) :], value)
    return _after(found, place, line)


def cut(text: str, keys: Keys) -> str:
    """Return a text without a table: all that stands in it, comments too, and what is below it."""
    found = statements(text)
    gone: set[int] = set()
    begun: int | None = None  # the last statement of the table so far
    for number, one in enumerate(found):
        if one.keys[: len(keys)] == keys:
            gone.update(range(number if begun is None else begun, number + 1))
            begun = number
        elif one.keys:
            begun = None
    gone |= {number - 1 for number in gone if _parts_nothing(found, number, gone)}
    return _joined([_without(one, keys) for n, one in enumerate(found) if n not in gone])


def statements(text: str) -> list[Statement]:
    """Return a valid text in its parts, which joined are the text again."""
    found: list[Statement] = []
    table: Keys = ()
    part = ""
    for line in LINE.findall(text):
        part += line
        try:
            said = tomllib.loads(part)
        except tomllib.TOMLDecodeError:
            continue  # It goes on in the next line.
        keys = _keys(part) if said else ()
        header = part.lstrip().startswith("[")
        table = keys if header else table
        found.append(Statement(part, table + keys if keys and not header else keys, table, header))
        part = ""
    return found


def _keys(part: str) -> Keys:
    # Read as it is written: a value may be a table as well.
    keys: list[str] = []
    at: Any = tomlkit.parse(part)
    while isinstance(at, dict) and len(at) == 1 and not isinstance(at, InlineTable):
        (key,) = at
        keys.append(str(key))
        at = at[key][0] if isinstance(at[key], AoT) else at[key]
    return tuple(keys)


def _last(found: Sequence[Statement], fits: Sequence[bool]) -> int | None:
    places = [number for number, one in enumerate(found) if one.keys and fits[number]]
    return places[-1] if places else None


def _is_dotted(one: Statement, above: Keys) -> bool:
    # What stands below a header of a table inside of this one is none of its own.
    outside = not one.header and len(one.table) < len(above)
    return outside and one.keys[: len(above)] == above


def _with_table(found: Sequence[Statement], keys: Keys, value: Any) -> str:
    header = f"[{tomlkit.key(list(keys[:-1])).as_string()}]\n"
    added = header + _line(keys[-1:], value)
    near = _last(found, [one.table[:2] == keys[:2] for one in found])  # of the same strategy
    place = len(found) - 1 if near is None else near
    return _after(found, place, f"\n{added}" if found else added)


def _after(found: Sequence[Statement], place: int, added: str) -> str:
    text, rest = _joined(found[: place + 1]), _joined(found[place + 1 :])
    ending = "\r\n" if text.endswith("\r\n") else "\n"
    if text and not text.endswith("\n"):
        text += ending
    return text + added.replace("\n", ending) + rest


def _line(keys: Keys, value: Any) -> str:
    return f"{tomlkit.key(list(keys)).as_string()} = {tomlkit.item(value).as_string()}\n"


def _with(one: Statement, keys: Keys, value: Any) -> str:
    written = tomlkit.parse(one.text)
    at: Any = written
    for key in keys[len(one.table) : -1]:
        if key not in at:
            at[key] = tomlkit.inline_table()
        at = at[key]
        if not isinstance(at, dict):
            return one.text  # A value where a table belongs: there is no room for a key.
    at[keys[-1]] = value
    return tomlkit.dumps(written)


def _without(one: Statement, keys: Keys) -> Statement:
    if one.header or not one.keys or one.keys != keys[: len(one.keys)]:
        return one
    written = tomlkit.parse(one.text)
    at: Any = written
    for key in keys[len(one.table) : -1]:
        at = at.get(key, {}) if isinstance(at, dict) else {}
    if isinstance(at, dict):
        at.pop(keys[-1], None)
    return one._replace(text=tomlkit.dumps(written))


def _parts_nothing(found: Sequence[Statement], number: int, gone: set[int]) -> bool:
    # An empty line before what goes, when another one or the end of the file follows.
    before, after = number - 1, number
    while after in gone:
        after += 1
    parted = after < len(found) and not found[after].empty
    return before >= 0 and before not in gone and found[before].empty and not parted


def _joined(found: Sequence[Statement]) -> str:
    return "".join(one.text for one in found)
