"""A filter that a person types: an expression over fields, walked by hand and never run as code.

Comparisons, `and`, `or`, `not`, `in`, arithmetic; texts, numbers, None. Prices, quantities and
money are exact decimals. A field that a message lacks is None, and no order holds with None.
"""

import ast
import operator
import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

import click

from services.rrr.bus_fields import field, require_field
from services.rrr.ears import Seen

TEXT_CHARS_MAX = 1000
DEPTH_MAX = 40
FORM = "expected an expression such as \"symbol == 'BTC/USDT' and px > 60000.5\""

Look = Callable[[str], Any]
Rule = Callable[[Look], Any]
Number = int | float | Decimal

ORDERS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
SUMS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


class FilterError(click.UsageError):
    """A filter that cannot be read, or that compares what cannot be compared."""


def read_filter(text: str, streams: list[str]) -> Callable[[Seen], bool]:
    """Return the test that a text means for messages of some streams."""

    def require(path: str) -> None:
        try:
            require_field(path, streams)
        except click.UsageError as error:
            raise FilterError(error.message) from error

    rule = read_rule(text, require)
    return lambda seen: bool(rule(lambda path: field(seen, path)))


def read_rule(text: str, require: Callable[[str], None]) -> Rule:
    """Return what a text means; `require` refuses a name of no field."""
    if len(text) > TEXT_CHARS_MAX:
        raise FilterError(f"a filter of {len(text)} characters; at most {TEXT_CHARS_MAX}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # The parser remarks on style.
            tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise FilterError(f"no filter {text!r}; {FORM}") from error
    return _Reading(text, require).rule(tree.body, 0)


class _Reading:
    """Turns the parts of one expression into rules."""

    def __init__(self, text: str, require: Callable[[str], None]) -> None:
        self._text, self._require = text, require

    def rule(self, node: ast.expr, depth: int) -> Rule:
        if depth > DEPTH_MAX:
            raise FilterError(f"a filter that is nested deeper than {DEPTH_MAX}; make it simpler")
        match node:
            case ast.BoolOp():
                return self._both(node, depth)
            case ast.UnaryOp():
                return self._one(node, depth)
            case ast.BinOp(op=op) if type(op) in SUMS:
                return self._sum(node, depth)
            case ast.Compare():
                return self._compared(node, depth)
            case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
                rules = [self.rule(part, depth + 1) for part in parts]
                return lambda look: tuple(rule(look) for rule in rules)
            case ast.Constant(value=value):
                return self._literal(value)
            case ast.Name() | ast.Attribute():
                return self._name(node)
        raise self._refused(node)

    def _both(self, node: ast.BoolOp, depth: int) -> Rule:
        rules = [self.rule(part, depth + 1) for part in node.values]
        if isinstance(node.op, ast.And):
            return lambda look: all(rule(look) for rule in rules)
        return lambda look: any(rule(look) for rule in rules)

    def _one(self, node: ast.UnaryOp, depth: int) -> Rule:
        rule = self.rule(node.operand, depth + 1)
        match node.op:
            case ast.Not():
                return lambda look: not rule(look)
            case ast.USub():
                return lambda look: _result(operator.sub, 0, rule(look))
            case ast.UAdd():
                return lambda look: _result(operator.add, 0, rule(look))
        raise self._refused(node)

    def _sum(self, node: ast.BinOp, depth: int) -> Rule:
        left, right = self.rule(node.left, depth + 1), self.rule(node.right, depth + 1)
        work = SUMS[type(node.op)]
        return lambda look: _result(work, left(look), right(look))

    def _compared(self, node: ast.Compare, depth: int) -> Rule:
        tests = [self._test(op, node) for op in node.ops]
        rules = [self.rule(part, depth + 1) for part in (node.left, *node.comparators)]

        def holds(look: Look) -> bool:
            values = [rule(look) for rule in rules]
            pairs = zip(tests, values, values[1:], strict=False)
            return all(test(left, right) for test, left, right in pairs)

        return holds

    def _test(self, op: ast.cmpop, node: ast.Compare) -> Callable[[Any, Any], bool]:
        match op:
            case ast.Eq():
                return _equal
            case ast.NotEq():
                return lambda left, right: not _equal(left, right)
            case ast.In():
                return _within
            case ast.NotIn():
                return lambda left, right: not _within(left, right)
        if type(op) in ORDERS:
            order = ORDERS[type(op)]
            return lambda left, right: _ordered(order, left, right)
        raise self._refused(node)

    def _literal(self, value: object) -> Rule:
        if isinstance(value, float):
            value = Decimal(repr(value))
        if value is None or isinstance(value, str | int | Decimal):
            return lambda _look: value
        raise FilterError(f"no value {value!r} in a filter; expected a number, a text or None")

    def _name(self, node: ast.expr) -> Rule:
        path = ast.unparse(node)
        if not all(part.isidentifier() for part in path.split(".")):
            raise self._refused(node)
        self._require(path)
        return lambda look: look(path)

    def _refused(self, node: ast.expr) -> FilterError:
        part = ast.get_source_segment(self._text.strip(), node) or type(node).__name__
        return FilterError(f"no {part!r} in a filter; {FORM}")


def _equal(left: object, right: object) -> bool:
    if _is_number(left) and _is_number(right):
        return bool(_exact(left) == _exact(right))
    return left == right


def _ordered(order: Callable[[Any, Any], bool], left: object, right: object) -> bool:
    if left is None or right is None:
        return False
    try:
        if _is_number(left) and _is_number(right):
            return bool(order(_exact(left), _exact(right)))
        return bool(order(left, right))
    except ArithmeticError:
        return False  # Not a number has no order.
    except TypeError as error:
        raise FilterError(f"{left!r} and {right!r} cannot be compared") from error


def _within(part: object, all_: object) -> bool:
    if all_ is None or (isinstance(all_, str) and part is None):
        return False
    if isinstance(all_, str) and isinstance(part, str):
        return part in all_
    if isinstance(all_, tuple):
        return any(_equal(part, one) for one in all_)
    raise FilterError(f"{all_!r} holds nothing that {part!r} could be among")


def _result(work: Callable[[Any, Any], Any], left: object, right: object) -> Number | None:
    if left is None or right is None:
        return None
    if not (_is_number(left) and _is_number(right)):
        raise FilterError(f"no arithmetic with {left!r} and {right!r}; expected numbers")
    try:
        return cast("Number", work(_exact(left), _exact(right)))
    except ArithmeticError:
        return None  # A division by zero: no value, so that the watch goes on.


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal)


def _exact(value: Any) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
