"""What a report says: the account in each quote asset, by symbol and by strategy, and the identity.

Each number of the identity comes from where it is booked: money from the rows of the ledger,
positions and what was realized from the fold of the fills, prices from the market. So a fill that
has no rows, or a row that has no fill, shows as a residual.
"""

from collections.abc import Iterable
from decimal import Decimal, localcontext
from typing import Any

import msgspec

from bus.house import House
from schema.identity import strategy_tag
from schema.orders import Fill
from services.rrr.moment import Moment, Moved, age_text, exact, plain
from services.rrr.period import Period
from services.rrr.prices import HOUR_NS, Price, Prices
from services.rrr.report_fold import ZERO, Fold, Line

DIGITS = 120
MARK_AGE_MAX_NS = 24 * HOUR_NS
FRESH_NS = HOUR_NS // 6
INCOME = "rebate"
FUNDING = "funding"
NOBODY = "unattributed"
Row = dict[str, Any]


class Marks(msgspec.Struct):
    """What open positions were worth at a time, and what is odd about their prices."""

    at_ns: int
    prices: Prices
    flags: list[str]

    def of(self, line: Line, last: tuple[int, int], qty: Decimal) -> Decimal:
        """Return the price of a symbol: the market's; without one that of our last fill."""
        if not qty:
            return ZERO
        price = self.prices.at(line.symbol, self.at_ns, MARK_AGE_MAX_NS)
        if price is not None:
            self._note_age(line, price)
            return price.value
        self._flag(f"no price of {line.symbol} is kept: that of our last fill stands for it")
        return exact(*last)

    def _note_age(self, line: Line, price: Price) -> None:
        if price.age_ns > FRESH_NS:
            self._flag(f"the price of {line.symbol} was {age_text(price.age_ns)} old")

    def _flag(self, text: str) -> None:
        if text not in self.flags:
            self.flags.append(text)


def report_of(house: House, period: Period, now_ns: int) -> Row:
    """Return the report of a period; it works while the house is down."""
    prices = Prices(house)
    try:
        with localcontext() as context, Moment(house) as moment:
            context.prec = DIGITS
            return _build(house, moment, prices, period, now_ns)
    finally:
        prices.close()


def _build(house: House, moment: Moment, prices: Prices, period: Period, now_ns: int) -> Row:
    names = moment.strategies()
    fold = Fold(period.first_ns, names, moment.lots())
    fold.run(moment.fills(period.stop_ns), lambda fill: fee_value(prices, fill))
    moved = moment.moved(period.stop_ns)
    flags: list[str] = []
    begin = Marks(period.first_ns, prices, flags)
    end = Marks(min(period.stop_ns, max(now_ns, moment.newest_ns())), prices, flags)
    lines = {key: row_of(line, begin, end) for key, line in fold.lines.items()}
    add_funding(lines, [one for one in moved if one.ts_ns >= period.first_ns], flags)
    add_trades(fold, lines)
    own = [lines[key] for key, line in sorted(fold.lines.items()) if not line.tag]
    money = moment.money(period.first_ns, period.stop_ns)
    accounts = [
        _account(Side(quote, own, fold, moved, money.get(quote, (ZERO, ZERO))), moment, period)
        for quote in quotes_of(fold, moved)
    ]
    if fold.unvalued:
        flags.append(f"{fold.unvalued} fees in a third asset have no price: net is without them")
    by_tag = {strategy_tag(name): name for name in names}
    return {
        "world": house.world,
        "period": period.text,
        "complete": now_ns >= period.stop_ns,
        "accounts": accounts,
        "fees": [fee_row(asset, paid) for asset, paid in sorted(fold.fees.items())],
        "deposits": deposit_rows(moved, period),
        "symbols": list(map(text_row, own)),
        "strategies": _strategies(fold, lines, by_tag),
        "flags": flags,
    }


def fee_value(prices: Prices, fill: Fill) -> Decimal | None:
    """Return what a fee in a third asset was worth in the fill's quote, at the fill's time."""
    _, _, quote = fill.symbol.partition("/")
    price = prices.at(f"{fill.fee_asset}/{quote}", fill.ts_event)
    return exact(fill.fee, fill.fee_exp) * price.value if price is not None else None


def quotes_of(fold: Fold, moved: Iterable[Moved]) -> list[str]:
    """Return the assets that accounts are kept in: the quotes of what was traded."""
    traded = {line.symbol.partition("/")[2] for line in fold.lines.values()}
    return sorted(traded or {one.asset for one in moved})


def row_of(line: Line, begin: Marks, end: Marks) -> Row:
    """Return what a line of the fold comes to, as exact numbers."""
    before, after = line.before, line.after
    worth_before = before.qty * begin.of(line, line.first_px, before.qty)
    worth = after.qty * end.of(line, line.last_px, after.qty)
    return {
        "symbol": line.symbol,
        "quote": line.symbol.partition("/")[2],
        "realized": line.realized,
        "fees": line.fees,
        "fees_elsewhere": line.elsewhere,
        "funding": ZERO,
        "net": line.realized - line.fees - line.elsewhere,
        "unrealized_start": worth_before - before.cost,
        "unrealized_end": worth - after.cost,
        "worth_start": worth_before,
        "worth_end": worth,
        "qty_end": after.qty,
        "turnover": line.turnover,
        "fills": line.fills,
        "trades": line.wins + line.losses,
        "wins": line.wins,
        "losses": line.losses,
    }


def add_funding(lines: dict[str, Row], moved: list[Moved], flags: list[str]) -> None:
    """Add what positions earned to their symbols."""
    for one in moved:
        row = lines.get(one.symbol)
        if one.kind != FUNDING:
            continue
        if row is None:
            flags.append(f"funding {plain(one.amount)} {one.asset} is of no symbol that is known")
            continue
        row["funding"] += one.amount
        row["net"] += one.amount


def add_trades(fold: Fold, lines: dict[str, Row]) -> None:
    """Let each symbol have the trades of all strategies in it."""
    for key, line in fold.lines.items():
        for name in ("trades", "wins", "losses") if line.tag else ():
            lines[line.symbol][name] += lines[key][name]


class Side(msgspec.Struct, frozen=True):
    """What the account of one quote asset is made of."""

    quote: str
    symbols: list[Row]
    fold: Fold
    moved: list[Moved]
    money: tuple[Decimal, Decimal]  # at the begin and the end, by the ledger


def _account(side: Side, moment: Moment, period: Period) -> Row:
    quote = side.quote
    own = [row for row in side.symbols if row["quote"] == quote]
    total = {name: sum((row[name] for row in own), ZERO) for name in SUMMED}
    mine = [one for one in side.moved if one.asset == quote and one.ts_ns >= period.first_ns]
    funding, income = (_sum(one for one in mine if one.kind == kind) for kind in (FUNDING, INCOME))
    deposits = _sum(mine) - funding - income
    fees = total["fees"] + side.fold.third.get(quote, ZERO)
    start, end = side.money[0] + total["worth_start"], side.money[1] + total["worth_end"]
    gained = total["unrealized_end"] - total["unrealized_start"]
    explained = total["realized"] + gained - fees + funding + income + deposits
    return text_row(
        {
            "quote": quote, "equity_start": start, "equity_end": end, "change": end - start,
            "realized": total["realized"], "unrealized_change": gained, "fees": fees,
            "fees_elsewhere": total["fees_elsewhere"], "funding": funding, "income": income,
            "deposits": deposits, "residual": end - start - explained,
            "net": total["realized"] - fees - total["fees_elsewhere"] + funding + income,
            "turnover": total["turnover"],
            **{name: sum(row[name] for row in own) for name in COUNTED},
            **drawdown(moment.worth(quote, period.first_ns, period.stop_ns), mine),
        }
    )  # fmt: skip


def _sum(moved: Iterable[Moved]) -> Decimal:
    return sum((one.amount for one in moved), ZERO)


COUNTED = ("fills", "trades", "wins", "losses")
SUMMED = (
    *("realized", "fees", "fees_elsewhere", "turnover", "worth_start", "worth_end"),
    *("unrealized_start", "unrealized_end"),
)


def drawdown(worth: Iterable[tuple[int, Decimal]], moved: list[Moved]) -> Row:
    """Return the deepest fall from a peak among snapshots; what came or went is no gain or loss."""
    flows = sorted((one.ts_ns, one.amount) for one in moved if one.kind not in {FUNDING, INCOME})
    peak: Decimal | None = None
    deepest, share, came, count, at = ZERO, ZERO, ZERO, 0, 0
    for ts_ns, equity in worth:
        count += 1
        while at < len(flows) and flows[at][0] <= ts_ns:
            came, at = came + flows[at][1], at + 1
        earned = equity - came
        peak = earned if peak is None else max(peak, earned)
        if peak - earned > deepest:
            deepest, whole = peak - earned, peak + came  # With the money that is there now.
            share = deepest / whole if whole > 0 else ZERO
    percent = (share * 100).quantize(Decimal("0.0001"))
    return {"max_drawdown": deepest, "max_drawdown_percent": percent, "snapshots": count}


def _strategies(fold: Fold, lines: dict[str, Row], by_tag: dict[str, str]) -> list[Row]:
    found: dict[tuple[str, str], Row] = {}
    for key, line in fold.lines.items():
        if not line.tag:
            continue
        name, row = by_tag.get(line.tag, NOBODY), lines[key]
        held = found.setdefault((name, row["quote"]), {"strategy": name, "quote": row["quote"]})
        for field in STRATEGY_FIELDS:
            held[field] = held.get(field, 0) + row[field]
    return [text_row(found[key]) for key in sorted(found)]


STRATEGY_FIELDS = (
    *("realized", "fees", "fees_elsewhere", "net", "unrealized_end", "turnover"),
    *("fills", "trades", "wins", "losses"),
)


def fee_row(asset: str, paid: Any) -> Row:
    """Return the fees in one asset."""
    return text_row(
        {"asset": asset, "amount": paid.amount, "value": paid.value, "unvalued": paid.unvalued}
    )


def deposit_rows(moved: Iterable[Moved], period: Period) -> list[Row]:
    """Return what came and went otherwise within the period, by asset and kind."""
    sums: dict[tuple[str, str], Decimal] = {}
    for one in moved:
        if one.ts_ns >= period.first_ns:
            sums[one.asset, one.kind] = sums.get((one.asset, one.kind), ZERO) + one.amount
    return [
        {"asset": asset, "kind": kind, "amount": plain(amount)}
        for (asset, kind), amount in sorted(sums.items())
    ]


def text_row(row: Row) -> Row:
    """Return a row with its exact numbers as plain text."""
    return {name: plain(v) if isinstance(v, Decimal) else v for name, v in row.items()}
