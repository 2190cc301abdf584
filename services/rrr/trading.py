"""The verbs that look at what was traded: orders, positions, trades."""

import json
from collections.abc import Sequence

import click

from bus.house import House
from schema.lifecycle import TERMINAL
from services.rrr.books import UNPRICED, Row, shard_rows
from services.rrr.books import positions as open_positions
from services.rrr.pipes import reader_may_leave
from services.rrr.screen import table, world_line
from services.rrr.standing import standing_house
from services.rrr.survey import running_house
from services.rrr.verbs import InnerVerbs

EXPORTS = {"export": ("trading", "services.rrr.trades_export")}
"""What `rrr trades` knows beside the newest fills."""

ROWS_MAX = 1_000_000
ORDERS = """
SELECT client_order_id, created, strategy, symbol, side, order_type, leg, status, qty, filled_qty,
    filled_quote, limit_price, stop_price, venue_order_id, reason, updated
FROM orders WHERE ({open} OR status NOT IN ({ended})) AND ?1 IN ('', symbol)
    AND ?2 IN ('', strategy)
ORDER BY created DESC, client_order_id LIMIT ?3
"""
FILLS = """
SELECT time, symbol, side, qty, price, quote_qty, fee, fee_asset, maker, late, client_order_id,
    venue_trade_id
FROM fills WHERE ? = '' OR symbol = ? ORDER BY time DESC, venue_trade_id DESC LIMIT ?
"""
ORDER_CELLS = {
    "CREATED": "created", "ORDER": "client_order_id", "STRATEGY": "strategy", "SYMBOL": "symbol",
    "SIDE": "side", "TYPE": "order_type", "LEG": "leg", "QTY": "qty", "FILLED": "filled_qty",
    "LIMIT": "limit_price", "STOP": "stop_price", "STATE": "status",
}  # fmt: skip
POSITION_CELLS = {
    "SYMBOL": "symbol", "STRATEGY": "held_by", "QTY": "qty", "AVG PRICE": "avg_price",
    "MARK": "mark_price", "BY": "mark_told", "UNREALIZED": "unrealized", "REALIZED": "realized",
    "FEES": "fees", "FUNDING": "funding", "NET": "realized_net",
}  # fmt: skip
FILL_CELLS = {
    "TIME": "time", "SYMBOL": "symbol", "SIDE": "side", "QTY": "qty", "PRICE": "price",
    "FEE": "fee", "IN": "fee_asset", "ORDER": "client_order_id", "TRADE": "venue_trade_id",
}  # fmt: skip


@click.command()
@click.option("--open", "only_open", is_flag=True, help="Only orders that may still trade.")
@click.option("--symbol", default="", metavar="S", help="Only this symbol.")
@click.option("--strategy", default="", metavar="NAME", help="Only those of this strategy.")
@click.option("-n", "--count", default=20, show_default=True, type=click.IntRange(1, ROWS_MAX))
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def orders(symbol: str, strategy: str, count: int, *, only_open: bool, as_json: bool) -> None:
    """Show the newest orders, newest first, and what became of them."""
    ended = ", ".join(f"'{state}'" for state in sorted(TERMINAL))
    sql = ORDERS.format(open=int(not only_open), ended=ended)
    house = running_house(standing_house())
    rows = shard_rows(house, sql, (symbol.upper(), strategy, count))
    show(house, rows, ORDER_CELLS, "no orders", as_json=as_json)


@click.command()
@click.option("--strategy", default="", metavar="NAME",
              help='Those of this strategy in place of the account\'s; "*": of all strategies.',
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def positions(strategy: str, *, as_json: bool) -> None:
    """Show the open positions of the account: NET is realized less fees, and funding."""
    house = running_house(standing_house())
    rows = open_positions(house, strategy)
    if not as_json:
        rows = [row | _told_of(row) for row in rows]
    show(house, rows, POSITION_CELLS, "no positions", as_json=as_json)


def _told_of(row: Row) -> Row:
    told = "no price" if row["mark_source"] == UNPRICED else row["mark_source"]
    return {"held_by": " ".join(row["strategies"]), "mark_told": told}


@click.command(cls=InnerVerbs, table=EXPORTS, invoke_without_command=True)
@click.option("--symbol", default="", metavar="S", help="Only this symbol.")
@click.option("-n", "--count", default=20, show_default=True, type=click.IntRange(1, ROWS_MAX))
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@click.pass_context
def trades(context: click.Context, symbol: str, count: int, *, as_json: bool) -> None:
    """Show our newest fills, newest first; `export` writes all of them for taxes."""
    if context.invoked_subcommand is not None:
        return
    house = running_house(standing_house())
    rows = shard_rows(house, FILLS, (symbol.upper(), symbol.upper(), count))
    show(house, rows, FILL_CELLS, "no trades", as_json=as_json)


def show(
    house: House, rows: Sequence[Row], cells: dict[str, str], none: str, *, as_json: bool
) -> None:
    """Show rows as a table under the name of their world, or as one JSON array."""
    with reader_may_leave():
        if as_json:
            click.echo(json.dumps(list(rows)))
            return
        shown = [tuple(_cell(row[name]) for name in cells.values()) for row in rows]
        lines = table([tuple(cells), *shown]) if shown else [none]
        click.echo("\n".join([world_line(house.world), *lines]))


def _cell(value: object) -> str:
    return "-" if value in {None, ""} else str(value)
