"""Who may import what: layers go one way, and each outside library has one door."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch

from tests.tidy.source import PRODUCT, Source

BELOW = {
    "schema": ("schema",),
    "bus": ("schema", "bus"),
    "services": ("schema", "bus", "services"),
    "strategies": ("services", "strategies"),
}
"""What each layer may import of the house: schema <- bus <- services <- strategies."""

INTERFACE = "services.engine.strategy"
"""All that a strategy imports of the house, beside the files of its own folder."""

COMPOSERS = ("rrr", "backtest")
"""The two folders in services/ that put other services together."""

SCHEMA_IMPORTS = frozenset(
    {
        *("abc", "bisect", "collections", "datetime", "decimal", "difflib", "enum", "fractions"),
        *("functools", "hashlib", "itertools", "math", "msgspec", "operator", "re", "schema"),
        *("string", "struct", "types", "typing", "zlib"),
    }
)
"""All that schema needs; none of it does I/O, reads a clock or writes a log."""

CORE_IMPORTS_OF_BUS = frozenset({"bus.service", "bus.errors", "bus.health", "bus.lag"})

LAB = "services/rrr/lab*.py"
EDGES = "services/*/edge*.py"
HTTP = (EDGES, "services/venue/*", "services/monitor/*", "services/web/*")
RRR = "services/rrr/*"
SHARDS = ("bus/shard*.py", "bus/checksums.py", "bus/reading.py", "bus/views.py")
NUMBERS_OF_BUS = ("bus/columns.py", "bus/*_parts.py", "bus/chunks.py", "bus/packing.py")
ARRAYS = (*NUMBERS_OF_BUS, "services/writer/*", RRR)
NUMBERS = ("venue", "predictor", "optimizer", "engine", "backtest")

DOORS: dict[str, tuple[str, ...]] = {
    "zmq": ("bus/wire.py",),
    "apsw": (*SHARDS, "services/writer/*"),
    "time": ("bus/clock.py",),
    "threading": ("bus/edge.py", "bus/sync.py", "bus/janitor.py"),
    "_thread": (),
    "concurrent": (),
    "multiprocessing": ("services/predictor/*", "services/backtest/*"),
    "subprocess": ("services/rrr/*", "services/writer/jobs.py"),
    "signal": ("bus/shell.py", "services/warden/edge*.py", "services/engine/edge.py", RRR),
    "asyncio": ("bus/edge.py", EDGES, "services/venue/*", "services/web/*"),
    "uvloop": ("bus/edge.py",),
    "keyring": ("services/gateway/keys.py",),
    "ccxt": ("services/ingest/edge*.py", "services/gateway/edge*.py"),
    "torch": ("services/predictor/*",),
    "safetensors": ("services/predictor/*",),
    "numpy": (*ARRAYS, LAB, "strategies/*", *(f"services/{name}/*" for name in NUMBERS)),
    "aiohttp": HTTP,
    "http": HTTP,
    "urllib": HTTP,
    "requests": (),
    "httpx": (),
    "websockets": (),
    "click": ("services/rrr/*",),
    "rich": ("services/rrr/*",),
    "psutil": ("services/rrr/*", "services/warden/*"),
    "talib": (),
    "duckdb": (RRR,),
    "psycopg": (RRR,),
    "nats": (),
    "redis": (),
    "tomlkit": ("services/rrr/*",),
    "supervisor": ("services/rrr/*", "services/warden/*"),
    "xmlrpc": ("services/rrr/*", "services/warden/*"),
    "random": (),
    "secrets": (),
    "uuid": (),
    "pandas": (LAB,),
    "polars": (LAB,),
    "sqlite3": (),
    "logging": (),
    "mmap": (),
    "unittest": (),
    "pytest": (),
    "hypothesis": (),
}
"""For each library, the only product files that may import it."""

NOT_IN_CORES = frozenset({"csv", "gzip", "io", "os", "pathlib", "shutil", "socket", "tempfile"})


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """Yield line and dotted module of every import, inside functions too."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield node.lineno, base
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call):
            yield from _by_name(node)


def _by_name(call: ast.Call) -> Iterator[tuple[int, str]]:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name in {"import_module", "__import__"} and call.args:
        module = call.args[0]
        if isinstance(module, ast.Constant):
            yield call.lineno, str(module.value)


def layers(source: Source) -> Iterator[str]:
    """Refuse an import from a layer above, or one that hides where it comes from."""
    if not source.product:
        return
    for line, module in imports(source):
        top = module.partition(".")[0]
        if top == "":
            yield source.at(line, "relative import; write the whole name")
        elif top in (*PRODUCT, "tests") and top not in BELOW[source.layer]:
            yield source.at(line, f"{source.layer} imports {module}; schema <- bus <- services")


def authors(source: Source) -> Iterator[str]:
    """Refuse a strategy that imports more of the house than its interface."""
    if source.layer != "strategies":
        return
    for line, module in imports(source):
        if module.startswith("services") and not f"{module}.".startswith(f"{INTERFACE}."):
            yield source.at(line, f"a strategy imports {module}; all it needs is in {INTERFACE}")


def strangers(source: Source) -> Iterator[str]:
    """Refuse a service that imports another one."""
    if not source.service or source.service in COMPOSERS:
        return
    for line, module in imports(source):
        parts = module.split(".")
        if parts[0] == "services" and len(parts) > 1 and parts[1] != source.service:
            yield source.at(line, f"{source.service} imports {module}; services meet on the bus")


def doors(source: Source) -> Iterator[str]:
    """Refuse an outside library that comes in by another file than its door."""
    if not source.product:
        return
    seen: set[tuple[int, str]] = set()
    for line, module in imports(source):
        top = module.partition(".")[0]
        allowed = any(fnmatch(source.path, door) for door in DOORS.get(top, ("*",)))
        if not allowed and (line, top) not in seen:
            seen.add((line, top))
            yield source.at(line, f"imports {top}; its door is {' '.join(DOORS[top]) or 'closed'}")


def pure_schema(source: Source) -> Iterator[str]:
    """Refuse everything in schema that is not computation."""
    if source.layer != "schema":
        return
    for line, module in imports(source):
        if module.partition(".")[0] not in SCHEMA_IMPORTS:
            yield source.at(line, f"schema imports {module}; it does no I/O and reads no clock")
    yield from _calls_of_the_outside(source)


def pure_cores(source: Source) -> Iterator[str]:
    """Refuse a core, or the state that it keeps, that can touch the world."""
    if not source.service or source.name not in {"core.py", "state.py"}:
        return
    for line, module in imports(source):
        if module.partition(".")[0] in NOT_IN_CORES:
            yield source.at(line, f"a core imports {module}; the edge touches the world")
        elif module.startswith("bus.") and not _known_to_cores(module):
            yield source.at(line, f"a core imports {module}; the runner owns the bus")
    yield from _calls_of_the_outside(source)


def _known_to_cores(module: str) -> bool:
    return any(module == known or module.startswith(f"{known}.") for known in CORE_IMPORTS_OF_BUS)


def _calls_of_the_outside(source: Source) -> Iterator[str]:
    for call in source.walk(ast.Call):
        if isinstance(call.func, ast.Name) and call.func.id in {"open", "print", "input"}:
            yield source.at(call.lineno, f"calls {call.func.id}(); it is pure")
