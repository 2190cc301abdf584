"""Trades that are missing: which they are, whether they can be had, and where the feed goes on."""

from schema.market import FeedGap
from schema.units import MS_NS, bar_close_ns, bar_open_ns
from services.ingest.effects import FetchedTrades, RawTrade
from services.ingest.line import Pass
from services.ingest.refusals import Suspects

GAP_MAX = 20_000
"""Trades worth fetching one by one, twenty pages of a thousand; more come as bars by REST."""


def close_gap(turn: Pass) -> None:
    """Say that what was left out has been fetched, once it has."""
    line = turn.line
    if line.gap and line.next_id > line.gap[1]:
        first, last, reason = line.gap
        line.gap = None
        line.filled += 1
        turn.say(gap_of(turn, first, last, reason, filled=True))


def say_lost(turn: Pass, last: int) -> None:
    """Say which trades were given up, once it is known up to which."""
    assert turn.line.lost is not None
    first, reason = turn.line.lost
    turn.line.lost = None
    if first <= last:
        turn.say(gap_of(turn, first, last, reason, filled=False))


def gap_of(turn: Pass, first: int, last: int, reason: str, *, filled: bool) -> FeedGap:
    """Return what is said of trades that were left out."""
    return FeedGap(
        ts_event=turn.now_ns,
        symbol=turn.feed.symbol,
        first_trade_id=first,
        last_trade_id=last,
        filled=filled,
        reason=reason,
    )


def unfillable(answer: FetchedTrades, from_id: int) -> str:
    """Return why an answer shows that the trades from an id on cannot be had; empty: they can."""
    if answer.head_id - from_id >= GAP_MAX:
        return f"{answer.head_id - from_id + 1} trades are too many to fetch one by one"
    if answer.trades and answer.trades[0][0] > from_id:
        return f"the exchange gives trades from {answer.trades[0][0]} on only"
    if not answer.trades and answer.head_id >= from_id:
        return "the exchange does not give them back"
    return ""


def give_up(turn: Pass, why: str) -> None:
    """Let trades go, and begin anew with the newest."""
    line = turn.line
    line.lost = (line.next_id, why)
    line.anchored, line.resync, line.gap = False, "", None
    line.given_up += 1
    line.suspects = Suspects()


def join(turn: Pass, trades: tuple[RawTrade, ...]) -> None:
    """Find out from which trade on this feed is whole."""
    # A minute counts when a trade before it is among these: then none of its own is missing.
    line = turn.line
    last_ns = trades[-1][3] * MS_NS
    join_ns = bar_open_ns(last_ns, "1m")
    if trades[0][3] * MS_NS >= join_ns:
        join_ns = bar_close_ns(last_ns, "1m")
    line.join_ns = join_ns
    line.next_id = next((t[0] for t in trades if t[3] * MS_NS >= join_ns), trades[-1][0] + 1)


def synced(turn: Pass) -> None:
    """Take note that the exchange was asked what was missed."""
    # What was asked before the live feed stood says nothing of the moment between.
    line = turn.line
    line.resync = line.resync if line.asked_early else ""
    line.asked_early = False
