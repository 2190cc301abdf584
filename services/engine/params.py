"""Parameters of a strategy: what an author wrote beside them, and whether a value is allowed.

A comment behind a field is its range, `# 5..50`, or a mark, `# live`, or both, `# 5..50 live`; text
behind the range is for people. The comment of the class that declares the field last counts.
"""

import ast
import difflib
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from math import inf, isfinite
from typing import Annotated, Any, get_args, get_origin

import msgspec

from schema.strategy import Scalar
from services.engine.bundle import Files, LoadError
from services.engine.modules import theirs
from services.engine.plain import plain
from services.engine.strategy import Params, Strategy

SETTLE = "Mend `params` of the strategy in the settings, or its range in the file"
SCALARS = (int, float, bool, str)
_NUMBER = r"[-+]?(?:\d[\d_]*(?:\.(?!\.)\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"[\s,;:]*({_NUMBER})\s*\.\.\s*({_NUMBER})(?![\w.])")
_LIVE = re.compile(r"[\s,;]*live\s*(?=$|[,;:.#(]|[-+]?\d)")

Number = int | float


class Range(msgspec.Struct, frozen=True):
    """The least and the greatest value of a parameter, both allowed."""

    least: Number = -inf
    most: Number = inf

    def __str__(self) -> str:
        return "..".join(f"{end}" if isfinite(end) else "" for end in (self.least, self.most))


def declared(files: Files, kind: type[Strategy]) -> tuple[dict[str, Range], tuple[str, ...]]:
    """Return the ranges of a strategy's parameters, and the names of those marked live."""
    comments: dict[str, str] = {}
    texts = dict(files)
    for layer in reversed(kind.Params.__mro__):
        if issubclass(layer, Params) and layer.__module__ in texts:
            comments.update(_comments(texts[layer.__module__], layer.__qualname__))
    ranges: dict[str, Range] = {}
    for field in msgspec.structs.fields(kind.Params):
        found = _range(field.name, comments.get(field.name, "")) or _of_meta(field.type)
        if found is not None:
            ranges[field.name] = found
    return ranges, tuple(name for name, comment in comments.items() if _is_live(comment))


def check_params(
    kind: type[Strategy], ranges: Mapping[str, Range], values: Mapping[str, Scalar]
) -> Any:
    """Return the parameters with some values set; LoadError when one is not allowed."""
    fields = {field.name: field for field in msgspec.structs.fields(kind.Params)}
    for field in fields.values():
        _require_declared(field, ranges)
    for name in values:
        if name not in fields:
            raise LoadError(_unknown(name, tuple(fields)), SETTLE)
    given = {name: _checked(fields[name], ranges, value) for name, value in values.items()}
    with theirs(kind.__name__):
        return kind.Params(**given)


def _require_declared(field: msgspec.structs.FieldInfo, ranges: Mapping[str, Range]) -> None:
    plainly = _bare(field.type)
    if plainly not in SCALARS:
        found = getattr(plainly, "__name__", str(plainly))
        raise LoadError(f"Params.{field.name} is a {found}: expected int, float, bool or str")
    if field.required:
        raise LoadError(f"Params.{field.name} has no default: expected `{field.name}: ... = ...`")
    if plainly in (bool, str) and field.name in ranges:
        raise LoadError(f"Params.{field.name} has a range: expected one beside numbers alone")
    made = field.default is msgspec.NODEFAULT
    try:
        _checked(field, ranges, field.default_factory() if made else field.default)
    except LoadError as error:
        raise LoadError(f"Params.{field.name}: of its own default, {error.what}") from error


def _unknown(name: str, known: tuple[str, ...]) -> str:
    if not known:
        return f"parameter `{name}` is unknown: this strategy has none"
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
    return f"parameter `{name}` is unknown: the nearest is `{nearest}`"


def _checked(
    field: msgspec.structs.FieldInfo, ranges: Mapping[str, Range], value: object
) -> object:
    named = f"parameter `{field.name}` is {plain(repr(value))}"
    try:
        found = msgspec.convert(value, field.type)
    except msgspec.ValidationError as error:
        expected = str(error).partition(", got")[0].replace("`", "").replace("Expected", "expected")
        raise LoadError(f"{named}: {expected}", SETTLE) from error
    allowed = ranges.get(field.name, Range())
    if isinstance(found, float) and not isfinite(found):
        raise LoadError(f"{named}: expected a finite number", SETTLE)
    if isinstance(found, int | float) and not allowed.least <= found <= allowed.most:
        raise LoadError(f"{named}: expected a value within {allowed}", SETTLE)
    return found


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _of_meta(kind: Any) -> Range | None:
    metas = [m for m in get_args(kind)[1:] if isinstance(m, msgspec.Meta)]
    least = [m.ge for m in metas if m.ge is not None]
    most = [m.le for m in metas if m.le is not None]
    return Range(*(least or [-inf])[-1:], *(most or [inf])[-1:]) if least or most else None


def _range(name: str, comment: str) -> Range | None:
    live = _LIVE.match(comment)
    found = _RANGE.match(comment, live.end() if live else 0)
    if found is None:
        return None
    least, most = _number(found[1]), _number(found[2])
    if least > most:
        raise LoadError(f"Params.{name}: {least}..{most} is no range: the smaller comes first")
    return Range(least, most)


def _is_live(comment: str) -> bool:
    found = _RANGE.match(comment)
    return bool(_LIVE.match(comment, found.end() if found else 0))


def _number(text: str) -> Number:
    return float(text) if set(text) & set(".eE") else int(text)


def _comments(text: str, qualname: str) -> dict[str, str]:
    """Return what stands behind each field of a class, without the sign of a comment."""
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }
    found: dict[str, str] = {}
    for name, node in _classes(ast.parse(text), ""):
        if name == qualname:
            found = {field: comments.get(line, "") for field, line in _fields(node)}
    return found


def _classes(node: ast.AST, within: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for child in ast.iter_child_nodes(node):
        name = within
        if isinstance(child, ast.ClassDef):
            name = f"{within}.{child.name}".lstrip(".")
            yield name, child
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{within}.{child.name}.<locals>".lstrip(".")
        yield from _classes(child, name)


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, int]]:
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            yield line.target.id, line.end_lineno or line.lineno
