"""Compares each closed minute with the exchange's own bar of it, and mends what differs.

Every few minutes one question asks for the minutes since. Where open, high, low, close or volume
are not the same to the last unit, the trades of that minute are fetched once more; do they not make
the exchange's bar either, the exchange's row is the truth. Counts of trades are not compared:
exchanges count their bars otherwise than their trades.
"""

from bus.errors import ProtocolError
from bus.service import Said
from schema.house import Unanswered
from schema.market import Bar, FeedGap, Quarantined
from schema.units import MINUTE_NS, MS_NS, bar_open_ns, iso
from services.ingest.bars import fetched_bar, minute_bar
from services.ingest.buckets import Bucket, with_trade
from services.ingest.corrections import correct
from services.ingest.effects import FetchBars, FetchedBars, FetchedTrades, FetchTrades, RawBar
from services.ingest.kept import SPAN_NS, bar_at, before, between
from services.ingest.line import Pass
from services.ingest.numbers import read, trace_of

ERRORS = (ValueError, ProtocolError)
ROW_CHARS = 200
PAUSE_NS = 5 * MINUTE_NS
EACH_NS = 100 * MS_NS
"""Of a person's time, for each symbol: what is asked for stays a small part of the budget."""

SIDES = ("open", "high", "low", "close", "volume")


def pause_ns(symbols: int, scale: float) -> int:
    """Return how long a symbol waits from one comparison to the next, in market time."""
    return min(max(PAUSE_NS, int(symbols * EACH_NS * scale)), SPAN_NS // 2)


def ask_check(turn: Pass) -> None:
    """Ask for the exchange's own bars of the minutes that were not compared yet."""
    check, feed, pace = turn.line.check, turn.feed, turn.pace
    if not pace.check_ns or check.asked or check.sought or turn.now_ns < check.due_ns:
        return
    until_ns = min(feed.covered_ns, bar_open_ns(turn.now_ns - turn.wait_ns, "1m"))
    bars = between(feed.kept, "1m", check.done_ns, until_ns)
    first_ns = next((bar.open_ns for bar in bars if bar.source == "trades"), 0)
    if not first_ns:
        return
    kept_ns = max(feed.kept_ns, bar_open_ns(feed.covered_ns - SPAN_NS, "5m"))
    start_ns = max(kept_ns, check.done_ns or first_ns)
    check.asked, check.start_ns, check.until_ns = turn.effect_id("check"), start_ns, until_ns
    turn.said.append(
        FetchBars(effect_id=check.asked, symbol=feed.symbol, start_ns=start_ns, until_ns=until_ns)
    )


def hear_check(turn: Pass, answer: Said) -> bool:
    """Take an answer that is of a comparison; False for what is none."""
    check = turn.line.check
    if not check.asked or getattr(answer, "effect_id", "") != check.asked:
        return False
    check.asked = ""
    match answer:
        case FetchedBars():
            _compare(turn, answer)
        case FetchedTrades():
            _settle_doubt(turn, answer)
        case Unanswered():
            check.due_ns = turn.now_ns + turn.pace.grace_ns
            if check.sought:
                _settle_doubt(turn, None)
    return True


def _compare(turn: Pass, answer: FetchedBars) -> None:
    check, feed = turn.line.check, turn.feed
    rows = {row[0] * MS_NS: row for row in answer.bars}
    first_ns, through_ns = check.start_ns, min(answer.through_ns, feed.covered_ns)
    ours = between(feed.kept, "1m", first_ns, through_ns)
    theirs = {bar.open_ns for bar in ours if bar.source != "trades"}
    check.compared += len(ours) - len(theirs)
    doubts = [
        rows[open_ns]
        for open_ns in sorted(rows)
        if first_ns <= open_ns < through_ns
        and open_ns not in theirs
        and _differs(turn, rows[open_ns])
    ]
    for bar in ours:
        if bar.open_ns not in theirs | rows.keys():
            _refuse(turn, bar.open_ns, "the exchange has no bar of a minute with trades", "")
    check.done_ns = max(check.done_ns, answer.through_ns)
    is_all = answer.through_ns >= check.until_ns
    check.due_ns = turn.now_ns + (turn.pace.check_ns if is_all else 0)
    check.sought = doubts
    _seek(turn)


def _differs(turn: Pass, row: RawBar) -> bool:
    try:
        return bool(_differences(turn, row))
    except ERRORS as error:
        _refuse(turn, row[0] * MS_NS, str(error), repr(row))
        return False


def _differences(turn: Pass, row: RawBar) -> list[str]:
    """Return which numbers differ, and how; a minute that has no trade is one that has no bar."""
    feed = turn.feed
    ours, bar = bar_at(feed.kept, "1m", row[0] * MS_NS), fetched_bar(feed, row)
    if ours is None:
        return ["it was taken for empty"] if bar.volume else []
    return [
        f"{side} {getattr(ours, side)} is {getattr(bar, side)}"
        for side in SIDES
        if not _is_same(getattr(ours, side), getattr(bar, side), _more(turn, bar, side))
    ]


def _more(turn: Pass, bar: Bar, side: str) -> int:
    if side == "volume":
        return bar.qty_exp - turn.feed.qty_exp
    return bar.px_exp - turn.feed.px_exp


def _is_same(ours: int, theirs: int, more_exp: int) -> bool:
    return theirs == ours * int(10**more_exp)


def _seek(turn: Pass) -> None:
    """Ask for the trades of the next minute in doubt; it is settled without where none is known."""
    check = turn.line.check
    while check.sought:
        from_id = _from_id(turn, check.sought[0][0] * MS_NS)
        if from_id:
            check.asked = turn.effect_id("check")
            turn.said.append(
                FetchTrades(effect_id=check.asked, symbol=turn.feed.symbol, from_id=from_id)
            )
            return
        _take_row(turn, check.sought.pop(0))


def _from_id(turn: Pass, open_ns: int) -> int:
    last, ours = before(turn.feed.kept, open_ns), bar_at(turn.feed.kept, "1m", open_ns)
    if last is not None and last.last_id:
        return last.last_id + 1
    return ours.first_id if ours is not None else 0


def _settle_doubt(turn: Pass, answer: FetchedTrades | None) -> None:
    row = turn.line.check.sought.pop(0)
    found = _made(turn, row[0] * MS_NS, answer) if answer is not None else None
    if found is None or not _take_trades(turn, row, found):
        _take_row(turn, row)
    _seek(turn)


def _made(turn: Pass, open_ns: int, answer: FetchedTrades) -> Bucket | None:
    """Return the minute that the exchange's trades make; None where they do not make one."""
    feed = turn.feed
    minute: Bucket | None = None
    for trade_id, price, quantity, ms, _ in answer.trades:
        if open_ns <= ms * MS_NS < open_ns + MINUTE_NS:
            try:
                (px,), px_exp = read([price], feed.px_exp)
                (qty,), qty_exp = read([quantity], feed.qty_exp)
            except ERRORS:
                return None
            if (px_exp, qty_exp) != (feed.px_exp, feed.qty_exp):
                return None
            trace = trace_of(feed.symbol, trade_id)
            minute = with_trade(minute, open_ns, px, qty, trade_id, trace)
    return minute


def _take_trades(turn: Pass, row: RawBar, minute: Bucket) -> bool:
    feed, theirs = turn.feed, fetched_bar(turn.feed, row)
    if any(
        not _is_same(getattr(minute, side), getattr(theirs, side), _more(turn, theirs, side))
        for side in SIDES
    ):
        return False
    turn.say(
        FeedGap(
            ts_event=turn.now_ns,
            symbol=feed.symbol,
            first_trade_id=minute.first_id,
            last_trade_id=minute.last_id,
            filled=True,
            reason=_told(turn, row),
        )
    )
    _correct(turn, minute_bar(feed, minute))
    return True


def _take_row(turn: Pass, row: RawBar) -> None:
    _refuse(turn, row[0] * MS_NS, _told(turn, row), repr(row))
    _correct(turn, fetched_bar(turn.feed, row))


def _correct(turn: Pass, bar: Bar) -> None:
    correct(turn, bar)
    turn.line.check.corrected += 1


def _told(turn: Pass, row: RawBar) -> str:
    told = "; ".join(_differences(turn, row))
    return f"the bar of {iso(row[0] * MS_NS)} is not the exchange's own: {told}"


def _refuse(turn: Pass, open_ns: int, reason: str, row: str) -> None:
    turn.say(
        Quarantined(
            ts_event=turn.now_ns,
            symbol=turn.feed.symbol,
            kind="bar",
            reason=reason if row else f"{reason}: {iso(open_ns)}",
            row=row[:ROW_CHARS],
        )
    )
