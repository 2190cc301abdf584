"""What nobody may write: calls and phrases that once cost somebody money or a night."""

import ast
import re
from collections.abc import Iterator

from tests.tidy.source import Source

CLOCKS = frozenset({"now", "today", "utcnow"})
"""What datetime and date offer beside the `time` module, which is a door of its own."""

SPAWNS = {
    "os.fork": "sockets, leases and shards do not survive a fork: spawn",
    "os.forkpty": "sockets, leases and shards do not survive a fork: spawn",
    "asyncio.to_thread": "threads live in bus/edge.py, bus/sync.py and bus/janitor.py",
    "faulthandler.dump_traceback_later": "the warden judges what hangs",
}

PHRASES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"\bINSERT\s+OR\s+IGNORE\b", re.IGNORECASE),
        "it hides NULL and CHECK: ON CONFLICT",
    ),
    (re.compile("XPUB" + "_NODROP"), "one stuck watcher stops the publisher: the journal repairs"),
    (re.compile("zmq" + r"\.asyncio"), "it loses events and grows without bound: zmq.Poller"),
    (re.compile("CONF" + "LATE"), "it keeps one message for the whole socket: drain, then a dict"),
    (re.compile(r"\b(?:python[\d.]*|executable)\b[\"']?,?\s[\"']?-OO?\b"), "assert is design"),
    (re.compile(r"<string>-OO?</string>"), "assert is design"),
    (re.compile("PYTHON" + "OPTIMIZE"), "assert is design"),
    (re.compile(r"get_context\(.fork|set_start_method\(.fork"), "spawn: sockets do not fork"),
    (re.compile(r"\bMSG_MORE|SNDMORE\b"), "one frame is one part"),
    (re.compile(r"PYTEST_CURRENT" + "_TEST"), "no code knows that it is tested"),
)

MARKS = re.compile(r"\b(?:TO" + "DO|FIX" + "ME|XX" + "X|HA" + r"CK)\b")

MACHINES = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/")

MODES = frozenset({"mode", "backtest", "is_backtest", "is_live", "is_test", "testing", "run_mode"})

MAY_KNOW_MODES = ("edge", "__main__", "__init__")


def dotted(node: ast.expr) -> str:
    """Return `a.b.c` for a chain of names, and as much of its end as there is for others."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}".lstrip(".")
    return ""


def clocks(source: Source) -> Iterator[str]:
    """Refuse a reading of the time outside of bus/clock.py."""
    if not source.product or source.path == "bus/clock.py":
        return
    for node in source.walk(ast.Attribute):
        owner = dotted(node.value).rpartition(".")[2]
        if node.attr in CLOCKS and owner in {"datetime", "date", "Timestamp"}:
            yield source.at(node.lineno, f"{owner}.{node.attr}; take the time from bus.clock")
        elif node.attr == "time" and _is_event_loop(node.value):
            yield source.at(node.lineno, "the loop's time; take the time from bus.clock")


def _is_event_loop(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return dotted(node.func).endswith(("get_running_loop", "get_event_loop"))
    return dotted(node).rpartition(".")[2] in {"loop", "_loop"}


def spawns(source: Source) -> Iterator[str]:
    """Refuse forks, and threads that no file owns."""
    if not source.product:
        return
    for call in source.walk(ast.Call):
        name = dotted(call.func)
        if name in SPAWNS:
            yield source.at(call.lineno, f"{name}; {SPAWNS[name]}")
        elif name.endswith("run_in_executor"):
            yield source.at(call.lineno, f"run_in_executor; {SPAWNS['asyncio.to_thread']}")


def phrases(source: Source) -> Iterator[str]:
    """Refuse phrases that are wrong in every language that the house speaks."""
    if source.suffix == ".md" or source.path.startswith("tests/tidy/"):
        return
    for number, line in enumerate(source.text.splitlines(), 1):
        for pattern, instead in PHRASES:
            if found := pattern.search(line):
                yield source.at(number, f"{found.group()!r}; {instead}")


def marks(source: Source) -> Iterator[str]:
    """Refuse work that was left for later inside the code."""
    for number, line in enumerate(source.text.splitlines(), 1):
        if found := MARKS.search(line):
            yield source.at(number, f"{found.group()}; do it now, or plan it outside of the code")


def machines(source: Source) -> Iterator[str]:
    """Refuse a path that exists on one machine alone."""
    for number, line in enumerate(source.text.splitlines(), 1):
        if found := MACHINES.search(line):
            yield source.at(number, f"{found.group()}: not everybody's machine; find it from here")


def modes(source: Source) -> Iterator[str]:
    """Refuse a core or a domain file that asks which world it is in."""
    if not source.service or source.service == "rrr" or source.name.startswith(MAY_KNOW_MODES):
        return
    for question in _questions(source):
        for name in ast.walk(question):
            asked = dotted(name).rpartition(".")[2] if isinstance(name, ast.expr) else ""
            if asked in MODES:
                yield source.at(question.lineno, f"asks for {asked}; compose another edge or clock")
                break


def _questions(source: Source) -> Iterator[ast.expr]:
    for node in source.nodes:
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            yield node.test
        elif isinstance(node, ast.Match):
            yield node.subject


def broad_excepts(source: Source) -> Iterator[str]:
    """Refuse to catch everything, but at the three boundaries that were made for it."""
    if not source.product:
        return
    allowed = BOUNDARIES.get(source.path, 0)
    for node in source.walk(ast.ExceptHandler):
        if not _catches_everything(node):
            continue
        allowed -= 1
        if allowed < 0:
            yield source.at(node.lineno, "catches everything; name the failure and say what to do")
        elif source.path == WAY_OUT and not isinstance(node.body[-1], ast.Raise):
            yield source.at(node.lineno, "swallows what ends a process; raise it again")
    for call in source.walk(ast.Call):
        broad = {dotted(argument) for argument in call.args} & {"Exception", "BaseException"}
        if dotted(call.func).endswith("suppress") and broad:
            yield source.at(call.lineno, "suppresses everything; name the failure")


WAY_OUT = "bus/process.py"

BOUNDARIES = {
    WAY_OUT: 1,
    "bus/edge.py": 1,
    "services/engine/boundary.py": 1,
    "services/engine/modules.py": 1,
}
"""The way out of every process, which raises again; an edge's task; a strategy's code and load."""


def _catches_everything(node: ast.ExceptHandler) -> bool:
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(kind is None or dotted(kind) in {"Exception", "BaseException"} for kind in caught)


def mocks(source: Source) -> Iterator[str]:
    """Refuse tests that replace the code that they test, or that wait by sleeping."""
    if source.layer != "tests" or source.suffix != ".py":
        return
    names = [(node.lineno, node.id) for node in source.walk(ast.Name)]
    names += [(node.lineno, node.arg) for node in source.walk(ast.arg)]
    for line, name in names:
        if name in {"monkeypatch", "MagicMock", "Mock", "mocker"}:
            yield source.at(line, f"{name}; fakes are shipped code with the same contract")
    for call in source.walk(ast.Call):
        if dotted(call.func) in {"time.sleep", "sleep"}:
            yield source.at(call.lineno, "sleeps; wait for a condition with a deadline")
