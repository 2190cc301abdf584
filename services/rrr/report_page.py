"""A report as a page to read: money to two decimals, the identity to the last unit."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from services.rrr.screen import numbers, table, world_line

CENTS = 2
FINE = 8
LARGE = 100

SYMBOL_HEADS = {
    "REALIZED": "realized", "FEES": "fees", "FUNDING": "funding", "NET": "net",
    "UNREALIZED": "unrealized_end", "TURNOVER": "turnover",
}  # fmt: skip
STRATEGY_HEADS = {
    "REALIZED": "realized", "FEES": "fees", "NET": "net", "UNREALIZED": "unrealized_end",
    "TURNOVER": "turnover",
}  # fmt: skip
COUNTS = {"FILLS": "fills", "TRADES": "trades", "WON": "wins", "LOST": "losses"}

Row = dict[str, Any]


def page(report: Row) -> str:
    """Return a report as lines to read."""
    still = "" if report["complete"] else ", not over yet"
    lines = [world_line(report["world"]), f"{report['period']} (market time, UTC){still}"]
    for account in report["accounts"]:
        lines += ["", *_account(account)]
    if not report["accounts"]:
        lines.append("Nothing is booked yet.")
    if report["fees"]:
        lines += ["", "Fees paid:", *map(_fee, report["fees"])]
    if report["deposits"]:
        moved = (f"  {one['amount']} {one['asset']} ({one['kind']})" for one in report["deposits"])
        lines += ["", "Came and went otherwise:", *moved]
    lines += _part(report["symbols"], "symbol", SYMBOL_HEADS)
    lines += _part(report["strategies"], "strategy", STRATEGY_HEADS)
    return "\n".join([*lines, *(f"({flag})" for flag in report["flags"])])


def _account(one: Row) -> list[str]:
    places = _places(one)
    shown = {name: _money(one[name], places) for name in MONEY}
    return [_net(one, shown), _turnover(one, shown), _equity(one, shown), _identity(one)]


def _net(one: Row, shown: dict[str, str]) -> str:
    parts = [f"{shown['realized']} realized - {shown['fees']} fees"]
    if Decimal(one["fees_elsewhere"]):
        parts.append(f"- {shown['fees_elsewhere']} of fees in other assets")
    parts.append(f"+ {shown['funding']} funding")
    if Decimal(one["income"]):
        parts.append(f"+ {shown['income']} of rebates and dividends")
    return f"Net: {shown['net']} {one['quote']} = {' '.join(parts)}"


def _turnover(one: Row, shown: dict[str, str]) -> str:
    ended = f"trades ended: {one['trades']}, {one['wins']} won and {one['losses']} lost"
    return f"Turnover: {shown['turnover']} {one['quote']}, fills: {one['fills']}; {ended}"


def _equity(one: Row, shown: dict[str, str]) -> str:
    fall = f"{shown['max_drawdown']} ({_money(one['max_drawdown_percent'], CENTS)} %)"
    return (
        f"Equity: {shown['equity_start']} -> {shown['equity_end']} {one['quote']}, "
        f"deepest fall {fall} in {one['snapshots']} snapshots"
    )


def _identity(one: Row) -> str:
    return (
        f"Identity: {one['change']} = {one['realized']} realized + {one['unrealized_change']} "
        f"unrealized - {one['fees']} fees + {one['funding']} funding + {one['income']} income + "
        f"{one['deposits']} deposits; residual {one['residual']}"
    )


MONEY = (
    *("net", "realized", "fees", "fees_elsewhere", "funding", "income", "turnover"),
    *("equity_start", "equity_end", "max_drawdown"),
)


def _fee(row: Row) -> str:
    odd = f", of it {row['unvalued']} without a price" if row["unvalued"] != "0" else ""
    return f"  {row['amount']} {row['asset']}, worth {_money(row['value'], CENTS)}{odd}"


def _part(rows: list[Row], field: str, heads: dict[str, str]) -> list[str]:
    if not rows:
        return []
    names = [field.upper(), *(one[field] for one in rows)]
    money = [
        numbers(head, [_money(one[of], _places_of(one)) for one in rows])
        for head, of in heads.items()
    ]
    counts = [numbers(head, [str(one[of]) for one in rows]) for head, of in COUNTS.items()]
    return ["", *table(list(zip(names, *money, *counts, strict=True)))]


def _places(one: Row) -> int:
    large = abs(Decimal(one["equity_end"])) >= LARGE
    return CENTS if large or "USD" in one["quote"] else FINE


def _places_of(one: Row) -> int:
    return CENTS if "USD" in one["quote"] else FINE


def _money(text: str, places: int) -> str:
    # Half a cent of a loss is no loss to see: no minus before a zero.
    cents = Decimal(text).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    return f"{cents + 0:.{places}f}"
