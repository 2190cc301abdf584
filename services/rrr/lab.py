"""The house in a notebook: `from services.rrr.lab import house; h = house()`.

Everything here only reads, hands out copies, and holds no file, lock or transaction behind a call:
a notebook that stays open for a week costs the writers nothing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from bus.clock import SystemClock
from bus.errors import HouseError, SettingsError
from bus.history import history_of
from bus.house import House, open_house, shipped_house
from bus.migrations import KINDS
from bus.rows import TIME_LIMIT_MS
from services.rrr import lab_rows, lab_stream
from services.rrr.lab_bars import joined, months, symbols, wanted
from services.rrr.lab_plain import EXPONENT, plain_columns
from services.rrr.lab_rows import Query, Run
from services.rrr.lab_table import columns_of, form_of, table
from services.rrr.lab_time import END_NS, Moment, moment_ns, now_ns
from services.rrr.survey import market_clock, running_house


class Lab:
    """What a house keeps, as tables; `to` is pandas, polars or numpy.

    `since` is included and `until` is not: "7d" before now, an ISO time, a datetime, or ns.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._clock = SystemClock()

    def __repr__(self) -> str:
        house = self.house
        doing = "up" if market_clock(house) is not None else "down"
        return f"<house {house.root}, world {house.world}, mode {house.settings.mode}, {doing}>"

    @property
    def house(self) -> House:
        """The house with the world that runs here, or that its settings lead to."""
        return running_house(self._house)

    def bars(
        self,
        symbol: str,
        tf: str = "1m",
        since: Moment = "7d",
        until: Moment = None,
        to: str | None = None,
    ) -> Any:
        """Return closed bars by the time of their open; a longer timeframe may be made of 1m."""
        form = form_of(to)
        parts = list(self._months(symbol, tf, since, until))
        if not parts:
            self._require_symbol(symbol)
        return table(joined(parts), ("time",), form, "time")

    def bars_by_month(
        self,
        symbol: str,
        tf: str = "1m",
        since: Moment = None,
        until: Moment = None,
        to: str | None = None,
    ) -> Iterator[Any]:
        """Yield the same, a table a month, for more bars than memory holds."""
        form = form_of(to)
        for part in self._months(symbol, tf, since, until):
            yield table(part, ("time",), form, "time")

    def fills(self, since: Moment = None, until: Moment = None, to: str | None = None) -> Any:
        """Return fills of orders, with the price that each was decided on."""
        return self._trading(lab_rows.FILLS, since, until, to)

    def orders(self, since: Moment = None, until: Moment = None, to: str | None = None) -> Any:
        """Return orders by the time that they were made, each as it stands now."""
        return self._trading(lab_rows.ORDERS, since, until, to)

    def equity(self, since: Moment = None, until: Moment = None, to: str | None = None) -> Any:
        """Return what the account was worth, as the engine told it."""
        return self._trading(lab_rows.EQUITY, since, until, to)

    def notes(
        self,
        name: str,
        since: Moment = None,
        until: Moment = None,
        to: str | None = None,
        limit: int = lab_stream.LIMIT,
    ) -> Any:
        """Return what a strategy decided and why, with its notes as columns."""
        form, house = form_of(to), self.house
        span = self._span(since, until)
        columns, times = lab_stream.decisions(house, name, *span, limit)
        if not columns["time"] and not lab_stream.known_to(house, name):
            known = ", ".join(sorted(house.settings.strategy)) or "none"
            raise HouseError(
                f"no strategy {name!r} has decided anything that is kept",
                f"The settings name: {known}",
            )
        return table(columns, times, form, "time", EXPONENT)

    def stream(
        self,
        name: str,
        since: Moment = None,
        until: Moment = None,
        to: str | None = None,
        limit: int = lab_stream.LIMIT,
    ) -> Any:
        """Return messages of a journaled stream, a row each: the newest `limit` of them."""
        form = form_of(to)
        span = self._span(since, until)
        columns, times = lab_stream.messages(self.house, name, *span, limit)
        return table(columns, times, form, "time", EXPONENT)

    def runs(self, to: str | None = None) -> Any:
        """Return the backtests that were kept, the newest first, with their figures."""
        form = form_of(to)
        return table(lab_rows.runs(self.house.db_dir), ("time",), form)

    def run(self, run_id: str, to: str | None = None) -> Run:
        """Return one backtest by its id, or by how its id begins."""
        return lab_rows.run(self.house.db_dir, run_id, form_of(to))

    def sql(
        self,
        shard: str,
        query: str,
        to: str | None = None,
        time_limit_ms: int = TIME_LIMIT_MS,
    ) -> Any:
        """Return what a SELECT finds in trading, market, analytics or backtest, as it stands."""
        form = form_of(to)
        if shard not in KINDS:
            raise HouseError(f"there is no shard {shard!r}", f"The shards are: {', '.join(KINDS)}")
        if not query.strip():
            raise HouseError("the query is empty", "Write a SELECT")
        history = history_of(self.house) if shard == "market" else ()
        rows = lab_rows.rows(self.house.db_dir, shard, query, (), time_limit_ms, history)
        return table(columns_of(rows, ()), (), form)

    def _trading(self, query: Query, since: Moment, until: Moment, to: str | None) -> Any:
        form = form_of(to)
        rows = lab_rows.rows(self.house.db_dir, "trading", query.sql, self._span(since, until))
        columns, times = plain_columns(rows, tuple(query.columns))
        return table(columns, times, form, "time", EXPONENT)

    def _months(self, symbol: str, tf: str, since: Moment, until: Moment) -> Iterator[Any]:
        want = wanted(symbol, tf, *self._span(since, until))
        return months(self.house.db_dir, want, history_of(self.house))

    def _span(self, since: Moment, until: Moment) -> tuple[int, int]:
        def now() -> int:
            return now_ns(self.house, self._clock)

        return moment_ns(since, now, 0), moment_ns(until, now, END_NS)

    def _require_symbol(self, symbol: str) -> None:
        known = symbols(self.house.db_dir, history_of(self.house))
        if symbol.upper() not in known:
            kept = ", ".join(known) or "none"
            raise HouseError(f"no bars of {symbol!r} are kept here", f"Kept are: {kept}")


def house(path: str | Path | None = None) -> Lab:
    """Return the house around a directory, or around here; with broken settings as it ships."""
    start = Path(path) if path is not None else None
    try:
        return Lab(open_house(start))
    except SettingsError as error:
        found = shipped_house(start)
        click.echo(f"rrr: {error}", err=True)
        return Lab(found)
