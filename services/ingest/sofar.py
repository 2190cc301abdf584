"""Says how the minute stands that is not over yet, for people: no decision is made of it."""

from schema.market import BarSoFar
from schema.units import INT64_LIMIT
from services.ingest.line import Pass


def say_sofar(turn: Pass) -> None:
    """Say the newest minute when it has changed, and not more often than anybody can look."""
    feed, line, pace = turn.feed, turn.line, turn.pace
    if not pace.sofar_ns or turn.now_ns < line.sofar_ns + pace.sofar_ns:
        return
    if not feed.minutes or feed.status != "OK":
        return
    bucket = feed.minutes[max(feed.minutes)]
    if bucket.last_id == line.sofar_id or bucket.volume >= INT64_LIMIT:
        return
    line.sofar_ns, line.sofar_id = turn.now_ns, bucket.last_id
    turn.say(
        BarSoFar(
            ts_event=feed.last_ns,
            trace=bucket.trace,
            symbol=feed.symbol,
            timeframe="1m",
            open_ns=bucket.open_ns,
            open=bucket.open,
            high=bucket.high,
            low=bucket.low,
            close=bucket.close,
            volume=bucket.volume,
            trades=bucket.trades,
            px_exp=feed.px_exp,
            qty_exp=feed.qty_exp,
        )
    )
