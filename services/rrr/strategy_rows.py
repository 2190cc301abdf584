"""What is known of the strategies: what the settings name, and what the engine tells of each."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from bus.errors import ProtocolError
from bus.house import House
from bus.wire import socket_path
from schema.settings import StrategySettings
from services.rrr.asking import asked
from services.rrr.screen import table

HEAD = ("NAME", "MODE", "STATE", "SYMBOLS", "BUDGET", "WORTH", "POSITIONS", "FILE")
Row = dict[str, Any]
Told = Mapping[str, Row]
"""What the engine tells of each strategy, by its name."""


def engine_runs(run: Path) -> bool:
    """Return whether an engine has its control socket there."""
    return socket_path(run, "engine", "ctl").exists()


def told_by_engine(run: Path) -> Told | None:
    """Return what the engine tells of its strategies; None when none runs."""
    if not engine_runs(run):
        return None
    done = asked(run, "engine", "strategies")
    try:
        rows = msgspec.json.decode(done.body, type=list[Row])
    except msgspec.MsgspecError as error:
        raise ProtocolError(
            f"engine answers `strategies` with {done.text or 'what is no list of them'}",
            "It runs from other code than this command: rrr restart engine",
        ) from error
    return {row["name"]: row for row in rows}


def held_by(row: Row | None) -> dict[str, str]:
    """Return what a strategy holds, or is about to, by symbol."""
    symbols = row.get("symbols", ()) if row is not None else ()
    shown = {
        one["symbol"]: one["position"] if Decimal(one["position"]) else one["wants"]
        for one in symbols
    }
    return {symbol: qty for symbol, qty in shown.items() if Decimal(qty)}


def rows_of(house: House, told: Told | None, digests: Mapping[str, str]) -> list[Row]:
    """Return a row for each strategy; `digests` are those of the files as they are now."""
    known = house.settings.strategy
    names = [*known, *(name for name in told or () if name not in known)]
    return [_row(name, known.get(name), told, digests.get(name, "")) for name in names]


def shown_rows(rows: Iterable[Row]) -> list[str]:
    """Return rows as a table, and below it what somebody should do."""
    rows = list(rows)
    lines = table([HEAD, *(_cells(row) for row in rows)])
    notes = [f"  {row['name']}: {note}" for row in rows for note in _notes(row)]
    return [*lines, *(["", *notes] if notes else [])]


def _row(name: str, own: StrategySettings | None, told: Told | None, digest: str) -> Row:
    running = told.get(name) if told is not None else None
    state, why = _state(own, told, running)
    row = running if running is not None and "mode" in running else {}
    loaded = row.get("digest", "")
    return {
        "name": name,
        "mode": row.get("mode") or (own.mode if own else "off"),
        "state": state,
        "why": why,
        "symbols": [one["symbol"] for one in row.get("symbols", ())] or _named(own),
        "budget": row.get("budget", own.budget if own else 0.0),
        "worth": row.get("worth"),
        "positions": held_by(row),
        "file": row.get("file") or (own.file if own else ""),
        "params": row.get("params", own.params if own else {}),
        "edited": bool(digest and loaded and digest != loaded),
    }


def _named(own: StrategySettings | None) -> list[str]:
    return list(own.symbols) if own else []


def _state(own: StrategySettings | None, told: Told | None, row: Row | None) -> tuple[str, str]:
    if row is None:
        if own is None or own.mode == "off":
            return "off", ""
        return "not running" if told is None else "not loaded", ""
    trouble, latch = str(row["trouble"]), str(row["latch"])
    if latch:
        what, _, why = latch.partition(" by ")
        return what.removeprefix("strategy "), f"by {why}" if why else ""
    if trouble and "mode" not in row:
        return "not loaded", trouble
    return "running", trouble


def _cells(row: Row) -> tuple[str, ...]:
    worth = "-" if row["worth"] is None else f"{row['worth']:.2f}"
    held = " ".join(f"{symbol} {qty}" for symbol, qty in row["positions"].items())
    return (
        row["name"],
        row["mode"],
        row["state"],
        " ".join(row["symbols"]) or "all",
        f"{row['budget']:g}" if row["budget"] < 1e6 else f"{row['budget']:.0f}",
        worth,
        held or "-",
        row["file"],
    )


def _notes(row: Row) -> Iterable[str]:
    name = row["name"]
    if row["why"]:
        yield f"{row['state']}: {row['why']}"
    if row["state"] in {"paused", "failed"}:
        yield f'rrr strategy resume {name} "why"'
    if row["state"] == "not loaded":
        yield f"it is not part of the running engine: rrr strategy add {name}"
    if row["edited"]:
        yield f'edited since it was loaded: rrr strategy reload {name} "why"'
