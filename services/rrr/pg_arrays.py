"""Arrays of PostgreSQL as JSON, and back to the text that PostgreSQL writes."""

import json
import re
from collections.abc import Callable
from typing import Any

from services.rrr.pg_values import Keeping, UnfitError, read_text

Element = str | None
Nested = list[Any]

RULE = "JSON; its numbers keep their digits"
NUMBERS = frozenset({"smallint", "integer", "bigint", "oid", "numeric", "real", "double precision"})
_number = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_token = re.compile(r'"((?:[^"\\]|\\.)*)"|([{},])|([^{},"]+)', re.DOTALL)
_escape = re.compile(r"\\(.)", re.DOTALL)
_plain = re.compile(r'[^{}",\\ \t\n\r\v\f]+')


def array_keeping(element: str, inner: Keeping) -> Keeping:
    """Return how arrays of an element type are kept."""

    def shown(text: Element) -> str:
        return "null" if text is None else _shown(element, inner, text)

    def read(text: str) -> str:
        return _mapped(parse_array(read_text(text)), shown)

    def write(text: str) -> str:
        return array_text(json.loads(text, parse_float=str, parse_int=str), element)

    def normal(text: str) -> str:
        try:
            return write(read(text))
        except UnfitError:
            return text

    own = inner.normal is not None and inner.form == "instant"
    return Keeping("TEXT", "array", RULE, read, write, normal=normal if own else None)


def _shown(element: str, inner: Keeping, text: str) -> str:
    if element in NUMBERS:
        if _number.fullmatch(text) is None:
            raise UnfitError(f"an array with {text}, which JSON has no number for")
        return text
    if element == "boolean":
        return "true" if text == "t" else "false"
    return json.dumps(inner.normal(text) if inner.normal else text, ensure_ascii=False)


def _mapped(items: Nested, shown: Callable[[Element], str]) -> str:
    parts = [_mapped(item, shown) if isinstance(item, list) else shown(item) for item in items]
    return f"[{', '.join(parts)}]"


def parse_array(text: str) -> Nested:
    """Return the nested texts of an array; UnfitError for one whose numbering is its own."""
    if not text.startswith("{"):
        raise UnfitError("an array that does not count from 1, or is none")
    outer: Nested = []
    stack = [outer]
    for found in _token.finditer(text):
        quoted, mark, plain = found.groups()
        if mark == "{":
            stack[-1].append([])
            stack.append(stack[-1][-1])
        elif mark == "}":
            stack.pop()
        elif mark != ",":
            stack[-1].append(_element(quoted, plain))
        if not stack:
            break
    if len(stack) != 1 or len(outer) != 1:
        raise UnfitError("not an array as PostgreSQL writes one")
    return list(outer[0])


def _element(quoted: str | None, plain: str | None) -> Element:
    if quoted is not None:
        return _escape.sub(r"\1", quoted)
    assert plain is not None
    return None if plain == "NULL" else _escape.sub(r"\1", plain)


def array_text(items: Nested, element: str) -> str:
    """Return an array as PostgreSQL writes it."""
    parts = [
        array_text(item, element) if isinstance(item, list) else _written(item) for item in items
    ]
    return f"{{{','.join(parts)}}}"


def _written(item: Any) -> str:
    if item is None:
        return "NULL"
    if isinstance(item, bool):
        return "t" if item else "f"
    text = str(item)
    if _plain.fullmatch(text) and text.upper() != "NULL":
        return text
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
