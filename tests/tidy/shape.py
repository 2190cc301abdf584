"""How files and functions look: lengths, names, docstrings, and exceptions to the linter."""

import ast
import re
from collections.abc import Iterator

from tests.tidy.source import Source

FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 50
MAIN_LINES_MAX = 15
COLUMNS_MAX = 100
TEST_WORDS_MIN = 3

DRAWERS = frozenset({"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"})
"""Names that say nothing, so that everything fits in."""

UNITLESS = frozenset({"timeout", "delay", "duration", "latency", "elapsed", "ttl", "deadline"})
"""Names of a time that must say in which unit it is."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(source: Source) -> Iterator[Function]:
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: Function) -> int:
    """Return the lines of a function from `def` to its last statement."""
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def files(source: Source) -> Iterator[str]:
    """Refuse a file that nobody reads in one sitting."""
    lines = source.text.count("\n")
    if source.suffix in {".py", ".sql"} and lines > FILE_LINES_MAX:
        yield source.at(FILE_LINES_MAX + 1, f"{lines} lines; at most {FILE_LINES_MAX}: part it")


def columns(source: Source) -> Iterator[str]:
    """Refuse a line that does not fit beside another one."""
    if source.suffix not in {".py", ".sql", ".conf"}:
        return
    for number, line in enumerate(source.text.splitlines(), 1):
        if len(line) > COLUMNS_MAX and "environment=" not in line:
            yield source.at(number, f"{len(line)} columns; at most {COLUMNS_MAX}")


def long_functions(source: Source) -> Iterator[str]:
    """Refuse a function that does more than its name can say."""
    if not source.product:
        return
    for function in functions(source):
        if length(function) > FUNCTION_LINES_MAX:
            found = f"{function.name} has {length(function)} lines"
            yield source.at(function.lineno, f"{found}; at most {FUNCTION_LINES_MAX}")


def wiring(source: Source) -> Iterator[str]:
    """Refuse a `__main__.py` that does more than put the parts together."""
    lines = sum(1 for line in source.text.splitlines() if line.strip())
    if source.service and source.name == "__main__.py" and lines > MAIN_LINES_MAX:
        yield source.at(1, f"{lines} lines of wiring; at most {MAIN_LINES_MAX}")


def guarded(source: Source) -> Iterator[str]:
    """Refuse a `__main__.py` that begins to work when it is imported."""
    if not source.service or source.name != "__main__.py":
        return
    for node in source.tree.body:
        call = isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
        if call or isinstance(node, ast.For | ast.While | ast.With | ast.Try):
            yield source.at(node.lineno, 'works on import; put it under if __name__ == "__main__"')


def drawers(source: Source) -> Iterator[str]:
    """Refuse files, folders and classes named after nothing."""
    stems = {part.partition(".")[0].lower() for part in source.path.split("/")}
    if source.path.startswith("schema/sql/"):
        stems.discard("common")  # It is common to every shard.
    for stem in sorted(DRAWERS & stems):
        yield source.at(1, f"a place named {stem}; name it after what it holds")
    if source.suffix != ".py":
        return
    for kind in source.walk(ast.ClassDef):
        last = re.sub(r"(?<!^)(?=[A-Z])", " ", kind.name).split()[-1].lower()
        if last in DRAWERS:
            yield source.at(kind.lineno, f"a class named {kind.name}; name it after what it does")


def units(source: Source) -> Iterator[str]:
    """Refuse a time without its unit."""
    if not source.product:
        return
    for node in source.nodes:
        for line, name in _defined(node):
            if name.lower().lstrip("_") in UNITLESS:
                yield source.at(line, f"{name}: in which unit? write {name}_ms")


def _defined(node: ast.AST) -> Iterator[tuple[int, str]]:
    targets: list[ast.expr] = []
    if isinstance(node, ast.arg):
        yield node.lineno, node.arg
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    elif isinstance(node, ast.Assign):
        targets = node.targets
    for target in targets:
        if isinstance(target, ast.Name | ast.Attribute):
            yield target.lineno, target.id if isinstance(target, ast.Name) else target.attr


def reasons(source: Source) -> Iterator[str]:
    """Refuse an exception to the linter that does not say which rule and why."""
    if source.suffix != ".py" or source.path.startswith("tests/tidy/"):
        return
    for number, line in enumerate(source.text.splitlines(), 1):
        _, found, mark = line.partition("# no" + "qa")
        if found and not re.match(r": [A-Z]+\d+(, ?[A-Z]+\d+)* - \w+", mark):
            yield source.at(number, "an exception to the linter; write `: CODE - the reason`")


def purposes(source: Source) -> Iterator[str]:
    """Refuse a module that does not say why it exists, or a first line that is no sentence."""
    if source.suffix != ".py" or not (source.product or source.layer == "tests"):
        return
    said = ast.get_docstring(source.tree) or ""
    if not said:
        yield source.at(1, "no docstring; say why the file exists")
    elif source.product and not re.search(r"[.?!:](\n\n|\n|$)", said + "\n"):
        yield source.at(1, "a docstring that ends nowhere; write a sentence")


def sentences(source: Source) -> Iterator[str]:
    """Refuse a test whose name does not say what holds."""
    if source.layer != "tests" or not source.name.startswith("test_"):
        return
    tests = [f for f in functions(source) if f.name.startswith("test_")]
    for test in tests:
        if len(test.name.split("_")) <= TEST_WORDS_MIN:
            yield source.at(test.lineno, f"{test.name}: write what holds, as a sentence")
    if not tests:
        yield source.at(1, "a test file without a test")


def typed_outs(source: Source) -> Iterator[str]:
    """Refuse a `type: ignore` that hides more than one kind of mistake."""
    if source.suffix != ".py" or source.path.startswith("tests/tidy/"):
        return
    for number, line in enumerate(source.text.splitlines(), 1):
        if re.search(r"# type: ignore(?!\[[a-z-]+(, ?[a-z-]+)*\])", line):
            yield source.at(number, "ignores every type error of the line; name the one")
