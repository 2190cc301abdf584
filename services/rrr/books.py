"""The books as people read them: the trading shard, and what the journals hold beyond it."""

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal, localcontext
from typing import Any

import msgspec

from bus.errors import HouseError, JournalError, ShardError
from bus.house import House
from bus.migrations import KINDS
from schema.lifecycle import TERMINAL, State
from schema.orders import KillLevel
from schema.trading import Portfolio, RiskState
from schema.units import to_text
from services.rrr.said import last_of
from services.rrr.survey import NotReadyError

SHARD = "trading"
TIME_LIMIT_MS = 2000
Row = dict[str, Any]

POSITIONS = """
SELECT p.symbol AS symbol, v.qty AS qty, v.avg_price AS avg_price, v.cost AS cost,
    v.mark_price AS mark_price, v.realized AS realized, v.fees AS fees, v.time AS time,
    decimal_text(p.funding, p.quote_exp) AS funding,
    decimal_text(p.realized - p.fees + p.funding, p.quote_exp) AS realized_net,
    p.mark AS mark_source, p.strategy AS strategy, (
        SELECT group_concat(s.strategy, ' ' ORDER BY s.strategy) FROM trading.positions AS s
        WHERE s.symbol = p.symbol AND s.strategy NOT IN ('', p.strategy) AND s.qty <> 0
    ) AS strategies,
    p.qty AS n, p.cost AS c, p.mark_px AS m, p.px_exp AS px_exp, p.qty_exp AS qty_exp,
    p.quote_exp AS quote_exp
FROM trading.positions AS p JOIN positions AS v USING (symbol, strategy)
WHERE CASE ?1 WHEN '*' THEN p.strategy <> '' ELSE p.strategy = ?1 END AND p.qty <> 0
ORDER BY p.symbol, p.strategy
"""
UNPRICED = "none"
EVERY = "*"
NUMBERS = ("n", "c", "m", "px_exp", "qty_exp", "quote_exp")
ACCOUNT = """
SELECT quote, cash, equity, quote_exp FROM trading.portfolio_snapshots ORDER BY id DESC LIMIT 1
"""
STATUSES = "SELECT status, count(*) AS n FROM trading.orders GROUP BY status"
CURSORS = "SELECT stream, pos FROM trading.stream_position"
LAST_STATE = """
SELECT state, reason FROM trading.risk_events WHERE type = ? ORDER BY id DESC LIMIT 1
"""


class Books(msgspec.Struct):
    """What `rrr status` shows of money, positions, orders and the state of risk."""

    quote: str = ""
    equity: str = "0"
    cash: str = "0"
    positions: list[Row] = []
    orders: dict[str, int] = msgspec.field(default_factory=lambda: counts({}))
    risk: dict[str, str] = msgspec.field(default_factory=lambda: {"state": "", "reason": ""})


def shard_rows(house: House, sql: str, bindings: Sequence[Any] = ()) -> list[Row]:
    """Return the rows of a SELECT on the trading shard."""
    from bus.rows import Reader  # noqa: PLC0415 - a verb of the night may go without

    require_shard(house, SHARD)
    try:
        with Reader(house.db_dir, SHARD, time_limit_ms=TIME_LIMIT_MS) as reader:
            return list(reader.rows(sql, bindings))
    except ShardError as error:
        raise as_integrity(error) from error


def require_shard(house: House, shard: str) -> None:
    """Raise NotReadyError where a shard has no file yet."""
    from bus.rows import shard_files  # noqa: PLC0415 - a verb of the night may go without

    if not shard_files(house.db_dir, KINDS[shard]):
        raise NotReadyError(
            f"there is no {shard} shard in {house.db_dir} yet",
            f"writer_{shard} makes it with its first rows: `rrr status` shows how it is",
        )


def known_rows(house: House, sql: str, bindings: Sequence[Any] = ()) -> list[Row]:
    """Return the rows of a SELECT on the trading shard; none where there is no shard to ask."""
    try:
        return shard_rows(house, sql, bindings)
    except HouseError:
        return []


def as_integrity(error: HouseError) -> HouseError:
    """Return a failure of a shard or a journal with the exit code of the command line."""
    if error.exit_code == NotReadyError.exit_code:
        return error
    refused = error.exit_code == 78 and not isinstance(error.__cause__, OSError)
    error.exit_code = 5 if error.exit_code == 74 or refused else 1
    return error


def positions(house: House, strategy: str = "") -> list[Row]:
    """Return the open positions of the account, each with what closing it now would add.

    Those of one strategy where one is named, and of all strategies for EVERY.
    """
    return [_position(row) for row in shard_rows(house, POSITIONS, (strategy,))]


def read_books(house: House) -> Books:
    """Return the books as far as they can be read; what cannot is empty."""
    books, cursors = Books(), {}
    with suppress(HouseError):
        cursors = {str(row["stream"]): _whole(row["pos"]) for row in shard_rows(house, CURSORS)}
        books.positions = [_shown(row) for row in positions(house)]
        found = {str(row["status"]): _whole(row["n"]) for row in shard_rows(house, STATUSES)}
        books.orders = counts(found)
    books.quote, books.equity, books.cash = _account(house, cursors)
    books.risk = _risk(house, cursors)
    return books


def counts(found: dict[str, int]) -> dict[str, int]:
    """Return how many orders came how far, from how many are in each state."""
    never = {State.INITIALIZED, State.DENIED}
    return {
        "submitted": sum(n for state, n in found.items() if state not in never),
        "filled": found.get(State.FILLED, 0),
        "rejected": found.get(State.REJECTED, 0),
        "denied": found.get(State.DENIED, 0),
        "open": sum(n for state, n in found.items() if state not in {*TERMINAL, *never}),
    }


def kill_level(house: House, cursors: dict[str, int] | None = None) -> tuple[str, str]:
    """Return the last kill level and its reason; ACTIVE where there never was one."""
    said = _newer(house, "gateway.order", cursors or {}, KillLevel)
    if said is not None:
        return said.level, said.reason
    return _last_state(house, "KillLevel") or ("ACTIVE", "")


def unrealized(qty: int, cost: int, mark_px: int, exps: tuple[int, int, int]) -> str:
    """Return what closing a position at its mark would add, exactly; `exps`: px, qty, quote."""
    px_exp, qty_exp, quote_exp = exps
    with localcontext() as context:
        context.prec = 80
        worth = Decimal(qty * mark_px).scaleb(-px_exp - qty_exp)
        whole, _, decimals = f"{worth - Decimal(cost).scaleb(-quote_exp):f}".partition(".")
    kept = decimals.rstrip("0").ljust(quote_exp, "0")
    return f"{whole}.{kept}" if kept else whole


def _position(row: dict[str, Any]) -> Row:
    qty, cost, mark_px, *exps = (row.pop(name) for name in NUMBERS)
    row["strategies"] = (row["strategies"] or row["strategy"]).split()
    if row["mark_source"] == UNPRICED:  # Nothing is known of its worth, and that is not zero.
        return {**row, "mark_price": None, "unrealized": None, "value": None}
    gain = {"unrealized": unrealized(qty, cost, mark_px, tuple(exps))}
    return {**row, **gain, "value": unrealized(qty, 0, mark_px, tuple(exps))}


def _shown(row: Row) -> Row:
    return {name: row[name] for name in ("symbol", "qty", "avg_price", "unrealized", "value")}


def _account(house: House, cursors: dict[str, int]) -> tuple[str, str, str]:
    """Return the quote asset, equity and cash."""
    said = _newer(house, "engine.portfolio", cursors, Portfolio)
    if said is not None:
        exp = said.quote_exp
        return said.quote, to_text(said.equity, exp), to_text(said.cash, exp)
    rows = known_rows(house, ACCOUNT)
    if not rows:
        return "", "0", "0"
    equity, cash, exp = (_whole(rows[0][name]) for name in ("equity", "cash", "quote_exp"))
    return str(rows[0]["quote"]), to_text(equity, exp), to_text(cash, exp)


def _risk(house: House, cursors: dict[str, int]) -> dict[str, str]:
    level, why = kill_level(house, cursors)
    if level != "ACTIVE":
        return {"state": level, "reason": why}
    said = _newer(house, "risk.event", cursors, RiskState)
    state, reason = (said.state, said.reason) if said is not None else ("", "")
    if not state:
        state, reason = _last_state(house, "RiskState") or ("", "")
    return {"state": state, "reason": reason}


def _last_state(house: House, kind: str) -> tuple[str, str] | None:
    rows = known_rows(house, LAST_STATE, (kind,))
    return (str(rows[0]["state"]), str(rows[0]["reason"])) if rows else None


def _newer(house: House, name: str, cursors: dict[str, int], kind: Any) -> Any:
    # Only what the shard does not hold yet: a day of turns is not read for one line.
    try:
        return last_of(house.journal_dir, name, cursors.get(name, 0), kind)
    except JournalError:
        return None


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value
