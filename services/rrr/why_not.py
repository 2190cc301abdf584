"""`rrr why-not`: why nothing was traded in a symbol lately, the heaviest reason first."""

import json
from collections.abc import Iterable
from typing import Any

import click
import msgspec

from bus.clock import SystemClock
from bus.errors import HouseError, JournalError
from bus.house import House
from bus.plain import printable
from bus.telling import notes
from schema.forecast import Forecast
from schema.market import FeedStatus
from schema.orders import Fill, OrderDenied, OrderRejected
from schema.trading import Decision
from schema.units import iso, iso_ms
from services.rrr.books import as_integrity, kill_level
from services.rrr.pipes import reader_may_leave
from services.rrr.places import span_ns
from services.rrr.said import last_said, said_since, said_with
from services.rrr.screen import table, world_line
from services.rrr.standing import standing_house
from services.rrr.stops import ask_stops, nothing_to_trade, stops_of
from services.rrr.survey import market_clock, running_house, survey
from services.rrr.why_not_causes import DENIED, causes_of, kept_stops, main_line

INTENT, ORDER, FORECAST, FEED = (
    "engine.intent",
    "gateway.order",
    "predictor.forecast",
    "ingest.feed",
)
ENGINE = "engine"
HEAD = ("WHO", "WHAT", "TIMES", "LAST", "WHY")


class Reason(msgspec.Struct):
    """Something that was said again and again, and when last, market time."""

    who: str
    what: str
    reason: str
    times: int = 0
    last_ns: int = 0
    detail: str = ""
    is_shadow: bool = False


class Window(msgspec.Struct, frozen=True):
    """The stretch of time that is looked at; market time, and the wall time of its begin."""

    text: str
    from_ns: int
    wall_ns: int
    now_ns: int


@click.command("why-not")
@click.argument("symbol")
@click.option("--since", default="1h", show_default=True, help="How far back, market time.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def why_not(symbol: str, since: str, *, as_json: bool) -> None:
    """Show why nothing was traded in SYMBOL: the main cause first, then all that is known.

    Causes are sorted by weight: kill level and arming, services that are away, halts, the feed,
    paused strategies, limits, locks, no forecast, orders denied or rejected, and what strategies
    decided, each with its newest numbers.
    """
    house, symbol = running_house(standing_house()), symbol.upper()
    span_ns(since)
    try:
        report = build(house, symbol, since)
    except JournalError as error:
        raise as_integrity(error) from error
    _refuse_stranger(house, report)
    with reader_may_leave():
        click.echo(json.dumps(report) if as_json else as_text(report, house.world))


def build(house: House, symbol: str, since: str) -> dict[str, Any]:
    """Return everything that is known to have kept a symbol from being traded."""
    window = _window(house, since)
    found = survey(house, SystemClock())
    asked = ask_stops(house, found)
    kept = [] if ENGINE in found.heartbeats else kept_stops(house, symbol, window.now_ns)
    stops = [
        stop
        for stop in (*stops_of(found, [*asked, *kept]), *nothing_to_trade(house))
        if "/" not in stop["scope"] or symbol in stop["scope"]
    ]
    level, why = kill_level(house)
    report = {
        "symbol": symbol,
        "since": since,
        "from": iso(window.from_ns),
        "kill_level": level,
        "kill_reason": why,
        "stops": stops,
        **_said(house, symbol, window),
    }
    causes = causes_of(report)
    told = [msgspec.structs.asdict(cause) for cause in causes]
    return {"main": main_line(report, causes), **report, "causes": told}


def _said(house: House, symbol: str, window: Window) -> dict[str, Any]:
    """Return what was said of a symbol in a stretch of time."""
    decided = _decisions(house, symbol, window)
    denied, fills = _answered(house, symbol, window)
    last = iso_ms(fills[-1].ts_event) if fills else ""
    return {
        "feed": _feed(house, symbol),
        "forecasts": _forecasts(house, symbol, window),
        "decisions": [msgspec.structs.asdict(reason) for reason in decided],
        "denied": [msgspec.structs.asdict(one) for one in denied],
        "shadows": sorted({one.who for one in decided if one.is_shadow}),
        "traded": {"fills": len(fills), "last": last},
    }


def as_text(report: dict[str, Any], world: str) -> str:
    """Return a report as a page to read."""
    lines = [printable(report["main"]), world_line(world), ""]
    lines.append(f"{report['symbol']}, the last {report['since']} of market time:")
    lines += [_cause_line(one) for one in report["causes"] if one["weight"] < DENIED]
    if report["kill_level"] != "ACTIVE":
        lines.append(f"The kill level is {report['kill_level']}.")
    lines += [_feed_line(report), _forecast_line(report), ""]
    rows = [_row(one) for one in (*report["decisions"], *report["denied"])]
    none = f"No strategy decided anything on {report['symbol']} in the last {report['since']}."
    lines += table([HEAD, *rows]) if rows else [none]
    return "\n".join(lines)


def _cause_line(cause: dict[str, Any]) -> str:
    release = f" -> {cause['release']}" if cause["release"] else ""
    return printable(f"  {cause['text']}{release}")


def _window(house: House, since: str) -> Window:
    """Return the stretch up to now, or, where no clock runs, up to what was said last."""
    span = span_ns(since)
    market = market_clock(house)
    if market is not None:
        wall_ns = SystemClock().wall_ns()
        now_ns, scale = market.market_ns(wall_ns), market.scale
    else:
        last = last_said(house.journal_dir, INTENT)
        wall_ns, now_ns = (last.ts_ns, last.message.ts_event) if last is not None else (0, 0)
        scale = house.settings.clock.scale
    return Window(since, max(0, now_ns - span), max(0, wall_ns - int(span / scale)), now_ns)


def _decisions(house: House, symbol: str, window: Window) -> list[Reason]:
    """Return the decisions by strategy, action and reason, the newest first."""
    found: dict[tuple[str, str, str], Reason] = {}
    for seen in said_since(house.journal_dir, INTENT, window.wall_ns):
        m = seen.message
        if isinstance(m, Decision) and m.symbol == symbol and m.ts_event >= window.from_ns:
            key = (m.strategy, m.action, m.reason)
            reason = found.setdefault(key, Reason(*key, is_shadow=m.shadow))
            _count(reason, m.ts_event, notes(m).strip(" ()"))
    return _newest_first(found.values())


def _answered(house: House, symbol: str, window: Window) -> tuple[list[Reason], list[Fill]]:
    """Return why orders were denied or rejected, the newest first, and what was filled."""
    found: dict[tuple[str, str], Reason] = {}
    fills: list[Fill] = []
    for seen in said_since(house.journal_dir, ORDER, window.wall_ns):
        m = seen.message
        if not isinstance(m, OrderDenied | OrderRejected | Fill) or m.symbol != symbol:
            continue
        if m.ts_event < window.from_ns:
            continue
        if isinstance(m, Fill):
            fills.append(m)
            continue
        who, what = (m.by, "denied") if isinstance(m, OrderDenied) else ("venue", "rejected")
        _count(found.setdefault((who, m.code), Reason(who, what, m.code)), m.ts_event, m.detail)
    return _newest_first(found.values()), fills


def _count(reason: Reason, at_ns: int, detail: str) -> None:
    reason.times += 1
    reason.last_ns, reason.detail = at_ns, detail


def _newest_first(reasons: Iterable[Reason]) -> list[Reason]:
    return sorted(reasons, key=lambda reason: -reason.last_ns)


def _feed(house: House, symbol: str) -> dict[str, str]:
    for seen in said_with(house.journal_dir, FEED, symbol):
        m = seen.message
        if isinstance(m, FeedStatus) and m.symbol == symbol:
            return {"state": m.state, "reason": m.reason, "since": iso(m.ts_event)}
    return {"state": "", "reason": "no feed was heard of", "since": ""}


def _forecasts(house: House, symbol: str, window: Window) -> dict[str, Any]:
    count, last = 0, None
    for seen in said_since(house.journal_dir, FORECAST, window.wall_ns):
        m = seen.message
        if isinstance(m, Forecast) and m.symbol == symbol and m.ts_event >= window.from_ns:
            count, last = count + 1, m
    if last is None:
        return {"count": 0, "last": "", "probability_up": None, "source": ""}
    told = {"probability_up": last.probability_up, "source": last.source}
    return {"count": count, "last": iso(last.ts_event), **told}


def _refuse_stranger(house: House, report: dict[str, Any]) -> None:
    known = house.settings.venue.symbol
    seen = report["decisions"] or report["denied"] or report["feed"]["state"]
    if report["symbol"] not in known and not seen:
        raise HouseError(
            f"{report['symbol']!r} is not traded here", f"The symbols are: {' '.join(known)}"
        )


def _feed_line(report: dict[str, Any]) -> str:
    feed = report["feed"]
    since = f" since {feed['since']}" if feed["since"] else ""
    return f"Feed: {feed['state'] or 'none'}{since} {feed['reason']}".rstrip()


def _forecast_line(report: dict[str, Any]) -> str:
    told = report["forecasts"]
    if not told["count"]:
        return f"No forecast was said for {report['symbol']} in the last {report['since']}."
    return (
        f"Forecasts: {told['count']}, the last at {told['last']}: a rise with probability "
        f"{told['probability_up']:.4f} ({told['source']})"
    )


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    why = f"{one['reason']} ({one['detail']})" if one["detail"] else one["reason"]
    return (one["who"], one["what"], str(one["times"]), iso_ms(one["last_ns"]), why)
