"""One page about a run that opens anywhere, offline: pictures, figures, tags, trips, settings.

The same run is the same bytes. Whatever a strategy wrote is text: it is escaped, and the page
allows no script but its own, by hash, and no request at all.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from html import escape
from typing import Any

from schema.house import RunTrade
from schema.units import iso, to_text
from services.backtest.page_plots import Curve, fall_plot, price_plot, worth_plot
from services.backtest.page_template import SCRIPT, STYLE
from services.backtest.picture import Picture
from services.backtest.telling import cents, label, value
from services.backtest.trips import MONEY_EXP

Report = dict[str, Any]

TRADES_MAX = 1_000
CARDS = ("return", "sharpe", "max_drawdown", "round_trips", "win_rate", "exposure", "fees")
TAG_HEAD = ("trips", "win rate", "mean", "total", "fees")
TRADE_HEAD = (
    *("#", "symbol", "side", "opened", "closed", "quantity", "entry", "exit", "gain", "fees"),
    *("why in", "why out"),
)


def page(picture: Picture) -> str:
    """Return the page of a run as HTML."""
    report = picture.report
    name = escape(f"{report['strategy']} on {report['symbol']}")
    run = (
        f"{report['first']} to {report['last']}, {report['bars']} bars of {report['timeframe']}, "
        f"fills: {report['filling']}; equity {report['opening']} to {report['final']} "
        f"{report['quote_asset']}"
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name} {escape(report['run_id'][:8])}</title>\n<style>{STYLE}</style>\n"
        f"</head>\n<body>\n<h1>{name}</h1>\n<p>{escape(run)}</p>\n"
        f'<p class="soft">Run <code>{escape(report["run_id"])}</code></p>\n'
        f"{_failures(report)}{_cards(report)}{_pictures(picture)}{_tables(picture)}"
        f"<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _policy() -> str:
    def hashed(text: str) -> str:
        return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; style-src {hashed(STYLE)}; script-src {hashed(SCRIPT)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _failures(report: Report) -> str:
    lines = (f"<p>The strategy failed: {escape(one)}</p>\n" for one in report["failures"])
    return "".join(lines)


def _cards(report: Report) -> str:
    figures = report["metrics"]
    cards = [(label(name), value(name, figures[name])) for name in CARDS]
    cards.insert(1, ("buy and hold", value("return", report["buy_and_hold"]["return"])))
    shown = "".join(f"<li><span>{escape(n)}</span><b>{escape(x)}</b></li>" for n, x in cards)
    return f'<ul class="cards">{shown}</ul>\n'


def _pictures(picture: Picture) -> str:
    points = picture.equity
    if not points.at_ns:
        return ""
    worth = Curve(points.at_ns, [one / 10.0**points.exp for one in points.equity])
    plots = [worth_plot(worth, _held(picture, worth.values[0]), picture.report["quote_asset"])]
    plots.append(fall_plot(worth))
    plots += [price_plot(one, picture.trades) for one in picture.prices]
    return f"<h2>Curves</h2>\n{''.join(plots)}"


def _held(picture: Picture, opening: float) -> Curve | None:
    if len(picture.prices) != 1 or not picture.prices[0].px[0]:
        return None
    (prices,) = picture.prices
    return Curve(prices.at_ns, [px / prices.px[0] * opening for px in prices.px])


def _tables(picture: Picture) -> str:
    report = picture.report
    market = report["buy_and_hold"]
    figures: list[tuple[str, ...]] = [
        (label(n), value(n, x), value(n, market.get(n, ""))) for n, x in report["metrics"].items()
    ]
    counts = {name: report[name] for name in ("orders", "fills", "denied", "open_trades")}
    figures += [(label(name), str(count), "") for name, count in counts.items()]
    figures += [(code, str(count), "") for code, count in report["denials"].items()]
    refusals = report.get("refusals", {})
    figures += [(f"refused: {why}", str(count), "") for why, count in refusals.items()]
    figures += [(f"balance {asset}", text, "") for asset, text in report["balances"].items()]
    published = [(name, _number(x)) for name, x in report["statistics"].items()]
    return (
        f"<h2>Figures</h2>\n{_table(('', 'run', 'buy and hold'), figures)}"
        f"{_tags('entry', report['by_entry'])}{_tags('exit', report['by_exit'])}"
        f"{_trades(picture.trades)}"
        f"{_folded('Statistics as backtesting.py defines them', _table(('', ''), published))}"
        f"{_named('Parameters', report['params'])}{_named('Settings', report['settings'])}"
        f"{_named('Hashes', report['digests'] | {'fingerprint': report['fingerprint']})}"
    )


def _tags(kind: str, tagged: Sequence[Report]) -> str:
    rows = [
        (
            one["tag"] or "-",
            str(one["trips"]),
            f"{one['win_rate']:.2%}",
            cents(str(one["mean"])),
            cents(one["total"]),
            cents(one["fees"]),
        )
        for one in tagged
    ]
    return f"<h2>By {kind} tag</h2>\n{_table((kind, *TAG_HEAD), rows)}" if rows else ""


def _trades(trades: Sequence[RunTrade]) -> str:
    rows = [_trade(number, trade) for number, trade in enumerate(trades[:TRADES_MAX])]
    more = f", the first {TRADES_MAX} of {len(trades)}" if len(trades) > TRADES_MAX else ""
    return _folded(f"Round trips{more}", _table(TRADE_HEAD, rows)) if rows else ""


def _trade(number: int, trade: RunTrade) -> tuple[str, ...]:
    return (
        *(str(number), trade.symbol, trade.side, iso(trade.opened_ns), iso(trade.closed_ns)),
        *(to_text(trade.qty, trade.qty_exp), f"{trade.entry_px:.8g}", f"{trade.exit_px:.8g}"),
        cents(to_text(trade.gain, MONEY_EXP)),
        cents(to_text(trade.fees, MONEY_EXP)),
        *(trade.entry_tag, trade.exit_tag),
    )


def _named(title: str, values: dict[str, Any]) -> str:
    rows = [(name, str(text)) for name, text in sorted(values.items())]
    return _folded(title, _table(("", ""), rows)) if rows else ""


def _folded(title: str, inner: str) -> str:
    return f"<details><summary>{escape(title)}</summary>\n{inner}</details>\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    named = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    shown = "".join(_row(row) for row in rows)
    top = f"<thead><tr>{named}</tr></thead>" if any(head) else ""
    return f'<div class="wide"><table>{top}<tbody>\n{shown}</tbody></table></div>\n'


def _row(row: Sequence[str]) -> str:
    first, *rest = (escape(text) for text in row)
    cells = "".join(f"<td>{text}</td>" for text in rest)
    return f'<tr><th scope="row">{first}</th>{cells}</tr>\n'


def _number(found: float | str | None) -> str:
    if found is None:
        return "-"
    return f"{found:.6g}" if isinstance(found, float) else str(found)
