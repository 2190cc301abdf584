"""Shards full of what is hard to write down, and `rrr db` over them, as tests of exports use it."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import msgspec
from click.testing import CliRunner

from bus.errors import HouseError
from bus.house import House, open_house, settle_world
from bus.migrations import KINDS
from bus.shard import open_writer
from services.rrr.db import db as group

ROOT = Path(__file__).parents[3]
MAX, MIN = (1 << 63) - 1, -(1 << 63)
AT_NS = 1_769_903_880_000_000_000  # 2026-01-31T23:58:00Z
MINUTE = 29_496_960  # 2026-01-31T00:00:00Z, since 1970
NASTY = (
    "",
    " ",
    ",",
    '"',
    '""',
    "'; DROP TABLE audit; --",
    "a\nb",
    "a\r\nb\r",
    "\0",
    "NULL",
    "\\N",
    "é \U0001f600 \u2028 \x85 \x0b",
    "x" * 5000,
)
BLOBS = (b"", b"\0", b"\xff\xfe", b'",\n', bytes(range(256)))
MONTHS = ("market_data_2026_01", "market_data_2026_02")
MINUTES = {MONTHS[0]: MINUTE, MONTHS[1]: MINUTE + 1440}


class Done(msgspec.Struct):
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> Any:
        return msgspec.json.decode(self.out)


class Desk:
    """A house of its own, with a world, and somebody who asks it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environ = {"RRR_HOME": str(path), "RRR_RUN": str(path / "run"), "MODE": "paper"}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RRR_", "MODE"))}
        self.house: House = open_house(ROOT, inherited | self.environ)
        settle_world(self.house)

    def rrr(self, *words: str | Path) -> Done:
        """Run `rrr db` here."""
        found = CliRunner(env=self.environ).invoke(group, [str(word) for word in words])
        if isinstance(found.exception, HouseError):
            return Done(found.exception.exit_code, found.stdout, str(found.exception))
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return Done(found.exit_code, found.stdout, found.stderr)

    def fill(self, *shards: str) -> None:
        """Make shards with rows in them."""
        for shard in shards:
            for stem in MONTHS if shard == "market" else (shard,):
                self.write(shard, stem, FILLS[shard] | market(MINUTES.get(stem, 0)))

    def write(self, shard: str, stem: str, rows: dict[str, list[tuple[Any, ...]]]) -> None:
        """Insert rows into a file of a shard."""
        path = self.file(stem)
        path.parent.mkdir(parents=True, exist_ok=True)
        opened = open_writer(KINDS[shard], path, self.house.world)
        with opened.transaction() as db:
            for table, some in rows.items():
                names, marks = _names(db, table, len(some[0]) if some else 0)
                db.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", some)
        opened.close()

    def file(self, stem: str) -> Path:
        """Return a file of the world."""
        return self.house.db_dir / f"{stem}.db"


def _names(db: Any, table: str, count: int) -> tuple[str, str]:
    found = db.execute(f"PRAGMA table_xinfo({table})").fetchall()
    names = [row[1] for row in found if not row[6]][:count]
    return ", ".join(names), ", ".join("?" for _ in names)


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return all that a file of a shard holds, with its identity and its schema."""
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        tables: list[Any] = db.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        ).fetchall()
        found: dict[str, list[tuple[Any, ...]]] = {
            name: db.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()
            for (name,) in tables
            if name != "migration"
        }
        found["migration"] = db.execute("SELECT * FROM migration ORDER BY 1").fetchall()
        found["schema"] = sorted(
            db.execute(
                "SELECT name, sql FROM sqlite_schema WHERE sql NOTNULL AND name NOT LIKE 'sqlite%'"
            )
        )
        found["identity"] = [(db.pragma("application_id"), db.pragma("user_version"))]
    return found


def files_under(path: Path) -> Iterator[str]:
    """Yield what lies beside a place and in it, by name."""
    yield from sorted(one.name for one in path.iterdir())


def market(first: int) -> dict[str, list[tuple[Any, ...]]]:
    """Return bars and ticks from a minute on; nothing for a shard without months."""
    if not first:
        return {}
    at_ns = first * 60 * 10**9
    return {
        "bar": [
            *((1 << 26 | first + n, 10, 12, 9, 11, n, MAX, n, 0) for n in range(700)),
            *((2 << 26 | first + n, MAX, MAX, 1, MAX, MAX, 0, MAX, 1) for n in range(2)),
            (3 << 26 | first // 5, 1, 1, 1, 1, MAX, MAX, 0, 0),
        ],
        "tick": [(4 << 44 | first + n, at_ns + n * 10**9, 640 + n, 5, n % 2) for n in range(100)],
        "tick_mark": [
            (4 << 26 | first + n, first + 60 * n, first + min(60 * n + 59, 99)) for n in range(2)
        ],
    }


_letters = [(n, AT_NS + n, "Type", text, blob) for n, (text, blob) in enumerate(
    [(text, BLOBS[at % len(BLOBS)]) for at, text in enumerate(NASTY)], start=1
)]  # fmt: skip
_positions = [("ingest.bar", 7), ("gateway.order", MAX)]

FILLS: dict[str, dict[str, list[tuple[Any, ...]]]] = {
    "trading": {
        "orders": [
            (f"id{n}", text, "FILLED", "", None, None, text, None, None, None, text or None,
             MAX, 0, MAX, 2, 8, None, MAX, 0, None, MIN, MAX, -n)
            for n, text in enumerate(NASTY)
        ],
        "positions": [("A/B", text, MIN, MAX, -1, 0, 5, 2, 8, 8, AT_NS) for text in NASTY],
        "risk_events": [
            (n, AT_NS, "T", text, text, text, MIN, "{}") for n, text in enumerate(NASTY)
        ],
        "ledger": [
            (n, f"e{n}", AT_NS, "trade", text, "BTC", (-1) ** n * MAX, 18, 0)
            for n, text in enumerate(NASTY)
        ],
        "trades": [
            (text, "t", "c", "v", AT_NS, "buy", MAX, MAX, MAX, MIN, "BNB", 1, 0, 2, 8, 8, 8, 1)
            for text in NASTY
        ],
        "dead_letter": _letters,
        "stream_position": _positions,
    },
    "analytics": {
        "trade_execution_log": [
            (text, MAX, text, text or None, None, None, MIN) for text in NASTY
        ],
        "analytics_metrics": [
            (f"m{n}", text, 60_000_000_000 * n, value)
            for n, (text, value) in enumerate(
                zip(NASTY, (0.1, -1e-308, 1e308, float("inf"), -float("inf"), 5e-324, 1.0, 1 / 3,
                            123456789.123456789, 0.0, 2.0**63, -2.5, 1e22), strict=True)
            )
        ],
        "ml_model_results": [
            (MAX - n, AT_NS, text, "1m", text, n, 0.5, 1 / 3, 0.1) for n, text in enumerate(NASTY)
        ],
        "dead_letter": _letters,
        "stream_position": _positions,
    },
    "backtest": {
        "runs": [(f"r{n}", text, text, "{}", n, text, AT_NS, "{}") for n, text in enumerate(NASTY)],
        "run_trades": [
            ("r1", n, text, "buy", 1, 2, 3, 4, MIN, 8, 0.1, 1 / 3, MAX, MIN, text, text)
            for n, text in enumerate(NASTY)
        ],
        "run_equity": [("r1", n, MIN + n, 8) for n in range(5)],
        "dead_letter": _letters,
        "stream_position": _positions,
    },
    "market": {
        "series": [
            (1, "BTC/USDT", "1m", 60, 2, 8, 8),
            (2, "SHIB/USDT", "1m", 60, 12, 0, 8),
            (3, "A-B/C:D'\"%", "5m", 300, 18, 18, 18),
            (4, "BTC/USDT", "ticks", 0, 2, 8, 0),
        ],
        "feed_gap": [(text, n, MAX, 0, text, AT_NS) for n, text in enumerate(NASTY)],
        "tick_hwm": [(4, 99, AT_NS)],
        "dead_letter": _letters,
        "stream_position": _positions,
    },
}  # fmt: skip
"""Rows of each shard: the largest numbers, text of every kind, NULL beside the empty text."""


def exported(desk: Desk, shard: str, *words: str) -> Path:
    """Return where a filled shard was exported to."""
    desk.fill(shard)
    place = desk.path / "out"
    done = desk.rrr("export", shard, "--to", place, *words)
    assert done.code == 0, done.err
    return place
