"""The runs that were kept: from the shard, and from the journal what has not come there yet."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import click
import msgspec

from bus.errors import HouseError
from bus.house import House
from bus.migrations import KINDS
from bus.rows import read_rows, shard_files
from schema.head import Message
from schema.house import BacktestResult, RunEquity, RunPrices, RunTrade, RunTrades
from services.backtest.picture import Picture
from services.rrr.books import as_integrity
from services.rrr.said import said_from

SHARD = "backtest"
STREAM = "backtest.result"
PREFIX = re.compile(r"[0-9a-f]{1,64}")
SHOWN_MAX = 10

CURSOR = "SELECT pos FROM backtest.stream_position WHERE stream = ?"
NAMED = "SELECT run_id FROM backtest.runs WHERE run_id GLOB ? ORDER BY run_id"
REPORT = "SELECT report, metrics FROM backtest.runs WHERE run_id = ?"
TRADES = """
SELECT symbol, side, opened_ns, closed_ns, opened_bar, closed_bar, qty, qty_exp, entry_px, exit_px,
    gain, fees, entry_tag, exit_tag
FROM backtest.run_trades WHERE run_id = ? ORDER BY number
"""
EQUITY = "SELECT ts_ns, equity, exp FROM backtest.run_equity WHERE run_id = ? ORDER BY ts_ns"
PRICES = """
SELECT symbol, ts_ns, px, px_exp FROM backtest.run_prices WHERE run_id = ? ORDER BY symbol, ts_ns
"""


def waiting(house: House) -> list[Message]:
    """Return what was said of runs that the shard has not taken yet."""
    cursor = next(iter(rows(house, CURSOR, STREAM)), {"pos": 0})["pos"]
    try:
        return [one.message for one in said_from(house.journal_dir, STREAM, cursor + 1)]
    except HouseError:
        return []  # No journal: nothing waits.


def runs_among(messages: Iterable[Message]) -> dict[str, BacktestResult]:
    """Return the runs that were said, by id."""
    return {one.run_id: one for one in messages if isinstance(one, BacktestResult)}


def picture_named(house: House, prefix: str) -> Picture:
    """Return the run whose id begins so; it must be one."""
    if not PREFIX.fullmatch(prefix):
        raise click.UsageError(f"{prefix!r} is no part of a run's id: `rrr backtest list`")
    late = waiting(house)
    said = {name for name in runs_among(late) if name.startswith(prefix)}
    kept = {str(row["run_id"]) for row in rows(house, NAMED, f"{prefix}*")}
    found = sorted(said | kept)
    if not found:
        raise HouseError(
            f"no run of world {house.world} has an id that begins with {prefix!r}",
            "`rrr backtest list` shows the runs that were kept",
        )
    if len(found) > 1:
        more = " ..." if len(found) > SHOWN_MAX else ""
        told = " ".join(found[:SHOWN_MAX])
        raise click.UsageError(f"{prefix!r} begins {len(found)} runs: {told}{more}")
    (name,) = found
    return _from_shard(house, name) if name in kept else _from_words(name, late)


def rows(house: House, sql: str, *bindings: str) -> list[dict[str, Any]]:
    """Return the rows of a SELECT; none where there is no shard yet."""
    if not shard_files(house.db_dir, KINDS[SHARD]):
        return []
    try:
        return list(read_rows(house.db_dir, SHARD, sql, bindings))
    except HouseError as error:
        raise as_integrity(error) from error


def _from_shard(house: House, name: str) -> Picture:
    (row,) = rows(house, REPORT, name)
    points = rows(house, EQUITY, name)
    return Picture(
        report=_report(name, str(row["report"])),
        trades=tuple(RunTrade(**one) for one in rows(house, TRADES, name)),
        equity=RunEquity(
            ts_event=0,
            run_id=name,
            at_ns=tuple(one["ts_ns"] for one in points),
            equity=tuple(one["equity"] for one in points),
            exp=points[0]["exp"] if points else 0,
        ),
        prices=tuple(_prices(name, rows(house, PRICES, name))),
    )


def _prices(name: str, points: list[dict[str, Any]]) -> Iterator[RunPrices]:
    for symbol in dict.fromkeys(one["symbol"] for one in points):
        own = [one for one in points if one["symbol"] == symbol]
        yield RunPrices(
            ts_event=0,
            run_id=name,
            symbol=symbol,
            at_ns=tuple(one["ts_ns"] for one in own),
            px=tuple(one["px"] for one in own),
            px_exp=own[0]["px_exp"],
        )


def _from_words(name: str, said: list[Message]) -> Picture:
    # The same run may have been said more than once: each word as it was said last.
    run = runs_among(said)[name]
    words = {(type(one), _place(one)): one for one in said if _of(one) == name}
    parts = [one for one in words.values() if isinstance(one, RunTrades)]
    curves = [one for one in words.values() if isinstance(one, RunEquity)]
    prices = [one for one in words.values() if isinstance(one, RunPrices)]
    return Picture(
        report=_report(name, run.report),
        trades=tuple(trade for part in parts for trade in part.trades),
        equity=curves[0],
        prices=tuple(sorted(prices, key=lambda one: one.symbol)),
    )


def _of(message: Message) -> str:
    return str(getattr(message, "run_id", ""))


def _place(message: Message) -> str:
    return str(getattr(message, "first", "")) + str(getattr(message, "symbol", ""))


def _report(name: str, text: str) -> dict[str, Any]:
    report: dict[str, Any] = msgspec.json.decode(text or "{}")
    if not report:
        raise HouseError(
            f"run {name} was kept by older code, with its figures alone",
            "`rrr backtest list --json` shows them; run it again for the rest",
        )
    return report
