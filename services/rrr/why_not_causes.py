"""What keeps a symbol from being traded, the heaviest cause first, in plain words."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from bus.house import House
from schema.locks import ANY
from schema.units import iso, iso_ms
from services.engine.locks import told_what, told_why, way_out
from services.rrr.books import Row, known_rows
from services.rrr.locks import SAID, locks_of

KILL, SERVICE, HALT, FEED, NONE, PAUSED, LIMIT, LOCK, OTHER = 10, 20, 30, 35, 40, 45, 50, 55, 60
FORECAST, DENIED, REJECTED, REFUSED, HELD, IDLE = 70, 75, 80, 85, 90, 95
WEIGHTS = (
    ("kill level", KILL),
    ("not armed", 15),
    ("arm expired", 15),
    ("live conditions", 15),
    ("no exchange", 15),
    ("exchange key", 15),
    ("service", SERVICE),
    ("contracts differ", 99),
    ("instrument halted", HALT),
    ("order unconfirmed", HALT),
    ("order missing", HALT),
    ("unexplained balance", HALT),
    ("feed", FEED),
    ("no strategy", NONE),
    ("strategy", PAUSED),
    ("locked", LOCK),
)
"""How a stop's name begins, and how much it weighs: the least is told first."""

QUIET_ACTIONS = {"refuse": REFUSED, "hold": HELD}
LATCHES = """
SELECT type, scope, reason, ts_ns, detail ->> '$.by' AS by FROM trading.risk_events
WHERE type IN ('StrategyPaused', 'StrategyFailed', 'StrategyResumed') ORDER BY id DESC LIMIT 500
"""
LIMITS = """
SELECT name, scope, value, observed, ts_ns FROM trading.risk_limits WHERE latched = 1 ORDER BY name
"""


Stop = dict[str, str]


class Cause(msgspec.Struct):
    """One thing that keeps a symbol from being traded; `times`: how often it was said lately."""

    weight: int
    what: str
    text: str
    since: str = ""
    times: int = 0
    release: str = ""


def causes_of(report: dict[str, Any]) -> list[Cause]:
    """Return what is known to keep a symbol from being traded, the heaviest first."""
    found = [*map(_of_stop, report["stops"]), *_of_market(report), *_of_answers(report)]
    found += _of_decisions(report)
    level = report["kill_level"]
    if level != "ACTIVE" and not any(cause.weight == KILL for cause in found):
        text = f"house: kill level {level}: {report['kill_reason']}"
        found.append(Cause(KILL, f"kill level {level}", text, release='rrr resume "why"'))
    if not report["decisions"] and not report["traded"]["fills"]:
        text = f"no strategy decided anything on it in the last {report['since']}"
        found.append(Cause(IDLE, "no decision", text))
    return sorted(found, key=lambda cause: cause.weight)


def main_line(report: dict[str, Any], causes: list[Cause]) -> str:
    """Return the main cause as one sentence."""
    symbol, fills = report["symbol"], report["traded"]["fills"]
    begin = f"Nothing is traded in {symbol}: "
    if fills:
        told = f"{symbol} was traded: {counted(fills, 'fill')} in the last {report['since']}, "
        told += f"the last at {report['traded']['last']}"
        if not causes or causes[0].weight >= FORECAST:
            return f"{told}."
        begin = f"{told}; what stops it now: "
    if not causes:
        return f"Nothing is known to keep {symbol} from being traded."
    first = causes[0]
    return f"{begin}{first.text}{f' -> {first.release}' if first.release else ''}."


def counted(count: int, what: str) -> str:
    """Return a count with its noun."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _of_stop(stop: Stop) -> Cause:
    text = f"{stop['scope']}: {stop['what']}, by {stop['by']}: {stop['why']}"
    return Cause(weight_of(stop), stop["what"], text, stop["since"], 0, stop["release"])


def weight_of(stop: Stop) -> int:
    """Return how much a stop weighs, by its name and by who says it."""
    for name, weight in WEIGHTS:
        if stop["what"].startswith(name):
            return weight
    return LIMIT if stop["by"] == "risk" else OTHER


def _of_market(report: dict[str, Any]) -> Iterator[Cause]:
    feed, told = report["feed"], report["forecasts"]
    if feed["state"] != "OK":
        text = f"its feed is {feed['state'] or 'not there'}: {feed['reason']}"
        yield Cause(FEED, "feed", text, feed["since"])
    if not told["count"]:
        text = f"no forecast was said for it in the last {report['since']}"
        yield Cause(FORECAST, "no forecast", text)


def _of_answers(report: dict[str, Any]) -> Iterator[Cause]:
    for one in report["denied"]:
        weight = REJECTED if one["what"] == "rejected" else DENIED
        text = (
            f"{one['who']} {one['what']} {counted(one['times'], 'order')}, the last at "
            f"{iso_ms(one['last_ns'])}: {one['reason']} {one['detail']}"
        ).rstrip()
        yield Cause(weight, one["reason"], text, iso(one["last_ns"]), one["times"])


def _of_decisions(report: dict[str, Any]) -> Iterator[Cause]:
    for name in report["shadows"]:
        yield Cause(PAUSED, "shadow", f"{name} is a shadow: it decides, and orders nothing")
    for one in report["decisions"]:
        weight = QUIET_ACTIONS.get(one["what"])
        if weight is None:
            continue
        numbers = f" ({one['detail']})" if one["detail"] else ""
        text = (
            f"{one['who']} said {one['what']} {counted(one['times'], 'time')}, the last at "
            f"{iso_ms(one['last_ns'])}: {one['reason']}{numbers}"
        )
        yield Cause(weight, one["what"], text, iso(one["last_ns"]), one["times"])


def kept_stops(house: House, symbol: str, now_ns: int) -> list[Stop]:
    """Return what is latched by the word of the shard: for when nobody is there to be asked."""
    return [
        *_limits(known_rows(house, LIMITS)),
        *_latches(known_rows(house, LATCHES)),
        *_locks(known_rows(house, SAID), symbol, now_ns),
    ]


def _limits(rows: Iterable[Row]) -> Iterator[Stop]:
    for row in rows:
        why = f"{row['observed']} of {row['value']} at most"
        what, release = row["name"].replace("_", " "), f'rrr resume --limit {row["name"]} "why"'
        yield _stop(what, row["scope"], row["ts_ns"], "risk", why) | {"release": release}


def _locks(rows: Iterable[Row], symbol: str, now_ns: int) -> Iterator[Stop]:
    for lock in locks_of(rows).now(now_ns):
        if lock.symbol in {symbol, ANY}:
            what, why, release = told_what(lock), told_why(lock), way_out(lock)
            yield _stop(what, lock.symbol, lock.since_ns, lock.by, why) | {"release": release}


def _latches(rows: Iterable[Row]) -> Iterator[Stop]:
    seen: set[str] = set()
    for row in rows:
        name = row["scope"]
        if name in seen:
            continue
        seen.add(name)
        if row["type"] != "StrategyResumed":
            what = "strategy paused" if row["type"] == "StrategyPaused" else "strategy failed"
            by, release = row["by"] or "engine", f'rrr strategy resume {name} "why"'
            yield _stop(what, name, row["ts_ns"], by, row["reason"]) | {"release": release}


def _stop(what: str, scope: str, since_ns: int, by: str, why: str) -> Stop:
    return {"what": what, "scope": scope, "since": iso(since_ns), "by": by, "why": why}
